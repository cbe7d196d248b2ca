"""Deletions that are too long for a web request."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.jobs.registry import Handler, Subject, job_kind
from pairselect.kinds import KINDS
from pairselect.pools.tidying import Kind, StillNeeded


def _deletes(kind: Kind[Any]) -> Handler:
    def delete(pk: int, progress: JobProgress) -> None:
        row = kind.model._default_manager.filter(pk=pk).first()
        if row is None:  # a worker was killed after it had deleted it
            return
        try:
            kind.delete(row, progress)
        except StillNeeded as problem:
            raise JobError(str(problem)) from problem

    return delete


for _kind in KINDS.values():
    if _kind.has_name:  # an export is one row with its files: never a worker's
        job_kind(
            _kind.job,
            title=_("Deleting"),
            queue="cpu",
            subject=Subject(_kind.model._meta.label, page=_kind.page),
        )(_deletes(_kind))
