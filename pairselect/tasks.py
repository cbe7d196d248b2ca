"""Deletions that are too long for a web request."""

from django.utils.translation import gettext_lazy as _

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.jobs.registry import Handler, Subject, job_kind
from pairselect.kinds import KINDS
from pairselect.pools.tidying import StillNeeded


def _deletes(what: str) -> Handler:
    kind = KINDS[what]

    def delete(pk: int, progress: JobProgress) -> None:
        row = kind.model._default_manager.filter(pk=pk).first()
        if row is None:  # a worker was killed after it had deleted it
            return
        try:
            kind.delete(row, progress)
        except StillNeeded as problem:
            raise JobError(str(problem)) from problem

    return delete


PAGES = {
    "prompt-set": ("pools.PromptSet", "pools:prompt_set"),
    "pool": ("pools.Pool", "pools:pool"),
    "design": ("designs.Design", "designs:design"),
    "campaign": ("annotate.Campaign", "annotate:campaign"),
}
for _what, (_model, _page) in PAGES.items():
    job_kind(
        KINDS[_what].job, title=_("Deleting"), queue="cpu", subject=Subject(_model, page=_page)
    )(_deletes(_what))
