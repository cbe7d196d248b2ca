"""The pool's report, made by a worker once completions and features are there."""

from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Pool, PoolReport


def report_pool(pool_id: int, progress: JobProgress) -> None:
    """Find out what there is to know of the pool, and keep it."""
    from pairselect.pools.report import build_report

    pool = Pool.objects.select_related("prompt_set").get(pk=pool_id)
    if not pool.completed_at:
        raise JobError(f"The pool “{pool}” is not complete: finish it first.")
    PoolReport.objects.update_or_create(
        pool=pool,
        defaults={"facts": build_report(pool, progress), "completed_at": timezone.now()},
    )
