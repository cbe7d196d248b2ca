"""What becomes of what has a name: it is renamed, put away, brought back, or deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.queries import with_subjects
from pairselect.jobs.registry import get_kind
from pairselect.pools.naming import clean_name, name_taken
from pairselect.pools.words import whole
from pairselect.trail.actions import record

AT_ONCE = 20_000  # rows that a web request deletes; more are a worker's
MOST_NAMED = 5  # of what stands in the way
DELETES = "delete_"  # how the names of the jobs begin that delete

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Obstacle:
    """Why a row has to stay: a sentence, or the beginning of one that ends with the links."""

    words: str
    links: Sequence[tuple[str, str]] = ()  # name and address
    more: int = 0

    def __str__(self) -> str:
        names = ", ".join(name for name, _ in self.links)
        if self.more:
            said = gettext("%(names)s and %(number)s more")
            names = said % {"names": names, "number": whole(self.more)}
        return f"{self.words} {names}." if names else self.words


class StillNeeded(Exception):
    """The message says what stands in the way of a deletion."""

    def __init__(self, row: models.Model, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = obstacles
        said = gettext("“%(name)s” stays.") % {"name": row}
        super().__init__(" ".join([said, *map(str, obstacles)]))


@dataclass(frozen=True)
class Kind(Generic[M]):
    """How rows of one model are tidied."""

    what: str  # in addresses
    model: type[M]
    page: str  # the name of its page's address, which takes its id
    listed: str  # of that where one is led when it is gone
    obstacles: Callable[[M], list[Obstacle]]
    goes: Callable[[M], list[str]]  # what is deleted with it, in words
    rows: Callable[[M], int]  # about how many rows that is
    delete: Callable[[M, JobProgress | None], None]  # raises StillNeeded
    shown_with: str = ""  # the row whose page it is; it has no name then, and is only deleted

    @property
    def has_name(self) -> bool:
        return not self.shown_with

    @property
    def job(self) -> str:
        return f"{DELETES}{self.what.replace('-', '_')}"

    def page_of(self, row: M) -> str:
        return reverse(self.page, args=[getattr(row, self.shown_with or "pk")])

    def list_of(self, row: M) -> str:
        return reverse(self.listed) if self.has_name else self.page_of(row)


def rename(row: models.Model, name: str) -> None:
    """Give the row another name; commands then know it by that.

    Raises
    ------
    NameRefused
        When the name is none, or another row of the model has it.
    """
    name, before = clean_name(name), str(row)
    row.name = name  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            type(row)._default_manager.filter(pk=row.pk).update(name=name)
            if name != before:
                record("renamed", row, before=before)
    except IntegrityError:
        row.name = before  # type: ignore[attr-defined]
        raise name_taken(gettext(str(row._meta.verbose_name)), name) from None


def archive(row: models.Model) -> None:
    """Leave it out of lists and forms; nobody compares in a campaign that is put away."""
    with transaction.atomic():
        here = type(row)._default_manager.filter(pk=row.pk, archived_at=None)
        if here.update(archived_at=timezone.now()):
            record("archived", row)


def restore(row: models.Model) -> None:
    with transaction.atomic():
        away = type(row)._default_manager.filter(pk=row.pk, archived_at__isnull=False)
        if away.update(archived_at=None):
            record("restored", row)


def archived_or_not(
    request: HttpRequest, found: QuerySet[M]
) -> tuple[QuerySet[M], dict[str, bool | int]]:
    """The rows that a list shows, and what `_archived.html` needs to lead to the others."""
    archived = "archived" in request.GET
    away = found.model._default_manager.filter(archived_at__isnull=False).count()
    shown = found.filter(archived_at__isnull=not archived)
    return shown, {"archived": archived, "archived_count": away}


def dependants(words: str, rows: QuerySet[Any], page: str) -> list[Obstacle]:
    """One obstacle with links to the rows, none where there are none."""
    named = list(rows.order_by("pk").values_list("pk", "name")[: MOST_NAMED + 1])
    if not named:
        return []
    more = rows.count() - MOST_NAMED if len(named) > MOST_NAMED else 0
    links = [(name, reverse(page, args=[pk])) for pk, name in named[:MOST_NAMED]]
    return [Obstacle(words, links, more)]


def under_way(row: models.Model) -> list[Obstacle]:
    """The jobs at work on the row, or on what belongs to it."""
    jobs = [job for job in Job.objects.filter(status__in=Job.ACTIVE) if _is_on(job, row)]
    if not jobs:
        return []
    labels = [(job.label, job.subject_url) for job in with_subjects(jobs[:MOST_NAMED])]
    words = ngettext(
        "A job is at work on it; cancel it first:",
        "Jobs are at work on it; cancel them first:",
        len(jobs),
    )
    return [Obstacle(words, labels, max(0, len(jobs) - MOST_NAMED))]


def _is_on(job: Job, row: models.Model) -> bool:
    subject = get_kind(job.kind).subject
    if subject is None or job.kind.startswith(DELETES):
        return False
    model: Any = apps.get_model(subject.model)
    if model is type(row):
        return bool(job.subject_id == row.pk)
    holder = model
    for name in filter(None, subject.named_by.split("__")):
        holder = holder._meta.get_field(name).related_model
    if holder is not type(row):
        return False
    same = {"pk": job.subject_id, f"{subject.named_by}__pk": row.pk}
    return bool(model._default_manager.filter(**same).exists())


def refuse_if_needed(row: M, obstacles: Callable[[M], list[Obstacle]]) -> None:
    found = obstacles(row)
    if found:
        raise StillNeeded(row, found)


def number_of(number: int, words: str) -> list[str]:
    """“2,000 prompts”; nothing of nothing. ``words`` have a place for the number."""
    return [words % {"number": whole(number)}] if number else []
