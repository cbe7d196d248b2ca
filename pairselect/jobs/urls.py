from django.urls import path

from pairselect.jobs import views

app_name = "jobs"
urlpatterns = [
    path("<int:pk>/progress/", views.job_progress, name="progress"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/retry/", views.retry, name="retry"),
]
