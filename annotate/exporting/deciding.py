"""What becomes of answers: each for itself, or all of a pair together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.beliefs import Beliefs
from annotate.exporting.answers import ADJUDICATION, MACHINE, Answers, Ids
from annotate.quality.answers import BOTH_BAD, FIRST, N_ANSWERS, SECOND, TIE

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Picked:
    """What becomes rows, in their order. Of a pair, ``ids`` has an answer that says what it was
    decided as, if there is one.

    The last five are there where all labels of a pair together were looked at.
    """

    ids: Ids  # of judgements
    prompts: Ids
    first_wins: Bools  # of those that say a side
    in_test: Bools
    margin: Floats  # mean strength for the winner; NaN: not asked for, or none given
    labels: NDArray[np.int64] | None = None
    machine_answers: NDArray[np.int64] | None = None
    agreement: Floats | None = None
    posterior: Floats | None = None  # P(the pair's first is better)
    adjudicated: Bools | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, which: Bools | NDArray[np.intp]) -> Picked:
        return Picked(
            *(None if one is None else one[which] for one in vars(self).values())  # type: ignore[arg-type]
        )


@dataclass(frozen=True, eq=False)
class Found:
    """Answers or pairs, with what each says: −1 where a pair is not decided."""

    pairs: Ids
    said: NDArray[np.int8]
    picked: Picked

    def where(self, which: Bools) -> Found:
        return Found(self.pairs[which], self.said[which], self.picked.where(which))


def labels(answers: Answers) -> Found:
    margin = np.where(answers.strength > 0, answers.strength.astype(float), np.nan)
    picked = Picked(
        answers.ids,
        answers.prompts,
        answers.said == FIRST,
        np.zeros(len(answers), dtype=bool),
        margin,
    )
    return Found(answers.pairs, answers.said, picked)


def pairs(answers: Answers) -> Found:
    """One entry a pair: what an adjudicator said, else what more than half of its labels say.

    What no more than half of them say is no decision. A machine has one vote, as a person has:
    half for each order that it was asked in.
    """
    decided = answers.kinds == ADJUDICATION
    _, first, place = np.unique(answers.pairs, return_index=True, return_inverse=True)
    counts = _votes(answers, place, len(first))
    said = counts.argmax(axis=1).astype(np.int8) if len(first) else np.zeros(0, dtype=np.int8)
    said[2 * counts.max(axis=1, initial=0) <= counts.sum(axis=1)] = -1
    said[place[decided]] = answers.said[decided]
    margin = _mean_margin(answers, place, ~decided, said)
    order = np.argsort(first)
    picked = Picked(
        answers.ids[first],
        answers.prompts[first],
        said == FIRST,
        np.zeros(len(first), dtype=bool),
        margin,
    )
    return Found(answers.pairs[first][order], said[order], picked.where(order))


def _votes(answers: Answers, place: NDArray[np.intp], n_pairs: int) -> Floats:
    """How many of a pair's labels say what, (pairs, answers); adjudications aside."""
    own = answers.kinds != ADJUDICATION
    votes = np.bincount(
        place[own] * N_ANSWERS + answers.said[own],
        np.where(answers.kinds[own] == MACHINE, 0.5, 1.0),
        minlength=N_ANSWERS * n_pairs,
    )
    return votes.reshape(-1, N_ANSWERS).astype(np.float64, copy=False)


def speaking(found: Found, answers: Answers) -> Found:
    """Each pair with the first answer that says what it was decided as, adjudications first.

    A tie's row is that answer's. Where none says it, the pair keeps the one that it has.
    """
    place = _places(found, answers)
    says, decided = answers.said == found.said[place], answers.kinds == ADJUDICATION
    at = np.concatenate([np.flatnonzero(says & decided), np.flatnonzero(says & ~decided)])
    which, first = np.unique(place[at], return_index=True)
    ids = found.picked.ids.copy()
    ids[which] = answers.ids[at[first]]
    return Found(found.pairs, found.said, replace(found.picked, ids=ids))


def _places(found: Found, answers: Answers) -> NDArray[np.intp]:
    """Of the answers' pairs among those found."""
    order = np.argsort(found.pairs)
    return order[np.searchsorted(found.pairs, answers.pairs, sorter=order)]


def _mean_margin(
    answers: Answers, place: NDArray[np.intp], own: Bools, said: NDArray[np.int8]
) -> Floats:
    """Mean strength of a pair's labels for what it was decided as; against it they are negative."""
    given = own & (answers.strength > 0)
    sign = np.where(answers.said[given] == said[place[given]], 1.0, -1.0)
    total = np.bincount(place[given], weights=sign * answers.strength[given], minlength=len(said))
    number = np.bincount(place[given], minlength=len(said))
    return np.where(number > 0, np.maximum(total, 0) / np.maximum(number, 1), np.nan)


def with_beliefs(found: Found, beliefs: Beliefs) -> Found:
    """The same with what is believed of its pairs.

    They were read after the answers: a pair that had lost its labels by then has no belief.
    """
    at = np.searchsorted(beliefs.pair_ids, found.pairs)
    at[np.append(beliefs.pair_ids, -1)[at] != found.pairs] = len(beliefs)
    picked = replace(
        found.picked,
        labels=np.append(beliefs.labels, 0)[at],
        machine_answers=np.append(beliefs.machine_answers, 0)[at],
        agreement=np.append(beliefs.agreement, np.nan)[at],
        posterior=np.append(beliefs.probability, np.nan)[at],
        adjudicated=np.append(beliefs.adjudicated, False)[at],
    )
    return Found(found.pairs, found.said, picked)


def by_posterior(found: Found, answers: Answers) -> Found:
    """The likelier side, unless most labels are ties or both-bad; an adjudicator's word as it is.

    ``answers`` are those that the pairs were decided by.
    """
    picked, said = found.picked, found.said.copy()
    assert picked.posterior is not None
    assert picked.adjudicated is not None
    votes = _votes(answers, _places(found, answers), len(said))
    neither = 2 * (votes[:, TIE] + votes[:, BOTH_BAD]) > votes.sum(axis=1)
    open_ = (said != TIE) & (said != BOTH_BAD) & (~neither | picked.adjudicated)
    said[open_ & (picked.posterior > 0.5)] = FIRST
    said[open_ & (picked.posterior < 0.5)] = SECOND
    said[open_ & ((picked.posterior == 0.5) | np.isnan(picked.posterior))] = -1
    turned = (said == FIRST) != picked.first_wins
    margin = np.where(turned, 0.0, picked.margin)  # most strength was on the other side
    margin[np.isnan(picked.margin)] = np.nan
    return Found(found.pairs, said, replace(picked, first_wins=said == FIRST, margin=margin))
