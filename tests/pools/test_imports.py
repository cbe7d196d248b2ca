"""Files in, by command and by upload: all of it or nothing."""

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobStopped
from pairselect.pools import imports
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet
from tests.conftest import NoProgress, People, run_queued_jobs

GOOD = b'{"prompt": "one"}\n{"prompt": "two"}\n'
BAD = b'{"prompt": "one"}\n{"prompt": ""}\n'


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.django_db
def test_command_imports(tmp_path: Path) -> None:
    call_command("import_prompts", write(tmp_path / "a.jsonl", GOOD), "--name", "mine")
    prompt_set = PromptSet.objects.get()
    assert (prompt_set.prompt_count, prompt_set.file_name) == (2, "a.jsonl")
    assert [str(p) for p in prompt_set.prompts.all()] == ["one", "two"]


@pytest.mark.django_db
def test_command_takes_nothing_of_a_bad_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nothing was imported. Line 2: the prompt is empty"):
        call_command("import_prompts", write(tmp_path / "a.jsonl", BAD), "--name", "mine")
    assert (PromptSet.objects.count(), Prompt.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_command_says_which_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_prompts", str(tmp_path / "none.jsonl"), "--name", "mine")


@pytest.mark.django_db
def test_a_name_that_is_taken_keeps_what_has_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)
    call_command("import_prompts", path, "--name", "mine")
    with pytest.raises(CommandError, match="There is a prompt set named “mine”"):
        call_command("import_prompts", path, "--name", "mine")
    assert Prompt.objects.count() == 2


@pytest.mark.django_db
def test_enqueue_leaves_the_work_to_a_worker(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)
    call_command("import_prompts", path, "--name", "mine", "--enqueue")
    assert Prompt.objects.count() == 0
    run_queued_jobs()
    assert Prompt.objects.count() == 2


def test_upload_is_parsed_by_a_worker(people: People) -> None:
    client = people.client(people.admin)
    response = client.post(
        "/prompts/", {"name": "mine", "file": SimpleUploadedFile("p.jsonl", GOOD)}
    )
    prompt_set = PromptSet.objects.get()
    assert response.headers["Location"] == f"/prompts/{prompt_set.pk}/"
    assert (Prompt.objects.count(), Job.objects.get().status) == (0, "queued")
    run_queued_jobs()
    page = client.get(f"/prompts/{prompt_set.pk}/").content.decode()
    assert "2 prompts from p.jsonl" in page
    assert Prompt.objects.count() == 2


def test_a_bad_upload_is_explained_and_its_name_stays_free(people: People) -> None:
    client = people.client(people.admin)
    client.post("/prompts/", {"name": "mine", "file": SimpleUploadedFile("p.jsonl", BAD)})
    run_queued_jobs()
    prompt_set = PromptSet.objects.get()
    page = client.get(f"/prompts/{prompt_set.pk}/").content.decode()
    assert "Line 2: the prompt is empty" in page
    assert Prompt.objects.count() == 0
    client.post("/prompts/", {"name": "mine", "file": SimpleUploadedFile("p.jsonl", GOOD)})
    run_queued_jobs()
    assert PromptSet.objects.get().prompt_count == 2


def test_an_upload_under_a_taken_name_is_refused_in_the_form(people: People) -> None:
    client = people.client(people.admin)
    for _ in range(2):
        response = client.post(
            "/prompts/", {"name": "mine", "file": SimpleUploadedFile("p.jsonl", GOOD)}
        )
        run_queued_jobs()
    assert "There is a prompt set named “mine”" in response.content.decode()
    assert PromptSet.objects.count() == 1


@pytest.mark.django_db
def test_import_pool_keeps_scores_and_models(tmp_path: Path) -> None:
    row = {"prompt": "Q", "completions": ["a", {"text": "b", "model": "m", "score": 0.5}]}
    path = write(tmp_path / "p.jsonl", json.dumps(row).encode())
    call_command("import_pool", path, "--name", "ready", "--model", "lab", "--no-features")
    pool = Pool.objects.get()
    assert (pool.source, pool.model, pool.completed_at is not None) == ("imported", "lab", True)
    assert list(Completion.objects.values_list("text", "model", "score")) == [
        ("a", "", None),
        ("b", "m", 0.5),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("completions", [["only one"], ["same", "same"]])
def test_a_pool_with_nothing_to_compare_is_refused(tmp_path: Path, completions: list[str]) -> None:
    row = {"prompt": "Q", "completions": completions}
    path = write(tmp_path / "p.jsonl", json.dumps(row).encode())
    with pytest.raises(CommandError, match="there is nothing to compare"):
        call_command("import_pool", path, "--name", "ready")
    assert (PromptSet.objects.count(), Pool.objects.count()) == (0, 0)


def test_an_upload_sent_twice_keeps_the_first(people: People) -> None:
    client = people.client(people.admin)
    for content in (GOOD, GOOD + GOOD):
        page = client.post(
            "/prompts/", {"name": "mine", "file": SimpleUploadedFile("p.jsonl", content)}
        ).content.decode()
    assert "There is a prompt set named “mine”" in page
    run_queued_jobs()
    assert PromptSet.objects.get().prompt_count == 2
    assert [job.status for job in Job.objects.all()] == ["done"]


def queue_pool(tmp_path: Path) -> Pool:
    row = json.dumps({"prompt": "Q", "completions": ["a", "b"]})
    path = write(tmp_path / "p.jsonl", row.encode())
    call_command("import_pool", path, "--name", "ready", "--no-features", "--enqueue")
    return Pool.objects.get()


@pytest.mark.django_db
def test_generation_does_not_take_the_name_of_an_import_on_its_way(tmp_path: Path) -> None:
    pool = queue_pool(tmp_path)
    call_command("import_prompts", write(tmp_path / "a.jsonl", GOOD), "--name", "prompts")
    with pytest.raises(CommandError, match="There is a pool named “ready”"):
        call_command("generate_pool", "prompts", "--name", "ready")
    run_queued_jobs()
    pool.refresh_from_db()
    assert pool.completions.count() == 2


@pytest.mark.django_db
def test_an_import_does_not_take_the_name_of_a_generated_pool(tmp_path: Path) -> None:
    call_command("import_prompts", write(tmp_path / "a.jsonl", GOOD), "--name", "prompts")
    call_command("generate_pool", "prompts", "--name", "ready", "--enqueue")
    with pytest.raises(CommandError, match="There is a pool named “ready”"):
        queue_pool(tmp_path)
    assert Pool.objects.get().source == "generated"


@pytest.mark.django_db
def test_an_import_that_was_cut_off_starts_afresh(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)
    call_command("import_prompts", path, "--name", "mine", "--enqueue")
    prompt_set = PromptSet.objects.get()
    Prompt.objects.create(prompt_set=prompt_set, position=0, messages=[])  # of the run before
    run_queued_jobs()
    assert [str(p) for p in prompt_set.prompts.all()] == ["one", "two"]


@pytest.mark.django_db
def test_a_cancelled_import_leaves_nothing(tmp_path: Path) -> None:
    class Cancelled(NoProgress):
        def report(self, done: int, total: int, message: str = "") -> None:
            if message == "storing":
                raise JobStopped

    call_command("import_prompts", write(tmp_path / "a.jsonl", GOOD), "--name", "m", "--enqueue")
    with pytest.raises(JobStopped):
        imports.import_prompts(PromptSet.objects.get().pk, Cancelled())  # type: ignore[arg-type]
    assert Prompt.objects.count() == 0


def test_a_failed_import_that_something_waits_for_can_be_mended(people: People) -> None:
    client = people.client(people.admin)
    bad = SimpleUploadedFile("p.jsonl", b'{"prompt": "Q", "completions": []}')
    client.post("/pools/import/", {"name": "ready", "file": bad})
    pool = Pool.objects.get()
    form = {"pool": pool.pk, "name": "d", "budget": 1, "strategy": "trace", "seed": 0}
    client.post("/designs/new/", form)
    run_queued_jobs()
    assert pool.completed_at is None
    good = SimpleUploadedFile("p.jsonl", b'{"prompt": "Q", "completions": ["a", "b"]}')
    response = client.post("/pools/import/", {"name": "ready", "file": good})
    assert response.headers["Location"] == f"/pools/{pool.pk}/"
    job = Job.objects.filter(kind="import_pool").first()
    assert job is not None
    assert run_job(job.pk)
    assert pool.completions.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "   ", "n" * 101, "a\nb", "a\x00b"])
def test_a_name_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="1 to 100 printable characters"):
        call_command("import_prompts", write(tmp_path / "a.jsonl", GOOD), "--name", name)
    assert PromptSet.objects.count() == 0


@pytest.mark.django_db
def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("import_prompts", str(tmp_path), "--name", "mine")


@pytest.mark.django_db
def test_the_terminal_names_the_first_bad_lines_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("import_prompts", write(tmp_path / "a", b"nonsense\n" * 250), "--name", "m")
    assert str(caught.value).count("Line ") == 5
    assert str(caught.value).endswith("… and 245 lines more.")
