"""Records of JSON: one object a line, or one list of objects. Neither is held as a whole."""

import io
import re
from collections.abc import Iterator
from typing import Any

import orjson

from pairselect.pools.reading.rows import (
    MOST_RECORD_BYTES,
    BadRow,
    OnProblem,
    Record,
    RowProblem,
    UnreadableFile,
)

BLOCK = 1 << 18
MOST_BLANK_LINES = 1_000_000
BLANK = re.compile(rb"[ \t\r\n]*+")
# Everything up to the next bracket outside strings. The quantifiers are possessive: without
# them each piece of a string stays on the stack of the regex engine until the string ends.
TO_BRACKET = re.compile(rb'(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^",\[\]{}]++', re.DOTALL)


def lines(reader: io.BufferedReader, on_problem: OnProblem) -> Iterator[tuple[int, Record]]:
    r"""Objects of JSONL with their line numbers. Lines end with ``\n`` and nothing else."""
    number = blank = 0
    while line := reader.readline(MOST_RECORD_BYTES + 1):
        number += 1
        try:
            if len(line) > MOST_RECORD_BYTES:
                while line and not line.endswith(b"\n"):
                    line = reader.readline(BLOCK)
                raise BadRow(f"The line is longer than {MOST_RECORD_BYTES:,} bytes.")
            if line.isspace():
                blank += 1
                if blank > MOST_BLANK_LINES:
                    raise UnreadableFile(
                        f"More than {MOST_BLANK_LINES:,} lines are blank; take them out."
                    )
                continue
            record = _object(line)
        except BadRow as bad:
            on_problem(RowProblem(number, str(bad)))
        else:
            yield number, record


def _object(text: bytes) -> Record:
    value = parsed(text)
    if not isinstance(value, dict):
        raise BadRow('This is not a JSON object, as {"prompt": "…"} is.')
    return value


def parsed(text: bytes | str) -> Any:
    """A JSON value. Of keys that are there twice the last counts.

    Raises
    ------
    BadRow
        If the text is not JSON; infinities, NaN and lone surrogates are not.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRow(_why(text, error)) from None


def _why(text: bytes | str, error: orjson.JSONDecodeError) -> str:
    if isinstance(text, bytes):
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as wrong:
            return f"Byte {wrong.start + 1} is not UTF-8; save the file as UTF-8."
        if b"\x00" in text:
            return "This holds a NUL byte; take it out."
    said = error.msg.lower()
    if "depth" in said or "recursion" in said:
        return "The JSON is nested too deep; flatten it."
    if "infinity" in said:
        return "A number is too large; write it smaller or as a text."
    if "surrogate" in said:
        return r"A \u escape is half of a character (a lone surrogate); write the whole character."
    return f"This is not JSON ({error.msg.partition(':')[0]} at character {error.colno})."


def items(reader: io.BufferedReader, on_problem: OnProblem) -> Iterator[tuple[int, Record]]:
    """Objects of one JSON list, with their numbers from 1.

    Raises
    ------
    UnreadableFile
        Where the list breaks off, goes on after its end, or holds an item too large to hold.
    """
    window = _Window(reader)
    window.skip_blank()
    window.place += 1  # the [ by which the format was known
    number = 0
    if window.skip_blank() == b"]":
        window.place += 1
    else:
        while True:
            number += 1
            try:
                record = _object(window.item(number))
            except BadRow as bad:
                on_problem(RowProblem(number, str(bad)))
            else:
                yield number, record
            mark = window.skip_blank()
            window.place += 1
            if mark == b"]":
                break
            if mark != b",":
                raise UnreadableFile(
                    f"After item {number} of the JSON list there is no comma; "
                    "write one list, or one object a line."
                    if mark
                    else f"The JSON list is never closed: it breaks off after item {number}; "
                    "copy the file again."
                )
            window.skip_blank()
    if window.skip_blank():
        raise UnreadableFile(
            f"The file goes on after the JSON list of {number:,} items; "
            "write one list, or one object a line."
        )


class _Window:
    """The part of the file that an item may lie in."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self.reader = reader
        self.text = b""
        self.place = 0

    def more(self, keep_from: int) -> bool:
        """Read on, forgetting what lies before ``keep_from``; False at the end of the file.

        As much again as is kept is read, so that a long item is looked through in linear time.
        """
        block = self.reader.read(max(BLOCK, len(self.text) - keep_from))
        if not block:
            return False
        self.text = self.text[keep_from:] + block
        self.place -= keep_from
        return True

    def skip_blank(self) -> bytes:
        """The next character that is not blank, or nothing at the end of the file."""
        while True:
            self.place = BLANK.match(self.text, self.place).end()  # type: ignore[union-attr]
            if self.place < len(self.text):
                return self.text[self.place : self.place + 1]
            if not self.more(self.place):
                return b""

    def item(self, number: int) -> bytes:
        """The bytes of the item that begins here: to its closing bracket, or of one scalar."""
        if self.text[self.place : self.place + 1] not in (b"{", b"["):
            return self._scalar(number)
        start, depth = self.place, 0
        while True:
            place = TO_BRACKET.match(self.text, self.place).end()  # type: ignore[union-attr]
            mark = self.text[place : place + 1]
            if mark in (b"", b'"'):  # the block ends, perhaps within a string
                self.place = place
                start = self._read_on(start, number)
                continue
            self.place = place + 1
            depth += 1 if mark in b"{[" else -1
            if depth == 0:
                if self.place - start > MOST_RECORD_BYTES:
                    raise _too_long(number)
                return self.text[start : self.place]

    def _scalar(self, number: int) -> bytes:
        start = self.place
        while True:
            found = SCALAR.match(self.text, start)
            if found and found.end() < len(self.text):
                self.place = found.end()
                return found.group()
            if found is None and self.text[start : start + 1] != b'"':
                raise UnreadableFile(
                    f"Item {number} of the JSON list is missing; look for a comma too many."
                )
            start = self._read_on(start, number)
            self.place = start

    def _read_on(self, start: int, number: int) -> int:
        if len(self.text) - start > MOST_RECORD_BYTES:
            raise _too_long(number)
        if not self.more(start):
            raise UnreadableFile(
                f"The JSON list is never closed: it breaks off within item {number}; "
                "copy the file again."
            )
        return 0


def _too_long(number: int) -> UnreadableFile:
    return UnreadableFile(
        f"Item {number} of the JSON list is longer than {MOST_RECORD_BYTES:,} bytes; "
        "perhaps a bracket or a quote is not closed."
    )
