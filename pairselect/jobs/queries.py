from collections.abc import Iterable

from pairselect.jobs.models import Job


def last_jobs(subjects: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Job]:
    """The newest job of each (kind, subject_id) that has one, in one query."""
    wanted = set(subjects)
    found: dict[tuple[str, int], Job] = {}
    rows = Job.objects.filter(
        kind__in={kind for kind, _ in wanted}, subject_id__in={pk for _, pk in wanted}
    )
    for job in rows.order_by("pk"):
        if (job.kind, job.subject_id) in wanted:
            found[job.kind, job.subject_id] = job
    return found
