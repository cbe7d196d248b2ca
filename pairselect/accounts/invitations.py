"""Links that let people in: made, looked at, used once, taken back."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from pairselect.accounts.models import DAYS, Invitation
from pairselect.accounts.places import places
from pairselect.trail.actions import record

SIGNER = Signer(sep=".", salt="pairselect.invitation")


SESSION_KEY = "invitation"  # the digest of the one that this browser has opened


class InvitationGone(Exception):
    """The link is none, or is good for nothing any more. Its sentence is for who opened it."""


def invite(
    *,
    role: str = Invitation.Role.ANNOTATOR,
    campaigns: Iterable[Model] = (),
    note: str = "",
    days: int = DAYS,
    person: User | None = None,
    created_by: User | None = None,
) -> tuple[Invitation, str]:
    """A link for one person, as its invitation and its secret, which is kept nowhere.

    Parameters
    ----------
    role
        Of somebody new.
    campaigns
        That somebody new begins in at once; adjudicators decide disagreements there.
    note
        Whom it is for, for the list.
    days
        That it is good for.
    person
        Who is here already and lost the password: the link gives a new one. Links that were made
        for them before are good for nothing any more.
    created_by
        Who makes it; None: the command line.
    """
    secret = SIGNER.sign(secrets.token_urlsafe(32))
    with transaction.atomic():
        if person is not None:
            _lock(person)
            revoke(Invitation.objects.filter(person=person))
        invitation = Invitation.objects.create(
            digest=digest_of(secret),
            role=role,
            note=note,
            person=person,
            created_by=created_by,
            expires_at=timezone.now() + timedelta(days=days),
        )
        chosen: Any = getattr(invitation, "campaigns")  # noqa: B009  # of an app above this one
        chosen.set(campaigns)
        kind = "person.link_made" if person else "invitation.made"
        record(kind, person or invitation, person=created_by, role=role)
    return invitation, secret


def path_of(secret: str) -> str:
    """The link without its host. Browsers send what follows # to no server and in no referrer."""
    return f"{reverse('join')}#{secret}"


def link_of(secret: str, address: str | None = None) -> str:
    """The whole link, for a command, which no browser has told the server's name.

    Parameters
    ----------
    address
        As people type it; None: by HTTPS the first of the allowed hosts, else this machine.
    """
    named = [host for host in settings.ALLOWED_HOSTS if not host.startswith(("*", "."))]
    usual = f"https://{named[0]}" if settings.HTTPS and named else "http://localhost:8000"
    return (address or usual).rstrip("/") + path_of(secret)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def digest_of_signed(secret: str) -> str | None:
    """Of a secret that was made here; None of any other, without a look into the database."""
    try:
        SIGNER.unsign(secret)
    except BadSignature:
        return None
    return digest_of(secret)


def find(digest: str | None) -> Invitation:
    """The open invitation of that digest.

    Raises
    ------
    InvitationGone
        When there is none, or it is used, revoked or expired.
    """
    found = Invitation.objects.select_related("person").filter(digest=digest).first()
    if digest is None or found is None:
        raise InvitationGone(gettext("This is no invitation. Open the whole link, to its end."))
    if found.person is not None and not found.person.is_active:
        raise InvitationGone(gettext("This account is closed. Ask an admin to open it again."))
    said = {
        Invitation.State.USED: gettext("This link has been used. Ask an admin for another."),
        Invitation.State.REVOKED: gettext("This link was taken back. Ask an admin for another."),
        Invitation.State.EXPIRED: gettext("This link has expired. Ask an admin for another."),
    }
    if found.state in said:
        raise InvitationGone(said[found.state])
    return found


@transaction.atomic
def use(invitation: Invitation, person_of: Callable[[], User]) -> User:
    """Let the person in by the invitation: of several who try at once, one.

    Parameters
    ----------
    invitation
        As `find` gave it.
    person_of
        Makes the account, or changes the one that the invitation is for. What it raises leaves the
        invitation open.

    Raises
    ------
    InvitationGone
        When it is open no more.
    """
    if invitation.person is not None:
        _lock(invitation.person)
    now = timezone.now()
    still_open = _open().filter(pk=invitation.pk, expires_at__gt=now)
    if not still_open.update(used_at=now):
        raise InvitationGone(gettext("This link has just been used. Ask an admin for another."))
    person = person_of()
    Invitation.objects.filter(pk=invitation.pk).update(used_by=person)
    if invitation.person_id is None:
        person.groups.add(Group.objects.get(name=invitation.group))
        adjudicates = invitation.role == Invitation.Role.ADJUDICATOR
        chosen: Any = getattr(invitation, "campaigns")  # noqa: B009
        places().join(person, chosen.all(), adjudicates)
        record("invitation.used", invitation, person=person, role=invitation.role)
    else:
        record("person.link_used", person, person=person)
    return person


def chosen_invitation(request: HttpRequest) -> str:
    """The digest of the invitation that this browser has opened; empty: none."""
    return str(request.session.get(SESSION_KEY, ""))


def forget_invitation(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)


def revoke(invitations: QuerySet[Invitation]) -> int:
    """Take back those that are open; the rows stay, to tell what was."""
    return _open(invitations).update(revoked_at=timezone.now())


def _lock(person: User) -> None:
    """Have whoever else changes the person's links wait; before the links, so in one order."""
    User.objects.select_for_update(no_key=True).get(pk=person.pk)


def _open(among: QuerySet[Invitation] | None = None) -> QuerySet[Invitation]:
    among = Invitation.objects.all() if among is None else among
    return among.filter(Q(used_at__isnull=True), Q(revoked_at__isnull=True))
