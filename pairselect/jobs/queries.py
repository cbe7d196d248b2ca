from collections.abc import Iterable

from pairselect.jobs.models import Job
from pairselect.jobs.registry import get_kind


def last_jobs(subjects: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Job]:
    """The job that is under way of each (kind, subject_id), else the newest, in one query."""
    wanted = set(subjects)
    found: dict[tuple[str, int], Job] = {}
    rows = Job.objects.filter(
        kind__in={kind for kind, _ in wanted}, subject_id__in={pk for _, pk in wanted}
    )
    for job in rows.order_by("pk"):
        key = job.kind, job.subject_id
        if key in wanted and not (key in found and found[key].is_active):
            found[key] = job
    return found


def with_subjects(jobs: Iterable[Job]) -> list[Job]:
    """The jobs, with what they work on read in one query for each kind."""
    found = list(jobs)
    for name in {job.kind for job in found}:
        same = [job for job in found if job.kind == name]
        subject = get_kind(name).subject
        facts = subject.find(job.subject_id for job in same) if subject else {}
        for job in same:
            job.subject = facts.get(job.subject_id)
    return found
