from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from pairselect import tidy_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", views.home_projects, name="home_projects"),
    path("manage/<slug:what>/<int:pk>/rename/", tidy_views.rename, name="rename"),
    path("manage/<slug:what>/<int:pk>/archive/", tidy_views.archive, name="archive"),
    path("manage/<slug:what>/<int:pk>/restore/", tidy_views.restore, name="restore"),
    path("manage/<slug:what>/<int:pk>/delete/", tidy_views.delete, name="delete"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", include("pairselect.pools.urls")),
    path("designs/", include("pairselect.designs.urls")),
    path("", include("annotate.urls")),
    path("", include("pairselect.api.page_urls")),
    path("api/v1/", include("pairselect.api.urls")),
    path("people/", include("pairselect.accounts.urls")),
    path("jobs/", include("pairselect.jobs.urls")),
    path("admin/", admin.site.urls),
]
