"""The review files, and reviews as a beginning and how it goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.proof.sources import read_lines

# Fewer tokens than these are no continuation.
SHORTEST = 6
SENTENCE_END = re.compile(r"[.!?]+[\"')]*(?=\s|$)")


@dataclass(frozen=True)
class Review:
    text: str
    positive: bool

    def beginning(self, words: int) -> str:
        return " ".join(self.text.split(" ")[:words])


def read_reviews(file: Path) -> list[Review]:
    """JSON lines with ``text`` and ``label`` (pos or neg); line breaks of HTML become blanks."""
    found = []
    for row in read_lines(file):
        text = " ".join(re.sub(r"<[^>]{1,20}>", " ", row["text"]).split())
        found.append(Review(text, row["label"] == "pos"))
    return found


def as_read(beginning: str, continuation: str) -> str:
    """The review that a prompt and its completion make."""
    return f"{beginning} {continuation}".strip()


def shuffled(reviews: list[Review], words: int, seed: int) -> list[Review]:
    """Reviews longer than their beginning, no two beginning alike, in an order of the seed's."""
    order = np.random.default_rng([5, seed]).permutation(len(reviews))
    seen, found = set(), []
    for k in order:
        beginning = reviews[k].beginning(words)
        if len(reviews[k].text) > len(beginning) and beginning not in seen:
            seen.add(beginning)
            found.append(reviews[k])
    return found


def whole_sentences(text: str, tokens: int, tokenizer: Any) -> str:
    """The text up to its last sentence's end within so many tokens; empty where there is none."""
    ids = tokenizer(text[: 12 * tokens], add_special_tokens=False)["input_ids"]
    cut = tokenizer.decode(ids[:tokens], clean_up_tokenization_spaces=False)
    ends = [match.end() for match in SENTENCE_END.finditer(cut)]
    # What ends at the cut may have been cut there.
    if len(ids) > tokens and ends and ends[-1] == len(cut):
        ends.pop()
    return str(cut[: ends[-1]]) if ends else ""


def continuations(
    reviews: Iterable[Review], *, words: int, tokens: int, tokenizer: Any
) -> Iterator[dict[str, list[dict[str, str]]]]:
    """Rows of TRL's conversational prompt-completion form: a beginning, and what follows."""
    for review in reviews:
        beginning = review.beginning(words)
        rest = whole_sentences(review.text[len(beginning) :].strip(), tokens, tokenizer)
        if len(tokenizer(rest, add_special_tokens=False)["input_ids"]) >= SHORTEST:
            yield {
                "prompt": [{"role": "user", "content": beginning}],
                "completion": [{"role": "assistant", "content": rest}],
            }


def slices(reviews: list[Review], sizes: dict[str, int]) -> dict[str, list[Review]]:
    """Disjoint runs of these sizes, by name."""
    needed = sum(sizes.values())
    if needed > len(reviews):
        raise SystemExit(
            f"{needed} reviews are needed for prompts and the file has {len(reviews)}."
        )
    found, start = {}, 0
    for name, size in sizes.items():
        found[name] = reviews[start : start + size]
        start += size
    return found
