"""How the two texts of a pair differ on the outside: in length, and in Markdown."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairselect.designs.models import SelectedPair
from pairselect.designs.queries import text_key
from pairselect.pools.models import Prompt

# What readers see as formatting, once each time it occurs. A bare line break is none.
MARKDOWN = re.compile(
    r"""
      ^[ ]{0,3}(?:\#{1,6}[ ]|[-*+][ ]+\S|\d{1,3}[.)][ ]+\S|>[ ]?\S|```|~~~|\|.*\|[ ]*$)
    | \*\*[^\s*](?:[^*\n]*[^\s*])?\*\* | __[^\s_](?:[^_\n]*[^\s_])?__ | `[^`\n]+`
    """,
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, eq=False)
class PairTexts:
    """Of pairs, sorted by id; first less second in each of them, one entry a pair."""

    pair_ids: NDArray[np.int64]
    prompt_ids: NDArray[np.int64]  # of prompts that differ in blanks and case alone, the first's
    is_random: NDArray[np.bool_]
    completions: NDArray[np.int64]  # (n, 2) ids, the first and the second
    characters: NDArray[np.int64]
    tokens: NDArray[np.int64]  # 0 where one of them is not known
    log_length: NDArray[np.float64]  # log₂ of the ratio of their characters
    markdown: NDArray[np.int64]  # elements


def markdown_elements(text: str) -> int:
    """Headings, list items, quotes, table rows, fences, bold and code spans."""
    return sum(1 for _ in MARKDOWN.finditer(text))


def read_texts(pair_ids: NDArray[np.int64]) -> PairTexts:
    """Of these pairs, sorted. The texts are read a batch at a time and not kept."""
    tables = [np.zeros((0, 8), dtype=np.int64)]  # arrays: as tuples, a million rows take 500 MB
    logs = array("d")
    for start in range(0, len(pair_ids), 500):
        wanted = [int(pk) for pk in pair_ids[start : start + 500]]
        found = SelectedPair.objects.filter(pk__in=wanted).order_by("pk")
        rows: list[tuple[int, ...]] = []
        for pk, prompt, is_random, first, second, one, two, a, b in found.values_list(
            "pk", "prompt_id", "is_random", "first_id", "second_id",
            "first__text", "second__text", "first__token_count", "second__token_count",
        ):  # fmt: skip
            tokens = 0 if a is None or b is None else a - b
            marks = markdown_elements(one) - markdown_elements(two)
            lengths = len(one), len(two)
            rows.append(
                (pk, prompt, is_random, first, second, lengths[0] - lengths[1], tokens, marks)
            )
            logs.append(float(np.log2((lengths[0] + 1) / (lengths[1] + 1))))  # + 1: empty texts
        tables.append(np.array(rows, dtype=np.int64).reshape(-1, 8))
    table = np.concatenate(tables)
    table[:, 1] = _first_of_equals(table[:, 1])
    return PairTexts(
        pair_ids=table[:, 0],
        prompt_ids=table[:, 1],
        is_random=table[:, 2].astype(bool),
        completions=table[:, 3:5],
        characters=table[:, 5],
        tokens=table[:, 6],
        log_length=np.array(logs),
        markdown=table[:, 7],
    )


def _first_of_equals(prompt_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each prompt the id of the first with the same words, among these."""
    ids, place = np.unique(prompt_ids, return_inverse=True)
    first: dict[bytes, int] = {}
    found = np.empty(len(ids), dtype=np.int64)
    for start in range(0, len(ids), 500):
        wanted = ids[start : start + 500].tolist()
        texts = dict(Prompt.objects.filter(pk__in=wanted).values_list("pk", "messages"))
        for number, pk in enumerate(wanted, start):
            words = "\0".join(f"{one['role']}\0{one['content']}" for one in texts[pk])
            found[number] = first.setdefault(text_key(words.casefold()), pk)
    return found[place]
