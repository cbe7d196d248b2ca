"""What changed between two versions of a text, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Change:
    kind: str  # same, added or removed
    text: str


def changes(before: str, after: str) -> list[Change]:
    """The later text with what was added, and what was removed in its place.

    Lines are compared first and words within the lines that differ, and what recurs all over a
    long text begins no match, so that it takes no longer than its changes are worth.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Change] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        removed, added = "".join(old[a:b]), "".join(new[c:d])
        if tag == "equal":
            found.append(Change("same", added))
        elif tag == "replace" and len(removed) + len(added) < 20_000:
            found += _of_words(removed, added)
        else:
            found += _pair(removed, added)
    return found


def _of_words(before: str, after: str) -> list[Change]:
    old, new = WORDS.findall(before), WORDS.findall(after)
    matcher = SequenceMatcher(None, old, new)
    if matcher.ratio() < 0.4:  # another sentence: word by word it would be unreadable
        return _pair(before, after)
    found: list[Change] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        removed, added = "".join(old[a:b]), "".join(new[c:d])
        found += [Change("same", added)] if tag == "equal" else _pair(removed, added)
    return found


def _pair(removed: str, added: str) -> list[Change]:
    both = (Change("removed", removed), Change("added", added))
    return [change for change in both if change.text]
