"""Cells become messages, texts, scores. What is wrong with one is said as a sentence."""

import math
import re
from decimal import Decimal
from typing import Any

import orjson

from pairselect.pools.reading.json_records import parsed
from pairselect.pools.reading.rows import BadRow

Message = dict[str, str]

SPEAKERS = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
DEEPEST_METADATA = 32
LONGEST_ID = 200  # of the column in the database
LONGEST_MODEL = 300

# A cell of text that holds a conversation: as JSON, or as pandas writes a list to CSV.
_JSON_MESSAGES = re.compile(r'\s*\[\s*\{\s*"(?:role|from|content|value)"\s*:')
_BEFORE_LIST = "[ \t\r\n"
_PYTHON_MESSAGES = re.compile(r"\s*\[\s*\{\s*'(?:role|from|content|value)'\s*:")
# Anthropic's hh-rlhf: one text, a turn after each of these.
# (Sought at the start of each run of blanks only: a long one would take the square of its length.)
_TURN = re.compile(r"(?:\A|(?<=\S)(?=\s*?\n\n))\s*+(Human|Assistant):")


def text(value: Any, what: str, most: int, *, may_be_empty: bool = False) -> str:
    """A text that the database takes, of at most so many characters."""
    if not isinstance(value, str):
        raise BadRow(f"{what} is {'missing' if value is None else 'not a text'}.")
    if not may_be_empty and (not value or value.isspace()):
        raise BadRow(f"{what} is empty.")
    if len(value) > most:
        raise BadRow(f"{what} has {len(value):,} characters; the limit is {most:,}.")
    if "\x00" in value:  # PostgreSQL takes none
        raise BadRow(f"{what} holds a NUL character; take it out.")
    return value


def is_conversation(value: Any) -> bool:
    """Whether a cell holds messages, as a list or as the JSON of one."""
    if isinstance(value, str):
        if value[:1] not in _BEFORE_LIST:  # nearly every text; the patterns cost more
            return False
        return bool(_JSON_MESSAGES.match(value) or _PYTHON_MESSAGES.match(value))
    return isinstance(value, list)


def is_dialogue(value: Any) -> bool:
    """Whether a cell is a text with the turns ``Human:`` and ``Assistant:``."""
    if not isinstance(value, str) or "Human:" not in value[:20]:
        return False
    first = _TURN.match(value)
    return first is not None and first.group(1) == "Human" and value.count("\n\nAssistant:") > 0


def conversation(value: Any, what: str, most: int) -> list[Message]:
    """Messages from any of the forms in use; the last may be anyone's.

    They are lists of ``{"role", "content"}`` or ``{"from", "value"}``, also as JSON text. Only
    the first message may be the system's. ``most`` is the limit of characters of one.
    """
    if isinstance(value, str):
        value = listed(value, what)
    if not isinstance(value, list) or not value:
        raise BadRow(f"{what} is not a list of messages.")
    messages = []
    for place, message in enumerate(value):
        try:
            messages.append(_message(message, most, is_first=place == 0))
        except BadRow as bad:
            where = f"Message {place + 1} of {what[0].lower()}{what[1:]}"
            raise BadRow(f"{where}{bad}") from None
    return messages


def _message(message: Any, most: int, *, is_first: bool) -> Message:
    """One message; what is wrong goes on from the words that say which it is."""
    if not isinstance(message, dict):
        raise BadRow(' is not an object with "role" and "content".')
    speaker = message.get("role") or message.get("from")
    role = SPEAKERS.get(speaker.lower()) if isinstance(speaker, str) else None
    if role is None:
        raise BadRow(" needs a role: system, user or assistant.")
    if role == "system" and not is_first:
        raise BadRow(" is a system message; it can only be the first.")
    content = message.get("content")
    if content is None:
        content = message.get("value")
    if isinstance(content, list):
        content = _joined_parts(content)
    # An assistant's turn may be empty, as a completion may.
    content = text(content, "", most, may_be_empty=role == "assistant")
    return {"role": role, "content": content}


def _joined_parts(parts: list[Any]) -> str:
    """The text of ``[{"type": "text", "text": …}, …]``; pictures cannot be shown."""
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    words = [each for each in texts if isinstance(each, str)]
    if len(words) < len(parts):
        raise BadRow(" holds parts that are not text.")
    return "".join(words)


def dialogue(value: str, what: str, most: int) -> list[Message]:
    """The messages of a text with ``Human:`` and ``Assistant:`` before the turns."""
    turns = list(_TURN.finditer(value))
    ends = [turn.start() for turn in turns[1:]] + [len(value)]
    messages: list[Message] = []
    for place, (turn, end) in enumerate(zip(turns, ends, strict=True), start=1):
        role = "user" if turn.group(1) == "Human" else "assistant"
        content = value[turn.end() : end].strip()
        here = f"Turn {place} of {what[0].lower()}{what[1:]}"
        text(content, here, most, may_be_empty=role == "assistant")
        messages.append({"role": role, "content": content})
    return messages


def listed(value: Any, what: str) -> list[Any]:
    """A list, or the JSON of one as a cell of CSV holds it."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        if _PYTHON_MESSAGES.match(value):
            raise BadRow(f"{what} is a list as Python prints it; write it with json.dumps.")
        value = _parsed(value, what)
    if not isinstance(value, list):
        raise BadRow(f"{what} is {'missing' if value is None else 'not a list'}.")
    return value


def _parsed(value: str, what: str) -> Any:
    """The JSON of a cell; what is wrong with it names the cell's role."""
    try:
        return parsed(value)
    except BadRow as bad:
        wrong = str(bad)
    if wrong.startswith("This is "):
        raise BadRow(what + wrong.removeprefix("This"))
    raise BadRow(f"{what} cannot be read. {wrong}")


def identifier(value: Any) -> str:
    """The identifier of a prompt; a whole number may have come as a float."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow("The identifier is neither a text nor a whole number.")
    return text(str(value), "The identifier", LONGEST_ID, may_be_empty=True)


def model_name(value: Any, what: str) -> str:
    """What wrote a completion."""
    return text(value or "", what, LONGEST_MODEL, may_be_empty=True)


def score(value: Any, what: str) -> float | None:
    """A finite number, also as a text; None where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = math.nan
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise BadRow(f"{what} is not a finite number.")
    return number


def metadata(value: Any, most: int) -> dict[str, Any]:
    """A JSON object that the database takes: not deep, not long, without NUL."""
    if isinstance(value, str):
        value = _parsed(value, "The metadata") if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRow("The metadata is not an object.")
    _check_depth(value)
    try:
        # Dates and decimals of Parquet become texts; NaN becomes null.
        packed = orjson.dumps(value, default=_as_text)
    except (TypeError, ValueError) as error:
        raise BadRow(f"The metadata is not JSON ({error}).") from None
    if len(packed) > most:
        raise BadRow(f"The metadata has {len(packed):,} bytes as JSON; the limit is {most:,}.")
    if b"\\u0000" in packed and _holds_nul(value):
        raise BadRow("The metadata holds a NUL character; take it out.")
    plain: dict[str, Any] = orjson.loads(packed)
    return plain


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        raise TypeError("it holds bytes")
    return str(value)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST_METADATA):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise BadRow(f"The metadata is nested more than {DEEPEST_METADATA} deep; flatten it.")


def _holds_nul(value: Any) -> bool:
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
