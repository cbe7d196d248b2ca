"""Picked answers as the rows of files, each checked and with its ``metadata``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any

from annotate.edits import edited_text, model_names
from annotate.exporting.checking import one_text, two_texts
from annotate.exporting.columns import MESSAGE, Type
from annotate.exporting.counting import Cap, Tally
from annotate.exporting.deciding import Picked
from annotate.exporting.formats import Render, Row, Rows
from annotate.exporting.options import Options
from annotate.exporting.provenance import (
    ANSWER,
    BELIEF,
    CAMPAIGN,
    CHOICE,
    PAIR,
    Columns,
    choice_values,
    criteria,
    side_columns,
)
from annotate.exporting.selection import Selection
from annotate.exporting.texts import Answer, Texts
from annotate.models import Judgement

Choice = Judgement.Choice
Sided = tuple[Row, bool]  # a row, and whether it belongs to the test part
LOOKED_AT = 20_000  # rows, about, whose texts are compared in length and markup

_SIDES = side_columns("chosen") + side_columns("rejected")
LABEL_METADATA = (
    *CAMPAIGN, *PAIR, *ANSWER, ("chosen_shown", str), *CHOICE, ("edited", bool), *_SIDES
)  # fmt: skip
PAIR_METADATA = (*CAMPAIGN, *PAIR, ("decided_by", str), ("margin", float), *_SIDES)
EDIT_METADATA = (
    *CAMPAIGN, *PAIR, *ANSWER, ("base_shown", str), *CHOICE, ("base_answer", str),
    *side_columns("base"), *side_columns("other"), ("rejected_is", str), ("is_inferred", bool),
)  # fmt: skip
BAD_METADATA = (*CAMPAIGN, *PAIR, *ANSWER, ("completion_shown", str), *side_columns("completion"))
UNDECIDED_METADATA = (
    *CAMPAIGN, *PAIR, *ANSWER, ("first_shown", str), ("criteria", str),
    *side_columns("first"), *side_columns("second"), ("split", str),
)  # fmt: skip
UNDECIDED: Mapping[str, Type] = {"prompt": [MESSAGE], "first": str, "second": str}


class RowMaker:
    """Makes rows of a selection in one format.

    ``left_out`` counts those that no trainer takes, ``over`` those that a prompt has too many of,
    where one answer may make several.
    """

    def __init__(
        self, selection: Selection, options: Options, render: Render | None = None
    ) -> None:
        self._selection, self._options = selection, options
        self._format, self._render = options.wanted, render
        self._texts = Texts(selection.campaigns)
        self._names = model_names(selection.campaigns[-1].design.pool)
        self.left_out: Counter[str] = Counter()
        # Of about `LOOKED_AT` rows: whether the chosen text is the longer one …
        self.longer = Tally()
        self.marked = Tally()  # … and the only one with Markdown
        self._cap: Cap | None = None

    @property
    def over(self) -> int:
        return self._cap.over if self._cap else 0

    def columns(self) -> dict[str, Type]:
        """Of the rows that `rows` makes."""
        columns = dict(self._format.columns)
        if self._has_margin:
            columns["margin"] = float
        return columns | {"metadata": dict(self._metadata)}

    @property
    def _has_margin(self) -> bool:
        """A trainer takes a margin in every row or in none."""
        return self._format.margin and all(one.strengths > 1 for one in self._selection.campaigns)

    @property
    def _metadata(self) -> Columns:
        kind, beliefs = self._format.rows, BELIEF if self._options.needs_beliefs else ()
        if kind is Rows.BAD_TEXTS:
            return BAD_METADATA
        if kind is Rows.LABELS:
            return (*(PAIR_METADATA if self._options.by_pair else LABEL_METADATA), *beliefs)
        return EDIT_METADATA if kind is Rows.EDIT_PAIRS else EDIT_METADATA[:-2]

    def rows(self, picked: Picked | None = None) -> Iterator[Sided]:
        """The rows of the selection, or of a part of it, in the queue's order."""
        picked = self._selection.rows if picked is None else picked
        make: Callable[[Picked], Iterator[Sided]] = {
            Rows.LABELS: self._preferences,
            Rows.BAD_TEXTS: self._bad_texts,
            Rows.EDITS: self._edits,
            Rows.EDIT_PAIRS: self._edits,
        }[self._format.rows]
        return make(picked)

    def _preferences(self, picked: Picked) -> Iterator[Sided]:
        keys = tuple(name for name, _ in self._metadata)
        row, by_pair, has_margin = self._format.row, self._options.by_pair, self._has_margin
        edits = {} if by_pair else self._edit_texts(self._selection.edits)
        margins = _plain(picked.margin) if by_pair or has_margin else repeat(None)
        beliefs = _beliefs(picked)
        number, stride = 0, max(1, len(picked) // LOOKED_AT)
        for answer, prompt_id, first_wins, in_test, margin, belief in zip(
            self._texts.answers(_ints(picked.ids)),
            _ints(picked.prompts),
            _plain(picked.first_wins),
            _plain(picked.in_test),
            margins,
            beliefs,
            strict=False,
        ):
            problem, prompt = self._prompt(answer)
            chosen, rejected = answer.first, answer.second
            one, other = answer.first_side, answer.second_side
            if not first_wins:
                chosen, rejected, one, other = rejected, chosen, other, one
            problem = problem or two_texts(chosen, rejected)
            if problem:
                self.left_out[problem] += 1
                continue
            made = row(prompt, chosen, rejected, (margin or 0.0) if has_margin else None)
            middle: tuple[Any, ...]
            if by_pair:
                *_, is_adjudicated = belief
                middle = ("adjudicator" if is_adjudicated else self._options.one_row, margin)
            else:
                shown = "left" if first_wins == answer.first_on_left else "right"
                middle = (
                    *answer.answer,
                    shown,
                    *choice_values(answer, shown, "chosen", "rejected"),
                    answer.pk in edits,
                )
            if belief and not first_wins and belief[-2] is not None:
                belief = (*belief[:-2], 1 - belief[-2], belief[-1])
            made["metadata"] = dict(
                zip(keys, (*answer.pair, *middle, *one, *other, *belief), strict=True)
            )
            number += 1
            if number % stride == 0:
                self._look_at(prompt_id, chosen, rejected)
            yield made, in_test

    def _look_at(self, prompt_id: int, chosen: str, rejected: str) -> None:
        if len(chosen) != len(rejected):
            self.longer.add(len(chosen) > len(rejected), prompt_id)
        marked = has_markdown(chosen)
        if marked != has_markdown(rejected):
            self.marked.add(marked, prompt_id)

    def _bad_texts(self, picked: Picked) -> Iterator[Sided]:
        keys = tuple(name for name, _ in BAD_METADATA)
        self._cap = Cap(picked, self._options.max_per_prompt)
        for pick, (answer, in_test) in enumerate(self._each(picked)):
            problem, prompt = self._prompt(answer)
            for text, side, is_first in (
                (answer.first, answer.first_side, True),
                (answer.second, answer.second_side, False),
            ):
                if found := problem or one_text(text):
                    self.left_out[found] += 1
                    continue
                if not self._cap.takes(pick):
                    continue
                shown = "left" if is_first == answer.first_on_left else "right"
                made = self._format.row(prompt, "", text, None)
                values = (*answer.pair, *answer.answer, shown, *side)
                made["metadata"] = dict(zip(keys, values, strict=True))
                yield made, in_test

    def _edits(self, picked: Picked) -> Iterator[Sided]:
        """Each edit over its base, the text that it was made from. As a pair also, where the base
        won or tied, over the other text: nobody has said so, but it follows."""
        keys = tuple(name for name, _ in EDIT_METADATA)
        texts = self._edit_texts(picked)
        self._cap = Cap(picked, self._options.max_per_prompt)
        for pick, (answer, in_test) in enumerate(self._each(picked)):
            if (found := texts.get(answer.pk)) is None:
                continue
            of_first, text = found
            base, other = answer.first, answer.second
            one, two = answer.first_side, answer.second_side
            if not of_first:
                base, other, one, two = other, base, two, one
            said = _answer_on_base(answer, of_first)
            shown = "left" if of_first == answer.first_on_left else "right"
            values = (
                *answer.pair,
                *answer.answer,
                shown,
                *choice_values(answer, shown, "base", "other"),
                said,
                *one,
                *two,
            )
            over = [("base", base)]
            if self._format.rows is Rows.EDIT_PAIRS and said in ("won", "tied") and other != base:
                over.append(("other", other))
            for name, worse in over:
                problem, prompt = self._prompt(answer)
                if problem:
                    self.left_out[problem] += 1
                if problem or worse == text:
                    continue
                if not self._cap.takes(pick):
                    continue
                made = self._format.row(prompt, text, worse, None)
                pairs = zip(keys, (*values, name, name == "other"), strict=True)
                made["metadata"] = dict(pairs)
                if self._format.rows is Rows.EDITS:
                    del made["metadata"]["rejected_is"], made["metadata"]["is_inferred"]
                yield made, in_test

    def undecided(self, picked: Picked) -> Iterator[Sided]:
        """Ties and both-bad: two texts, neither of them chosen."""
        keys = tuple(name for name, _ in UNDECIDED_METADATA)
        for answer, in_test in self._each(picked):
            shown = "left" if answer.first_on_left else "right"
            values = (
                *answer.pair,
                *answer.answer,
                shown,
                criteria(answer, {shown: "first", "same": "same"}, "second"),
                *answer.first_side,
                *answer.second_side,
                "test" if in_test else "train",
            )
            yield (
                {
                    "prompt": answer.prompt.messages,
                    "first": answer.first,
                    "second": answer.second,
                    "metadata": dict(zip(keys, values, strict=True)),
                },
                in_test,
            )

    def _each(self, picked: Picked) -> Iterator[tuple[Answer, bool]]:
        return zip(self._texts.answers(_ints(picked.ids)), _plain(picked.in_test), strict=True)

    def _prompt(self, answer: Answer) -> tuple[str, Any]:
        """What a trainer would not take of the prompt, or nothing, and the prompt as rows hold it.

        It is looked at once for all its rows.
        """
        prompt = answer.prompt
        if prompt.made is None:
            problem = self._format.check_prompt(prompt.messages)
            made: Any = None
            if not problem and self._format.needs_template:
                assert self._render is not None
                made = self._render(prompt.messages)
            elif not problem:
                made = self._format.prompt(prompt.messages)
            prompt.made = problem, made
        return prompt.made

    def _edit_texts(self, picked: Picked) -> dict[int, tuple[bool, str]]:
        """Edits that count, by judgement: whether of the pair's first, and the text."""
        found: dict[int, tuple[bool, str]] = {}
        ids = picked.ids.tolist()
        for start in range(0, len(ids), 500):
            rows = Judgement.objects.filter(pk__in=ids[start : start + 500]).select_related(
                "edit", "comparison__pair__first", "comparison__pair__second"
            )
            for judgement in rows:
                text = edited_text(judgement, self._names)
                if text is not None:
                    found[judgement.pk] = (judgement.edit.of_first, text)
        return found


def has_markdown(text: str) -> bool:
    """Whether it has bold words, a list, a heading or code, cheaply."""
    return "**" in text or "```" in text or "\n- " in text or "\n#" in text or "\n1. " in text


def _answer_on_base(answer: Answer, of_first: bool) -> str:
    """What was said of the text that the edit was made from, against the other one."""
    if answer.choice in (Choice.LEFT, Choice.RIGHT):
        prefers_first = (answer.choice == Choice.LEFT) == answer.first_on_left
        return "won" if prefers_first == of_first else "lost"
    return "tied" if answer.choice == Choice.TIE else "both bad"


def _beliefs(picked: Picked) -> Iterator[tuple[Any, ...]]:
    """Of `BELIEF`, with the posterior of the pair's first."""
    if picked.posterior is None:
        return repeat(())
    columns = (
        picked.labels,
        picked.machine_answers,
        picked.agreement,
        picked.posterior,
        picked.adjudicated,
    )
    return zip(*(_plain(one) for one in columns), strict=True)


def _plain(values: Any, size: int = 10_000) -> Iterator[Any]:
    """As Python's own numbers, NaN as None, a few at a time."""
    for start in range(0, len(values), size):
        for one in values[start : start + size].tolist():
            yield None if one != one else one


def _ints(ids: Any) -> Iterator[int]:
    return _plain(ids)
