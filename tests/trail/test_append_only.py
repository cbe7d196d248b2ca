"""Neither the product nor SQL past it changes or deletes what the trail holds."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from pairselect.trail import triggers
from pairselect.trail.actions import record
from pairselect.trail.models import AppendOnly, Entry, Seal

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def kept(transactional_db: None) -> Iterator[Entry]:
    """An entry, sealed, with the triggers that the migration makes."""
    triggers.install(connection)
    try:
        record("archived", None, why="for a test")
        yield Entry.objects.get()
    finally:
        triggers.remove(connection)


STATEMENTS = [
    "UPDATE trail_entry SET person_name = 'somebody else'",
    "DELETE FROM trail_entry",
    "UPDATE trail_seal SET digest = ''",
    "DELETE FROM trail_seal",
]
ON_SQLITE = [
    "INSERT OR REPLACE INTO trail_entry (id, at, person_name, via, via_name, action, subject_kind,"
    " subject_name, details, request_id)"
    " SELECT id, at, 'x', via, via_name, action, '', '', details, '' FROM trail_entry",
    "INSERT OR REPLACE INTO trail_seal (number, entry_id, digest) SELECT 1, entry_id, ''"
    " FROM trail_seal",
    "INSERT OR REPLACE INTO trail_seal (number, entry_id, digest) SELECT 2, entry_id, ''"
    " FROM trail_seal",
]
ON_POSTGRES = ["TRUNCATE trail_entry", "TRUNCATE trail_seal", "TRUNCATE trail_entry CASCADE"]


def test_the_database_refuses(kept: Entry) -> None:
    before = (Entry.objects.values().get(), Seal.objects.values().get())
    others = ON_POSTGRES if connection.vendor == "postgresql" else ON_SQLITE
    for statement in [*STATEMENTS, *others]:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert (Entry.objects.values().get(), Seal.objects.values().get()) == before
    record("restored", None)  # and goes on taking new ones
    assert Entry.objects.count() == Seal.objects.count() == 2


def test_the_model_refuses(db: None) -> None:
    record("archived", None)
    entry = Entry.objects.get()
    entry.person_name = "somebody else"
    for change in (
        entry.save,
        entry.delete,
        Entry.objects.all().delete,
        lambda: Entry.objects.update(person_name="x"),
        lambda: Entry.objects.bulk_update([entry], ["person_name"]),
    ):
        with pytest.raises(AppendOnly, match="never changed"):
            change()
    assert Entry.objects.get().person_name != "somebody else"


def test_a_migrated_database_has_the_triggers(tmp_path: Path) -> None:
    """As an installation gets it: by the migrations alone."""
    file = tmp_path / "new.sqlite3"
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{file}",
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
    }
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
    with sqlite3.connect(file) as raw:
        raw.execute("INSERT INTO trail_seal (number, entry_id, digest) VALUES (1, 1, 'x')")
        for statement in (*STATEMENTS[2:], ON_SQLITE[2]):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)
        names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    raw.close()
    assert {name for (name,) in names} >= {"trail_entry_update", "trail_entry_delete"}
    back = subprocess.run([*manage, "migrate", "-v0", "trail", "zero"], env=environment)
    assert back.returncode == 0
