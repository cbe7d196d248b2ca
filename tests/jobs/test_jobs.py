"""The life of a job: one worker at a time, ended for a reason, taken up again."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from pairselect.jobs import actions, registry
from pairselect.jobs.actions import (
    JobBusy,
    cancel_job,
    enqueue_in_turn,
    enqueue_job,
    retry_job,
    run_job,
    run_now,
    sweep_stale_jobs,
)
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.jobs.queries import last_jobs
from pairselect.jobs.workers import is_known_dead, this_worker
from tests.conftest import People

Status = Job.Status
ran: list[tuple[str, int]] = []


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    """Kinds of job that do, fail, stop and break."""

    def do(subject_id: int, progress: JobProgress) -> None:
        ran.append(("do", subject_id))
        progress.report(3, 3, "done")

    def fail(subject_id: int, progress: JobProgress) -> None:
        raise JobError("The prompt file is empty.")

    def fill(subject_id: int, progress: JobProgress) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "features.npy")

    def stop(subject_id: int, progress: JobProgress) -> None:
        Job.objects.filter(status=Status.RUNNING).update(cancel_requested=True)
        progress.beat()
        progress.report(1, 3)
        raise AssertionError("went on after a cancellation")

    for handler in (do, fail, fill, stop):
        name = handler.__name__
        registry.job_kind(name, title=name.capitalize(), queue="cpu")(handler)
    ran.clear()
    yield
    for name in ("do", "fail", "fill", "stop"):
        del registry._kinds[name]


@pytest.mark.django_db
def test_a_job_runs_once() -> None:
    job = enqueue_job("do", 1)
    assert run_job(job.pk) is True
    assert run_job(job.pk) is False
    job.refresh_from_db()
    assert (job.status, job.done, job.total, ran) == (Status.DONE, 3, 3, [("do", 1)])


@pytest.mark.django_db
def test_the_task_carries_the_job_to_its_queue() -> None:
    job = enqueue_job("do", 7)
    row = DBTaskResult.objects.get()
    assert (row.queue_name, row.args_kwargs["args"], str(row.pk)) == ("cpu", [job.pk], job.task_id)


@pytest.mark.django_db
def test_the_same_work_is_not_queued_twice() -> None:
    enqueue_job("do", 1)
    with pytest.raises(JobBusy, match="Do is already queued"):
        enqueue_job("do", 1)
    enqueue_job("do", 2)
    assert Job.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("ask", [enqueue_job, run_now])
def test_work_that_ends_as_it_is_asked_for_again_is_done_again(
    ask: Callable[[str, int], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = enqueue_job("do", 1)
    active = actions._active

    def ended(kind: str, subject_id: int) -> QuerySet[Job]:
        run_job(before.pk)
        return active(kind, subject_id)

    monkeypatch.setattr(actions, "_active", ended)
    monkeypatch.setattr(actions, "last_job", lambda kind, subject_id: None)  # not yet there
    again = ask("do", 1)
    assert again.pk != before.pk
    assert Job.objects.get(pk=before.pk).status == Status.DONE


@pytest.mark.django_db
def test_failure_keeps_its_sentence() -> None:
    with pytest.raises(JobError, match="The prompt file is empty"):
        run_now("fail", 1)
    assert Job.objects.get().error == "The prompt file is empty."


@pytest.mark.django_db
def test_a_full_disk_is_called_a_full_disk() -> None:
    with pytest.raises(JobError, match="The disk is full"):
        run_now("fill", 1)


@pytest.mark.django_db
def test_a_running_job_stops_when_cancelled() -> None:
    job = enqueue_job("stop", 1)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Status.CANCELLED


@pytest.mark.django_db
def test_a_follower_begins_when_the_job_before_it_is_done() -> None:
    last = enqueue_in_turn([("do", 1), ("do", 2)])
    assert last is not None
    first = Job.objects.get(subject_id=1)
    assert (first.status, last.status) == (Status.QUEUED, Status.WAITING)
    run_job(first.pk)
    last.refresh_from_db()
    assert last.status == Status.QUEUED


@pytest.mark.django_db
def test_followers_of_a_failure_end_too_and_come_back_with_a_retry() -> None:
    enqueue_in_turn([("fail", 1), ("do", 2), ("do", 3)])
    first = Job.objects.get(subject_id=1)
    run_job(first.pk)
    ended = Job.objects.exclude(pk=first.pk)
    assert {job.status for job in ended} == {Status.CANCELLED}
    assert "Not begun: Fail failed." in Job.objects.get(subject_id=2).error
    first.refresh_from_db()
    retry_job(first)
    assert [j.status for j in Job.objects.order_by("pk")] == ["queued", "waiting", "waiting"]


@pytest.mark.django_db
def test_work_in_turn_goes_on_where_it_stopped() -> None:
    work = [("do", 1), ("fail", 2), ("do", 3)]
    enqueue_in_turn(work)
    while job := Job.objects.filter(status=Status.QUEUED).first():
        run_job(job.pk)
    assert enqueue_in_turn(work[1:]) is not None  # the first one's row lacks nothing now
    assert ran == [("do", 1)]
    assert Job.objects.filter(status=Status.QUEUED).get().kind == "fail"


@pytest.mark.django_db
def test_cancelling_a_queued_job_ends_it_at_once() -> None:
    enqueue_in_turn([("do", 1), ("do", 2)])
    first = Job.objects.get(subject_id=1)
    cancel_job(first)
    assert {job.status for job in Job.objects.all()} == {Status.CANCELLED}
    assert run_job(first.pk) is False


@pytest.mark.django_db
def test_a_job_whose_turn_comes_while_it_is_cancelled_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    last = enqueue_in_turn([("do", 1), ("do", 2)])
    assert last is not None
    end = actions._end

    def end_late(job: Job, *how: Any, **facts: Any) -> None:
        if job.pk == last.pk:
            run_job(Job.objects.get(subject_id=1).pk)
        end(job, *how, **facts)

    monkeypatch.setattr(actions, "_end", end_late)
    cancel_job(last)
    assert [job.status for job in Job.objects.order_by("pk")] == [Status.DONE, Status.CANCELLED]


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.WAITING, Status.QUEUED])
def test_the_sweep_ends_what_was_to_be_cancelled(status: Status) -> None:
    enqueue_in_turn([("do", 1), ("do", 2), ("do", 3)])
    late = timezone.now() - timedelta(minutes=5)
    second = Job.objects.filter(subject_id=2)
    second.update(status=status, cancel_requested=True, queued_at=late)
    assert sweep_stale_jobs() == []
    assert [job.status for job in Job.objects.order_by("pk")] == [
        Status.QUEUED, Status.CANCELLED, Status.CANCELLED
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_job_of_a_dead_process_is_queued_again_at_once() -> None:
    job = enqueue_job("do", 1)
    machine = this_worker().partition("/")[0]
    Job.objects.filter(pk=job.pk).update(
        status=Status.RUNNING,
        attempt=1,
        worker=f"{machine}/999999999/1",
        heartbeat_at=timezone.now(),
    )
    assert [swept.pk for swept in sweep_stale_jobs()] == [job.pk]
    assert run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Status.DONE, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "swept"), [(10, 0), (120, 1)])
def test_another_machines_job_is_queued_again_when_its_heart_stops(
    seconds: int, swept: int
) -> None:
    job = enqueue_job("do", 1)
    Job.objects.filter(pk=job.pk).update(
        status=Status.RUNNING,
        worker="elsewhere/1/1",
        heartbeat_at=timezone.now() - timedelta(seconds=seconds),
    )
    assert len(sweep_stale_jobs()) == swept


@pytest.mark.django_db
def test_a_job_that_kills_every_worker_ends() -> None:
    job = enqueue_job("do", 1)
    for _ in range(4):
        Job.objects.filter(pk=job.pk).update(status=Status.RUNNING, heartbeat_at=None)
        assert len(sweep_stale_jobs()) == 1
    Job.objects.filter(pk=job.pk).update(status=Status.RUNNING, heartbeat_at=None)
    sweep_stale_jobs()
    job.refresh_from_db()
    assert job.status == Status.FAILED
    assert "died 5 times in a row" in job.error
    retry_job(job)
    Job.objects.filter(pk=job.pk).update(status=Status.RUNNING, heartbeat_at=None)
    assert len(sweep_stale_jobs()) == 1  # a retry starts counting anew


@pytest.mark.django_db
def test_a_job_that_gets_on_may_lose_any_number_of_workers() -> None:
    job = enqueue_job("do", 1)
    for done in range(1, 12):
        Job.objects.filter(pk=job.pk).update(
            status=Status.RUNNING, heartbeat_at=None, done_at_claim=done - 1, done=done
        )
        assert len(sweep_stale_jobs()) == 1


@pytest.mark.django_db
def test_retrying_the_last_of_a_chain_retries_what_it_waits_for() -> None:
    last = enqueue_in_turn([("do", 1), ("do", 2), ("do", 3)])
    assert last is not None
    cancel_job(Job.objects.get(subject_id=1))
    last.refresh_from_db()
    assert last.status == Status.CANCELLED
    retry_job(last)
    while job := Job.objects.filter(status=Status.QUEUED).first():
        run_job(job.pk)
    assert ran == [("do", 1), ("do", 2), ("do", 3)]


@pytest.mark.django_db
def test_a_chain_asked_for_again_is_tied_to_its_new_jobs() -> None:
    enqueue_in_turn([("do", 1), ("do", 2)])
    first, second = Job.objects.order_by("pk")
    Job.objects.filter(pk=first.pk).update(status=Status.CANCELLED)  # and second still waits
    enqueue_in_turn([("do", 1), ("do", 2)])
    while job := Job.objects.filter(status=Status.QUEUED).first():
        run_job(job.pk)
    second.refresh_from_db()
    assert second.status == Status.DONE


@pytest.mark.django_db
def test_a_job_that_waits_for_nothing_is_settled_by_the_sweep() -> None:
    enqueue_in_turn([("do", 1), ("do", 2)])
    Job.objects.filter(subject_id=1).update(status=Status.FAILED)
    sweep_stale_jobs()
    assert Job.objects.get(subject_id=2).status == Status.CANCELLED


@pytest.mark.django_db
def test_the_sweep_leaves_a_job_that_was_claimed_meanwhile() -> None:
    job = enqueue_job("do", 1)
    read = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(status=Status.RUNNING, attempt=1)
    assert not actions._queue(read)
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Status.RUNNING, 1)


@pytest.mark.django_db
def test_a_cancelled_job_cannot_be_claimed() -> None:
    job = enqueue_job("do", 1)
    Job.objects.filter(pk=job.pk).update(cancel_requested=True)
    assert run_job(job.pk) is False


@pytest.mark.django_db
def test_a_queued_job_whose_task_was_lost_is_queued_again() -> None:
    job = enqueue_job("do", 1)
    DBTaskResult.objects.update(status="RUNNING")  # taken by a worker that was killed then
    assert sweep_stale_jobs() == []
    Job.objects.update(queued_at=timezone.now() - timedelta(minutes=5))
    assert [swept.pk for swept in sweep_stale_jobs()] == [job.pk]
    assert DBTaskResult.objects.filter(status="READY").count() == 1


@pytest.mark.django_db
def test_a_worker_that_lost_its_claim_writes_nothing_more() -> None:
    job = enqueue_job("do", 1)
    Job.objects.filter(pk=job.pk).update(status=Status.RUNNING, attempt=1)
    job.refresh_from_db()
    progress = JobProgress(job)
    Job.objects.filter(pk=job.pk).update(attempt=2)  # somebody else has taken it up
    progress.beat()
    assert (progress.was_lost, progress.should_stop()) == (True, True)


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_claims() -> None:
    job = enqueue_job("do", 1)
    won: list[bool] = []

    def work() -> None:
        won.append(run_job(job.pk))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(won), ran) == ([False] * 7 + [True], [("do", 1)])


def test_this_process_is_alive_and_another_host_unknown() -> None:
    assert not is_known_dead(this_worker())
    assert not is_known_dead("elsewhere/1/1")
    assert not is_known_dead("")
    machine, pid, started = this_worker().split("/")
    assert not is_known_dead(f"{machine}/{pid}/{int(started) + 2}")  # the clock was set
    assert is_known_dead(f"{machine}/{pid}/1")  # the number was given to another process since


def test_progress_ends_its_polling_by_a_refresh(people: People) -> None:
    job = enqueue_job("do", 1)
    client = people.client(people.admin)
    url = f"/jobs/{job.pk}/progress/"
    running = client.get(url, headers={"HX-Request": "true"})
    assert "every 2s" in running.content.decode()
    assert "HX-Refresh" not in running.headers
    run_job(job.pk)
    ended = client.get(url, headers={"HX-Request": "true"})
    assert "every 2s" not in ended.content.decode()
    assert ended.headers["HX-Refresh"] == "true"


def test_cancel_and_retry_by_page(people: People) -> None:
    job = enqueue_job("do", 1)
    client = people.client(people.admin)
    client.post(f"/jobs/{job.pk}/cancel/", {"next": "/pools/"})
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    response = client.post(f"/jobs/{job.pk}/retry/", {"next": "https://evil.example/"})
    job.refresh_from_db()
    assert (job.status, response.headers["Location"]) == (Status.QUEUED, "/")


def test_a_lost_session_in_mid_poll_goes_to_the_login_page(people: People) -> None:
    job = enqueue_job("do", 1)
    response = Client().get(
        f"/jobs/{job.pk}/progress/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/pools/3/"},
    )
    assert response.headers["HX-Redirect"] == "/login/?next=%2Fpools%2F3%2F"


def test_an_older_job_that_runs_again_is_seen(db: None) -> None:
    """The newest one has ended; the older was tried again, with what waited for it."""
    old = enqueue_job("fail", 1)
    run_job(old.pk, log=False)
    new = enqueue_job("fail", 1)
    run_job(new.pk, log=False)
    retry_job(Job.objects.get(pk=old.pk))
    old.refresh_from_db()
    assert old.status == Status.QUEUED
    assert actions.is_active("fail", 1)
    assert last_jobs([("fail", 1)])["fail", 1] == old
    retry_job(Job.objects.get(pk=new.pk))  # the same work is on its way
    new.refresh_from_db()
    assert new.status == Status.FAILED
