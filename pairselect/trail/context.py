"""In which request, job or command this code runs, and whose it is: for the trail and the logs."""

import os
import pwd
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:  # logging is set up before there are models
    from django.contrib.auth.models import User
    from django.http import HttpRequest

WEB, API, COMMAND, JOB = "web", "api", "command", "job"
WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")  # of a request id from a proxy


@dataclass(kw_only=True)
class Circumstances:
    """What is known of the work at hand. ``name`` is the token's, the command's or the job's."""

    via: str
    name: str = ""
    request_id: str = ""
    job_id: int | None = None
    request: "HttpRequest | None" = None
    person: "User | None" = None  # of a job, who asked for it

    def whose(self) -> "User | None":
        """Who is behind it; may read the session's user from the database."""
        if self.person is not None:
            return self.person
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    def known_id(self) -> int | None:
        """The person's id, if the request has come so far; never asks the database."""
        if self.person is not None:
            return self.person.pk
        user = getattr(self.request, "_cached_user", None)  # Django's, once somebody has asked
        return user.pk if user is not None else None


_current: ContextVar[Circumstances | None] = ContextVar("circumstances", default=None)


def current() -> Circumstances:
    """Of a request or a job where one is under way, else of the command that runs."""
    return _current.get() or Circumstances(via=COMMAND, name=_command())


@contextmanager
def answering(request: "HttpRequest", request_id: str) -> Iterator[Circumstances]:
    """All within belongs to the request."""
    with _entered(Circumstances(via=WEB, request=request, request_id=request_id)) as entered:
        yield entered


def by_token(name: str, person: "User") -> None:
    """The request under way has come by an API token."""
    found = _current.get()
    if found is not None and found.request is not None:
        found.via, found.name, found.person = API, name, person


@contextmanager
def working(job_id: int, kind: str, person: "User | None") -> Iterator[Circumstances]:
    """All within belongs to the job, which the person asked for."""
    entered = Circumstances(via=JOB, name=kind, job_id=job_id, person=person)
    with _entered(entered):
        yield entered


@contextmanager
def _entered(circumstances: Circumstances) -> Iterator[Circumstances]:
    token = _current.set(circumstances)
    try:
        yield circumstances
    finally:
        _current.reset(token)


def new_request_id() -> str:
    return uuid4().hex


def operator() -> str:
    """Who has typed the command: the account on this machine, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return ""


def _command() -> str:
    """As it was typed: `open_campaign` of ``manage.py open_campaign``."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    return sys.argv[1] if program == "manage.py" and len(sys.argv) > 1 else program
