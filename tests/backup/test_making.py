"""What a backup does while things change around it, and what a check of it finds."""

import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from annotate.models import Export
from pairselect.backup import BackupError, making, postgres, restoring
from pairselect.backup.archive import facts_of, read_archive, write_archive, write_durably
from pairselect.backup.checking import check_backup
from pairselect.backup.making import Made, alone, make_backup
from pairselect.backup.manifest import Manifest
from pairselect.trail.actions import record
from tests.conftest import make_campaign

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="looks into SQLite files"),
]


def quiet(*args: object) -> None: ...


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """The data folder, with an export in it; backups go beside it."""
    settings.PAIRSELECT_DATA_DIR = tmp_path / "data"
    settings.MEDIA_ROOT = tmp_path / "data" / "uploads"
    settings.PAIRSELECT_DATA_DIR.mkdir()
    campaign = make_campaign(prompts=2)
    record("campaign.opened", campaign, first=True)
    record("campaign.paused", campaign)
    add_export(settings.PAIRSELECT_DATA_DIR)
    return Path(settings.PAIRSELECT_DATA_DIR)


def add_export(folder: Path, text: str = "a row\n") -> Path:
    from annotate.models import Campaign

    export = Export.objects.create(
        campaign=Campaign.objects.get(), format="trl", completed_at=timezone.now()
    )
    place = folder / "exports" / str(export.file)
    place.mkdir(parents=True)
    (place / "train.jsonl").write_text(text)
    return place


def make(folder: Path, name: str = "", **more: Any) -> Made:
    options = {"secrets": False, "keep": None, "told": quiet} | more
    return make_backup(folder.parent / name, **options)


def content_of(path: Path) -> dict[str, bytes]:
    return {name: b"".join(chunks) for name, chunks in read_archive(path)[1]}


def test_nothing_but_the_backup_is_left(folder: Path) -> None:
    made = make(folder)
    assert made.path.name.startswith("pairselect-2")
    assert sorted(path.name for path in folder.parent.iterdir()) == ["data", made.path.name]
    assert sorted(path.name for path in folder.iterdir()) == ["backup.lock", "exports"]
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert check_backup(made.path, quiet).links == made.manifest.tables["trail_entry"] > 1


def test_secrets_are_in_it_when_asked_for(folder: Path) -> None:
    for name in ("secret_key", "demo_logins.json", "identity_phrases.txt", "other"):
        (folder / name).write_text(name)
    assert set(content_of(make(folder).path)) & {"secret_key", "demo_logins.json"} == set()
    found = content_of(make(folder, "secret.tar.gz", secrets=True).path)
    assert found["secret_key"] == b"secret_key"
    assert found["demo_logins.json"] == b"demo_logins.json"
    assert found["identity_phrases.txt"] == b"identity_phrases.txt"
    assert "other" not in found


def test_a_file_that_is_deleted_meanwhile_is_in_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and files go just after the moment of the backup."""
    place = folder / "exports" / str(Export.objects.get().file)
    whole = making.facts_of

    def after(path: Path, told: Callable[[int], None]) -> Any:
        if place.exists():
            Export.objects.all().delete()
            shutil.rmtree(place)
        return whole(path, told)

    monkeypatch.setattr(making, "facts_of", after)
    made = make(folder)
    assert not place.exists()
    name = f"exports/{place.name}/train.jsonl"
    assert content_of(made.path)[name] == b"a row\n"
    assert made.manifest.tables["annotate_export"] == 1


def test_where_files_go_before_they_are_held_it_looks_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / "exports" / str(Export.objects.get().file)
    inner, tries = making.pin, []

    def before(names: list[str], held: Path) -> Any:
        tries.append(list(names))
        if len(tries) == 1:
            Export.objects.all().delete()
            shutil.rmtree(place)
        return inner(names, held)

    monkeypatch.setattr(making, "pin", before)
    made = make(folder)
    assert [len(one) for one in tries[:2]] == [1, 0]
    assert made.manifest.tables["annotate_export"] == 0
    assert made.manifest.lost == []


def test_where_files_are_half_gone_before_they_are_held_it_looks_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker removes the files of rows that are gone, one by one."""
    place = folder / "exports" / str(Export.objects.get().file)
    (place / "card.md").write_text("a card\n")
    inner, tries = making.pin, []

    def before(names: list[str], held: Path) -> Any:
        tries.append(list(names))
        if len(tries) == 1:
            Export.objects.all().delete()
            (place / "train.jsonl").unlink()
        return inner(names, held)

    monkeypatch.setattr(making, "pin", before)
    manifest = make(folder).manifest
    assert manifest.tables["annotate_export"] == 0
    assert [name for name in manifest.files if name.startswith("exports/")] == []


def test_a_folder_that_goes_while_it_is_read_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(place: Path) -> Any:
        raise FileNotFoundError(2, "No such file or directory", str(place))
        yield

    monkeypatch.setattr("pairselect.backup.files._files_at", gone)
    assert make(folder).manifest.lost == [f"exports/{Export.objects.get().file}"]


def test_a_file_that_was_lost_before_is_named(folder: Path) -> None:
    place = add_export(folder)
    shutil.rmtree(place)
    made = make(folder)
    assert made.manifest.lost == [f"exports/{place.name}"]
    assert made.manifest.tables["annotate_export"] == 2


def test_a_file_system_without_second_names_gets_copies(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", none)
    made = make(folder)
    assert b"a row\n" in content_of(made.path).values()


def test_the_newest_are_kept(folder: Path) -> None:
    for day in (1, 2, 3):
        (folder.parent / f"pairselect-2020010{day}T000000Z.tar.gz").touch()
    (folder.parent / "mine.tar.gz").touch()
    made = make(folder, keep=2)
    kept = sorted(path.name for path in folder.parent.glob("*.gz"))
    assert kept == ["mine.tar.gz", "pairselect-20200103T000000Z.tar.gz", made.path.name]
    assert len(made.removed) == 2


def test_only_what_is_named_by_a_time_is_removed_for_a_newer_one(folder: Path) -> None:
    mine = folder.parent / "pairselect-before-the-upgrade.tar.gz"
    mine.touch()
    old = folder.parent / "pairselect-20200101T000000Z.tar.gz"
    old.touch()
    made = make(folder, keep=1)
    assert made.path.exists()
    assert mine.exists()
    assert made.removed == [str(old)]


def test_one_at_a_time(folder: Path) -> None:
    with alone(), pytest.raises(BackupError, match="under way"):
        make(folder)
    make(folder)


@pytest.mark.parametrize("name", ["taken.tar.gz", "no/such/folder.tar.gz"])
def test_it_replaces_nothing(name: str, folder: Path) -> None:
    (folder.parent / "taken.tar.gz").write_text("mine")
    with pytest.raises(BackupError):
        make(folder, name)
    assert (folder.parent / "taken.tar.gz").read_text() == "mine"


def test_a_full_disk_leaves_nothing_half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "write_archive", full)
    with pytest.raises(BackupError, match="No space left on device"):
        make(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["data"]
    assert not (folder / "backup.part").exists()


def test_what_is_written_wrongly_gets_no_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive is read again from the disk."""

    def wrongly(file: Any, manifest: Manifest, sources: dict[str, Path], told: Any) -> None:
        name = next(one for one in sources if one.startswith("exports/"))
        other = folder.parent / "other"
        other.write_text("A row\n")
        write_archive(file, manifest, sources | {name: other}, told)

    monkeypatch.setattr(making, "write_archive", wrongly)
    with pytest.raises(BackupError, match="its SHA-256 is another"):
        make(folder)
    assert list(folder.parent.glob("*.gz")) == []


def test_the_commands_say_so_in_one_sentence(folder: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing.tar.gz cannot be read: No such file"):
        call_command("verify_backup", str(folder.parent / "nothing.tar.gz"))
    with pytest.raises(CommandError, match="The database has rows in"):
        call_command("restore", str(folder.parent / "nothing.tar.gz"))
    with pytest.raises(CommandError, match="--keep"):
        call_command("backup", str(folder.parent), keep=0)


# What a check finds: archives that are whole in themselves, of databases that are not


def changed(made: Made, change: Callable[[sqlite3.Connection], object], **said: Any) -> Path:
    """The backup with another database, and digests to match."""
    folder = made.path.parent / f"changed-{uuid.uuid4()}"
    manifest, files = read_archive(made.path)
    for name, chunks in files:
        write_durably(folder / name, chunks)
    database = folder / manifest.database_file
    with closing(sqlite3.connect(database)) as opened:
        change(opened)
        opened.commit()
    sources = {name: folder / name for name in manifest.files}
    facts = manifest.files | {manifest.database_file: facts_of(database, quiet)}
    path = folder / "changed.tar.gz"
    with path.open("wb") as file:
        write_archive(file, replace(manifest, files=facts, **said), sources, quiet)
    return path


def test_unchanged_it_is_whole(folder: Path) -> None:
    check_backup(changed(make(folder), lambda database: None), quiet)


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM annotate_comparison WHERE position = 1"], "1 rows in annotate_comparison"),
        (["CREATE TABLE more (id)"], "other tables"),
        (["UPDATE annotate_comparison SET campaign_id = 999"], "points to in annotate_campaign"),
        (["DELETE FROM django_migrations WHERE app = 'annotate'",
          "INSERT INTO django_migrations (app, name, applied) VALUES ('annotate', 'x', '2020')"],
         "rows in django_migrations"),
        (["DROP TRIGGER IF EXISTS trail_entry_update",
          "UPDATE trail_entry SET action = 'campaign.closed' WHERE action = 'campaign.paused'"],
         r"its link \d does not hold"),
        (["DROP TRIGGER IF EXISTS trail_seal_update",
          "UPDATE trail_seal SET digest = 'x' WHERE number = 1"], "its link 1 does not hold"),
        (["DROP TRIGGER IF EXISTS trail_entry_update", "UPDATE trail_entry SET at = 'never'"],
         "audit trail in the backup cannot be read"),
        (["ALTER TABLE trail_entry RENAME COLUMN via TO how"],
         "audit trail in the backup cannot be read"),
    ],
)  # fmt: skip
def test_a_database_that_is_not_as_it_was_is_found(
    statements: list[str], said: str, folder: Path
) -> None:
    def change(database: sqlite3.Connection) -> None:
        for statement in statements:
            database.execute(statement)

    with pytest.raises(BackupError, match=said):
        check_backup(changed(make(folder), change), quiet)


def test_a_damaged_database_is_found(folder: Path) -> None:
    made = make(folder)

    def damage(database: sqlite3.Connection) -> None:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'annotate_judgement'")

    with pytest.raises(BackupError, match="The database in the backup"):
        check_backup(changed(made, damage), quiet)


def test_a_backup_of_a_newer_version_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(folder)
    newer = dict(made.manifest.migrations)
    newer["annotate"] = [*newer["annotate"], "9999_later"]
    path = changed(made, lambda database: None, migrations=newer, version="99")
    monkeypatch.setattr(restoring, "refuse_unless_empty", lambda: None)
    before = sorted(folder.rglob("*"))
    with pytest.raises(BackupError, match=r"of pairselect 99, newer .* annotate.9999_later"):
        restoring.restore_backup(path, told=quiet)
    assert sorted(folder.rglob("*")) == before


def test_a_missing_client_of_postgresql_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "DEBIAN", str(tmp_path))
    with pytest.raises(BackupError, match="here is none: install the package postgresql-client-15"):
        postgres.program("pg_dump", at_least=15)
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n")
    (tmp_path / "pg_dump").chmod(0o755)
    with pytest.raises(BackupError, match="of version 15 or newer, and here is version 14"):
        postgres.program("pg_dump", at_least=15)
    assert postgres.program("pg_dump", at_least=14) == str(tmp_path / "pg_dump")


def test_any_tar_and_any_json_reads_it(folder: Path) -> None:
    made = make(folder)
    with gzip.open(made.path) as packed, tarfile.open(fileobj=packed) as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        told = json.load(content)
    assert told["product"] == "pairselect"
    assert told["tables"]["annotate_comparison"] == 2
    assert told["files"].keys() == made.manifest.files.keys()
