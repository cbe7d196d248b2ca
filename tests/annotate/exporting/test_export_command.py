"""A dataset by the command, as a file or a folder wherever somebody wants it."""

import hashlib
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Campaign, Export
from tests.annotate.exported import read
from tests.conftest import People, give, make_campaign


@pytest.fixture
def labelled(people: People) -> Campaign:
    """Five pairs are decided."""
    campaign = make_campaign(people.anna, prompts=8)
    for choice in ("left", "right", "tie", "both_bad", "left", "right", "right"):
        give(campaign, people.anna, choice)
    return campaign


def test_command_writes_the_file(labelled: Campaign, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    call_command("export_dataset", labelled.name, "--output", str(out))
    assert len(read(out)) == 5
    export = Export.objects.get()
    assert (export.row_count, export.sha256) == (
        5,
        hashlib.sha256(out.read_bytes()).hexdigest(),
    )
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", ["run-1.5", "out.d", "dpo"])
def test_a_dot_in_a_name_makes_it_no_file(labelled: Campaign, tmp_path: Path, name: str) -> None:
    call_command("export_dataset", labelled.name, "--output", str(tmp_path / name))
    assert len(read(tmp_path / name / "train.jsonl")) == 5


@pytest.mark.parametrize("name", ["a.jsonl", "b.json", "run-1.5.parquet"])
def test_the_endings_of_datasets_make_one_file(
    labelled: Campaign, tmp_path: Path, name: str
) -> None:
    call_command("export_dataset", labelled.name, "--output", str(tmp_path / name))
    assert (tmp_path / name).is_file()


def test_nothing_decided_is_said_and_no_file_left(
    campaign: Campaign, people: People, tmp_path: Path
) -> None:
    give(campaign, people.anna, "tie")
    out = tmp_path / "out.jsonl"
    with pytest.raises(CommandError, match="No comparison of “campaign” has been decided"):
        call_command("export_dataset", campaign.name, "--output", str(out))
    assert not out.exists()
    assert Export.objects.count() == 0


def test_an_output_that_cannot_be_written_is_said(labelled: Campaign, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "of").touch()
    for target, said in (
        (tmp_path / "no" / "o.jsonl", "no such folder"),
        (tmp_path / "no" / "folder", "no such folder"),
        (tmp_path / "full", "is a folder with files in it"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("export_dataset", labelled.name, "--output", str(target))
    assert Export.objects.count() == 0
