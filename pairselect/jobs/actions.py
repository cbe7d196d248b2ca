"""The life of a job: queued, claimed by one worker, ended; waited for; taken up again."""

import errno
import logging
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobProgress, JobStopped, Listener
from pairselect.jobs.registry import get_kind
from pairselect.jobs.workers import is_known_dead, this_worker

logger = logging.getLogger(__name__)

Work = list[tuple[str, int]]  # (kind of job, id of the row it works on), in turn

STALE_AFTER = timedelta(seconds=45)
MOST_ATTEMPTS = 10  # a job that kills every worker, by filling the memory say, must end too


class JobBusy(Exception):
    """The work that was asked for is already on its way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        where = f"running on {job.worker}" if job.status == Job.Status.RUNNING else job.status
        super().__init__(f"{job.title} is already {where} (job {job.pk}).")


@task(queue_name="cpu")
def run_job_task(job_id: int) -> None:
    run_job(job_id)


def enqueue_job(
    kind: str, subject_id: int, *, created_by: User | None = None, after: Job | None = None
) -> Job:
    """Hand work to a worker, now or once another job is done.

    Raises
    ------
    JobBusy
        When the same work is already waiting, queued or running.
    """
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=get_kind(kind).name,
                subject_id=subject_id,
                created_by=created_by,
                after=after,
                status=Job.Status.WAITING,
            )
            # Locked, so that it cannot end between this look and the commit.
            if after is None or not Job.objects.select_for_update().get(pk=after.pk).is_active:
                _queue(job)
    except IntegrityError:
        raise JobBusy(_active_job(kind, subject_id)) from None
    return job


def enqueue_in_turn(work: Work, *, created_by: User | None = None) -> Job | None:
    """Hand jobs to the workers, each to begin when the one before is done.

    What is done is left, what is on its way is waited for, what failed is queued anew; so the
    same call again goes on where the last one stopped. Returns the last job, None if all is done.
    """
    before: Job | None = None
    for kind, subject_id in work:
        job = last_job(kind, subject_id)
        if job is not None and job.status == Job.Status.DONE:
            before = None
            continue
        try:
            before = enqueue_job(kind, subject_id, created_by=created_by, after=before)
        except JobBusy as busy:
            before = busy.job
    return before


def run_now(kind: str, subject_id: int, *, listener: Listener | None = None) -> Job:
    """Run work in this process, as a worker would; the web pages show it like any other.

    Raises
    ------
    JobBusy
        When a worker has it.
    JobError
        When it failed, with its sentence.
    """
    job = last_job(kind, subject_id)
    if job is not None and job.is_active and is_known_dead(job.worker):
        sweep_stale_jobs()
        job.refresh_from_db()
    if job is not None and job.status == Job.Status.QUEUED:
        pass  # nobody has begun it: this process does
    elif job is not None and job.is_active:
        raise JobBusy(job)
    else:
        try:
            with transaction.atomic():
                job = Job.objects.create(kind=kind, subject_id=subject_id)
        except IntegrityError:
            raise JobBusy(_active_job(kind, subject_id)) from None
    if not run_job(job.pk, listener=listener):
        job.refresh_from_db()
        raise JobBusy(job)
    job.refresh_from_db()
    if job.status != Job.Status.DONE:
        raise JobError(job.error or f"{get_kind(kind).title} was cancelled.")
    return job


def run_job(job_id: int, *, listener: Listener | None = None) -> bool:
    """Claim the job and run it to its end. False when it is not there to be claimed."""
    now = timezone.now()
    claimed = Job.objects.filter(pk=job_id, status=Job.Status.QUEUED).update(
        status=Job.Status.RUNNING,
        attempt=F("attempt") + 1,
        worker=this_worker(),
        heartbeat_at=now,
        started_at=now,
    )
    if not claimed:
        return False
    job = Job.objects.get(pk=job_id)
    kind = get_kind(job.kind)
    status, error = Job.Status.DONE, ""
    progress = JobProgress(job, listener=listener)
    try:
        with progress:
            kind.run(job.subject_id, progress)
    except JobStopped:
        status, error = Job.Status.CANCELLED, "Cancelled. What was finished is kept."
    except JobError as problem:
        status, error = Job.Status.FAILED, str(problem)
    except KeyboardInterrupt:
        _finish(job, progress, Job.Status.CANCELLED, "Stopped at the terminal.")
        raise
    except OSError as problem:
        logger.exception("job %s failed", job.pk)
        status, error = Job.Status.FAILED, _sentence(problem)
    except DatabaseError as problem:
        logger.exception("job %s failed", job.pk)
        status = Job.Status.FAILED
        error = f"The database refused a write: {problem}. Mend it, then retry the job."
    except Exception as problem:
        logger.exception("job %s failed", job.pk)
        status = Job.Status.FAILED
        error = f"Unexpected {type(problem).__name__}: {problem}. The worker's log has the details."
    if not progress.was_lost:
        _finish(job, progress, status, error)
    return True


def cancel_job(job: Job) -> None:
    """Stop the job: at once if nobody runs it, else at its next step."""
    Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(cancel_requested=True)
    job = Job.objects.get(pk=job.pk)
    if job.status in (Job.Status.WAITING, Job.Status.QUEUED):
        _end(job, Job.Status.CANCELLED, "Cancelled.")


def retry_job(job: Job) -> None:
    """Run an ended job again from where it stopped, and what had waited for it."""
    if job.is_active or job.status == Job.Status.DONE:
        return
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job.pk)
        if job.is_active:
            return
        job.cancel_requested, job.error, job.finished_at = False, "", None
        if job.after is not None and job.after.status != Job.Status.DONE:
            job.status = Job.Status.WAITING
            job.save()
        else:
            _queue(job)
    for follower in job.followers.filter(status__in=[Job.Status.FAILED, Job.Status.CANCELLED]):
        retry_job(follower)


def sweep_stale_jobs() -> list[Job]:
    """Queue again every job whose worker is gone, and every queued job whose task is lost.

    A worker is gone when its process does not exist any more, where that can be known, or when
    its heart has not beaten for `STALE_AFTER`.
    """
    late = timezone.now() - STALE_AFTER
    swept = []
    for job in Job.objects.filter(status=Job.Status.RUNNING):
        stale = job.heartbeat_at is None or job.heartbeat_at < late
        if not stale and not is_known_dead(job.worker):
            continue
        with transaction.atomic():
            same = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, attempt=job.attempt)
            if job.cancel_requested:
                _end(job, Job.Status.CANCELLED, "Cancelled.")
            elif job.attempt >= MOST_ATTEMPTS:
                _end(job, Job.Status.FAILED, f"Its worker died {job.attempt} times. See its log.")
            elif same.update(status=Job.Status.WAITING):
                logger.warning("job %s: worker %s is gone, queued again", job.pk, job.worker)
                _queue(job)
                swept.append(job)
    # A worker killed between taking the task and claiming the job leaves the job queued for ever.
    for job in Job.objects.filter(status=Job.Status.QUEUED, queued_at__lt=late):
        if not (
            job.task_id and DBTaskResult.objects.filter(pk=job.task_id, status="READY").exists()
        ):
            _queue(job)
            swept.append(job)
    return swept


def last_job(kind: str, subject_id: int) -> Job | None:
    return Job.objects.filter(kind=kind, subject_id=subject_id).first()


def is_active(kind: str, subject_id: int) -> bool:
    job = last_job(kind, subject_id)
    return job is not None and job.is_active


def _active_job(kind: str, subject_id: int) -> Job:
    return Job.objects.get(kind=kind, subject_id=subject_id, status__in=Job.ACTIVE)


def _queue(job: Job) -> None:
    result = run_job_task.using(queue_name=get_kind(job.kind).queue).enqueue(job.pk)
    job.status, job.task_id, job.queued_at = Job.Status.QUEUED, str(result.id), timezone.now()
    job.save()


def _finish(job: Job, progress: JobProgress, status: Job.Status, error: str) -> None:
    _end(job, status, error, **progress.facts())


def _end(job: Job, status: Job.Status, error: str, **facts: int | str) -> None:
    """End the claim that ``job`` was read under, and settle what waited for it, in one step."""
    with transaction.atomic():
        claim = Job.objects.filter(pk=job.pk, attempt=job.attempt, status=job.status)
        if claim.update(status=status, error=error, finished_at=timezone.now(), **facts):
            _release_followers(Job.objects.get(pk=job.pk))


def _release_followers(job: Job) -> None:
    for follower in job.followers.filter(status=Job.Status.WAITING):
        if job.status == Job.Status.DONE:
            _queue(follower)
        else:
            before = job.title
            _end(follower, Job.Status.CANCELLED, f"Not begun: {before} was {job.status}.")


def _sentence(problem: OSError) -> str:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. Make room, then retry: what was finished is kept."
    return f"{problem.strerror or type(problem).__name__}: {problem.filename or problem}."
