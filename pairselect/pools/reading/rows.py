"""What is read from a file, and how a file or a row of it is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]  # one row of a file, by column

MOST_RECORD_BYTES = 10_000_000  # of one row, all its columns together
MOST_COLUMNS = 1_000
MOST_COMPLETIONS = 1_000  # of one prompt: the report compares them in pairs, half a million


@dataclass(frozen=True)
class Limits:
    """How much of a file is taken.

    Attributes
    ----------
    expanded_bytes
        Bytes of the file once unpacked (of Parquet: of the columns that are read).
    rows
        Rows, good and bad together.
    characters
        Characters of one text, and of one row's metadata as JSON.
    """

    expanded_bytes: int = 4_000_000_000
    rows: int = 2_000_000
    characters: int = 200_000


@dataclass(frozen=True)
class PromptRow:
    messages: list[dict[str, str]]
    external_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CompletionRow:
    text: str
    model: str = ""
    score: float | None = None


@dataclass(frozen=True)
class PoolRow:
    prompt: PromptRow
    completions: list[CompletionRow]


@dataclass(frozen=True)
class RowProblem:
    """A row that is skipped. ``row`` counts from 1: the line of JSONL, else the record."""

    row: int
    message: str


OnProblem = Callable[[RowProblem], None]


class UnreadableFile(Exception):
    """The file as a whole cannot be read: one sentence that says what to do."""


class TooLarge(UnreadableFile):
    """More bytes than the limit came out of it."""


class BadRow(Exception):
    """What is wrong with one row, as a sentence. It becomes a :class:`RowProblem`."""
