from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from pairselect.accounts.actions import change_role, create_person, reset_password, set_active
from pairselect.accounts.forms import PersonForm, RoleForm
from pairselect.accounts.roles import (
    ADMIN,
    ANNOTATOR,
    admin_required,
    everybody,
    role_of,
    signed_in,
)


@never_cache
@require_http_methods(["GET", "POST"])
@admin_required
def people(request: HttpRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user, password = create_person(
            form.cleaned_data["username"], role=form.cleaned_data["role"]
        )
        _show_password(request, user, password)
        return redirect("accounts:people")
    found = everybody().prefetch_related("groups").order_by("username")
    rows = [(person, role_of(person)) for person in found]
    return render(request, "accounts/people.html", {"form": form, "rows": rows})


@require_POST
@admin_required
def new_password(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    _show_password(request, user, reset_password(user))
    return redirect("accounts:people")


@require_POST
@admin_required
def role(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        change_role(user, form.cleaned_data["role"])
        said = {
            ADMIN: gettext("%(name)s is admin now."),
            ANNOTATOR: gettext("%(name)s is annotator now."),
        }[form.cleaned_data["role"]]
        messages.success(request, said % {"name": user.username})
    else:
        messages.error(request, gettext("That is not a role. Nothing was changed."))
    return redirect("accounts:people")


@require_POST
@admin_required
def deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    set_active(user, active=False)
    said = gettext("%(name)s cannot log in any more. All answers are kept.")
    messages.success(request, said % {"name": user.username})
    return redirect("accounts:people")


@require_POST
@admin_required
def reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    set_active(user, active=True)
    said = gettext("%(name)s can log in again, with the password from before.")
    messages.success(request, said % {"name": user.username})
    return redirect("accounts:people")


class OwnPassword(PasswordChangeView):
    """Everybody's own. This session lives on, the person's others end."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, gettext("Your password is changed."))
        return super().form_valid(form)


def _other_person(request: HttpRequest, pk: int) -> User:
    """Neither oneself, so that an admin is always left, nor a superuser, who is the operator."""
    others = everybody().filter(is_superuser=False).exclude(pk=signed_in(request).pk)
    return get_object_or_404(others, pk=pk)


def _show_password(request: HttpRequest, user: User, password: str) -> None:
    said = gettext("The password of %(name)s is %(password)s — it is shown only this once.")
    messages.success(request, said % {"name": user.username, "password": password})
