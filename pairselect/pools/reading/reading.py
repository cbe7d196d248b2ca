"""The rows of a file, good ones one by one and bad ones by their number, in flat memory."""

from collections.abc import Iterator
from typing import IO

from pairselect.pools.reading import delimited, formats, json_records, source
from pairselect.pools.reading.build import builder
from pairselect.pools.reading.columns import Columns
from pairselect.pools.reading.rows import (
    BadRow,
    Limits,
    OnProblem,
    PoolRow,
    PromptRow,
    Record,
    RowProblem,
    UnreadableFile,
)


def read_rows(
    file: IO[bytes], columns: Columns, limits: Limits, *, on_problem: OnProblem
) -> Iterator[PromptRow | PoolRow]:
    """Rows of a file as the mapping says: prompts, or prompts with their completions.

    Parameters
    ----------
    file
        Binary and seekable; it is read from its beginning and not closed.
    on_problem
        Is told of each row that cannot be read, and is skipped.

    Raises
    ------
    UnreadableFile
        When the file as a whole cannot be read, or no further; rows before that have come.
    """
    seen = 0

    def problem(row: RowProblem) -> None:
        nonlocal seen
        seen = _one_more(seen, limits)
        on_problem(row)

    build = builder(columns, limits.characters)
    opened = formats.recognise(file, limits.expanded_bytes)
    for number, record in records(opened, columns.names, limits, problem):
        try:
            row = build(record)
        except BadRow as bad:
            problem(RowProblem(number, str(bad)))
        else:
            seen = _one_more(seen, limits)
            yield row
    if not seen:
        raise UnreadableFile("The file holds no rows; give one with at least one prompt.")


def records(
    opened: formats.Opened, names: list[str] | None, limits: Limits, on_problem: OnProblem
) -> Iterator[tuple[int, Record]]:
    """Rows by column with their numbers, before any of it is understood.

    ``names`` are the columns that are needed; None for those that can be shown.
    """
    if opened.format == "jsonl":
        yield from json_records.lines(opened.reader, on_problem)
    elif opened.format == "json":
        yield from json_records.items(opened.reader, on_problem)
    elif opened.format == "csv":
        yield from _checked(delimited.records(opened.reader, on_problem), names)
    else:
        # Imported late: forms in the web process need the columns of this package, not Arrow.
        from pairselect.pools.reading.parquet import Table

        file = source.spooled(opened.reader) if opened.compression else opened.file
        try:
            table = Table(file, limits.expanded_bytes, limits.rows)
            if names is not None:
                _check_names(names, list(table.types))
            yield from table.records(names or table.readable_columns, on_problem)
        finally:
            if file is not opened.file:
                file.close()


def _one_more(seen: int, limits: Limits) -> int:
    if seen >= limits.rows:
        raise UnreadableFile(f"The file has more than {limits.rows:,} rows; split it.")
    return seen + 1


def _checked(
    rows: Iterator[tuple[int, Record]], names: list[str] | None
) -> Iterator[tuple[int, Record]]:
    """The rows, once the first has shown that the columns are there."""
    for number, record in rows:
        if names is not None:
            _check_names(names, list(record))
            names = None
        yield number, record


def _check_names(names: list[str], there: list[str]) -> None:
    for name in names:
        if name not in there:
            have = ", ".join(f'"{each[:40]}"' for each in there[:8])
            raise UnreadableFile(
                f'The file has no column "{name[:40]}"; it has {have}'
                f"{' and more' if len(there) > 8 else ''}. Choose the columns again."
            )
