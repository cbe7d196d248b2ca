from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from pairselect.accounts.actions import change_role, create_person, set_active
from pairselect.accounts.door import ways_in
from pairselect.accounts.forms import InvitationForm, OwnPasswordForm, PersonForm, RoleForm
from pairselect.accounts.invitations import invite, path_of, revoke
from pairselect.accounts.locks import lift, locks
from pairselect.accounts.models import Invitation
from pairselect.accounts.people import invitations, rows
from pairselect.accounts.roles import ADMIN, ANNOTATOR, admin_required, everybody, signed_in
from pairselect.trail.actions import record


@never_cache
@require_http_methods(["GET", "POST"])
@admin_required
def people(request: HttpRequest) -> HttpResponse:
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        username = form.cleaned_data["username"]
        try:
            user, password = create_person(username, role=form.cleaned_data["role"])
        except IntegrityError:  # taken while the password was hashed, as by a second click
            taken = gettext("There is an account named “%(name)s”.")
            form.add_error("username", taken % {"name": username})
        else:
            said = gettext("The password of %(name)s is %(password)s — it is shown only this once.")
            messages.success(request, said % {"name": user.username, "password": password})
            return redirect("accounts:people")
    return _page(request, form=form)


@never_cache
@require_POST
@admin_required
def new_invitation(request: HttpRequest) -> HttpResponse:
    """The page with the link, which is shown in this one answer and kept nowhere."""
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _page(request, invitation_form=form)
    _invitation, secret = invite(**form.cleaned_data, created_by=signed_in(request))
    return _page(request, link=request.build_absolute_uri(path_of(secret)))


@never_cache
@require_POST
@admin_required
def new_link(request: HttpRequest, pk: int) -> HttpResponse:
    """A link by which somebody who is here gets a new password, or another way in."""
    user = _other_person(request, pk)
    _invitation, secret = invite(person=user, days=1, created_by=signed_in(request))
    return _page(request, link=request.build_absolute_uri(path_of(secret)), link_for=user)


@require_POST
@admin_required
def revoke_invitation(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Invitation, pk=pk)
    with transaction.atomic():
        was_open = revoke(Invitation.objects.filter(pk=pk))
        if was_open:
            record("invitation.revoked", found)
    if was_open:
        messages.success(request, gettext("The link lets nobody in any more."))
    else:
        messages.error(request, gettext("The link was good for nothing any more before."))
    return redirect("accounts:people")


@require_POST
@admin_required
def lift_lock(request: HttpRequest) -> HttpResponse:
    username, address = request.POST.get("username", ""), request.POST.get("address", "")
    if lift(username=username, address=address):
        messages.success(request, gettext("The lock is lifted. Logging in can be tried again."))
    else:
        messages.error(request, gettext("There is no such lock any more."))
    return redirect("accounts:people")


@require_POST
@admin_required
def role(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        change_role(user, form.cleaned_data["role"], by=signed_in(request))
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
    set_active(user, active=False, by=signed_in(request))
    said = gettext("%(name)s cannot log in any more. All answers are kept.")
    messages.success(request, said % {"name": user.username})
    return redirect("accounts:people")


@require_POST
@admin_required
def reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    user = _other_person(request, pk)
    set_active(user, active=True, by=signed_in(request))
    said = gettext("%(name)s can log in again, with the password from before.")
    messages.success(request, said % {"name": user.username})
    return redirect("accounts:people")


class OwnPassword(PasswordChangeView):
    """Everybody's own. This session lives on, the person's others end."""

    form_class = OwnPasswordForm
    template_name = "accounts/password.html"
    success_url = reverse_lazy("home")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.PASSWORD_LOGIN:
            raise Http404(gettext("Passwords are switched off on this server."))
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: OwnPasswordForm) -> HttpResponse:
        with transaction.atomic():
            record("person.password_changed", signed_in(self.request))
            response = super().form_valid(form)
        messages.success(self.request, gettext("Your password is changed."))
        return response


def _other_person(request: HttpRequest, pk: int) -> User:
    """Neither oneself, so that an admin is always left, nor a superuser, who is the operator."""
    others = everybody().filter(is_superuser=False).exclude(pk=signed_in(request).pk)
    return get_object_or_404(others, pk=pk)


def _page(request: HttpRequest, **shown: Any) -> HttpResponse:
    context = {
        "rows": rows(),
        "form": PersonForm(),
        "invitation_form": InvitationForm(),
        "invitations": invitations(),
        "locks": locks(),
        **ways_in(),
    }
    return render(request, "accounts/people.html", context | shown)
