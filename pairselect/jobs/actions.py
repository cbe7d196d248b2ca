"""The life of a job: queued, claimed by one worker, ended; waited for; taken up again."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone, translation
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from pairselect.jobs.failures import in_a_sentence, is_away, wait_for_database
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobProgress, JobStopped, Listener
from pairselect.jobs.registry import get_kind
from pairselect.jobs.workers import is_known_dead, this_worker
from pairselect.trail.actions import record
from pairselect.trail.context import working

logger = logging.getLogger(__name__)

Work = list[tuple[str, int]]  # (kind of job, id of the row it works on), in turn

STALE_AFTER = timedelta(seconds=45)
FOLLOW_SECONDS = 0.5
MOST_FRUITLESS = 5  # a job that kills every worker, by filling the memory say, must end too
MOST_TRIES = 5  # at a job whose like is there when it is made, and has ended when it is read


class JobBusy(Exception):
    """The work that was asked for is already on its way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        where = f"running on {job.worker}" if job.status == Job.Status.RUNNING else job.status
        super().__init__(f"{job.label} is already {where} (job {job.pk}).")


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

    def make() -> Job:
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
        return job

    return _made(make, kind, subject_id)


def enqueue_in_turn(work: Work, *, created_by: User | None = None) -> Job | None:
    """Hand jobs to the workers, each to begin when the one before is done.

    ``work`` is what the rows still lack. What is on its way is waited for, the rest is queued, so
    the same call again goes on where the last one stopped. Returns the last job, None if nothing
    is lacking.
    """
    before: Job | None = None
    for kind, subject_id in work:
        try:
            before = enqueue_job(kind, subject_id, created_by=created_by, after=before)
        except JobBusy as busy:
            if before is not None and busy.job.status == Job.Status.WAITING:
                Job.objects.filter(pk=busy.job.pk, status=Job.Status.WAITING).update(after=before)
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
        job = _made(lambda: Job.objects.create(kind=kind, subject_id=subject_id), kind, subject_id)
    if not run_job(job.pk, listener=listener, log=False):
        job.refresh_from_db()
        raise JobBusy(job)
    job.refresh_from_db()
    if job.status != Job.Status.DONE:
        raise JobError(job.error or f"{job.label} was cancelled.")
    return job


def follow(job: Job, *, listener: Listener) -> None:
    """Watch a job that another process runs until it ends.

    Raises
    ------
    JobError
        When it failed, with its sentence.
    """
    while job.is_active:
        listener(job.done, job.total, job.message)
        time.sleep(FOLLOW_SECONDS)
        job.refresh_from_db()
    if job.status != Job.Status.DONE:
        raise JobError(job.error)


def run_job(job_id: int, *, listener: Listener | None = None, log: bool = True) -> bool:
    """Claim the job and run it to its end. False when it is not there to be claimed.

    A worker logs what went wrong; at the terminal the job's sentence is all that is said.
    """
    now = timezone.now()
    free = Job.objects.filter(pk=job_id, status=Job.Status.QUEUED, cancel_requested=False)
    claimed = free.update(
        status=Job.Status.RUNNING,
        attempt=F("attempt") + 1,
        done_at_claim=F("done"),
        worker=this_worker(),
        heartbeat_at=now,
        started_at=now,
    )
    if not claimed:
        return False
    job = Job.objects.get(pk=job_id)
    progress = JobProgress(job, listener=listener)
    with working(job.pk, job.kind, job.created_by), progress:
        try:
            status, error = _work(job, progress, log=log)
        except KeyboardInterrupt:
            with suppress(AnyDatabaseError):  # else a later sweep finds this process gone
                _finish(job, progress, Job.Status.CANCELLED, "Stopped at the terminal.")
            raise
        if not progress.was_lost:  # the heart goes on beating until the end is stored
            _finish_at_last(job, progress, status, error)
    return True


def _work(job: Job, progress: JobProgress, *, log: bool) -> tuple[Job.Status, str]:
    """Do the job; how it ended, and the sentence on that.

    Where the database goes away meanwhile, the work waits for it and begins anew, as after a
    crash: what was stored is kept.
    """
    kind = get_kind(job.kind)
    done, fruitless = job.done, 0
    while True:
        try:
            progress.check()
            kind.run(job.subject_id, progress)
        except JobStopped:
            return Job.Status.CANCELLED, "Cancelled. What was finished is kept."
        except JobError as problem:
            return Job.Status.FAILED, str(problem)
        except Exception as problem:
            fruitless = 0 if progress.done > done else fruitless + 1
            if not is_away(problem) or fruitless >= MOST_FRUITLESS:
                if log:
                    logger.exception("job %s failed", job.pk)
                return Job.Status.FAILED, in_a_sentence(problem)
            logger.warning("job %s: the database does not answer, waiting for it", job.pk)
        else:
            return Job.Status.DONE, ""
        wait_for_database()
        done = progress.done


def _finish_at_last(job: Job, progress: JobProgress, status: Job.Status, error: str) -> None:
    """Store the end, as soon as the database takes it."""
    for _ in range(MOST_FRUITLESS):
        try:
            return _finish(job, progress, status, error)
        except AnyDatabaseError as problem:
            if not is_away(problem):
                raise
            wait_for_database()
    return _finish(job, progress, status, error)


def cancel_job(job: Job) -> None:
    """Stop the job: at once if nobody runs it, else at its next step."""
    with transaction.atomic():
        wanted = Job.objects.filter(pk=job.pk, status__in=Job.ACTIVE, cancel_requested=False)
        if wanted.update(cancel_requested=True):
            record("job.cancelled", job, label=_in_english(job))
    job = Job.objects.get(pk=job.pk)
    if job.status in (Job.Status.WAITING, Job.Status.QUEUED):
        _end(job, Job.Status.CANCELLED, "Cancelled.")


def retry_job(job: Job) -> None:
    """Run an ended job again from where it stopped; with what it waited for, and what for it."""
    if job.after is not None:
        retry_job(job.after)
    try:
        with transaction.atomic():
            job = Job.objects.select_for_update().get(pk=job.pk)
            if job.is_active or job.status == Job.Status.DONE:
                return
            Job.objects.filter(pk=job.pk).update(
                status=Job.Status.WAITING,
                cancel_requested=False,
                error="",
                notices="",
                finished_at=None,
                fruitless=0,
            )
            record("job.retried", job, label=_in_english(job))
            _settle_waiting(Job.objects.select_related("after").get(pk=job.pk))
    except IntegrityError:
        return  # a newer job does the same work already
    for follower in job.followers.filter(status__in=[Job.Status.FAILED, Job.Status.CANCELLED]):
        retry_job(follower)


def sweep_stale_jobs(*, on_stuck: Callable[[str], None] | None = None) -> list[Job]:
    """Queue again every job whose worker is gone, and every queued job whose task is lost.

    A worker is gone when its process does not exist any more, where that can be known, or when
    its heart has not beaten for `STALE_AFTER`. One of these may be stuck and still exist:
    ``on_stuck`` is called with it, as `Job.worker` has it.
    """
    late = timezone.now() - STALE_AFTER
    swept = []
    for job in Job.objects.filter(status=Job.Status.RUNNING):
        worker, dead = job.worker, is_known_dead(job.worker)
        if not dead and job.heartbeat_at is not None and job.heartbeat_at >= late:
            continue
        if not dead and on_stuck is not None:
            on_stuck(worker)
        if _take_from_dead_worker(job):
            logger.warning("job %s: worker %s is gone, queued again", job.pk, worker)
            swept.append(job)
    # Whoever cancelled them was killed before they had ended, and nobody claims them any more.
    unclaimed = Job.objects.filter(status__in=[Job.Status.WAITING, Job.Status.QUEUED])
    for job in unclaimed.filter(cancel_requested=True):
        _end(job, Job.Status.CANCELLED, "Cancelled.")
    # A worker killed between taking the task and claiming the job leaves the job queued for ever.
    for job in Job.objects.filter(status=Job.Status.QUEUED, queued_at__lt=late):
        if not _has_task(job) and _queue(job):
            swept.append(job)
    for job in Job.objects.filter(status=Job.Status.WAITING).select_related("after"):
        _settle_waiting(job)
    return swept


def _take_from_dead_worker(job: Job) -> bool:
    if job.cancel_requested:
        _end(job, Job.Status.CANCELLED, "Cancelled. What was finished is kept.")
        return False
    fruitless = 0 if job.done > job.done_at_claim else job.fruitless + 1
    if fruitless >= MOST_FRUITLESS:
        _end(job, Job.Status.FAILED, f"Its worker died {fruitless} times in a row. See its log.")
        return False
    return _queue(job, fruitless=fruitless)


def _has_task(job: Job) -> bool:
    return (
        bool(job.task_id) and DBTaskResult.objects.filter(pk=job.task_id, status="READY").exists()
    )


def last_job(kind: str, subject_id: int) -> Job | None:
    return Job.objects.filter(kind=kind, subject_id=subject_id).first()


def is_active(kind: str, subject_id: int) -> bool:
    return _active(kind, subject_id).exists()


def _active(kind: str, subject_id: int) -> QuerySet[Job]:
    return Job.objects.filter(kind=kind, subject_id=subject_id, status__in=Job.ACTIVE)


def _made(make: Callable[[], Job], kind: str, subject_id: int) -> Job:
    """The job that ``make`` creates.

    Raises
    ------
    JobBusy
        When the same work is on its way.
    """
    tries = 0
    while True:
        tries += 1
        try:
            with transaction.atomic():
                return make()
        except IntegrityError:
            if busy := _active(kind, subject_id).first():
                raise JobBusy(busy) from None
            if tries == MOST_TRIES:
                raise


def _queue(job: Job, **facts: int) -> bool:
    """Queue the job in the state that it was read in; False if it has moved on since, or is to
    be cancelled."""
    with transaction.atomic():
        same = Job.objects.filter(
            pk=job.pk,
            status=job.status,
            attempt=job.attempt,
            task_id=job.task_id,
            cancel_requested=False,
        )
        if not same.update(status=Job.Status.QUEUED, queued_at=timezone.now(), **facts):
            return False
        result = run_job_task.using(queue_name=get_kind(job.kind).queue).enqueue(job.pk)
        Job.objects.filter(pk=job.pk).update(task_id=str(result.id))
    job.refresh_from_db()
    return True


def _settle_waiting(job: Job) -> None:
    """Begin or end a waiting job, if what it waits for has ended."""
    if job.after is None or job.after.status == Job.Status.DONE:
        _queue(job)
    elif not job.after.is_active:
        verb = "failed" if job.after.status == Job.Status.FAILED else "was cancelled"
        reason = f"Not begun: {_in_english(job.after)} {verb}."
        _end(job, Job.Status.CANCELLED, reason)


def _in_english(job: Job) -> str:
    """What the job does, as all that rows keep."""
    with translation.override("en"):
        return job.label


def _finish(job: Job, progress: JobProgress, status: Job.Status, error: str) -> None:
    _end(job, status, error, **progress.facts())


def _end(job: Job, status: Job.Status, error: str, **facts: int | str) -> None:
    """End the claim that ``job`` was read under, and settle what waited for it, in one step."""
    with transaction.atomic():
        claim = Job.objects.filter(pk=job.pk, attempt=job.attempt, status=job.status)
        if claim.update(status=status, error=error, finished_at=timezone.now(), **facts):
            _release_followers(Job.objects.get(pk=job.pk))


def _release_followers(job: Job) -> None:
    waiting = job.followers.filter(status=Job.Status.WAITING).select_related("after")
    for follower in waiting.order_by("pk"):  # in the order in which they were asked for
        _settle_waiting(follower)
