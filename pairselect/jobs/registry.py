"""What workers can do: each app's ``tasks`` module registers its kinds of job here.

The kinds name models and addresses as texts, so that this app imports none of theirs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.apps import apps
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from pairselect.jobs.progress import JobProgress

TITLE_AND_NAME = _("{title} of “{name}”")

Handler = Callable[[int, "JobProgress"], None]


@dataclass(frozen=True)
class SubjectFacts:
    """The name and the page of the row that one job works on."""

    name: str
    url: str


@dataclass(frozen=True)
class Subject:
    """What jobs of a kind work on."""

    model: str  # "pools.FeatureSet"
    page: str  # the address of its page, which takes an id
    named_by: str = ""  # the relation to the row that has name and page, where it is another
    label: "StrOrPromise" = TITLE_AND_NAME

    def find(self, ids: Iterable[int]) -> dict[int, SubjectFacts]:
        """Those that are still there, in one query."""
        before = f"{self.named_by}__" if self.named_by else ""
        rows = apps.get_model(self.model)._default_manager.filter(pk__in=set(ids))
        return {
            pk: SubjectFacts(str(name), reverse(self.page, args=[page_pk]))
            for pk, page_pk, name in rows.values_list("pk", f"{before}pk", f"{before}name")
        }

    def related(self, pk: int, relation: str) -> int | None:
        """The id of the row that the relation leads to, if there is one."""
        rows = apps.get_model(self.model)._default_manager.filter(pk=pk)
        found: int | None = rows.values_list(relation, flat=True).first()
        return found


@dataclass(frozen=True)
class Remedy:
    """What helps where running a failed job again cannot: when its error begins like this."""

    error: str
    page: str  # an address; with ``of``, one that takes an id
    label: "StrOrPromise"
    of: str = ""  # the relation from the job's subject to the row whose page it is


@dataclass(frozen=True)
class JobKind:
    name: str
    title: "StrOrPromise"  # as people read it
    queue: str
    run: Handler
    subject: Subject | None = None
    remedy: Remedy | None = None
    download: str = ""  # the address of the file that the job makes; takes the subject's id
    refreshes_page: bool = True  # whether the page that shows the job waits for its end


_kinds: dict[str, JobKind] = {}


def job_kind(
    name: str,
    *,
    title: "StrOrPromise",
    queue: str,
    subject: Subject | None = None,
    remedy: Remedy | None = None,
    download: str = "",
    refreshes_page: bool = True,
) -> Callable[[Handler], Handler]:
    """Register ``handler(subject_id, progress)``.

    A handler is run again from its start after a crash, so it writes in steps that can be
    repeated, and raises ``JobError`` with one sentence where it cannot go on.
    """

    def register(handler: Handler) -> Handler:
        _kinds[name] = JobKind(
            name, title, queue, handler, subject, remedy, download, refreshes_page
        )
        return handler

    return register


def get_kind(name: str) -> JobKind:
    return _kinds[name]
