"""PostgreSQL by its own client programs: a dump of one moment, read back, put into a database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.db import connection, transaction
from django.db.backends.postgresql.client import DatabaseClient

from pairselect.backup import BackupError
from pairselect.backup.manifest import POSTGRES
from pairselect.backup.snapshots import Progress, Snapshot

DEBIAN = "/usr/lib/postgresql"  # NUMBER/bin, of which PATH has none


@contextmanager
def postgres_snapshot() -> Iterator[Snapshot]:
    """A transaction whose moment `pg_dump` takes over."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version')")
            name, server = cursor.fetchone()
        yield _Postgres(name, server)


class _Postgres:
    kind = POSTGRES

    def __init__(self, name: str, server: str) -> None:
        self._name, self.server = name, server

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def copy(self, path: Path, told: Progress) -> None:
        dump = program("pg_dump", at_least=major(self.server))
        run(
            [dump, *_where(), "--format=custom", "--compress=0", f"--snapshot={self._name}",
             "--no-owner", "--no-privileges", f"--file={path}"],
        )  # fmt: skip
        told(1, 1)


def restore_dump(dump: Path, pg_dump_version: str) -> None:
    """Put the dump into the database that the settings name, in one transaction.

    Tables that are there are dropped in the same transaction: they are those of an installation
    that nobody has used.
    """
    restore = program("pg_restore", at_least=major(pg_dump_version))
    psql = program("psql", at_least=1)
    arguments = [psql, *_where(), "--no-psqlrc", "--quiet", "--single-transaction"]
    arguments += ["--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with subprocess.Popen(  # noqa: S603
        arguments, env=_environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdin is not None
        assert client.stderr is not None
        try:
            client.stdin.write(_drops().encode())
            with sql_of(dump, restore) as script:
                shutil.copyfileobj(script, client.stdin)
            client.stdin.close()
        except BrokenPipeError:
            pass  # it has said why
        except BaseException:
            client.kill()  # and with it the transaction
            raise
        said = client.stderr.read().decode(errors="replace")
    if client.returncode:
        raise BackupError(f"PostgreSQL refused the dump: {_one_line(said)}.")


@contextmanager
def sql_of(dump: Path, pg_restore: str, *options: str) -> Iterator[IO[bytes]]:
    """The dump, or a part of it, as SQL."""
    with subprocess.Popen(  # noqa: S603
        [pg_restore, "--no-owner", "--no-privileges", "--file=-", *options, str(dump)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        try:
            yield reading.stdout
        except BaseException:
            reading.kill()
            raise
        said = reading.stderr.read().decode(errors="replace")
    if reading.returncode:
        raise BackupError(f"The dump in the backup cannot be read: {_one_line(said)}.")


def program(name: str, *, at_least: int) -> str:
    """The newest client program of that name.

    Raises
    ------
    BackupError
        When there is none, or none that is as new as the server.
    """
    paths = [shutil.which(name), *map(str, Path(DEBIAN).glob(f"*/bin/{name}"))]
    found = {path: _version_of(path) for path in paths if path}
    best = max(found, key=lambda path: found[path], default=None)
    if best is None or found[best] < at_least:
        have = f"here is version {found[best]}" if best else "here is none"
        raise BackupError(
            f"PostgreSQL {at_least} needs the program {name} of version {at_least} or newer, and "
            f"{have}: install the package postgresql-client-{at_least}."
        )
    return best


def major(version: str) -> int:
    """15 of ``15.12 (Debian 15.12-0+deb12u2)``."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def _version_of(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r" (\d+)[\d.]*", said.stdout)
    return int(match[1]) if match else 0


def run(arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S603
        arguments, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{Path(arguments[0]).name} failed: {_one_line(done.stderr)}.")


def _where() -> list[str]:
    arguments, _ = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    *flags, name = arguments[1:]
    return [*flags, f"--dbname={name}"]


def _environment() -> dict[str, str]:
    _, told = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    return {**os.environ, **(told or {})}


def _drops() -> str:
    """SQL that removes every table and function of the current schema that is our own."""
    with connection.cursor() as cursor:
        cursor.execute(OWN)
        return "".join(f"{statement};\n" for (statement,) in cursor.fetchall())


OWN = """
SELECT format('DROP TABLE %I.%I CASCADE', n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = current_schema()
UNION ALL
SELECT format('DROP FUNCTION %s CASCADE', p.oid::regprocedure) FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND NOT EXISTS
        (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


def _one_line(said: str) -> str:
    return " ".join(said.split()).rstrip(".")[:500]
