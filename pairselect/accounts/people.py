"""What the page of people shows."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet

from pairselect.accounts.models import Invitation
from pairselect.accounts.places import places
from pairselect.accounts.roles import everybody, role_of

MOST_INVITATIONS = 50  # the newest


@dataclass(frozen=True)
class Row:
    """One person, with the campaigns that are open."""

    person: User
    role: str
    compares_in: list[Any]
    decides_in: list[Any]
    by_password: bool
    by_oidc: bool


def rows() -> list[Row]:
    open_ones = places().open().only("pk", "name")
    found: QuerySet[Any] = everybody().order_by("username")
    found = found.prefetch_related(
        "groups",
        "socialaccount_set",
        Prefetch("campaigns", queryset=open_ones, to_attr="compares_in"),
        Prefetch("adjudicates", queryset=open_ones, to_attr="decides_in"),
    )
    return [
        Row(
            person=person,
            role=role_of(person),
            compares_in=person.compares_in,
            decides_in=person.decides_in,
            by_password=person.has_usable_password(),
            by_oidc=bool(person.socialaccount_set.all()),
        )
        for person in found
    ]


def invitations() -> list[Invitation]:
    """The newest links, with all that is said of them."""
    found = Invitation.objects.select_related("created_by", "used_by", "person")
    return list(found.prefetch_related("campaigns")[:MOST_INVITATIONS])
