"""Every hostile file, sent as an admin sends it: one clear sentence, and no row."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from pairselect.jobs.models import Job
from pairselect.pools.imports import NOTHING
from pairselect.pools.imports.confirming import begin_import
from pairselect.pools.models import Prompt, Upload
from pairselect.pools.reading import Columns
from tests.conftest import People, run_queued_jobs
from tests.pools.reading import hostile
from tests.pools.support import address, send

FILES = hostile.UNREADABLE | hostile.BROKEN_LATER | hostile.BAD_ROW
LIMITS = override_settings(PAIRSELECT_MAX_UNPACKED=100_000_000, PAIRSELECT_MAX_ROWS=100_000)


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def failed_job(upload: Upload) -> Job:
    """Of the inspection, or of the import that an admin tries in spite of what it said."""
    if upload.preview is not None:
        mapping = upload.preview["mapping"] or {"kind": "prompts", "prompt": "prompt"}
        begin_import(upload, columns=Columns.from_dict(mapping), name="mine")
        run_queued_jobs()
    job = Job.objects.latest("pk")
    assert job.status == "failed"
    return job


def test_an_empty_file_is_refused_in_the_form(admin: Client) -> None:
    data = {"name": "mine", "file": SimpleUploadedFile("p", b"")}
    page = admin.post("/prompts/uploads/new/", data).content.decode()
    assert "The submitted file is empty." in page
    assert Upload.objects.count() == 0


@LIMITS
@pytest.mark.parametrize("name", sorted(FILES.keys() - {"empty"}))
def test_a_hostile_file_ends_in_a_sentence_and_no_row(admin: Client, name: str) -> None:
    make, said = FILES[name]
    upload = send(admin, make())
    job = failed_job(upload)
    assert job.error.startswith(NOTHING)
    assert said in job.error
    assert job.error.endswith(".")
    assert "Unexpected" not in job.error
    assert len(job.error) < 600
    assert Prompt.objects.count() == 0
    page = admin.get(address(upload)).content.decode()
    assert "Nothing was imported" in page
    assert len(page) < 200_000


@LIMITS
@pytest.mark.parametrize("name", hostile.BAD_ROW)
def test_what_can_be_seen_of_it_is_shown(admin: Client, name: str) -> None:
    """The preview of a file with one bad row holds what a database takes and a page can show."""
    upload = send(admin, hostile.BAD_ROW[name][0]())
    assert upload.preview is not None
    assert upload.preview["mapping"]["prompt"] == "prompt"
    page = admin.get(address(upload)).content.decode()
    assert "good" in page
    assert "\x00" not in page
