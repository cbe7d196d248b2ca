"""Logging in by an OpenID Connect server: allauth talks to it, and here it is decided who comes in.

Whoever is known by issuer and subject; whoever opened an invitation before; and, as annotators,
whoever has a verified e-mail address of an allowed domain. By an e-mail address nobody ever gets
into an account that exists.
"""

import logging
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from pairselect.accounts.actions import create_by_claims
from pairselect.accounts.door import enter, oidc_name
from pairselect.accounts.invitations import (
    InvitationGone,
    chosen_invitation,
    find,
    forget_invitation,
    use,
)
from pairselect.accounts.next_page import next_page
from pairselect.accounts.roles import ANNOTATOR

logger = logging.getLogger(__name__)


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Ends each visit here, before allauth would show a page of its own."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> NoReturn:
        try:
            person = _admit(request, sociallogin)
        except InvitationGone as problem:
            forget_invitation(request)
            raise ImmediateHttpResponse(back(request, str(problem))) from problem
        except IntegrityError as problem:  # the same visitor, twice at once
            raise ImmediateHttpResponse(back(request, gettext("Try again."))) from problem
        enter(request, person)
        forget_invitation(request)
        page = next_page(
            request, sociallogin.state.get("next"), otherwise=settings.LOGIN_REDIRECT_URL
        )
        raise ImmediateHttpResponse(redirect(page))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> NoReturn:
        # Of what was raised the kind alone: its words may hold what the server has sent.
        logger.warning("OpenID Connect: %s, %s", error, type(exception).__name__)
        said = gettext("%(name)s did not confirm who you are. Try again.") % {"name": oidc_name()}
        raise ImmediateHttpResponse(back(request, said))


def _admit(request: HttpRequest, visit: SocialLogin) -> User:
    """Whom the visitor is here; made now where the visitor may come in and is new.

    Raises
    ------
    InvitationGone
        When the visitor may not come in.
    """
    digest = chosen_invitation(request)
    known = visit.user if visit.account.pk else None
    if known is not None and not known.is_active:
        raise InvitationGone(gettext("This account is closed. Ask an admin to open it again."))
    invitation = find(digest) if digest else None
    if invitation is None or (known is not None and invitation.person_id is None):
        return known or _by_domain(visit)
    of = invitation.person
    if known is not None and known != of:
        said = gettext("With %(name)s you already have another account here.")
        raise InvitationGone(said % {"name": oidc_name()})
    return use(invitation, lambda: known or _connect(of or create_by_claims(_claims(visit)), visit))


def _by_domain(visit: SocialLogin) -> User:
    claims = _claims(visit)
    _name, at, domain = str(claims.get("email", "")).partition("@")
    verified = bool(at) and claims.get("email_verified") in (True, "true")
    domains = settings.OIDC.domains if settings.OIDC else ()
    if not (verified and domain.lower() in domains):
        raise InvitationGone(
            gettext("There is no account for you here yet. Ask an admin for an invitation.")
        )
    with transaction.atomic():
        return _connect(create_by_claims(claims, role=ANNOTATOR), visit)


def _connect(person: User, visit: SocialLogin) -> User:
    account: SocialAccount = visit.account
    account.user = person
    account.save()
    return person


def _claims(visit: SocialLogin) -> dict[str, Any]:
    """What the server says of the visitor: its user info, or else the ID token."""
    data = visit.account.extra_data
    return dict(data.get("userinfo") or data.get("id_token") or {})


def back(request: HttpRequest, said: str) -> HttpResponse:
    """To where the person set out."""
    messages.error(request, said)
    return redirect("join_account" if chosen_invitation(request) else "login")
