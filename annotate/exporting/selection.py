"""Which answers, or pairs, become rows, in which file and on which side of the split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotate.beliefs import beliefs_of
from annotate.exporting import answers as reading
from annotate.exporting import deciding
from annotate.exporting.answers import ADJUDICATION, LABEL, MACHINE, Answers, Ids
from annotate.exporting.deciding import Bools, Picked
from annotate.exporting.formats import Rows
from annotate.exporting.options import OneRow, Options
from annotate.models import Campaign
from annotate.quality.answers import BOTH_BAD, FIRST, MIRROR, N_ANSWERS, SECOND, TIE
from pairselect.core.agreement import Agreement, agreement
from pairselect.core.clustered import Estimate, clustered_share
from pairselect.pools.models import Prompt


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
    left: Estimate | None  # how often the left text is the better one, of those labels
    removed: list[tuple[str, int]] = field(default_factory=list)  # by which filter, how many

    def removed_with(self, over: int, options: Options) -> list[tuple[str, int]]:
        """All of them, with the rows that a prompt had too many of once they were made."""
        if options.max_per_prompt is None or options.wanted.rows is Rows.LABELS:
            return self.removed
        return [*self.removed, ("max_per_prompt", over)]


class NothingToExport(Exception):
    """The message says what is lacking, and what to do."""


def select(campaign: Campaign, options: Options) -> Selection:
    """Filter, decide and split. 1,000,000 labels take seconds and tens of megabytes."""
    campaigns = reading.campaigns_of(campaign, rounds=options.rounds)
    answers = reading.read(campaigns)
    own = (answers.kinds == LABEL) | (options.machines & (answers.kinds == MACHINE))
    if options.by_pair:
        own |= answers.kinds == ADJUDICATION
        found = deciding.pairs(answers.where(own))
    else:
        found = deciding.labels(answers.where(own))
    if options.needs_beliefs:
        found = deciding.with_beliefs(found, beliefs_of(campaigns, machines=options.machines))
    if options.one_row == OneRow.POSTERIOR:
        found = deciding.by_posterior(found, answers.where(own))
    single = found
    if options.by_pair:
        found = deciding.speaking(found, answers.where(own))
        single = deciding.labels(answers.where(answers.kinds == LABEL))
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
        assert picked.adjudicated is not None
        low = ~(picked.agreement >= options.min_agreement - 1e-9)
        if options.by_pair:
            low &= ~picked.adjudicated  # settled, because they did not agree
        leave_out("min_agreement", low)
    rows = wanted & kept
    if options.min_posterior is not None:
        assert picked.posterior is not None
        chosen = np.where(picked.first_wins, picked.posterior, 1 - picked.posterior)
        low = rows & ~(chosen >= options.min_posterior - 1e-9)
        removed.append(("min_posterior", int(low.sum())))
        rows &= ~low
    if options.max_per_prompt is not None and options.wanted.rows is Rows.LABELS:
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
        _left(answers),
        removed,
    )
    if options.test_share:
        _split(selection, options)
    return selection


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
    return agreement(counts.reshape(-1, N_ANSWERS), mirror=MIRROR, rng=np.random.default_rng(0))


def _left(answers: Answers) -> Estimate | None:
    """Over prompts, whose labels are alike, as the quality page has it."""
    decided = (answers.kinds == LABEL) & ((answers.said == FIRST) | (answers.said == SECOND))
    won = (answers.said[decided] == FIRST) == answers.on_left[decided]
    _, place, number = np.unique(answers.prompts[decided], return_inverse=True, return_counts=True)
    return clustered_share(np.bincount(place, won), number, np.arange(len(number)))


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
