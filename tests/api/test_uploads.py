"""Files by the API: as a form or as the body, looked at, confirmed, imported."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, PromptSet, Upload
from tests.api.conftest import Program
from tests.conftest import run_queued_jobs
from tests.pools.support import lines

ROWS = lines({"prompt": "one", "id": "a"}, {"prompt": "two", "id": "b"})
NDJSON = "application/x-ndjson"


def send_body(caller: Program, content: bytes, query: str, kind: str = NDJSON) -> Any:
    return Client().post(
        f"/api/v1/uploads?{query}", content, content_type=kind,
        headers={"Authorization": f"Bearer {caller.secret}"},
    )  # fmt: skip


def send_form(caller: Program, **fields: Any) -> Any:
    return Client(enforce_csrf_checks=True).post(
        "/api/v1/uploads", fields, headers={"Authorization": f"Bearer {caller.secret}"}
    )


def left_behind() -> list[Path]:
    return list(Path(settings.MEDIA_ROOT).glob("*.upload"))


@pytest.mark.parametrize("as_form", [True, False])
def test_a_file_becomes_a_prompt_set(as_form: bool, admin: Program) -> None:
    if as_form:
        response = send_form(admin, name="mine", file=SimpleUploadedFile("p.jsonl", ROWS))
    else:
        response = send_body(admin, ROWS, "name=mine&file_name=p.jsonl")
    assert response.status_code == 201, response.content.decode()
    begun = response.json()
    assert (begun["inspected"], begun["file_name"], begun["bytes"]) == (False, "p.jsonl", len(ROWS))
    path = f"uploads/{begun['id']}"
    assert admin.refused("POST", f"{path}/import", {})[0] == 409
    run_queued_jobs()
    seen = admin.get(path)
    assert (seen["kind"], seen["columns"]["prompt"], seen["columns"]["id"]) == (
        "prompts", "prompt", "id",
    )  # fmt: skip
    imported = admin.post(f"{path}/import", {})
    assert [job["kind"] for job in imported["jobs"]] == ["import_prompts"]
    assert imported["pool"] is None
    run_queued_jobs()
    found = admin.get(f"prompt-sets/{imported['prompt_set']['id']}")
    assert (found["name"], found["prompt_count"]) == ("mine", 2)
    prompts = admin.get(f"prompt-sets/{found['id']}/prompts")["items"]
    assert [(one["id"], one["messages"][0]["content"]) for one in prompts] == [
        ("a", "one"), ("b", "two"),
    ]  # fmt: skip
    assert admin.post(f"{path}/import", {})["prompt_set"]["id"] == found["id"]
    assert PromptSet.objects.count() == 1
    assert left_behind() == []


def test_a_packed_pool_of_one_s_own_columns(admin: Program) -> None:
    rows = lines({"q": "one", "answers": ["a", "b"]}, {"q": "two", "answers": ["c", "d"]})
    begun = send_body(admin, gzip.compress(rows), "name=mine&model=gpt", "application/octet-stream")
    run_queued_jobs()
    path = f"uploads/{begun.json()['id']}/import"
    status, error = admin.refused("POST", path, {"kind": "pool", "columns": {"prompt": "q"}})
    assert (status, error["field"]) == (422, "columns")
    columns = {"prompt": "q", "completions": "answers"}
    imported = admin.post(path, {"kind": "pool", "columns": columns, "name": "theirs"})
    assert imported["pool"]["name"] == "theirs"
    assert imported["jobs"][0]["kind"] == "import_pool"
    assert run_job(Job.objects.get(kind="import_pool").pk)
    assert Completion.objects.count() == 4
    assert Pool.objects.get().model == "gpt"


@pytest.mark.parametrize(
    ("query", "kind", "status", "field"),
    [
        ("", NDJSON, 422, "name"),
        ("name=%20", NDJSON, 422, "name"),
        ("name=mine&file_name=..", NDJSON, 422, "file_name"),
        ("name=mine&file_name=a/", NDJSON, 422, "file_name"),
        ("name=mine", "image/png", 415, ""),
        ("name=mine", "application/x-www-form-urlencoded", 415, ""),
    ],
)
def test_what_cannot_be_taken_leaves_nothing(
    query: str, kind: str, status: int, field: str, admin: Program
) -> None:
    response = send_body(admin, ROWS, query, kind)
    assert (response.status_code, response.json()["error"].get("field", "")) == (status, field)
    assert not Upload.objects.exists()
    assert left_behind() == []


def test_an_empty_file_is_refused(admin: Program) -> None:
    empty = send_form(admin, name="mine", file=SimpleUploadedFile("p.jsonl", b""))
    for response in (empty, send_form(admin, name="mine")):
        assert (response.status_code, response.json()["error"]["field"]) == (422, "file")
    assert left_behind() == []


@pytest.mark.parametrize("as_form", [True, False])
def test_a_file_that_is_too_large_is_refused(
    as_form: bool, admin: Program, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PAIRSELECT_MAX_UPLOAD = 10
    if as_form:
        response = send_form(admin, name="mine", file=SimpleUploadedFile("p.jsonl", ROWS))
    else:
        response = send_body(admin, ROWS, "name=mine")
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
    monkeypatch.setattr("pairselect.pools.upload_handler.ROOM_FOR_FIELDS", 0)
    response = send_body(admin, ROWS, "name=mine")  # told before it is read
    assert response.status_code == 413
    assert not Upload.objects.exists()
    assert left_behind() == []


def test_a_taken_name_is_refused(admin: Program) -> None:
    begun = send_body(admin, ROWS, "name=mine").json()
    run_queued_jobs()
    admin.post(f"uploads/{begun['id']}/import", {})
    run_queued_jobs()
    response = send_body(admin, ROWS, "name=mine")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "name_refused")
    assert left_behind() == []
