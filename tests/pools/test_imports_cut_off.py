"""Imports that were stopped, killed, suspended or run by two workers at once."""

import dataclasses
from pathlib import Path

import pytest
from django.core.management import CommandError

from pairselect.jobs import registry
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobStopped
from pairselect.pools.imports import importing, storing
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Score, ScoreSet, Upload
from tests.conftest import make_pool, run_queued_jobs
from tests.pools.support import GOOD, Progress, import_file, lines, texts
from tests.pools.test_imports import ROW, queued

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_rows_are_removed_in_short_steps(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "DELETED_COMPLETIONS", most)
    monkeypatch.setattr(storing, "DELETED", 2)
    pool = make_pool(prompts=3, completions=4)
    other = make_pool(prompts=1, completions=2, name="other")
    prompt_set = pool.prompt_set
    prompt_set.imported_at = None
    prompt_set.save()
    scores = ScoreSet.objects.create(pool=pool, name="file", source="file")
    for completion in pool.completions.all():
        Score.objects.create(score_set=scores, completion=completion, value=1)
    steps = []

    class Counting(Progress):
        def check(self) -> None:
            steps.append(Completion.objects.filter(pool=pool).count())

    storing.remove_rows(prompt_set, Counting())  # type: ignore[arg-type]
    assert all(before - after <= most for before, after in zip([12, *steps], steps, strict=False))
    assert (pool.completions.count(), prompt_set.prompts.count(), Score.objects.count()) == (0,) * 3
    assert not ScoreSet.objects.exists()
    assert other.completions.count() == 2


def test_an_import_that_was_cut_off_starts_afresh(tmp_path: Path) -> None:
    queued(tmp_path, GOOD)
    prompt_set = PromptSet.objects.get()
    Prompt.objects.create(prompt_set=prompt_set, position=0, messages=[])  # of the run before
    run_queued_jobs()
    assert texts(prompt_set.prompts.all()) == ["one", "two"]


def test_a_pool_that_was_cut_off_starts_afresh(tmp_path: Path) -> None:
    row = ROW | {"scores": [1, 2]}
    queued(tmp_path, lines(row, row | {"prompt": "R"}), "--no-features", command="import_pool")
    pool = Pool.objects.get()
    prompt = Prompt.objects.create(prompt_set=pool.prompt_set, position=1, messages=[])
    completion = Completion.objects.create(pool=pool, prompt=prompt, index=0, text="old")
    score_set = ScoreSet.objects.create(pool=pool, name="file", source="file")
    Score.objects.create(score_set=score_set, completion=completion, value=9)
    run_queued_jobs()
    assert [job.error for job in Job.objects.all()] == ["", ""]
    assert Score.objects.count() == Completion.objects.count() == 4
    assert not Completion.objects.filter(text="old").exists()


@pytest.mark.parametrize("command", ["import_prompts", "import_pool"])
def test_a_cancelled_import_leaves_nothing(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "ROWS", 1)
    row = ROW | {"scores": [1, 2]}
    column = "prompt=prompt"
    queued(tmp_path, lines(row, row), "--column", column, command=command)
    subject = Job.objects.get(kind=command).subject_id
    progress = Progress(stop_at="storing")
    with pytest.raises(JobStopped):
        getattr(importing, command)(subject, progress)
    assert [(done, total) for done, total, _ in progress.said] == [(1, 2)]
    assert [model.objects.count() for model in (Prompt, Completion, Score, ScoreSet)] == [0] * 4


def test_a_worker_that_lost_its_job_leaves_the_rows_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "ROWS", 1)
    queued(tmp_path, GOOD)
    progress = Progress(stop_at="storing")
    progress.was_lost = True
    with pytest.raises(JobStopped):
        importing.import_prompts(PromptSet.objects.get().pk, progress)  # type: ignore[arg-type]
    assert Prompt.objects.count() == 1


def test_rows_that_another_worker_stored_meanwhile_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(tmp_path, GOOD)
    prompt_set = PromptSet.objects.get()

    class Intruder(Progress):
        def report(self, done: int, total: int, message: str = "") -> None:
            if message.startswith("storing"):
                Prompt.objects.create(prompt_set=prompt_set, position=7, messages=[])

    with pytest.raises(JobError, match="two workers"):
        importing.import_prompts(prompt_set.pk, Intruder())  # type: ignore[arg-type]
    prompt_set.refresh_from_db()
    assert (Prompt.objects.count(), prompt_set.imported_at) == (0, None)


@pytest.mark.parametrize(
    ("command", "step", "before"),
    [
        ("import_prompts", "_fill", True),
        ("import_prompts", "_fill", False),
        ("import_pool", "_fill", True),
        ("import_pool", "_fill", False),
        ("import_pool", "_score_set", True),
    ],
)
def test_a_worker_that_goes_on_late_leaves_a_finished_import_alone(
    tmp_path: Path, command: str, step: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ROW | {"scores": [1, 2]}
    queued(tmp_path, lines(row, row), "--column", "prompt=prompt", command=command)
    job = Job.objects.get(kind=command)
    true, others = getattr(importing, step), list[Job]()

    def another_finishes() -> None:
        """While this one is suspended, the job is swept and run to its end elsewhere."""
        if not others:
            others.append(job)
            Job.objects.filter(pk=job.pk).update(status="queued")
            assert run_job(job.pk)
            assert PromptSet.objects.get().imported_at

    def suspended(*args: object) -> object:
        if before:
            another_finishes()
        made = true(*args)
        another_finishes()
        return made

    monkeypatch.setattr(importing, step, suspended)
    run_job(job.pk)
    job.refresh_from_db()
    prompt_set = PromptSet.objects.get()
    assert (job.status, prompt_set.prompt_count, prompt_set.prompts.count()) == ("done", 2, 2)
    if command == "import_pool":
        assert (Completion.objects.count(), Score.objects.count()) == (4, 4)
        assert ScoreSet.objects.get().completed_at is not None


@pytest.mark.parametrize("kind", ["import_pool", "extract_features"])
def test_ctrl_c_says_what_is_kept(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(subject_id: int, progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(
        registry._kinds, kind, dataclasses.replace(registry.get_kind(kind), run=stop)
    )
    with pytest.raises(CommandError) as caught:
        import_file("import_pool", tmp_path / "p.jsonl", lines(ROW), "--name", "mine")
    if kind == "import_pool":
        sentence = "Stopped. Nothing was imported: the same command begins again."
    else:
        sentence = "Stopped. “mine” is imported: extract_features describes it, or its page does."
    assert str(caught.value) == sentence
    assert Upload.objects.count() == PromptSet.objects.count() == (kind != "import_pool")


def test_a_file_that_is_gone_is_said_so(tmp_path: Path) -> None:
    queued(tmp_path, GOOD)
    upload = Upload.objects.get()
    Path(upload.file.path).unlink()
    run_queued_jobs()
    assert Job.objects.latest("pk").error == (
        "Nothing was imported: the file is gone from the data folder. Upload it again."
    )


def test_a_stop_ends_what_gives_no_row(tmp_path: Path) -> None:
    """One endless line: nothing is yielded, and nothing reported, while it is read."""

    class Stopped(Progress):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks > 3:
                raise JobStopped

    queued(tmp_path, GOOD)
    upload = Upload.objects.get()
    path = Path(upload.file.path)
    path.chmod(0o600)
    path.write_bytes(b'{"prompt": "' + b"x" * 5_000_000)
    with pytest.raises(JobStopped):
        importing.import_prompts(PromptSet.objects.get().pk, Stopped())  # type: ignore[arg-type]
