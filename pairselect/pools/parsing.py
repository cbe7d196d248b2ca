"""Prompt files and ready pools, read line by line. All the bad lines are named, none is taken."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar

import orjson

ROLES = ("system", "user", "assistant")
MOST_PROBLEMS = 100
MOST_CHARACTERS = 200_000  # of one prompt or completion
MOST_LINE_BYTES = 10_000_000

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class PromptRow:
    messages: list[dict[str, str]]
    external_id: str = ""
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True)
class CompletionRow:
    text: str
    model: str = ""
    score: float | None = None


@dataclass(frozen=True)
class PoolRow:
    prompt: PromptRow
    completions: list[CompletionRow]


class FileProblem(Exception):
    """What is wrong with a file, line by line."""

    def __init__(self, problems: list[str], *, more: int = 0) -> None:
        self.problems = problems
        tail = f" … and {more} more." if more else ""
        super().__init__(" ".join(problems) + tail)


class _BadLine(Exception):
    pass


def read_prompts(file: IO[bytes]) -> Iterator[PromptRow]:
    """Rows of ``{"prompt": "…"}`` or ``{"messages": […]}``, optional ``id`` and ``metadata``.

    Raises
    ------
    FileProblem
        At the end, naming every bad line (the first 100 in words).
    """
    return _read(file, _prompt)


def read_pool(file: IO[bytes]) -> Iterator[PoolRow]:
    """Rows of a prompt with ``completions``: strings, or ``{"text", "model", "score"}``.

    Raises
    ------
    FileProblem
        At the end, naming every bad line.
    """
    return _read(file, _pool_row)


def _read(file: IO[bytes], parse: Callable[[Json], T]) -> Iterator[T]:
    problems: list[str] = []
    bad = rows = 0
    for number, line in enumerate(_lines(file), start=1):
        try:
            if not (text := _decode(line)):
                continue
            yield parse(_object(text))
            rows += 1
        except _BadLine as problem:
            bad += 1
            if len(problems) < MOST_PROBLEMS:
                problems.append(f"Line {number}: {problem}.")
    if bad:
        raise FileProblem(problems, more=bad - len(problems))
    if not rows:
        raise FileProblem(["The file is empty: it needs one JSON object a line."])


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    reader = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    first = True
    while line := reader.readline(MOST_LINE_BYTES + 1):
        if first:
            line, first = line.removeprefix(b"\xef\xbb\xbf"), False
        if len(line) > MOST_LINE_BYTES:
            yield line
            while line and not line.endswith(b"\n"):
                line = reader.readline(MOST_LINE_BYTES)
            continue
        yield line


def _decode(line: bytes) -> str:
    if len(line) > MOST_LINE_BYTES:
        raise _BadLine(f"longer than {MOST_LINE_BYTES:,} bytes")
    try:
        return line.decode("utf-8").strip("\r\n \t")
    except UnicodeDecodeError as error:
        raise _BadLine(f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from None


def _object(text: str) -> Json:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _BadLine(f"not JSON ({error.msg} at character {error.colno})") from None
    if not isinstance(value, dict):
        raise _BadLine('not a JSON object, as {"prompt": "…"} is')
    if "\\u0000" in text and _holds_nul(value):
        raise _BadLine("a text holds a NUL character")
    return value


def _holds_nul(value: Any) -> bool:
    """PostgreSQL takes no NUL, in texts or in JSON."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and "\x00" in each:
            return True
    return False


def _prompt(row: Json) -> PromptRow:
    if ("prompt" in row) == ("messages" in row):
        raise _BadLine('needs either "prompt" or "messages"')
    if "prompt" in row:
        messages = [{"role": "user", "content": _text(row["prompt"], "the prompt")}]
    else:
        messages = _messages(row["messages"])
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise _BadLine('"metadata" is not an object')
    return PromptRow(messages, _identifier(row.get("id")), metadata)


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise _BadLine('"messages" is not a list of messages')
    messages = []
    for place, message in enumerate(value, start=1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise _BadLine(f'message {place} needs a "role": system, user or assistant')
        if message["role"] == "system" and place > 1:
            raise _BadLine(f"message {place} is a system message; it can only be the first")
        messages.append(
            {
                "role": message["role"],
                "content": _text(message.get("content"), f"message {place}"),
            }
        )
    if messages[-1]["role"] != "user":
        raise _BadLine("the last message is not the user's, so there is nothing to answer")
    return messages


def _text(value: Any, what: str, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise _BadLine(f"{what} is not a text")
    if not may_be_empty and not value.strip():
        raise _BadLine(f"{what} is empty")
    if len(value) > MOST_CHARACTERS:
        raise _BadLine(f"{what} has {len(value):,} characters; the limit is {MOST_CHARACTERS:,}")
    return value


def _identifier(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _BadLine('"id" is neither a text nor a whole number')
    if len(str(value)) > 200:
        raise _BadLine('"id" is longer than 200 characters')
    return str(value)


def _pool_row(row: Json) -> PoolRow:
    completions = row.get("completions")
    if not isinstance(completions, list) or not completions:
        raise _BadLine('"completions" is not a list of completions')
    return PoolRow(
        _prompt(row), [_completion(value, i) for i, value in enumerate(completions, start=1)]
    )


def _completion(value: Any, place: int) -> CompletionRow:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise _BadLine(f'completion {place} is neither a text nor an object with "text"')
    score = value.get("score")
    if score is not None and not _is_number(score):
        raise _BadLine(f"the score of completion {place} is not a number")
    model = value.get("model") or ""
    if not isinstance(model, str) or len(model) > 300:
        raise _BadLine(f"the model of completion {place} is not a text of up to 300 characters")
    text = _text(value.get("text"), f"completion {place}", may_be_empty=True)
    return CompletionRow(text, model, None if score is None else float(score))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
