"""Answers as arrays: rows of a million judgements, read once. Ids stop here."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_judgements

Kind = Comparison.Kind
Choice = Judgement.Choice

# Codes of what an answer says whatever the sides: twice the preference, and both bad.
SECOND, TIE, FIRST, BOTH_BAD = range(4)
N_ANSWERS = 4
MIRROR = (FIRST, TIE, SECOND, BOTH_BAD)  # what each becomes where the texts change places
KINDS = (Kind.LABEL, Kind.REPEAT, Kind.GOLD, Kind.ADJUDICATION, Kind.MACHINE)
KIND_CODES = {kind.value: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, eq=False)
class Answers:
    """Standing answers, skips aside, each array one entry an answer."""

    pair_ids: NDArray[np.int64]  # of a gold pair, −1 − its own id
    people: NDArray[np.int32]  # ids of users, machines among them
    said: NDArray[np.int8]  # FIRST, SECOND, TIE or BOTH_BAD
    strength: NDArray[np.int8]  # of FIRST and SECOND, where it was asked; else 0
    on_left: NDArray[np.bool_]  # the pair's first
    kinds: NDArray[np.int8]  # places in KINDS

    def __len__(self) -> int:
        return len(self.pair_ids)

    def where(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Answers:
        """Those that a mask or places name."""
        return Answers(
            self.pair_ids[which],
            self.people[which],
            self.said[which],
            self.strength[which],
            self.on_left[which],
            self.kinds[which],
        )

    def in_order(self) -> Answers:
        """By pair and person, so that what is drawn from them does not hang on the database."""
        order = np.lexsort((self.on_left, self.kinds, self.people, self.pair_ids))
        return self.where(order)

    def of(self, *kinds: Kind) -> NDArray[np.bool_]:
        """Which of them are of these kinds."""
        return np.isin(self.kinds, [KIND_CODES[kind.value] for kind in kinds])


def read_answers(campaigns: Sequence[Campaign], *kinds: Kind) -> Answers:
    """The answers of these kinds, by default of all in `KINDS`, in no order."""
    rows = (
        current_judgements()
        .filter(
            comparison__campaign__in=[campaign.pk for campaign in campaigns],
            comparison__kind__in=kinds or KINDS,
        )
        .exclude(choice=Choice.SKIP)
        .order_by()  # sorted, a million rows would stand in memory
        .values_list(
            "comparison__pair_id",
            "comparison__gold_id",
            "annotator_id",
            "choice",
            "strength",
            "first_on_left",
            "comparison__kind",
        )
    )
    pairs, people = array("q"), array("i")
    said, strengths, on_left, codes = array("b"), array("b"), array("b"), array("b")
    for pair, gold, person, choice, strength, left, kind in rows.iterator(chunk_size=5000):
        pairs.append(-1 - gold if pair is None else pair)
        people.append(person)
        said.append(code_of(choice, left))
        strengths.append(strength or 0)
        on_left.append(left)
        codes.append(KIND_CODES[kind])
    return Answers(
        np.frombuffer(pairs, dtype=np.int64),
        np.frombuffer(people, dtype=np.int32),
        np.frombuffer(said, dtype=np.int8),
        np.frombuffer(strengths, dtype=np.int8),
        np.frombuffer(on_left, dtype=np.int8).astype(bool),
        np.frombuffer(codes, dtype=np.int8),
    )


def code_of(choice: str, first_on_left: bool) -> int:
    """What the answer says of the pair's first and second, whichever was on the left."""
    if choice == Choice.TIE:
        return TIE
    if choice == Choice.BOTH_BAD:
        return BOTH_BAD
    return FIRST if (choice == Choice.LEFT) == first_on_left else SECOND
