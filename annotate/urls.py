from django.urls import path

from annotate import desk, views

app_name = "annotate"
urlpatterns = [
    path("work/", views.work, name="work"),
    path("work/<int:campaign_pk>/", views.compare, name="compare"),
    path("work/<int:campaign_pk>/<int:comparison_pk>/answer/", views.answer, name="answer"),
    path("work/<int:campaign_pk>/undo/", views.undo, name="undo"),
    path("campaigns/", desk.campaign_list, name="campaigns"),
    path("campaigns/new/", desk.campaign_new, name="campaign_new"),
    path("campaigns/<int:pk>/", desk.campaign_detail, name="campaign"),
    path("campaigns/<int:pk>/annotators/", desk.campaign_annotators, name="campaign_annotators"),
    path(
        "campaigns/<int:pk>/instructions/", desk.campaign_instructions, name="campaign_instructions"
    ),
    path("campaigns/<int:pk>/close/", desk.campaign_close, name="campaign_close"),
    path("campaigns/<int:pk>/reopen/", desk.campaign_reopen, name="campaign_reopen"),
    path("campaigns/<int:pk>/next-round/", desk.campaign_next_round, name="campaign_next_round"),
    path("campaigns/<int:pk>/exports/", desk.export_new, name="export_new"),
    path("exports/<int:pk>/", desk.export_download, name="export"),
]
