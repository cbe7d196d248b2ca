"""What an upload's page says of files that would be imported as something else, or not at all."""

import json

import pytest
from django.test import Client

from pairselect.pools.models import Upload
from tests.conftest import People
from tests.pools.support import address, lines, send

pytestmark = pytest.mark.page

REPEATS = "The first rows repeat a prompt."


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def page_of(client: Client, upload: Upload) -> str:
    response = client.get(address(upload))
    assert response.status_code == 200
    return str(response.content.decode())


def test_a_file_of_which_no_row_can_be_read_offers_another_upload(admin: Client) -> None:
    content = "prompt;topic\nErkläre Größe;Übung\n".encode("cp1252")
    upload = send(admin, content, name="old export", file="p.csv")
    page = page_of(admin, upload)
    assert "Row 1: The row is not UTF-8; save the file as UTF-8." in page
    assert 'href="/prompts/uploads/new/?name=old%20export"' in page
    assert "Which column is what" not in page
    assert "Discard the file" in page
    posted = admin.post(address(upload), {"name": "old export", "kind": "prompts"})
    assert posted.status_code == 200
    assert "Which column is what" not in posted.content.decode()


LONG = [{"prompt": "Q", "completion": text} for text in "ab"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (LONG, True),
        ([{"prompt": "Q"}] * 2, False),  # duplicates, nothing else
        ([{"prompt": text, "completion": "a"} for text in "QR"], False),
        ([{"instruction": "Sum up", "input": text, "output": "a"} for text in "QR"], False),
        ([{"instruction": "Sum up", "input": "Q", "output": text} for text in "ab"], True),
        ([{"prompt": "Q" * 600 + text, "completion": "a"} for text in "QR"], False),  # cut alike
        ([{"prompt": "Q", "completions": ["a", "b"]}] * 2, False),  # a pool
    ],
)
def test_a_pool_with_one_completion_a_row_is_not_taken_for_prompts_in_silence(
    admin: Client, rows: list[dict[str, object]], said: bool
) -> None:
    page = page_of(admin, send(admin, lines(*rows)))
    assert "Which column is what" in page
    assert (REPEATS in page) is said


def test_a_json_array_with_one_completion_a_row_is_noticed_too(admin: Client) -> None:
    assert REPEATS in page_of(admin, send(admin, json.dumps(LONG).encode(), file="p.json"))
