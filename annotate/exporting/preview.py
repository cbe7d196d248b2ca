"""What an export would hold, before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import orjson

from annotate.exporting.deciding import Picked
from annotate.exporting.formats import Messages, Rows
from annotate.exporting.job import nothing
from annotate.exporting.options import Options
from annotate.exporting.rows import RowMaker
from annotate.exporting.selection import Selection, select
from annotate.models import Campaign

EXAMPLES = 3
MOST_COUNTED = 5_000  # edits whose rows are counted one by one
SHOWN = 600  # characters of a text


@dataclass(frozen=True)
class Preview:
    """``problem`` says why there is nothing, and is empty otherwise."""

    problem: str
    train: int
    test: int
    removed: list[tuple[str, int]]
    counts: dict[str, int]
    examples: list[tuple[str, str]]  # the trainer's columns and the metadata, as JSON
    is_exact: bool = True
    decisions: int = 0  # of adjudicators, that are in none of these rows

    @property
    def rows(self) -> int:
        return self.train + self.test


def preview(campaign: Campaign, options: Options) -> Preview:
    """Its rows as they will be, the first ones in full but for long texts."""
    selection = select(campaign, options)
    if not len(selection.rows):
        problem = nothing(selection, options)
        return Preview(problem, 0, 0, selection.removed, selection.counts, [])
    maker = RowMaker(selection, options, without_template)
    first = selection.rows.where(np.arange(min(20, len(selection.rows))))
    examples = [_shown(row) for row, _ in islice(maker.rows(first), EXAMPLES)]
    train, test, over, is_exact = _count(selection, options)
    removed = selection.removed_with(over, options)
    unused = options.wanted.rows is Rows.LABELS and not options.by_pair
    return Preview(
        "",
        train,
        test,
        removed,
        selection.counts,
        examples,
        is_exact=is_exact,
        decisions=selection.counts["adjudicated"] if unused else 0,
    )


def _count(selection: Selection, options: Options) -> tuple[int, int, int, bool]:
    """How many rows on either side, and how many a prompt has too many of.

    Texts that no trainer takes are known when they are read.
    """
    picked: Picked = selection.rows
    test = int(picked.in_test.sum())
    kind = options.wanted.rows
    if kind is Rows.LABELS:
        return len(picked) - test, test, 0, True
    if kind is Rows.BAD_TEXTS:
        return *_within(picked, 2, options.max_per_prompt), True
    if len(picked) > MOST_COUNTED:
        return *_within(picked, 1, options.max_per_prompt), False
    maker = RowMaker(selection, options)
    sides = [in_test for _, in_test in maker.rows()]
    return len(sides) - sum(sides), sum(sides), maker.over, True


def _within(picked: Picked, each: int, most: int | None) -> tuple[int, int, int]:
    """The same of so many rows an answer."""
    _, first, answers = np.unique(picked.prompts, return_index=True, return_counts=True)
    made = each * answers
    kept = made if most is None else np.minimum(made, most)
    test = int(kept[picked.in_test[first]].sum())
    return int(kept.sum()) - test, test, int((made - kept).sum())


def without_template(messages: Messages) -> str:
    """The prompt as the page shows it: the web process loads no tokenizer."""
    return "\n".join(f"<{one['role']}> {one['content']}" for one in messages)


def _shown(row: dict[str, object]) -> tuple[str, str]:
    columns = {name: value for name, value in row.items() if name != "metadata"}
    return _json(columns), _json(row["metadata"])


def _json(value: object) -> str:
    return orjson.dumps(_short(value), option=orjson.OPT_INDENT_2).decode()


def _short(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return value
