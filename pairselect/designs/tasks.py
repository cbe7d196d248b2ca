from pairselect.designs import actions
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Subject, job_kind


@job_kind(
    "solve_design",
    title="Solving the design",
    queue="cpu",
    subject=Subject("designs.Design", page="designs:design", label="{title} “{name}”"),
)
def solve_design(design_id: int, progress: JobProgress) -> None:
    actions.solve_design(design_id, progress)
