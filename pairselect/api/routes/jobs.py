from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status

from pairselect.api.access import Bearer, Queues, Scope
from pairselect.api.common import Id
from pairselect.api.errors import ApiError
from pairselect.api.paging import Page, Paged, page_of
from pairselect.jobs.actions import cancel_job, retry_job
from pairselect.jobs.models import Job
from pairselect.jobs.queries import with_subjects
from pairselect.jobs.summaries import JobSummary, job_summary

router = Router(tags=["Jobs"])


@router.get("", auth=Bearer(Scope.READ), response=Page[JobSummary], summary="List jobs")
def list_jobs(
    request: HttpRequest,
    response: HttpResponse,
    page: Paged,
    active: bool = False,
    kind: str = "",
    subject_id: int | None = None,
) -> Page[JobSummary]:
    """The newest first; with ``active`` those that wait or run."""
    rows = Job.objects.select_related("after")
    if active:
        rows = rows.filter(status__in=Job.ACTIVE)
    if kind:
        rows = rows.filter(kind=kind)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    return page_of(request, response, rows, page, job_summary, prepare=with_subjects)


@router.get("/{job_id}", auth=Bearer(Scope.READ), response=JobSummary, summary="Look at a job")
def get_job(request: HttpRequest, job_id: Id) -> JobSummary:
    """How far a job is. Ask again after a second or two until its status is done, failed or
    cancelled."""
    return job_summary(get_object_or_404(Job, pk=job_id))


@router.post(
    "/{job_id}/cancel",
    auth=Bearer(Scope.PREPARE),
    response={202: JobSummary},
    summary="Cancel a job",
)
def cancel(request: HttpRequest, job_id: Id) -> Status[JobSummary]:
    """Stop it at its next step. What is finished is kept."""
    job = get_object_or_404(Job, pk=job_id)
    cancel_job(job)
    return Status(202, job_summary(Job.objects.get(pk=job.pk)))


@router.post(
    "/{job_id}/retry",
    auth=Queues(Scope.PREPARE),
    response={202: JobSummary},
    summary="Run a job again",
)
def retry(request: HttpRequest, job_id: Id) -> Status[JobSummary]:
    """Run a job that failed or was cancelled again, from where it stopped."""
    job = get_object_or_404(Job, pk=job_id)
    if not job.can_retry:
        raise ApiError(409, "Only a failed or cancelled job that can end otherwise runs again.")
    retry_job(job)
    return Status(202, job_summary(Job.objects.get(pk=job.pk)))
