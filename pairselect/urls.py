from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from pairselect import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", include("pairselect.pools.urls")),
    path("designs/", include("pairselect.designs.urls")),
    path("", include("annotate.urls")),
    path("people/", include("pairselect.accounts.urls")),
    path("jobs/", include("pairselect.jobs.urls")),
    path("admin/", admin.site.urls),
]
