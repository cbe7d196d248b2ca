"""What workers can do: each app's ``tasks`` module registers its kinds of job here."""

from collections.abc import Callable
from dataclasses import dataclass

from pairselect.jobs.progress import JobProgress

Handler = Callable[[int, JobProgress], None]


@dataclass(frozen=True)
class JobKind:
    name: str
    title: str  # as people read it
    queue: str
    run: Handler


_kinds: dict[str, JobKind] = {}


def job_kind(name: str, *, title: str, queue: str) -> Callable[[Handler], Handler]:
    """Register ``handler(subject_id, progress)``.

    A handler is run again from its start after a crash, so it writes in steps that can be
    repeated, and raises ``JobError`` with one sentence where it cannot go on.
    """

    def register(handler: Handler) -> Handler:
        _kinds[name] = JobKind(name, title, queue, handler)
        return handler

    return register


def get_kind(name: str) -> JobKind:
    return _kinds[name]
