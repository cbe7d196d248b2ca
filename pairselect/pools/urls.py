from django.urls import path

from pairselect.pools import upload_views, views

app_name = "pools"
urlpatterns = [
    path("prompts/", upload_views.prompt_set_list, name="prompt_sets"),
    path("prompts/<int:pk>/", upload_views.prompt_set_detail, name="prompt_set"),
    path("prompts/uploads/new/", upload_views.upload_new, name="prompt_set_upload_new"),
    path("prompts/uploads/<int:pk>/", upload_views.upload_detail, name="prompt_set_upload"),
    path(
        "prompts/uploads/<int:pk>/problems/",
        upload_views.upload_problems,
        name="prompt_set_upload_problems",
    ),
    path(
        "prompts/uploads/<int:pk>/discard/",
        upload_views.upload_discard,
        name="prompt_set_upload_discard",
    ),
    path("pools/", views.pool_list, name="pools"),
    path("pools/new/", views.pool_new, name="pool_new"),
    path("pools/import/", upload_views.upload_new, name="pool_import"),
    path("pools/<int:pk>/", views.pool_detail, name="pool"),
    path("pools/<int:pk>/latest/", views.pool_latest, name="pool_latest"),
    path("pools/<int:pk>/scores/", views.pool_scores, name="pool_scores"),
    path("pools/<int:pk>/report/", views.pool_report, name="pool_report"),
]
