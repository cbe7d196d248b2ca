"""A worker that slept for a while and goes on, while another has its job: what it may not touch."""

import time

import numpy as np
import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from pytest_django import Settings

from pairselect.jobs import progress as jobs_progress
from pairselect.jobs import registry
from pairselect.jobs.actions import enqueue_job, run_job
from pairselect.jobs.failures import in_a_sentence
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobProgress, JobStopped
from pairselect.pools.actions import create_feature_set
from pairselect.pools.models import FeatureSet
from pairselect.pools.side_features import keep_or_begin_anew
from pairselect.pools.storage import FeatureStore, features_folder
from tests.conftest import make_pool

pytestmark = pytest.mark.django_db
FINGERPRINT = {"weights": "abc", "chat_template": "def"}


def test_features_that_another_worker_has_begun_are_kept(
    settings: Settings, tmp_path: object
) -> None:
    settings.PAIRSELECT_DATA_DIR = tmp_path
    slept = create_feature_set(make_pool(prompts=2, completions=2))
    other = FeatureSet.objects.get(pk=slept.pk)
    keep_or_begin_anew(other, FINGERPRINT)
    store = FeatureStore(features_folder(other), rows=4, dimension=3)
    rows = np.arange(4)
    store.write(rows, np.ones((4, 3), np.float32), np.zeros(4), np.ones(4, np.int32))
    keep_or_begin_anew(slept, FINGERPRINT)  # it read the row before the other had begun
    again = FeatureStore(features_folder(slept), rows=4, dimension=3)
    assert again.written.all()
    assert (again.features == 1).all()
    keep_or_begin_anew(slept, FINGERPRINT | {"weights": "of another revision"})
    assert not FeatureStore(features_folder(slept), rows=4, dimension=3).written.any()


@pytest.fixture
def claimed() -> Job:
    job = Job.objects.create(kind="report_pool", subject_id=1)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.RUNNING, attempt=1)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("attempt", [1, 2])
def test_after_a_sleep_work_asks_first_whose_it_is(
    claimed: Job, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = JobProgress(claimed)
    Job.objects.filter(pk=claimed.pk).update(attempt=attempt)
    assert not progress.should_stop()  # it has asked a moment ago
    awake = time.monotonic() + jobs_progress.FENCE_SECONDS + 1
    monkeypatch.setattr(jobs_progress.time, "monotonic", lambda: awake)
    if attempt == 1:
        progress.report(1, 2)
    else:
        with pytest.raises(JobStopped):
            progress.report(1, 2)
    assert progress.was_lost == (attempt == 2)


def test_the_fence_is_nearer_than_the_end_of_a_claim() -> None:
    from pairselect.jobs.actions import STALE_AFTER

    assert 1 < jobs_progress.FENCE_SECONDS < STALE_AFTER.total_seconds() / 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [2, 99])
@pytest.mark.skipif(connection.vendor != "sqlite", reason="of SQLite's one lock")
def test_a_locked_database_is_waited_for_and_not_for_ever(times: int) -> None:
    left = [times]

    @registry.job_kind("locked", title="Locked", queue="cpu")
    def handler(subject_id: int, progress: JobProgress) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("database is locked")
        Group.objects.create(name="stored")

    job = enqueue_job("locked", 1)
    assert run_job(job.pk)
    job.refresh_from_db()
    del registry._kinds["locked"]
    assert Group.objects.filter(name="stored").exists() == (times == 2)
    if times == 2:
        assert (job.status, job.attempt) == (Job.Status.DONE, 1)
    else:
        assert job.status == Job.Status.FAILED
        assert job.error == "The database refused: database is locked. Mend it, then retry the job."


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (OperationalError("database or disk is full"), "The disk is full."),
        (
            OperationalError('could not extend file "base/5/1": No space left on device'),
            "The disk is full.",
        ),
        (MemoryError(), "There is not enough memory."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "There is not enough memory."),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
            "There is not enough memory.",
        ),
        (OSError(12, "Cannot allocate memory"), "There is not enough memory."),
        (ValueError("out of range"), "Unexpected ValueError: out of range."),
    ],
)
def test_what_an_operator_can_mend_is_said_in_a_sentence(problem: Exception, said: str) -> None:
    assert in_a_sentence(problem).startswith(said)
