"""Whether a backup is whole: its files by their digests, its database by opening it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db.migrations.loader import MigrationLoader

from pairselect.backup import BackupError
from pairselect.backup.archive import read_archive, write_durably
from pairselect.backup.manifest import SQLITE, Manifest
from pairselect.backup.reading_back import read_back
from pairselect.backup.snapshots import SQLITE_TABLES
from pairselect.trail.models import Entry, link

Progress = Callable[[int], None]  # is told how many bytes have been read
ROOM = 64 << 20  # bytes that stay free


@dataclass(frozen=True)
class Checked:
    manifest: Manifest
    links: int | None  # of the trail's chain that hold; None: it could not be looked at


def check_files(path: Path, told: Progress) -> Manifest:
    """Read the whole archive and compare each file with its digest."""
    manifest, files = read_archive(path)
    done = 0
    for _, chunks in files:
        for chunk in chunks:
            done += len(chunk)
            told(done)
    return manifest


def check_backup(path: Path, told: Progress) -> Checked:
    """`check_files`, and then look into the database.

    Raises
    ------
    BackupError
        Saying the first thing that is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="pairselect-verify-") as folder:
        manifest, files = read_archive(path)
        refuse_without_room(Path(folder), manifest.files[manifest.database_file].bytes)
        done = 0
        copy = Path(folder) / manifest.database_file

        def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal done
            for chunk in chunks:
                done += len(chunk)
                told(done)
                yield chunk

        for name, chunks in files:
            if name == manifest.database_file:
                write_durably(copy, counted(chunks))
            else:
                for _ in counted(chunks):
                    pass
        return check_database(copy, manifest)


def refuse_without_room(folder: Path, needed: int) -> None:
    """Before anything is unpacked, and of what the backup itself says: no more is unpacked."""
    free = shutil.disk_usage(folder).free
    if needed + ROOM > free:
        raise BackupError(
            f"It unpacks to {needed:,} bytes, and {folder} has room for {free:,}: make room first."
        )


def check_database(copy: Path, manifest: Manifest) -> Checked:
    """The database's copy, unpacked: integrity, rows of each table, foreign keys, the trail.

    A dump of PostgreSQL is read back into a scratch SQLite database beside it for that.
    """
    if manifest.database == SQLITE:
        _check_sqlite(copy, manifest)
        return Checked(manifest, _check_trail(copy, manifest))
    scratch = copy.with_suffix(".scratch")
    try:
        try:
            read_back(copy, scratch, manifest.server)
        except (sqlite3.Error, ValueError) as problem:
            raise BackupError(f"The dump in the backup cannot be read: {problem!r}.") from problem
        _check_sqlite(scratch, manifest)
        return Checked(manifest, _check_trail(scratch, manifest))
    finally:
        scratch.unlink(missing_ok=True)


def _check_sqlite(path: Path, manifest: Manifest) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:
            (said,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise BackupError(f"The database in the backup is damaged: {said}.")
            names = [name for (name,) in database.execute(SQLITE_TABLES)]
            if sorted(names) != sorted(manifest.tables):
                raise BackupError("The database in the backup has other tables than it says.")
            for name in names:
                quoted = name.replace('"', '""')
                (rows,) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608  # nosec B608
                if rows != manifest.tables[name]:
                    raise BackupError(
                        f"The database in the backup has {rows:,} rows in {name}, and should have "
                        f"{manifest.tables[name]:,}."
                    )
            broken = database.execute("PRAGMA foreign_key_check").fetchone()
            if broken:
                raise BackupError(
                    f"The database in the backup lacks what a row of {broken[0]} points to in "
                    f"{broken[2]}."
                )
            _check_migrations(database, manifest)
    except sqlite3.Error as problem:
        raise BackupError(f"The database in the backup cannot be read: {problem}.") from problem


def _check_migrations(database: sqlite3.Connection, manifest: Manifest) -> None:
    found: dict[str, list[str]] = {}
    for app, name in database.execute("SELECT app, name FROM django_migrations ORDER BY app, name"):
        found.setdefault(app, []).append(name)
    if found != manifest.migrations:
        raise BackupError("The database in the backup is of another version than it says.")


def _check_trail(path: Path, manifest: Manifest) -> int | None:
    """How many links of the audit trail's chain hold; None where it has no trail of this form."""
    known = {name for app, name in MigrationLoader(None).disk_migrations if app == "trail"}
    if not known or set(manifest.migrations.get("trail", [])) != known:
        return None
    before, links = "", 0
    try:
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            for row in database.execute(LINKS):
                links += 1
                whole = row["id"] is not None and row["number"] == links
                if not whole or row["digest"] != link(before, _entry(row)):
                    raise BackupError(
                        f"The audit trail in the backup was changed: its link {row['number']} does "
                        "not hold."
                    )
                before = row["digest"]
    except (sqlite3.Error, ValueError, TypeError, IndexError) as problem:
        raise BackupError(
            f"The audit trail in the backup cannot be read: {type(problem).__name__}."
        ) from problem
    return links


LINKS = (
    "SELECT s.number, s.digest, e.* FROM trail_seal s LEFT JOIN trail_entry e "
    "ON e.id = s.entry_id ORDER BY s.number"
)


def _entry(row: sqlite3.Row) -> Entry:
    """The entry as Django would read it: texts are all that SQLite knows of times and JSON."""
    values = {field.attname: row[field.column] for field in Entry._meta.concrete_fields}
    at = datetime.fromisoformat(values["at"])
    values["at"] = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Entry(**(values | {"details": json.loads(values["details"])}))
