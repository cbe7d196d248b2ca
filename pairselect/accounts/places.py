"""Where people work. Imports flow one way, so that side names itself when it is ready."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet


@dataclass(frozen=True)
class Places:
    """Campaigns, seen from here: those that are open, and how a person begins in one.

    They refer to invitations by ``invitations``, so that an invitation has ``campaigns``, and to
    people by ``annotators`` and ``adjudicators``.
    """

    open: Callable[[], QuerySet[Any]]
    join: Callable[[User, Iterable[Model], bool], None]  # whether they adjudicate there


_known: list[Places] = []


def offered_by(places: Places) -> None:
    _known[:] = [places]


def places() -> Places:
    return _known[0]
