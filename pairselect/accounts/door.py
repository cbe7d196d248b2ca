"""The login page."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from pairselect.accounts.invitations import forget_invitation


class DoorForm(AuthenticationForm):
    username = UsernameField(label=_("Username"), widget=TextInput(attrs={"autofocus": True}))

    error_messages = AuthenticationForm.error_messages | {
        "no_password": _("Passwords are switched off on this server. Log in with %(name)s."),
    }

    def clean(self) -> dict[str, Any]:
        if not settings.PASSWORD_LOGIN:  # its backend refuses too, wherever a password comes from
            raise self.get_invalid_login_error()
        return super().clean()

    def get_invalid_login_error(self) -> Any:
        if settings.PASSWORD_LOGIN:
            return super().get_invalid_login_error()
        error = super().get_invalid_login_error()
        error.message, error.params = self.error_messages["no_password"], {"name": oidc_name()}
        return error


class Door(LoginView):
    authentication_form = DoorForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Whoever comes here has left the invitation that this browser had opened: a link that
        somebody else has sent is not to decide into whose account the other way in leads."""
        forget_invitation(request)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | ways_in()


def show_login(request: HttpRequest, *, locked_minutes: int, status: int) -> HttpResponse:
    """The login page with the sentence for whoever has to wait."""
    view = Door()
    view.setup(request)
    context = {
        "form": DoorForm(request),
        "next": view.get_redirect_url(),
        "locked_minutes": locked_minutes,
        **ways_in(),
    }
    return render(request, "registration/login.html", context, status=status)


def ways_in() -> dict[str, Any]:
    return {"password_login": settings.PASSWORD_LOGIN, "oidc_name": oidc_name()}


def oidc_name() -> str:
    """What the other way in is called; empty: there is none."""
    return settings.OIDC.name if settings.OIDC else ""


def enter(request: HttpRequest, person: User) -> None:
    """Log the person in, under a new session key."""
    login(request, person, backend=settings.AUTHENTICATION_BACKENDS[-1])


@login_not_required
@never_cache
@require_GET
def operators_login(request: HttpRequest) -> HttpResponse:
    """Django's own site has no door of its own: who comes there logs in where everybody does."""
    if admin.site.has_permission(request):
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied(gettext("This page is for operators of the server."))
    response = redirect("login")
    if query := request.GET.urlencode():
        response["Location"] += f"?{query}"
    return response
