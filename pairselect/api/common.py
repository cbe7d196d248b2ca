"""What the operations share: rows by number or name, forms filled from JSON, work begun."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar, cast

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils import timezone
from ninja import Schema
from pydantic import ConfigDict, Field

from pairselect.api.access import person
from pairselect.api.errors import ApiError, refused
from pairselect.api.models import Replay
from pairselect.jobs.actions import Work, enqueue_in_turn
from pairselect.jobs.queries import last_jobs, with_subjects
from pairselect.jobs.summaries import JobSummary, job_summary

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound=BaseForm)

Id = Annotated[int, Field(ge=1, lt=2**63)]
NumberOrName = Annotated[
    Annotated[int, Field(ge=1, lt=2**63)] | Annotated[str, Field(max_length=100)],
    Field(description="its number, or its name as text"),
]
KEPT_KEY = 200  # characters
KEPT_FOR = timedelta(days=7)


class Input(Schema):
    """A request's body. A field that it does not know is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")


def row_of(rows: QuerySet[M], wanted: int | str, *, field: str) -> M:
    """The row of that number or that name, named in a request's ``field``.

    Raises
    ------
    ApiError
        When there is none.
    """
    by = {"name": wanted} if isinstance(wanted, str) else {"pk": wanted}
    found = rows.filter(**by).first()
    if found is None:
        what = rows.model._meta.verbose_name
        shown = f"named “{wanted}”" if isinstance(wanted, str) else f"{wanted}"
        raise ApiError(422, f"There is no {what} {shown} to take.", field=field)
    return found


def valid(form: F, names: Mapping[str, str] | None = None) -> F:
    """The form, once it has nothing to complain of; ``names`` are the request's own."""
    if not form.is_valid():
        raise refused(form, names)
    return form


def begin(work: Work, request: HttpRequest) -> list[JobSummary]:
    """Hand the work to workers; the jobs that are under way with it, in their order."""
    enqueue_in_turn(work, created_by=person(request))
    return jobs_of(work)


def jobs_of(work: Work) -> list[JobSummary]:
    found = last_jobs(work)
    jobs = [found[key] for key in work if key in found]
    return [job_summary(job) for job in with_subjects(jobs)]


def percent(share: float | None) -> float | None:
    """A share as the forms take it."""
    return None if share is None else round(100 * share, 9)


def once(request: HttpRequest, rows: QuerySet[M], make: Callable[[], M]) -> tuple[M, bool]:
    """What ``make`` gives and whether it is new; with an Idempotency-Key made one time only.

    Raises
    ------
    ApiError
        When the key came with another request before, or what it made is gone.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return make(), True
    if len(key) > KEPT_KEY:
        said = f"Idempotency-Key: at most {KEPT_KEY} characters."
        raise ApiError(422, said, field="Idempotency-Key")
    digest = _digest(request)
    user: User = person(request)
    Replay.objects.filter(user=user, created_at__lt=timezone.now() - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            kept = Replay.objects.create(user=user, key=key, request=digest)
            made = make()
            kept.made = cast(int, made.pk)
            kept.save(update_fields=["made"])
            return made, True
    except IntegrityError:
        kept_before = Replay.objects.filter(user=user, key=key).first()
        if kept_before is None:  # something else was refused
            raise
    if kept_before.request != digest:
        raise ApiError(409, "This Idempotency-Key came with another request. Take a new one.")
    found = rows.filter(pk=kept_before.made).first()
    if found is None:
        raise ApiError(409, "What was made under this Idempotency-Key is gone. Take a new one.")
    return found, False


def _digest(request: HttpRequest) -> str:
    told = [request.method or "", request.path, request.META.get("QUERY_STRING", "")]
    return hashlib.sha256("\n".join(told).encode() + b"\n" + request.body).hexdigest()


def given(body: Schema, *names: str) -> dict[str, Any]:
    """The named fields of a body as a form's data: what is None is not sent."""
    values = body.model_dump()
    return {name: values[name] for name in names if values[name] is not None}
