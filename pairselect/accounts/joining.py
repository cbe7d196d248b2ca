"""Whoever opens an invitation: the link, then a name and a password.

The secret is behind the # of the link. No browser sends that to a server, so it is in no access
log; a script puts it into the page's form.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import SetPasswordForm
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from pairselect.accounts.actions import join_with_password
from pairselect.accounts.door import enter, ways_in
from pairselect.accounts.forms import CodeForm, JoinForm
from pairselect.accounts.invitations import (
    SESSION_KEY,
    InvitationGone,
    chosen_invitation,
    digest_of_signed,
    find,
    forget_invitation,
)
from pairselect.accounts.models import Invitation


@login_not_required
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Take the secret from the link, and go on without it."""
    if request.user.is_authenticated:
        return render(request, "accounts/join.html", {"inside": True})
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        digest = digest_of_signed(form.cleaned_data["code"])
        try:
            request.session[SESSION_KEY] = find(digest).digest
        except InvitationGone as problem:
            form.add_error(None, str(problem))
        else:
            return redirect("join_account")
    return render(request, "accounts/join.html", {"form": form})


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def join_account(request: HttpRequest) -> HttpResponse:
    """Take the name and the password, or send to the other way in."""
    if request.user.is_authenticated:
        return redirect("home")
    try:
        invitation = find(chosen_invitation(request))
    except InvitationGone as problem:
        forget_invitation(request)
        messages.error(request, str(problem))
        return redirect("join")
    ways = ways_in()
    form = _form(invitation, request.POST or None)
    if request.method == "POST" and ways["password_login"] and form.is_valid():
        person = form.save(commit=False)  # the slow hash is made here, before the lock is taken
        try:
            join_with_password(invitation, person)
        except InvitationGone as problem:
            form.add_error(None, str(problem))
        except IntegrityError:
            form.add_error("username", gettext("There is an account of that name. Take another."))
        else:
            enter(request, person)
            forget_invitation(request)
            return redirect("home")
    context = {"form": form, "invitation": invitation, **ways}
    return render(request, "accounts/join_account.html", context)


def _form(invitation: Invitation, data: Any) -> Any:
    person = invitation.person
    return JoinForm(data) if person is None else SetPasswordForm(person, data)
