"""The mapping that a file's own column names suggest; an admin may change it."""

import re
from collections.abc import Sequence
from typing import Any

from pairselect.pools.reading.columns import LONGEST_NAME, Columns
from pairselect.pools.reading.json_records import parsed
from pairselect.pools.reading.rows import BadRow, Record
from pairselect.pools.reading.values import is_dialogue

# The field's usual names, in the order in which they are looked for.
NAMES: dict[str, tuple[str, ...]] = {
    "prompt": (
        "prompt",
        "messages",
        "conversations",
        "conversation",
        "instruction",
        "question",
        "query",
        "problem",
        "text",
        "input",
    ),
    "system": ("system", "system_prompt", "system_message"),
    "id": ("id", "prompt_id", "uid", "uuid", "external_id", "question_id", "example_id"),
    "metadata": ("metadata", "meta"),
    "completions": ("completions", "responses", "answers", "candidates", "generations", "outputs"),
    "models": ("models", "model_names", "model"),
    "scores": ("scores", "rewards", "ratings"),
    "chosen": ("chosen", "chosen_response"),
    "rejected": ("rejected", "rejected_response"),
    "score_chosen": ("score_chosen", "chosen_score", "chosen_rating", "reward_chosen"),
    "score_rejected": ("score_rejected", "rejected_score", "rejected_rating", "reward_rejected"),
}
# A prompt of such a name stands beside conversations; under another it may be one of them.
EXPLICIT = ("prompt", "instruction", "question", "query")
# One completion a column: response_a and response_b, completion_1 to completion_8.
NUMBERED = re.compile(r"(completion|response|answer|output|generation)[_ -]?([a-z]|\d{1,3})")


def suggest(names: Sequence[str], rows: Sequence[Record]) -> Columns | str:
    """The mapping of a file with these columns, or a sentence that says why there is none.

    Parameters
    ----------
    rows
        The first rows, for what names alone do not say: whether ``answers`` is a list.
    """
    lower: dict[str, str] = {}
    for name in names:
        if len(name) <= LONGEST_NAME:
            lower.setdefault(name.strip().lower(), name)

    def find(role: str) -> str:
        return next((lower[name] for name in NAMES[role] if name in lower), "")

    found: dict[str, Any] = {
        role: column for role in ("prompt", "system", "id") if (column := find(role))
    }
    if found.get("prompt") == lower.get("instruction") and "input" in lower:
        found["input"] = lower["input"]
    column = find("metadata")
    if column and all(isinstance(_value(row.get(column)), dict | None) for row in rows):
        found["metadata"] = column

    chosen, rejected = find("chosen"), find("rejected")
    if chosen and rejected:
        found |= {"chosen": chosen, "rejected": rejected}
        scores = find("score_chosen"), find("score_rejected")
        if all(scores):
            found |= {"score_chosen": scores[0], "score_rejected": scores[1]}
        if _whole(chosen, rows):
            if not any(found.get("prompt") == lower.get(name, "") for name in EXPLICIT):
                found.pop("prompt", None)  # "messages" repeats the chosen conversation
        elif "prompt" not in found:
            return _nothing_found(names)
        return Columns("preferences", **found)

    if "prompt" not in found:
        return _nothing_found(names)
    lists = [name for name in NAMES["completions"] if name in lower and _lists(lower[name], rows)]
    texts = tuple(name for key, name in lower.items() if NUMBERED.fullmatch(key))
    if lists or len(texts) > 1:
        if lists:
            found["completions"] = lower[lists[0]]
        else:
            found["texts"] = texts
        for role in ("models", "scores"):
            column = find(role)
            if column and (role == "models" or _lists(column, rows)):
                found[role] = column
        return Columns("pool", **found)
    return Columns("prompts", **found)


def _lists(column: str, rows: Sequence[Record]) -> bool:
    """Whether the column holds lists wherever it holds anything, and does so somewhere."""
    held = [_value(row[column]) for row in rows if row.get(column) not in (None, "")]
    return bool(held) and all(isinstance(each, list) for each in held)


def _whole(column: str, rows: Sequence[Record]) -> bool:
    """Whether the column holds conversations, with the prompt at the beginning of each."""
    held = [_value(row[column]) for row in rows if row.get(column) not in (None, "")]
    return bool(held) and all(
        len(each) > 1 if isinstance(each, list) else is_dialogue(each) for each in held
    )


def _value(cell: Any) -> Any:
    """The cell, or what the JSON in it says."""
    if not isinstance(cell, str):
        return cell
    if cell.lstrip()[:1] not in ("[", "{"):
        return cell if cell.strip() else None
    try:
        return parsed(cell)
    except BadRow:
        return cell


def _nothing_found(names: Sequence[str]) -> str:
    have = ", ".join(f'"{name[:40]}"' for name in names[:8])
    more = " and more" if len(names) > 8 else ""
    return (
        f"None of the columns {have}{more} has a name that says it is the prompt "
        '("prompt", "messages", "instruction", "question", …); choose the column.'
    )
