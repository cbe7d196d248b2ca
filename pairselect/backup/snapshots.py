"""One moment of the database, while others write to it: what is in it, and a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from django.db import connection

from pairselect.backup import BackupError
from pairselect.backup.manifest import POSTGRES, SQLITE

PAGES = 1024  # copied at a time: 4 MB
Progress = Callable[[int, int], None]  # parts done, of how many


class Snapshot(Protocol):
    kind: str
    server: str

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """What the query finds at that moment."""
        ...

    def copy(self, path: Path, told: Progress) -> None:
        """Write all of it into a new file."""
        ...


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """The database as it is now. What is committed before is in it; what comes later is not."""
    if connection.vendor == "postgresql":
        from pairselect.backup.postgres import postgres_snapshot

        with postgres_snapshot() as found:
            yield found
    else:
        with closing(_open(Path(str(connection.settings_dict["NAME"])))) as database:
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM django_migrations")  # the moment
            yield _Sqlite(database)


def committed_rows(query: str) -> Sequence[Sequence[Any]]:
    """What the query finds now, whatever moment a snapshot is of that is open."""
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def tables_of(found: Snapshot) -> dict[str, int]:
    """The number of rows of each table."""
    query = {SQLITE: SQLITE_TABLES, POSTGRES: POSTGRES_TABLES}[found.kind]
    names = [str(name) for (name,) in found.rows(query)]
    return {name: found.rows(f'SELECT count(*) FROM "{name}"')[0][0] for name in names}  # noqa: S608  # nosec B608


SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
)
POSTGRES_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname = current_schema() ORDER BY c.relname"
)


def migrations_of(found: Snapshot) -> dict[str, list[str]]:
    applied: dict[str, list[str]] = {}
    for app, name in found.rows("SELECT app, name FROM django_migrations ORDER BY app, name"):
        applied.setdefault(app, []).append(name)
    return applied


class _Sqlite:
    kind = SQLITE
    server = sqlite3.sqlite_version

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        return self._database.execute(query).fetchall()

    def copy(self, path: Path, told: Progress) -> None:
        """By SQLite's online backup. The transaction that is open keeps its moment: without one
        every write of others would begin the copy anew."""
        with closing(sqlite3.connect(path)) as copy:
            self._database.backup(
                copy, pages=PAGES, progress=lambda _, left, total: told(total - left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise BackupError(f"There is no database at {path}: nothing is there to be backed up.")
    return sqlite3.connect(path, timeout=30, isolation_level=None)
