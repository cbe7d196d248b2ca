from django.urls import path
from django.views.decorators.http import require_http_methods

from pairselect.accounts import views

only_form = require_http_methods(["GET", "HEAD", "POST"])  # Django's own view takes a PUT, too

app_name = "accounts"
urlpatterns = [
    path("", views.people, name="people"),
    path("me/password/", only_form(views.OwnPassword.as_view()), name="own_password"),
    path("invite/", views.new_invitation, name="new_invitation"),
    path("invite/<int:pk>/revoke/", views.revoke_invitation, name="revoke_invitation"),
    path("locks/lift/", views.lift_lock, name="lift_lock"),
    path("<int:pk>/link/", views.new_link, name="new_link"),
    path("<int:pk>/role/", views.role, name="role"),
    path("<int:pk>/deactivate/", views.deactivate, name="deactivate"),
    path("<int:pk>/reactivate/", views.reactivate, name="reactivate"),
]
