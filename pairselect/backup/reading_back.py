"""A dump of PostgreSQL, read without a server: its rows in a scratch SQLite database.

What a dump holds can then be counted and followed like SQLite's own. Column types are only told
apart as far as that needs.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO

from pairselect.backup import BackupError
from pairselect.backup.postgres import major, program, sql_of

NAME = r'(?:"[^"]+"|\w+)'
TABLE = re.compile(rf"CREATE TABLE {NAME}\.({NAME}) \(")
COLUMN = re.compile(rf"    ({NAME}) (\w+)")
COPY = re.compile(rf"COPY {NAME}\.({NAME}) \((.+)\) FROM stdin;")
KEY = re.compile(
    rf"ALTER TABLE ONLY {NAME}\.({NAME})\s+ADD CONSTRAINT {NAME} "
    rf"FOREIGN KEY \(({NAME})\) REFERENCES {NAME}\.({NAME})\(({NAME})\)"
)
PRIMARY = re.compile(
    rf"ALTER TABLE ONLY {NAME}\.({NAME})\s+ADD CONSTRAINT {NAME} PRIMARY KEY \(({NAME})\)"
)
WHOLE_NUMBERS = ("bigint", "integer", "smallint")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ROWS = 2_000  # stored at a time


def read_back(dump: Path, scratch: Path, server: str) -> None:
    """Fill a new SQLite file with every row of the dump.

    Raises
    ------
    BackupError
        When the dump cannot be read, or the program is missing that reads it.
    """
    restore = program("pg_restore", at_least=major(server))
    with closing(sqlite3.connect(scratch, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        keys = _text(dump, restore, "--section=post-data")
        primary = {one[0]: one[1] for one in map(_bare, PRIMARY.findall(keys))}
        foreign: dict[str, list[str]] = {}
        for table, column, other, target in map(_bare, KEY.findall(keys)):
            foreign.setdefault(table, []).append(
                f'FOREIGN KEY ("{column}") REFERENCES "{other}" ("{target}")'
            )
        tables = _tables(_text(dump, restore, "--section=pre-data"))
        for table, columns in tables.items():
            lines = [f'"{name}" {kind}' for name, kind in columns.items()]
            if table in primary:
                lines.append(f'PRIMARY KEY ("{primary[table]}")')
            lines += foreign.get(table, [])
            database.execute(f'CREATE TABLE "{table}" ({", ".join(lines)})')
        with sql_of(dump, restore, "--data-only") as script:
            _fill(database, script)


def _text(dump: Path, restore: str, section: str) -> str:
    with sql_of(dump, restore, "--schema-only", section) as script:
        return script.read().decode()


def _tables(schema: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    columns: dict[str, str] | None = None
    for line in schema.splitlines():
        if match := TABLE.match(line):
            columns = found.setdefault(match[1].strip('"'), {})
        elif line.startswith(");"):
            columns = None
        elif columns is not None and (match := COLUMN.match(line)) and match[1] != "CONSTRAINT":
            kind = "INTEGER" if match[2] in WHOLE_NUMBERS else "TEXT"
            columns[match[1].strip('"')] = kind
    return found


def _fill(database: sqlite3.Connection, script: IO[bytes]) -> None:
    for line in script:
        match = COPY.match(line.decode())
        if match is None:
            continue
        columns = match[2].split(", ")
        names = ", ".join(f'"{name.strip(chr(34))}"' for name in columns)
        places = ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{match[1].strip(chr(34))}" ({names}) VALUES ({places})'  # noqa: S608  # nosec B608
        rows = _rows(script)
        while some := list(islice(rows, ROWS)):
            database.execute("BEGIN")
            database.executemany(statement, some)
            database.execute("COMMIT")


def _rows(script: IO[bytes]) -> Iterator[list[str | None]]:
    for line in script:
        text = line.decode()
        if text == "\\.\n":
            return
        yield [_value(field) for field in text[:-1].split("\t")]
    raise BackupError("The dump in the backup ends in the midst of a table.")


def _value(field: str) -> str | None:
    if "\\" not in field:
        return field
    if field == "\\N":
        return None
    return ESCAPED.sub(lambda match: MEANT.get(match[1], match[1]), field)


def _bare(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip('"') for name in names)
