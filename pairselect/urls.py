from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.decorators.http import require_http_methods

from pairselect import csp_reports, history, tidy_views, views
from pairselect.accounts import door, joining, oidc_views

only_form = require_http_methods(["GET", "HEAD", "POST"])  # Django's own views take a PUT, too

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", views.home_projects, name="home_projects"),
    path("manage/<slug:what>/<int:pk>/rename/", tidy_views.rename, name="rename"),
    path("manage/<slug:what>/<int:pk>/archive/", tidy_views.archive, name="archive"),
    path("manage/<slug:what>/<int:pk>/restore/", tidy_views.restore, name="restore"),
    path("manage/<slug:what>/<int:pk>/delete/", tidy_views.delete, name="delete"),
    path("login/", only_form(door.Door.as_view()), name="login"),
    path("login/with/", oidc_views.begin, name="oidc"),
    path("login/with/callback/", oidc_views.callback, name="oidc_callback"),
    path("join/", joining.join, name="join"),
    path("join/account/", joining.join_account, name="join_account"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", include("pairselect.pools.urls")),
    path("designs/", include("pairselect.designs.urls")),
    path("", include("annotate.urls")),
    path("", include("pairselect.api.page_urls")),
    path("api/v1/", include("pairselect.api.urls")),
    path("people/", include("pairselect.accounts.urls")),
    path("jobs/", include("pairselect.jobs.urls")),
    path("csp-reports/", csp_reports.report, name="csp_reports"),
    path("history/", history.history, name="history"),
    path("admin/login/", door.operators_login, name="operators_login"),
    path("admin/", admin.site.urls),
]

handler500 = "pairselect.unavailable.server_error"
