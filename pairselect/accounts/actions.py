import re
import secrets
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from pairselect.accounts.invitations import revoke, use
from pairselect.accounts.locks import lift
from pairselect.accounts.models import Invitation
from pairselect.accounts.roles import ADMIN, ROLES, is_admin
from pairselect.trail.actions import changed, record

NOT_IN_NAMES = re.compile(r"[^\w.@+-]+")  # what Django's validator refuses
OPERATORS = ("is_staff", "is_superuser")  # fields of an account that make an operator
LONGEST_NAME = 140  # so that a number fits behind it


def make_password() -> str:
    """About 80 bits, without characters that are mistaken for each other."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


@transaction.atomic
def create_person(username: str, *, role: str, operator: bool = False) -> tuple[User, str]:
    """Make an account and return it with its password, which is stored only as a hash.

    ``operator`` opens Django's own admin site as well.
    """
    password = make_password()
    user = User.objects.create_user(
        username,
        password=password,
        is_staff=operator and role == ADMIN,
        is_superuser=operator and role == ADMIN,
    )
    user.groups.add(Group.objects.get(name=role))
    record("person.created", user, role=role)
    return user, password


@transaction.atomic
def create_by_claims(claims: Mapping[str, Any], *, role: str | None = None) -> User:
    """Make an account without a password for whom an OpenID Connect server vouches.

    A name that is taken gets a number: nobody comes into another's account by a name.
    """
    email = str(claims.get("email") or "").partition("@")[0]
    told = claims.get("preferred_username") or email or claims.get("name") or ""
    wanted = NOT_IN_NAMES.sub("-", User.normalize_username(str(told))).strip("-")
    wanted = wanted[:LONGEST_NAME] or "person"
    name, number = wanted, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{wanted}-{number}"
    user = User.objects.create_user(name)
    if role:
        user.groups.add(Group.objects.get(name=role))
        record("person.created", user, person=user, role=role)
    return user


@transaction.atomic
def join_with_password(invitation: Invitation, person: User) -> None:
    """Store the person, whose password is set, as the invitation's.

    Raises
    ------
    InvitationGone
        When somebody was faster.
    IntegrityError
        When the name was taken meanwhile; the invitation stays open.
    """

    def stored() -> User:
        if invitation.person_id is None:
            person.save(force_insert=True)
        else:
            person.save(update_fields=["password"])
            lift(username=person.username)
        return person

    use(invitation, stored)


@transaction.atomic
def set_active(user: User, *, active: bool, by: User | None = None) -> None:
    """Whoever is not active cannot log in, and is logged out; answers and labels stay.

    Raises
    ------
    PermissionDenied
        When ``by``, who asks for it, is an admin no more.
    """
    _lock(user, by)
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not active:  # nobody comes in later by what this person made, or is to have
        revoke(Invitation.objects.filter(Q(created_by=user) | Q(person=user)))
    record("person.reactivated" if active else "person.deactivated", user)


@transaction.atomic
def change_operator(user: User, **operator: bool) -> None:
    """Let the person into Django's own site, or no more; ``operator`` has all of `OPERATORS`."""
    rows = User.objects.select_for_update().filter(pk=user.pk)
    before = rows.values(*OPERATORS).get()
    rows.update(**operator)
    if found := changed(before, operator):
        record("person.operator_changed", user, **found)
    if not is_admin(User.objects.get(pk=user.pk)):
        revoke(Invitation.objects.filter(created_by=user))


@transaction.atomic
def change_role(user: User, role: str, *, by: User | None = None) -> None:
    """Give the person that role alone.

    Raises
    ------
    PermissionDenied
        When ``by``, who asks for it, is an admin no more.
    """
    _lock(user, by)
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(Group.objects.get(name=role))
    if role != ADMIN:
        revoke(Invitation.objects.filter(created_by=user))
    record("person.role_changed", user, role=role)


def _lock(user: User, by: User | None) -> None:
    """Let nobody else change the person, nor ``by``, who is to be an admin still.

    Of two admins who put out each other at once, the second is refused: one stays.
    """
    pks = [one.pk for one in (user, by) if one is not None]
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk")
    found = {one.pk: one for one in rows}
    if by is not None and not is_admin(found[by.pk]):
        raise PermissionDenied(gettext("This page is for admins."))
