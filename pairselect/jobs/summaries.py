"""Jobs as the API and the commands' ``--json`` tell of them."""

from datetime import datetime

from typing_extensions import TypedDict

from pairselect.jobs.models import Job


class JobSummary(TypedDict):
    id: int
    kind: str
    subject_id: int  # of what the job works on
    label: str  # what it does and on what, in words
    status: str  # waiting, queued, running, done, failed or cancelled
    done: int
    total: int  # 0 while it is not known
    message: str
    notices: list[str]
    error: str  # one sentence, of a failed job
    can_retry: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def job_summary(job: Job) -> JobSummary:
    return JobSummary(
        id=job.pk,
        kind=job.kind,
        subject_id=job.subject_id,
        label=job.label,
        status=job.status,
        done=job.done,
        total=job.total,
        message=job.message,
        notices=job.notice_lines,
        error=job.error,
        can_retry=job.can_retry,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )
