"""Uploads by pages: sent, looked at by a worker, mapped by an admin, imported by a worker."""

import csv
import hashlib
import io
import os
import time
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.pools.models import Pool, Prompt, PromptSet, Upload
from tests.conftest import People, run_queued_jobs
from tests.pools.support import GOOD, POOL, PROMPTS, address, confirm, lines, send

ROW = {"prompt": "Q", "completions": ["a", "b"]}
NEW = "/prompts/uploads/new/"


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def page_of(client: Client, where: str) -> str:
    response = client.get(where, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def post(client: Client, name: str = "mine", content: bytes = GOOD) -> str:
    data = {"name": name, "file": SimpleUploadedFile("p.jsonl", content)}
    return str(client.post(NEW, data, follow=True).content.decode())


def half_files() -> list[Path]:
    return list(Path(default_storage.path("")).rglob("*.upload"))


# The way of a file


def test_an_upload_is_looked_at_by_a_worker_and_nothing_is_stored(admin: Client) -> None:
    page = post(admin)
    assert Job.objects.get().status == "queued"
    assert "Looking at the file of “mine”" in page
    run_queued_jobs()
    page = page_of(admin, address(Upload.objects.get()))
    assert "JSONL, 1 column" in page
    assert '<option value="prompt" selected>' in page
    assert (PromptSet.objects.count(), Prompt.objects.count()) == (0, 0)


def test_what_is_confirmed_is_imported_by_a_worker(admin: Client) -> None:
    upload = send(admin, GOOD)
    where = confirm(admin, upload, PROMPTS)
    prompt_set = PromptSet.objects.get()
    assert where == f"/prompts/{prompt_set.pk}/"
    assert Prompt.objects.count() == 0
    run_queued_jobs()
    assert "2 prompts from" in page_of(admin, where)
    page = page_of(admin, address(upload))
    assert "Imported on" in page
    assert "<form class=" not in page.split("<main")[1]  # what is imported is not changed any more


def test_a_pool_is_imported_and_described(admin: Client) -> None:
    upload = send(admin, lines(ROW))
    where = confirm(admin, upload, POOL | {"model": "lab"})
    pool = Pool.objects.get()
    assert where == f"/pools/{pool.pk}/"
    assert (pool.name, pool.model, pool.prompt_set.upload) == ("mine", "lab", upload)
    kinds = [job.kind for job in Job.objects.order_by("pk")]
    assert kinds[:3] == ["inspect_upload", "import_pool", "extract_features"]


def test_the_file_is_kept_as_it_came(admin: Client) -> None:
    upload = send(admin, GOOD, file="../a\x01b/c=d.jsonl")
    assert upload.file_name == "c=d.jsonl"
    assert (upload.size, upload.sha256) == (len(GOOD), hashlib.sha256(GOOD).hexdigest())
    path = Path(upload.file.path)
    assert path.read_bytes() == GOOD
    assert path.stat().st_mode & 0o777 == 0o600
    assert upload.created_by is not None


def test_the_web_process_reads_no_file(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError

    upload = send(admin, GOOD)
    monkeypatch.setattr("pairselect.pools.imports.inspecting.preview", never)
    monkeypatch.setattr("pairselect.pools.imports.checking.read_rows", never)
    post(admin, name="other")
    page_of(admin, address(upload))
    confirm(admin, upload, PROMPTS)
    assert Job.objects.filter(status="queued").count() == 2


def test_a_form_without_a_file_or_a_name_says_so(admin: Client) -> None:
    page = admin.post(NEW, {}).content.decode()
    assert page.count("This field is required.") == 2
    assert Upload.objects.count() == 0


@pytest.mark.parametrize(("name", "path"), [("mine", "/prompts/uploads/new/?name=mine")])
def test_another_file_can_be_sent_under_the_same_name(admin: Client, name: str, path: str) -> None:
    upload = send(admin, b"%PDF-1.7", name=name)
    assert f'href="{path}"' in page_of(admin, address(upload))
    assert f'value="{name}"' in page_of(admin, path)


# What is too large, and who may send


@override_settings(PAIRSELECT_MAX_UPLOAD=2_000_000)
def test_a_file_over_the_limit_is_refused_before_it_is_read(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairselect.pools.upload_views._receive", None)
    response = admin.post(NEW, {"name": "m", "file": SimpleUploadedFile("p", b"x" * 4_000_000)})
    assert response.status_code == 413
    assert "The file is larger than 2 MB. Pack it" in response.content.decode()


@override_settings(PAIRSELECT_MAX_UPLOAD=100_000)
def test_a_file_just_over_the_limit_is_refused_while_it_comes(admin: Client) -> None:
    response = admin.post(NEW, {"name": "m", "file": SimpleUploadedFile("p", b"x" * 100_001)})
    assert response.status_code == 413
    page = response.content.decode()
    assert page.count('class="errorlist"') == 1
    assert "The file is larger than 100 KB." in page
    assert (Upload.objects.count(), list(Path(default_storage.path("")).glob("*.upload"))) == (
        0,
        [],
    )


@override_settings(PAIRSELECT_MAX_UPLOAD=100_000)
def test_a_file_of_just_the_limit_is_taken(admin: Client) -> None:
    assert "Looking at the file" in post(admin, content=b"x" * 100_000)
    assert Upload.objects.get().size == 100_000


def test_a_form_from_another_site_is_refused_and_leaves_no_file(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.admin)
    assert client.post(NEW, {"name": "m", "file": SimpleUploadedFile("p", GOOD)}).status_code == 403
    assert (Upload.objects.count(), list(Path(default_storage.path("")).glob("*.upload"))) == (
        0,
        [],
    )


def test_an_annotator_sends_and_imports_nothing(people: People, admin: Client) -> None:
    upload = send(admin, GOOD)
    client = people.client(people.anna)
    assert client.post(NEW, {"name": "m", "file": SimpleUploadedFile("p", GOOD)}).status_code == 403
    assert client.post(address(upload), {"name": "mine"} | PROMPTS).status_code == 403
    assert client.post(address(upload, "discard")).status_code == 403
    assert (Upload.objects.count(), PromptSet.objects.count()) == (1, 0)


def test_what_a_killed_process_left_is_removed_after_a_day(admin: Client) -> None:
    root = Path(default_storage.path(""))
    (root / "problems").mkdir(parents=True, exist_ok=True)
    old, new, bad = root / "old.upload", root / "new.upload", root / "problems" / "old.part"
    for path in (old, new, bad):
        path.write_bytes(b"x")
    for path in (old, bad):
        os.utime(path, (time.time() - 90_000,) * 2)
    upload = send(admin, GOOD)
    assert [path.exists() for path in (old, bad, new, Path(upload.file.path))] == [
        False,
        False,
        True,
        True,
    ]
    new.unlink()


# Which column is what


def test_hostile_text_stays_text(admin: Client) -> None:
    evil = "<script>alert(1)</script>"
    upload = send(
        admin, lines({"prompt": evil * 200, evil: evil}), name=evil[:20], file=f"{evil}.x"
    )
    for page in (page_of(admin, address(upload)), page_of(admin, "/prompts/")):
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page_of(admin, address(upload))
    assert len(page_of(admin, address(upload))) < 40_000  # long cells are cut


def test_what_is_not_recognised_is_mapped_by_hand(admin: Client) -> None:
    upload = send(admin, b"colour,amount\nred,7\n", file="p.csv")
    page = page_of(admin, address(upload))
    assert "None of the columns" in page
    fields = {"kind": "prompts", "prompts-prompt": "colour", "prompts-id": "amount"}
    confirm(admin, upload, fields)
    run_queued_jobs()
    prompt = Prompt.objects.get()
    assert (str(prompt), prompt.external_id) == ("red", "7")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "prompts"}, "Choose the column of: Prompt."),
        ({"kind": "prompts", "prompts-prompt": "gone"}, "Select a valid choice."),
        ({"kind": "songs"}, "Select a valid choice."),
        ({"kind": "pool", "pool-prompt": "prompt"}, "Choose either one column that lists"),
        (PROMPTS | {"name": " "}, "This field is required."),
        (PROMPTS | {"name": "a\x7fb"}, "A name has 1 to 100 printable characters."),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_in_words(
    admin: Client, fields: dict[str, str], sentence: str
) -> None:
    upload = send(admin, lines(ROW))
    response = admin.post(address(upload), {"name": "mine"} | fields)
    assert sentence in response.content.decode()
    assert PromptSet.objects.count() == 0


def test_a_file_is_mapped_again_after_a_failed_import(admin: Client) -> None:
    upload = send(admin, b"prompt,text\n,one\n,two\n", file="p.csv")
    where = confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    page = page_of(admin, where)  # leads back to the file
    assert "2 of 2 rows cannot be used" in page
    assert "Import again" in page
    confirm(admin, upload, PROMPTS | {"prompts-prompt": "text"}, name="renamed")
    run_queued_jobs()
    prompt_set = PromptSet.objects.get()
    assert (prompt_set.name, prompt_set.prompt_count) == ("renamed", 2)
    upload.refresh_from_db()
    assert (upload.problem_count, upload.problems.name) == (0, "")


def test_a_failed_pool_can_become_prompts_unless_a_design_waits(admin: Client) -> None:
    upload = send(admin, lines({"prompt": "Q", "completions": ["a"]}))
    confirm(admin, upload, POOL)
    run_queued_jobs()
    pool = Pool.objects.get()
    design = Design.objects.create(name="d", pool=pool, budget=1, strategy="trace")
    response = admin.post(address(upload), {"name": "mine"} | PROMPTS)
    assert "Designs wait for the pool “mine”" in response.content.decode()
    design.delete()
    confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    assert (Pool.objects.count(), Prompt.objects.count()) == (0, 1)


# Bad rows


def test_bad_rows_are_listed_and_can_be_downloaded(admin: Client) -> None:
    rows = [{"prompt": 7 if i % 2 else "fine"} for i in range(300)]
    upload = send(admin, lines(*rows))
    confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    page = page_of(admin, address(upload))
    assert "150 bad rows" in page
    assert page.count("The prompt is not a text") == 100  # in the table alone
    assert "Nothing was imported: 150 of 300 rows cannot be used.</p>" in page
    response = admin.get(address(upload, "problems"))
    assert response.headers["Content-Disposition"].startswith("attachment;")
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    found = list(csv.reader(io.StringIO(text)))
    assert found[0] == ["row", "problem"]
    assert [row[0] for row in found[1:]] == [str(i) for i in range(2, 301, 2)]
    assert Prompt.objects.count() == 0


def test_no_cell_of_the_download_is_a_formula(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pairselect.pools.imports import problems
    from pairselect.pools.reading import RowProblem

    upload = send(admin, GOOD)
    messages = ["=1+1", "+1", "-1", "@x", "\tx", "'x", 'plain, "quoted"\nline']
    with problems.collect_problems(upload) as found:
        for message in messages:
            found.add(RowProblem(1, message))
    upload.refresh_from_db()
    text = Path(upload.problems.path).read_text("utf-8-sig")
    cells = [row[1] for row in csv.reader(io.StringIO(text))][1:]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "''x", messages[-1]]
    assert [one.message for one in problems.first_problems(upload)] == messages


def test_there_is_no_download_where_nothing_is_bad(admin: Client) -> None:
    upload = send(admin, GOOD)
    assert admin.get(address(upload, "problems")).status_code == 404
