from django.utils.translation import gettext_lazy as _

from pairselect.designs import actions, planning
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


@job_kind(
    "plan_design",
    title=_("Predicting what labels bring"),
    queue="cpu",
    subject=Subject(
        "designs.Plan", page="pools:pool", named_by="pool", label=_("{title} on “{name}”")
    ),
    refreshes_page=False,  # the form beside it may be half filled
)
def plan_design(plan_id: int, progress: JobProgress) -> None:
    planning.plan_design(plan_id, progress)
