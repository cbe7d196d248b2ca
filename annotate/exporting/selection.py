"""Which answers, or pairs, become rows, in which file and on which side of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotate.beliefs import beliefs_of
from annotate.exporting import answers as reading
from annotate.exporting.answers import ADJUDICATION, LABEL, MACHINE, Answers
from annotate.exporting.formats import Rows
from annotate.exporting.options import OneRow, Options
from annotate.models import Campaign
from annotate.quality.answers import BOTH_BAD, FIRST, N_ANSWERS, SECOND, TIE
from pairselect.core.agreement import Agreement, agreement
from pairselect.pools.models import Prompt

Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Picked:
    """What becomes rows, in their order. Of a pair, ``ids`` has the first of its answers.

    The last four are there where all labels of a pair together were looked at.
    """

    ids: Ids  # of judgements
    prompts: Ids
    first_wins: Bools  # of those that say a side
    in_test: Bools
    margin: Floats  # mean strength for the winner; NaN: not asked for, or none given
    labels: NDArray[np.int64] | None = None
    agreement: Floats | None = None
    posterior: Floats | None = None  # P(the pair's first is better)
    adjudicated: Bools | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, which: Bools | NDArray[np.intp]) -> Picked:
        return Picked(
            *(None if one is None else one[which] for one in vars(self).values())  # type: ignore[arg-type]
        )


@dataclass(eq=False)
class Selection:
    """What an export holds, before a text is read."""

    campaigns: list[Campaign]
    rows: Picked
    ties: Picked
    both_bad: Picked
    edits: Picked
    counts: dict[str, int]  # of all that stands, whatever the filters
    agreement: Agreement  # of its labels
    removed: list[tuple[str, int]] = field(default_factory=list)  # by which filter, how many


class NothingToExport(Exception):
    """The message says what is lacking, and what to do."""


def select(campaign: Campaign, options: Options) -> Selection:
    """Filter, decide and split. 1,000,000 labels take seconds and tens of megabytes."""
    campaigns = reading.campaigns_of(campaign, rounds=options.rounds)
    answers = reading.read(campaigns)
    own = (answers.kinds == LABEL) | (options.machines & (answers.kinds == MACHINE))
    found = _pairs(answers, own) if options.by_pair else _labels(answers.where(own))
    if options.needs_beliefs:
        found = _with_beliefs(found, campaigns, options)
    if options.one_row == OneRow.POSTERIOR:
        found = _by_posterior(found)
    single = _labels(answers.where(answers.kinds == LABEL)) if options.by_pair else found
    edits = np.isin(single.picked.ids, reading.edited(campaigns))
    wanted = {
        Rows.LABELS: (found.said == FIRST) | (found.said == SECOND),
        Rows.BAD_TEXTS: found.said == BOTH_BAD,
    }.get(options.wanted.rows, edits)

    removed: list[tuple[str, int]] = []
    kept = np.ones(len(found.said), dtype=bool)

    def leave_out(name: str, which: Bools) -> None:
        nonlocal kept
        removed.append((name, int((wanted & kept & which).sum())))
        kept &= ~which

    if options.by_pair:
        undecided = found.said < 0
        removed.append(("undecided", int(undecided.sum())))
    if options.leave_flagged:
        flagged = reading.flagged(campaigns)
        leave_out("flagged", np.isin(found.pairs, flagged))
        edits &= ~np.isin(single.pairs, flagged)
    picked = found.picked
    if options.min_agreement is not None:
        assert picked.agreement is not None
        leave_out("min_agreement", ~(picked.agreement >= options.min_agreement - 1e-9))
    rows = wanted & kept
    if options.min_posterior is not None:
        assert picked.posterior is not None
        chosen = np.where(picked.first_wins, picked.posterior, 1 - picked.posterior)
        low = rows & ~(chosen >= options.min_posterior - 1e-9)
        removed.append(("min_posterior", int(low.sum())))
        rows &= ~low
    if options.max_per_prompt is not None:
        places = np.flatnonzero(rows)
        over = places[_rank(picked.prompts[places]) >= options.max_per_prompt]
        removed.append(("max_per_prompt", len(over)))
        rows[over] = False

    selection = Selection(
        campaigns,
        picked.where(rows),
        picked.where((found.said == TIE) & kept),
        picked.where((found.said == BOTH_BAD) & kept),
        single.picked.where(edits),
        _counts(answers),
        _agreement(answers),
        removed,
    )
    if options.test_share:
        _split(selection, options)
    return selection


@dataclass(frozen=True, eq=False)
class _Found:
    """Answers or pairs, with what each says: −1 where a pair is not decided."""

    pairs: Ids
    said: NDArray[np.int8]
    picked: Picked

    def where(self, which: Bools) -> _Found:
        return _Found(self.pairs[which], self.said[which], self.picked.where(which))


def _labels(answers: Answers) -> _Found:
    margin = np.where(answers.strength > 0, answers.strength.astype(float), np.nan)
    picked = Picked(
        answers.ids,
        answers.prompts,
        answers.said == FIRST,
        np.zeros(len(answers), dtype=bool),
        margin,
    )
    return _Found(answers.pairs, answers.said, picked)


def _pairs(answers: Answers, own: Bools) -> _Found:
    """One entry a pair: what an adjudicator said, else what more than half of its labels say.

    What no more than half of them say is no decision.
    """
    decided = answers.kinds == ADJUDICATION
    answers, decided = answers.where(own | decided), decided[own | decided]
    pairs, first, place = np.unique(answers.pairs, return_index=True, return_inverse=True)
    counts = np.bincount(
        place[~decided] * N_ANSWERS + answers.said[~decided], minlength=N_ANSWERS * len(pairs)
    ).reshape(-1, N_ANSWERS)
    said = counts.argmax(axis=1).astype(np.int8) if len(pairs) else np.zeros(0, dtype=np.int8)
    said[2 * counts.max(axis=1, initial=0) <= counts.sum(axis=1)] = -1
    said[place[decided]] = answers.said[decided]
    margin = _mean_margin(answers, place, ~decided, said)
    order = np.argsort(first)
    picked = Picked(
        answers.ids[first],
        answers.prompts[first],
        said == FIRST,
        np.zeros(len(pairs), dtype=bool),
        margin,
    )
    found = _Found(pairs, said, picked)
    return _Found(found.pairs[order], found.said[order], picked.where(order))


def _mean_margin(
    answers: Answers, place: NDArray[np.intp], own: Bools, said: NDArray[np.int8]
) -> Floats:
    """Mean strength of a pair's labels for what it was decided as; against it they are negative."""
    given = own & (answers.strength > 0)
    sign = np.where(answers.said[given] == said[place[given]], 1.0, -1.0)
    total = np.bincount(place[given], weights=sign * answers.strength[given], minlength=len(said))
    number = np.bincount(place[given], minlength=len(said))
    return np.where(number > 0, np.maximum(total, 0) / np.maximum(number, 1), np.nan)


def _with_beliefs(found: _Found, campaigns: Sequence[Campaign], options: Options) -> _Found:
    beliefs = beliefs_of(campaigns, machines=options.machines)
    at = np.searchsorted(beliefs.pair_ids, found.pairs)
    one = found.picked
    picked = Picked(
        one.ids,
        one.prompts,
        one.first_wins,
        one.in_test,
        one.margin,
        beliefs.labels[at],
        beliefs.agreement[at],
        beliefs.probability[at],
        beliefs.adjudicated[at],
    )
    return _Found(found.pairs, found.said, picked)


def _by_posterior(found: _Found) -> _Found:
    """The likelier side, where neither a tie nor both-bad has most of the labels."""
    picked, said = found.picked, found.said.copy()
    assert picked.posterior is not None
    open_ = (said != TIE) & (said != BOTH_BAD)
    said[open_ & (picked.posterior > 0.5)] = FIRST
    said[open_ & (picked.posterior < 0.5)] = SECOND
    said[open_ & (picked.posterior == 0.5)] = -1
    turned = (said == FIRST) != picked.first_wins
    margin = np.where(turned, 0.0, picked.margin)  # most strength was on the other side
    margin[np.isnan(picked.margin)] = np.nan
    facts = {**vars(picked), "first_wins": said == FIRST, "margin": margin}
    return _Found(found.pairs, said, Picked(**facts))


def _rank(prompts: Ids) -> NDArray[np.intp]:
    """Of each, how many before it are of the same prompt."""
    order = np.argsort(prompts, kind="stable")
    same = prompts[order]
    first = np.searchsorted(same, same)  # where its prompt begins
    rank = np.empty(len(prompts), dtype=np.intp)
    rank[order] = np.arange(len(same)) - first
    return rank


def _split(selection: Selection, options: Options) -> None:
    """Put prompts on the side that a hash of the seed and their own text says.

    So equal texts are on one side whatever their ids, and a prompt stays on its side when labels
    are added, filters changed, or another round exported with the same seed and share.
    """
    parts = ("rows", "ties", "both_bad", "edits")
    prompts = np.unique(np.concatenate([getattr(selection, name).prompts for name in parts]))
    sides = np.zeros(len(prompts), dtype=bool)
    step = 2000
    for start in range(0, len(prompts), step):
        ids = prompts[start : start + step].tolist()
        texts = dict(Prompt.objects.filter(pk__in=ids).values_list("pk", "messages"))
        sides[start : start + step] = [
            is_test(texts[pk], options.test_share, options.seed) for pk in ids
        ]
    for name in parts:
        part: Picked = getattr(selection, name)
        at = np.searchsorted(prompts, part.prompts)
        setattr(selection, name, Picked(**{**vars(part), "in_test": sides[at]}))


def is_test(messages: list[dict[str, str]], share: float, seed: int) -> bool:
    """Whether a prompt is in the test part; blanks and case make no other text of it."""
    words = "\0".join(
        f"{one['role']} {' '.join(one['content'].casefold().split())}" for one in messages
    )
    digest = hashlib.blake2b(words.encode(), digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest) < share * 2**64


def _agreement(answers: Answers) -> Agreement:
    labels = answers.kinds == LABEL
    _, place, number = np.unique(answers.pairs[labels], return_inverse=True, return_counts=True)
    several = number > 1  # the others say nothing, and may be a million
    row = np.cumsum(several) - 1
    telling = several[place]
    cells = row[place[telling]] * N_ANSWERS + answers.said[labels][telling]
    counts = np.bincount(cells, minlength=N_ANSWERS * int(several.sum()))
    return agreement(counts.reshape(-1, N_ANSWERS), rng=np.random.default_rng(0))


def _counts(answers: Answers) -> dict[str, int]:
    labels = answers.kinds == LABEL
    said, left = answers.said[labels], answers.on_left[labels]
    decided = (said == FIRST) | (said == SECOND)
    return {
        "labels": int(labels.sum()),
        "pairs": len(np.unique(answers.pairs[labels])),
        "decided": int(decided.sum()),
        "ties": int((said == TIE).sum()),
        "both_bad": int((said == BOTH_BAD).sum()),
        "left": int(((said == FIRST) == left)[decided].sum()),
        "adjudicated": int((answers.kinds == ADJUDICATION).sum()),
        "machine": int((answers.kinds == MACHINE).sum()),
    }
