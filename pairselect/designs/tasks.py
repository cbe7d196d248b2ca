from django.utils.translation import gettext_lazy as _

from pairselect.designs import actions
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Subject, job_kind


@job_kind(
    "solve_design",
    title=_("Solving the design"),
    queue="cpu",
    subject=Subject("designs.Design", page="designs:design", label=_("{title} “{name}”")),
)
def solve_design(design_id: int, progress: JobProgress) -> None:
    actions.solve_design(design_id, progress)
