"""The beginning of a file: its format, its columns, its first rows, and what is taken for what."""

from dataclasses import asdict, dataclass
from typing import IO, Any

import orjson

from pairselect.pools.reading import formats
from pairselect.pools.reading.columns import LONGEST_NAME, Columns
from pairselect.pools.reading.reading import records
from pairselect.pools.reading.recognise import suggest
from pairselect.pools.reading.rows import (
    MOST_COLUMNS,
    Limits,
    Record,
    RowProblem,
    TooLarge,
    UnreadableFile,
)

SHOWN_ROWS = 20
SHOWN_COLUMNS = 50
SHOWN_CHARACTERS = 500
BYTES = 32_000_000  # of the unpacked file that a preview reads


@dataclass(frozen=True)
class Preview:
    """What a file seems to hold.

    Attributes
    ----------
    format, compression
        ``jsonl``, ``json``, ``csv`` or ``parquet``; ``gzip``, ``zstd`` or empty.
    columns
        Names in the first rows, in their order.
    rows
        The first 20 rows as texts of up to 500 characters, without cells that are not there.
    mapping
        What the names suggest; None where ``problem`` says why not.
    """

    format: str
    compression: str
    columns: tuple[str, ...]
    rows: list[dict[str, str]]
    mapping: Columns | None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The preview as JSON takes it."""
        mapping = self.mapping.as_dict() if self.mapping else None
        return asdict(self) | {"columns": list(self.columns), "mapping": mapping}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Preview":
        """The preview that :meth:`as_dict` gave."""
        mapping = value["mapping"]
        return cls(
            **value
            | {
                "columns": tuple(value["columns"]),
                "mapping": Columns.from_dict(mapping) if mapping else None,
            }
        )


def preview(file: IO[bytes], limits: Limits) -> Preview:
    """Look at the beginning of a file; of a packed Parquet file, at all of it.

    Raises
    ------
    UnreadableFile
        If it is in none of the formats, or damaged already at its beginning.
    """
    opened = formats.recognise(file, limits.expanded_bytes)
    if opened.format != "parquet":
        opened.source.most = min(BYTES, limits.expanded_bytes)
    problems: list[RowProblem] = []
    rows: list[Record] = []
    try:
        for _, record in records(opened, None, limits, _first(problems)):
            rows.append(record)
            if len(rows) == SHOWN_ROWS:
                break
    except TooLarge:
        # The beginning was enough for a preview, or for a word about it.
        if opened.source.most == limits.expanded_bytes and not rows:
            raise
    except UnreadableFile:
        if not rows:
            raise
    names = _names(rows)
    found = suggest(names, rows) if names else _no_row(problems)
    return Preview(
        opened.format,
        opened.compression,
        tuple(names),
        [
            {name: _shown(row[name]) for name in names[:SHOWN_COLUMNS] if name in row}
            for row in rows
        ],
        None if isinstance(found, str) else found,
        found if isinstance(found, str) else "",
    )


def _first(problems: list[RowProblem]) -> Any:
    def keep(problem: RowProblem) -> None:
        if not problems:
            problems.append(problem)

    return keep


def _names(rows: list[Record]) -> list[str]:
    """The columns, without names that no database takes and no page can show."""
    names = dict.fromkeys(name for row in rows for name in row)
    good = [name for name in names if 0 < len(name) <= LONGEST_NAME and "\x00" not in name]
    return good[:MOST_COLUMNS]


def _no_row(problems: list[RowProblem]) -> str:
    if problems:
        return f"None of the first rows can be read. Row {problems[0].row}: {problems[0].message}"
    return f"There is no row in the first {BYTES:,} bytes of the file; give one with a row."


def _shown(value: Any) -> str:
    if value is None:
        return ""
    shown = value if isinstance(value, str) else _packed(value)
    return shown[:SHOWN_CHARACTERS].replace("\x00", "␀")


def _packed(value: Any) -> str:
    try:
        return orjson.dumps(value, default=_as_text).decode()
    except (TypeError, ValueError):
        return "…"  # nested too deep, or a number too large, to show


def _as_text(value: Any) -> str:
    return "(bytes)" if isinstance(value, bytes) else str(value)
