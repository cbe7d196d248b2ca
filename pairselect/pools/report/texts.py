"""One pass over the texts of a pool: repeats, lengths, finish reasons, identity."""

from __future__ import annotations

import re
import sys
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairselect.jobs.progress import JobProgress
from pairselect.pools.models import Pool, Variant
from pairselect.pools.queries import completions_in_order
from pairselect.pools.report.facts import Example, IdentityFacts, PhraseFacts, TextFacts
from pairselect.pools.report.identity import Phrases

BATCH = 2000
EXAMPLES = 3
BEGINNING = 40  # characters of a system prompt, in the name of its source
MOST_SOURCES = 20
UNLISTED = MOST_SOURCES  # the number of all sources that come after those
OTHERS = (-1, "")  # and their key
UNKNOWN = 2**32 - 1  # tokens that nobody has counted

# A sign, point or comma before a digit stays: −5 is not 5, and 1.5 not 15.
_OF_A_NUMBER = re.compile(r"[-.,](?=\d)")
_KEPT = {"-": "\x01", ".": "\x02", ",": "\x03"}


def normalised(text: str) -> str:
    """NFKC, case folded, each run of blanks and punctuation one blank."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _OF_A_NUMBER.sub(lambda sign: _KEPT[sign[0]], folded)
    return " ".join(folded.translate(_punctuation()).split())


@cache
def _punctuation() -> dict[int, str]:
    """To translate each character of Unicode's categories P to a blank."""
    return {
        code: " "
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)).startswith("P")
    }


COLUMNS = (
    "prompt_id",
    "prompt__position",
    "index",
    "text",
    "finish_reason",
    "token_count",
    "variant_id",
    "model",
)


class _Row(NamedTuple):
    """One completion's columns."""

    prompt_id: int
    position: int
    number: int  # its index
    text: str
    finish_reason: str
    token_count: int | None
    variant_id: int | None
    model: str


@dataclass
class Source:
    """What one variant, or one model of an imported file, has written."""

    label: str
    number: int
    distinct: int = 0
    cut: int = 0
    identity: int = 0


@dataclass
class Texts:
    """Facts, and one entry a completion in the order of the feature arrays' rows."""

    prompts: int = 0
    distinct: int = 0
    repeated_exactly: int = 0
    empty: int = 0
    without_choice: int = 0
    with_identity: int = 0
    finish: Counter[str] = field(default_factory=Counter)
    prompt_ids: array[int] = field(default_factory=lambda: array("q"))  # one entry a prompt
    sizes: array[int] = field(default_factory=lambda: array("I"))  # one entry a prompt
    characters: array[int] = field(default_factory=lambda: array("I"))
    tokens: array[int] = field(default_factory=lambda: array("I"))
    text_ids: array[int] = field(default_factory=lambda: array("I"))  # equal within a prompt
    source_numbers: array[int] = field(default_factory=lambda: array("B"))
    sources: dict[tuple[int | None, str], Source] = field(default_factory=dict)
    phrases: dict[str, PhraseFacts] = field(default_factory=dict)

    def facts(self) -> TextFacts:
        return TextFacts(
            prompts=self.prompts,
            completions=len(self.characters),
            distinct=self.distinct,
            repeated_exactly=self.repeated_exactly,
            empty=self.empty,
            without_choice=self.without_choice,
            finish=dict(self.finish.most_common()),
        )

    def identity(self, phrases: Phrases) -> IdentityFacts:
        return IdentityFacts(
            phrases=len(phrases.phrases),
            skipped=phrases.skipped,
            skipped_lines=list(phrases.skipped_lines),
            completions=self.with_identity,
            found=sorted(self.phrases.values(), key=lambda one: -one["completions"]),
        )

    def known_tokens(self) -> NDArray[np.int64] | None:
        """Tokens of each completion, where all of them have been counted."""
        counts = np.array(self.tokens, dtype=np.int64)
        return counts if counts.size and counts.max() < UNKNOWN else None


def read_texts(pool: Pool, phrases: Phrases, progress: JobProgress) -> Texts:
    """Read every completion once, a batch at a time; a prompt's texts are held together."""
    texts, total = Texts(), pool.completions.count()
    labels = variant_labels(pool)
    for _, group in groupby(_rows(pool), key=lambda row: row.prompt_id):
        _add_prompt(texts, list(group), phrases, labels, pool.model)
        if texts.prompts % 50 == 0:
            done = len(texts.characters)
            progress.report(min(done, total), total, "reading the completions")
    return texts


def variant_labels(pool: Pool) -> dict[int, str]:
    """What to call each variant: as much as tells it from the others."""
    variants = list(Variant.objects.filter(pool=pool).order_by("position"))
    nucleus = len({one.top_p for one in variants}) > 1
    labels = {}
    for one in variants:
        label = f"{one.model}, temperature {one.temperature:g}"
        if one.system_prompt:
            label += f", system prompt “{_beginning(one.system_prompt)}”"
        if nucleus:
            label += f", top p {one.top_p:g}"
        labels[one.pk] = label
    twice = {label for label, times in Counter(labels.values()).items() if times > 1}
    for number, (pk, label) in enumerate(labels.items(), start=1):
        if label in twice:
            labels[pk] = f"{label} (variant {number})"
    return labels


def _beginning(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= BEGINNING else text[: BEGINNING - 1].rstrip() + "…"


def _rows(pool: Pool) -> Iterator[_Row]:
    for values in completions_in_order(pool).values_list(*COLUMNS).iterator(chunk_size=BATCH):
        yield _Row(*values)


def _add_prompt(
    texts: Texts, rows: list[_Row], phrases: Phrases, labels: dict[int, str], pool_model: str
) -> None:
    texts.prompts += 1
    texts.prompt_ids.append(rows[0].prompt_id)
    texts.sizes.append(len(rows))
    seen: dict[str, int] = {}
    by_source: set[tuple[int, int]] = set()
    for row in rows:
        text_id = seen.setdefault(normalised(row.text), len(seen))
        source = _source(texts, row, labels, pool_model)
        by_source.add((source.number, text_id))
        texts.text_ids.append(text_id)
        texts.source_numbers.append(source.number)
        texts.characters.append(len(row.text))
        texts.tokens.append(UNKNOWN if row.token_count is None else row.token_count)
        texts.finish[row.finish_reason] += 1
        texts.empty += not row.text.strip()
        source.cut += row.finish_reason == "length"
        if _look_for_identity(texts, row, phrases):
            texts.with_identity += 1
            source.identity += 1
    texts.distinct += len(seen)
    texts.repeated_exactly += len(rows) - len({row.text for row in rows})
    texts.without_choice += len(seen) < 2
    spread = Counter(number for number, _ in by_source)
    for source in texts.sources.values():
        source.distinct += spread[source.number]


def _source(texts: Texts, row: _Row, labels: dict[int, str], pool_model: str) -> Source:
    key = (row.variant_id, row.model)
    if key not in texts.sources:
        if len(texts.sources) >= MOST_SOURCES:
            return texts.sources.setdefault(OTHERS, Source("others", UNLISTED))
        label = row.model or labels.get(row.variant_id or 0, pool_model)
        texts.sources[key] = Source(label, len(texts.sources))
    return texts.sources[key]


def _look_for_identity(texts: Texts, row: _Row, phrases: Phrases) -> bool:
    has = False
    for phrase, excerpt in phrases.found_in(row.text):
        has = True
        fact = texts.phrases.setdefault(
            phrase.line, PhraseFacts(phrase=phrase.line, completions=0, examples=[])
        )
        fact["completions"] += 1
        if len(fact["examples"]) < EXAMPLES:
            example = Example(position=row.position, index=row.number, excerpt=excerpt)
            fact["examples"].append(example)
    return has
