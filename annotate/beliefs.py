"""What a campaign's answers say of each pair, all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.models import Campaign
from annotate.quality.answers import (
    BOTH_BAD,
    FIRST,
    N_ANSWERS,
    SECOND,
    Answers,
    Kind,
    read_answers,
)
from pairselect.core.aggregation import Aggregation, aggregate_labels

MOST_JUDGES = 100  # whose uncertainty is found: it takes two passes over the answers for each


@dataclass(frozen=True)
class Belief:
    """What is known of one pair."""

    probability: float  # that its first is better
    labels: int
    agreement: float | None  # share of the most frequent answer; None without a label
    adjudicated: bool


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What is known of pairs, one entry a pair that has an answer, sorted by ``pair_ids``.

    ``probability`` is that of the pair's first being the better one: 1, 0 or ½ where an
    adjudicator has decided, else what `aggregate_labels` makes of the labels and their silent
    repeats, with the gold pairs and the decisions as what is known. Ties are half an answer to
    either side; both-bad says nothing here. ``labels`` counts people's that stand, ties and
    both-bad among them, ``machine_answers`` those of machines, where these were asked for, one for
    either order. ``agreement`` is the share of the most frequent of the four answers among both,
    an answer of a machine being half a vote, even where an adjudicator decided otherwise; NaN
    without any.
    """

    pair_ids: NDArray[np.int64]
    probability: NDArray[np.float64]
    labels: NDArray[np.int64]
    machine_answers: NDArray[np.int64]
    agreement: NDArray[np.float64]
    adjudicated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pair_ids)

    def of(self, pair_id: int) -> Belief | None:
        """Of one pair; None where nobody has answered."""
        place = int(np.searchsorted(self.pair_ids, pair_id))
        if place == len(self) or self.pair_ids[place] != pair_id:
            return None
        agreement = float(self.agreement[place])
        return Belief(
            float(self.probability[place]),
            int(self.labels[place]),
            None if np.isnan(agreement) else agreement,
            bool(self.adjudicated[place]),
        )


@dataclass(frozen=True, eq=False)
class Judges:
    """Whoever's answers the beliefs are made of, and what these take of them."""

    ids: NDArray[np.int32]  # of users, sorted
    fit: Aggregation  # its ability and lean in their order


def beliefs_of(campaigns: Sequence[Campaign], *, machines: bool = False) -> Beliefs:
    """What the people's answers of the campaigns say; with ``machines``, theirs beside them."""
    kinds = [Kind.LABEL, Kind.REPEAT, Kind.GOLD, Kind.ADJUDICATION]
    return weigh(read_answers(campaigns, *kinds, *([Kind.MACHINE] if machines else [])))[0]


def weigh(answers: Answers, *, uncertainty: bool = False) -> tuple[Beliefs, Judges]:
    """Beliefs from answers of every kind that is to count.

    ``uncertainty``: whether to say how uncertain each judge's accuracy is.
    """
    own, decided = answers.of(Kind.LABEL, Kind.MACHINE), answers.of(Kind.ADJUDICATION)
    pair_ids = np.unique(answers.pair_ids[own | decided])
    gold_ids = np.unique(answers.pair_ids[answers.of(Kind.GOLD)])  # all below 0
    every = np.concatenate([gold_ids, pair_ids])
    place = np.searchsorted(every, answers.pair_ids).astype(np.int32)
    place[place == len(every)] = 0
    listed = every[place] == answers.pair_ids if len(every) else np.zeros(0, dtype=bool)

    known = np.full(len(every), np.nan)
    known[: len(gold_ids)] = 1.0  # of gold, the better one is the first
    said = answers.said
    sided = decided & ((said == FIRST) | (said == SECOND))
    known[place[sided]] = said[sided] == FIRST
    telling = listed & ~decided & (said != BOTH_BAD)
    ids, person = np.unique(answers.people[telling], return_inverse=True)
    fit = aggregate_labels(
        place[telling],
        person.astype(np.int32),
        (said[telling] / 2).astype(np.float16),  # exact: 0, ½ and 1
        answers.on_left[telling],
        n_pairs=len(every),
        known=known,
        uncertainty=uncertainty and len(ids) <= MOST_JUDGES,
    )

    of_machines = answers.of(Kind.MACHINE)
    said_of = place[own].astype(np.int64) * N_ANSWERS + said[own]
    votes = np.where(of_machines[own], np.float32(0.5), np.float32(1))
    counts = np.bincount(said_of, votes, minlength=len(every) * N_ANSWERS)
    counts = counts.reshape(-1, N_ANSWERS)[len(gold_ids) :]
    total = counts.sum(axis=1)
    agreement = np.full(len(pair_ids), np.nan)
    np.divide(counts.max(axis=1, initial=0), total, out=agreement, where=total > 0)

    def number(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(place[which], minlength=len(every))[len(gold_ids) :]

    adjudicated = np.zeros(len(every), dtype=bool)
    adjudicated[place[decided]] = True
    probability = fit.probability
    probability[place[decided & ~sided]] = 0.5
    beliefs = Beliefs(
        pair_ids,
        probability[len(gold_ids) :],
        number(own & ~of_machines),
        number(of_machines),
        agreement,
        adjudicated[len(gold_ids) :],
    )
    return beliefs, Judges(ids, fit)
