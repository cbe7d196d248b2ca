from django.urls import path

from pairselect.pools import views

app_name = "pools"
urlpatterns = [
    path("prompts/", views.prompt_set_list, name="prompt_sets"),
    path("prompts/<int:pk>/", views.prompt_set_detail, name="prompt_set"),
    path("pools/", views.pool_list, name="pools"),
    path("pools/new/", views.pool_new, name="pool_new"),
    path("pools/import/", views.pool_import, name="pool_import"),
    path("pools/<int:pk>/", views.pool_detail, name="pool"),
]
