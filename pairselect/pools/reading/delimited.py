"""Records of CSV, with commas, semicolons or tabs; the first row names the columns."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from pairselect.pools.reading.rows import (
    MOST_COLUMNS,
    MOST_RECORD_BYTES,
    OnProblem,
    Record,
    RowProblem,
    UnreadableFile,
)

DELIMITERS = ",;\t"
MOST_BLANK_LINES = 1_000_000

# The limit is one for the process, and its default of 131,072 is less than a long completion.
csv.field_size_limit(max(csv.field_size_limit(), MOST_RECORD_BYTES))


class _Lines:
    """Lines of the text, and how much of them belongs to the record that is being read.

    ``csv`` would read to the end of the file after a quote that is never closed.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.number = 0
        self.begin(0)

    def begin(self, record: int) -> None:
        self.record = record
        self.first_line = self.number + 1
        self.size = 0
        self.is_utf8 = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(MOST_RECORD_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        if self.size > MOST_RECORD_BYTES:
            raise UnreadableFile(
                f"The row that begins on line {self.first_line:,} is longer than "
                f"{MOST_RECORD_BYTES:,} characters; perhaps a quote is not closed there."
            )
        if not line.isascii():
            try:
                line.encode("utf-8")
            except UnicodeEncodeError:  # "surrogateescape" has kept a byte that is not UTF-8
                self.is_utf8 = False
        return line


def records(reader: io.BufferedReader, on_problem: OnProblem) -> Iterator[tuple[int, Record]]:
    """Rows as text by column, with their numbers from 1 (the header is not counted).

    Raises
    ------
    UnreadableFile
        Where the header is no header, or a quote swallows the rest of the file.
    """
    text = io.TextIOWrapper(reader, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        yield from _rows(_Lines(text), on_problem)
    finally:
        text.detach()  # else its end closes the reader, and with it the caller's file


def _rows(lines: _Lines, on_problem: OnProblem) -> Iterator[tuple[int, Record]]:
    header, delimiter = _header(lines)
    width = len(header)
    named = [(place, name) for place, name in enumerate(header) if name]
    all_named = len(named) == width
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    number = blank = 0
    while True:
        lines.begin(number + 1)
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise _never_closed(lines) from None
            number += 1
            on_problem(RowProblem(number, f'The quotes are wrong ({error}); double each " within.'))
            continue
        if not cells:
            blank += 1
            if blank > MOST_BLANK_LINES:
                raise UnreadableFile(
                    f"More than {MOST_BLANK_LINES:,} lines are blank; delete them."
                )
            continue
        number += 1
        if not lines.is_utf8:
            on_problem(RowProblem(number, "The row is not UTF-8; save the file as UTF-8."))
        elif len(cells) < width or any(cells[width:]):
            on_problem(
                RowProblem(number, f"The row has {len(cells):,} cells, the header {width:,}.")
            )
        elif all_named:
            yield number, dict(zip(header, cells, strict=False))
        else:
            yield number, {name: cells[place] for place, name in named}


def _header(lines: _Lines) -> tuple[list[str], str]:
    """The columns, and the delimiter: of the three the one that is most often in the header."""
    read: list[str] = []
    quotes = 0
    for line in lines:
        read.append(line)
        quotes += line.count('"')
        # A quoted name may hold a line end.
        if quotes % 2 == 0 and (quotes or line.strip()):
            break
    if quotes % 2:
        raise _never_closed(lines)
    first = "".join(read)
    outside = "".join(first.split('"')[::2])
    delimiter = max(DELIMITERS, key=outside.count)
    if outside.count(delimiter) >= MOST_COLUMNS:
        raise UnreadableFile(
            f"The header has {outside.count(delimiter) + 1:,} columns; "
            f"at most {MOST_COLUMNS:,} are read."
        )
    try:
        table = csv.reader(
            io.StringIO(first.lstrip(), newline=""), delimiter=delimiter, strict=True
        )
        header = [name.strip() for name in next(table, [])]
    except csv.Error as error:
        raise UnreadableFile(f"The header cannot be read ({error}); check its quotes.") from None
    if not lines.is_utf8 or "\x00" in first:
        raise UnreadableFile("The header is not plain UTF-8 text; save the file as UTF-8.")
    twice = [name for name, times in Counter(header).items() if times > 1 and name]
    if twice:
        raise UnreadableFile(f'Two columns are named "{twice[0][:100]}"; rename one of them.')
    if not any(header):
        raise UnreadableFile("The first row names no column; it must be the header.")
    return header, delimiter


def _never_closed(lines: _Lines) -> UnreadableFile:
    return UnreadableFile(
        f"A quote in the row that begins on line {lines.first_line:,} is never closed."
    )
