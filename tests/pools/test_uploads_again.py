"""Uploads that meet others: names, the same file twice, races, discarding, the list of all."""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pairselect.designs.models import Design
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.pools import upload_views
from pairselect.pools.imports import staging
from pairselect.pools.imports.confirming import begin_import
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Upload
from pairselect.pools.naming import NameRefused
from pairselect.pools.reading import Columns
from tests.conftest import People, run_queued_jobs
from tests.pools.support import BAD, GOOD, POOL, PROMPTS, address, confirm, lines, send
from tests.pools.test_uploads import ROW, page_of, post


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


# Names, and the same file twice


def test_an_upload_under_a_taken_name_is_refused_in_the_form(admin: Client) -> None:
    upload = send(admin, GOOD)
    confirm(admin, upload, PROMPTS)
    assert "There is a prompt set named “mine”" in post(admin)  # on its way
    run_queued_jobs()
    assert "There is a prompt set named “mine”" in post(admin)  # imported
    assert (Upload.objects.count(), PromptSet.objects.count()) == (1, 1)


def test_the_same_file_again_is_recognised_before_it_is_imported(admin: Client) -> None:
    upload = send(admin, GOOD)
    confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    again = send(admin, GOOD, name="again")
    page = page_of(admin, address(again))
    assert f"This file was imported on {timezone.now():%-d %B %Y}" in page
    assert f'<a href="/prompts/{PromptSet.objects.get().pk}/">“mine”</a>' in page
    confirm(admin, again, PROMPTS, name="again")
    run_queued_jobs()
    assert [one.prompt_count for one in PromptSet.objects.all()] == [2, 2]
    assert "This file was imported" not in page_of(admin, address(send(admin, BAD, name="x")))


def test_a_form_sent_twice_imports_once(people: People, admin: Client) -> None:
    upload = send(admin, GOOD)
    first = confirm(admin, upload, PROMPTS)
    other = people.client(people.admin)
    assert confirm(other, upload, PROMPTS | {"prompts-prompt": "prompt"}, name="other") == first
    run_queued_jobs()
    assert confirm(other, upload, PROMPTS, name="third") == first  # after its end, too
    run_queued_jobs()
    assert [(one.name, one.prompt_count) for one in PromptSet.objects.all()] == [("mine", 2)]
    assert Job.objects.filter(kind="import_prompts").count() == 1


def test_of_two_uploads_with_one_name_the_second_chooses_another(admin: Client) -> None:
    first, second = send(admin, GOOD), send(admin, lines({"prompt": "three"}))
    confirm(admin, first, PROMPTS)
    response = admin.post(address(second), {"name": "mine"} | PROMPTS)
    assert "There is a prompt set named “mine”" in response.content.decode()
    confirm(admin, second, PROMPTS, name="theirs")
    run_queued_jobs()
    assert {one.name: one.prompt_count for one in PromptSet.objects.all()} == {
        "mine": 2,
        "theirs": 1,
    }


def test_a_mended_file_takes_the_place_of_the_one_that_failed(admin: Client) -> None:
    bad = send(admin, lines({"prompt": "Q", "completions": []}))
    confirm(admin, bad, POOL)
    run_queued_jobs()
    pool = Pool.objects.get()
    kept = Path(bad.file.path)
    Design.objects.create(name="d", pool=pool, budget=1, strategy="trace")  # waits for it
    good = send(admin, lines(ROW))
    assert confirm(admin, good, POOL) == f"/pools/{pool.pk}/"
    job = Job.objects.filter(kind="import_pool").latest("pk")
    assert run_job(job.pk)
    assert list(Upload.objects.all()) == [good]
    assert Completion.objects.filter(pool=pool).count() == 2
    assert PromptSet.objects.get().upload == good
    assert kept.exists() == connection.in_atomic_block  # removed when the decision is committed


@pytest.mark.django_db(transaction=True)
def test_the_replaced_file_is_removed_from_the_disk(people: People) -> None:
    client = people.client(people.admin)
    bad = send(client, BAD)
    confirm(client, bad, PROMPTS)
    run_queued_jobs()
    bad.refresh_from_db()
    files = [Path(bad.file.path), Path(bad.problems.path)]
    assert all(path.exists() for path in files)
    good = send(client, GOOD)
    confirm(client, good, PROMPTS)
    assert not any(path.exists() for path in files)
    assert Path(good.file.path).exists()


@pytest.mark.django_db
def test_a_refused_confirmation_changes_nothing(admin: Client) -> None:
    taken = send(admin, GOOD)
    confirm(admin, taken, PROMPTS)
    upload = send(admin, BAD, name="other")
    with pytest.raises(NameRefused):
        begin_import(upload, columns=Columns("prompts", prompt="prompt"), name="mine")
    upload.refresh_from_db()
    assert (upload.name, upload.columns, upload.model) == ("other", None, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_upload", [True, False])
def test_of_many_confirmations_at_once_one_imports(people: People, same_upload: bool) -> None:
    client = people.client(people.admin)
    uploads = [send(client, GOOD, name=f"u{i}") for i in range(1 if same_upload else 4)]
    answers: list[int] = []

    def try_it(number: int) -> None:
        upload = uploads[number % len(uploads)]
        try:
            response = people.client(people.admin).post(address(upload), {"name": "mine"} | PROMPTS)
            answers.append(response.status_code)
        finally:
            connections.close_all()

    threads = [Thread(target=try_it, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ([302] * 4 if same_upload else [200, 200, 200, 302])
    run_queued_jobs()
    assert [one.prompt_count for one in PromptSet.objects.all()] == [2]
    assert Job.objects.filter(kind="import_prompts").count() == 1


# Duplicates


def test_duplicates_are_said_on_the_page(admin: Client) -> None:
    upload = send(admin, GOOD * 2)
    where = confirm(admin, upload, PROMPTS | {"merge_duplicates": "on"})
    run_queued_jobs()
    page = page_of(admin, where)
    assert "4 rows, 2 duplicates, merged" in page
    assert "2 prompts from" in page
    other = send(admin, GOOD * 2, name="kept")
    where = confirm(admin, other, PROMPTS, name="kept")
    run_queued_jobs()
    assert "4 rows, 2 duplicates, kept" in page_of(admin, where)


# Away with it


def test_a_file_that_is_not_wanted_is_discarded(admin: Client) -> None:
    upload = send(admin, BAD)
    confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    upload.refresh_from_db()
    files = [Path(upload.file.path), Path(upload.problems.path)]
    page = admin.post(address(upload, "discard"), follow=True).content.decode()
    assert "The file p.jsonl is discarded." in page
    assert not any(path.exists() for path in files)
    assert (Upload.objects.count(), PromptSet.objects.count()) == (0, 0)


def test_what_is_imported_or_on_its_way_is_not_discarded(admin: Client) -> None:
    upload = send(admin, GOOD)
    confirm(admin, upload, PROMPTS)
    assert "stays" in admin.post(address(upload, "discard"), follow=True).content.decode()
    run_queued_jobs()
    assert "stays" in admin.post(address(upload, "discard"), follow=True).content.decode()
    assert (Prompt.objects.count(), Path(upload.file.path).exists()) == (2, True)


def cut_off(upload: Upload) -> PromptSet:
    """As if the worker had been killed while it stored: the job has failed, rows are left."""
    Job.objects.filter(kind__startswith="import").update(status="failed", error="Died.")
    prompt_set = PromptSet.objects.get(upload=upload)
    prompt = Prompt.objects.create(prompt_set=prompt_set, position=0, messages=[])
    for pool in prompt_set.pools.all():
        Completion.objects.create(pool=pool, prompt=prompt, index=0, text="left")
    return prompt_set


def test_what_a_killed_import_left_is_removed_by_a_worker(admin: Client) -> None:
    upload = send(admin, lines(ROW))
    confirm(admin, upload, POOL)
    cut_off(upload)
    with CaptureQueriesContext(connection) as found:
        page = admin.post(address(upload, "discard"), follow=True).content.decode()
        admin.post(address(upload, "discard"))  # a second click
    deleted = [one["sql"] for one in found if one["sql"].startswith("DELETE")]
    assert not [sql for sql in deleted if "pools_" in sql]
    assert "Discarding the file" in page
    assert Job.objects.filter(kind="discard_upload").count() == 1
    columns = Columns("prompts", prompt="prompt")
    with pytest.raises(NameRefused, match="This file is being discarded"):  # from another tab
        begin_import(upload, columns=columns, name="mine")
    other = Upload.objects.create(name="mine", file_name="x", sha256="x")
    with pytest.raises(NameRefused, match="There is a prompt set named"):
        begin_import(other, columns=columns, name="mine")
    run_queued_jobs()
    assert Job.objects.get(kind="discard_upload").error == ""
    assert [model.objects.count() for model in (PromptSet, Pool, Prompt, Completion)] == [0] * 4
    assert not Upload.objects.filter(pk=upload.pk).exists()
    assert not Path(upload.file.path).exists()


def test_a_file_that_is_discarded_in_the_last_moment_is_refused_in_the_form(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = send(admin, GOOD)

    def then_discarded(given: Upload, **decision: Any) -> object:
        assert staging.discard_upload(upload)
        return begin_import(given, **decision)

    monkeypatch.setattr(upload_views, "begin_import", then_discarded)
    response = admin.post(address(upload), {"name": "mine"} | PROMPTS)
    assert response.status_code == 200
    assert "This file is being discarded. Upload it again." in response.content.decode()
    assert not PromptSet.objects.exists()


def test_another_mapping_does_not_wait_for_rows_that_were_left(admin: Client) -> None:
    upload = send(admin, lines(ROW))
    confirm(admin, upload, POOL)
    cut_off(upload)
    response = admin.post(address(upload), {"name": "mine"} | PROMPTS)
    assert "was cut off and left rows" in response.content.decode()
    assert (Pool.objects.count(), Completion.objects.count()) == (1, 1)
    confirm(admin, upload, POOL)  # as it was
    run_job(Job.objects.filter(kind="import_pool").latest("pk").pk)
    assert [one.text for one in Completion.objects.all()] == ["a", "b"]


def test_an_import_from_another_tab_stops_the_discarding(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = send(admin, GOOD)
    confirm(admin, upload, PROMPTS)
    cut_off(upload)
    true = staging.remove_rows

    def between(*args: object) -> None:
        confirm(admin, upload, PROMPTS)
        true(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(staging, "remove_rows", between)
    assert not staging.discard_upload(upload)
    run_queued_jobs()
    assert [one.prompt_count for one in PromptSet.objects.all()] == [2]
    assert Path(upload.file.path).exists()


# Lists


def test_the_list_reads_no_preview(admin: Client) -> None:
    send(admin, GOOD, name="waits")
    confirm(admin, send(admin, GOOD, name="done"), PROMPTS, name="done")
    run_queued_jobs()
    with CaptureQueriesContext(connection) as found:
        page = page_of(admin, "/prompts/")
    assert "waits" in page
    assert "done" in page
    assert [one["sql"] for one in found if '"preview"' in one["sql"]] == []


def test_the_list_shows_what_waits_and_costs_the_same_with_three(admin: Client) -> None:
    def queries() -> int:
        page_of(admin, "/prompts/")
        with CaptureQueriesContext(connection) as found:
            page_of(admin, "/prompts/")
        return len(found)

    def fill(number: int) -> None:
        send(admin, GOOD, name=f"waits {number}")
        confirm(admin, send(admin, BAD, name=f"failed {number}"), PROMPTS, name=f"failed {number}")
        confirm(admin, send(admin, GOOD, name=f"done {number}"), PROMPTS, name=f"done {number}")
        confirm(admin, send(admin, lines(ROW), name=f"p{number}"), POOL, name=f"p{number}")
        Job.objects.filter(kind="import_pool").update(status="failed", error="Nothing was")
        run_queued_jobs()

    fill(1)
    one = queries()
    page = page_of(admin, "/prompts/")
    assert page.count("Waits for you") == 1
    assert "Importing prompts: failed" in page
    fill(2)
    fill(3)
    assert queries() == one
