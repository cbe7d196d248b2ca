"""Who has guessed too often: counted by django-axes in the database, for all web processes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import ngettext

from pairselect.trail.actions import record

MOST_SHOWN = 50
NO_ACCOUNT = "(no account)"


@dataclass(frozen=True)
class Lock:
    """A name that cannot be logged in with from an address, or, without a name, the address."""

    username: str
    address: str
    failures: int
    until: datetime


class LockHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts a name's failures from one address, and, against a larger limit, the address's."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """As failures of a name from its address, by which axes measures; an address's weigh less.

        Many people may share an address.
        """
        of_name, of_address = (
            attempts.aggregate(n=Sum("failures_since_start"))["n"] or 0
            for attempts in self.get_user_attempts(request, credentials)
        )
        weight: int = settings.AXES_FAILURE_LIMIT
        return max(of_name, of_address * weight // settings.ADDRESS_FAILURE_LIMIT)

    def reset_user_attempts(
        self, request: HttpRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """Forget a name's failures once it has logged in, but not the address's others.

        Else whoever has an account could log in between guesses at those of others.
        """
        of_name, _of_address = self.filter_user_attempts(request, credentials)
        count, _by_model = of_name.delete()
        return int(count)


def note_lock(request: HttpRequest, username: str, ip_address: str, **kwargs: Any) -> None:
    """Record a lock once: axes says so of each further try as well, unread."""
    if request.axes_failures_since_start is not None:  # type: ignore[attr-defined]
        record("person.locked_out", None, username=_known(username), address=ip_address)


def _known(username: str) -> str:
    """The name, if it is an account's: people type passwords there, and the trail is for ever."""
    return username if User.objects.filter(username=username).exists() else NO_ACCOUNT


def locks() -> list[Lock]:
    """The locks that hold now, those that end last first."""
    recent = AccessAttempt.objects.filter(
        attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME
    )
    found = [
        *_locks(recent, "ip_address", limit=settings.ADDRESS_FAILURE_LIMIT),
        *_locks(recent, "username", "ip_address", limit=settings.AXES_FAILURE_LIMIT),
    ]
    return sorted(found, key=lambda lock: lock.until, reverse=True)[:MOST_SHOWN]


@transaction.atomic
def lift(*, username: str = "", address: str = "") -> int:
    """Forget the failures of a name, of an address, or of the name from the address.

    Returns
    -------
    int
        How many rows of failures are forgotten; 0: there was nothing to lift.
    """
    given = {"username": username, "ip_address": address}
    wanted = {name: value for name, value in given.items() if value}
    if not wanted:
        return 0
    count, _by_model = AccessAttempt.objects.filter(**wanted).delete()
    if count:
        record(
            "person.lock_lifted",
            None,
            username=_known(username) if username else address,
            address=address,
        )
    return int(count)


def minutes_left(request: HttpRequest) -> int:
    """How long whoever sent the request has to wait, in whole minutes, at least one."""
    credentials = request.axes_credentials  # type: ignore[attr-defined]
    of_name, of_address = LockHandler().get_user_attempts(request, credentials)
    limits = (
        (of_name, settings.AXES_FAILURE_LIMIT),
        (of_address, settings.ADDRESS_FAILURE_LIMIT),
    )
    last = timezone.now() - settings.AXES_COOLOFF_TIME
    for attempts, limit in limits:
        row = attempts.aggregate(failures=Sum("failures_since_start"), at=Max("attempt_time"))
        if (row["failures"] or 0) >= limit:
            last = max(last, row["at"])
    seconds = (last + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds()
    return max(1, -int(-seconds // 60))


def locked_out(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    """What is answered to whoever is locked out (AXES_LOCKOUT_CALLABLE)."""
    from pairselect.accounts.door import show_login  # which needs the apps

    minutes = minutes_left(request)
    if request.user.is_authenticated:  # and has guessed at the own password
        said = ngettext(
            "Too many logins have failed. Try again in %(minutes)s minute, or ask an admin.",
            "Too many logins have failed. Try again in %(minutes)s minutes, or ask an admin.",
            minutes,
        )
        answer = render(request, "429.html", {"sentence": said % {"minutes": minutes}}, status=429)
    else:
        answer = show_login(request, locked_minutes=minutes, status=429)
    answer.headers["Retry-After"] = str(minutes * 60)
    return answer


def _locks(attempts: "QuerySet[Any]", *by: str, limit: int) -> list[Lock]:
    rows = (
        attempts.values(*by)
        .annotate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
        .filter(failures__gte=limit)
        .order_by("-last")[:MOST_SHOWN]
    )
    return [
        Lock(
            username=row.get("username") or "",
            address=row["ip_address"] or "",
            failures=row["failures"],
            until=row["last"] + settings.AXES_COOLOFF_TIME,
        )
        for row in rows
    ]
