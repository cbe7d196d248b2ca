"""What else decides: position, length, Markdown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from annotate.quality.answers import FIRST, SECOND, Answers
from annotate.quality.facts import AdjustedFacts, ConfoundFacts, EstimateFacts, ShareFacts
from annotate.quality.texts import PairTexts
from pairselect.core.arrays import IntArray
from pairselect.core.clustered import Estimate, clustered_logistic, clustered_share

FEWEST = 30  # decided labels, for a regression
LONGEST = 3.0  # |log₂ ratio|: an eight times longer text counts as eight times, not as eighty


def estimate(found: Estimate) -> EstimateFacts:
    return EstimateFacts(value=found.value, low=found.low, high=found.high)


def share(
    successes: npt.ArrayLike, trials: npt.ArrayLike, cluster: npt.ArrayLike
) -> ShareFacts | None:
    """None of no trials."""
    found = clustered_share(successes, trials, cluster)
    if found is None:
        return None
    count, total = float(np.sum(successes)), float(np.sum(trials))
    return ShareFacts(value=found.value, low=found.low, high=found.high, count=count, total=total)


def confounds(labels: Answers, texts: PairTexts) -> ConfoundFacts:
    """Of people's labels. Position is of the decided ones; the rest where the two differ in it."""
    decided = labels.where((labels.said == FIRST) | (labels.said == SECOND))
    place = np.searchsorted(texts.pair_ids, decided.pair_ids)
    first_won, prompts = decided.said == FIRST, texts.prompt_ids[place]

    def more_wins(difference: IntArray) -> ShareFacts | None:
        sign = np.sign(difference[place])
        differs = sign != 0
        return share((sign > 0)[differs] == first_won[differs], differs[differs], prompts[differs])

    return ConfoundFacts(
        left=share(first_won == decided.on_left, np.ones(len(decided)), prompts),
        longer_characters=more_wins(texts.characters),
        longer_tokens=more_wins(texts.tokens),
        formatted=more_wins(texts.markdown),
        adjusted=_adjusted(decided, texts, place, prompts),
    )


def _adjusted(
    decided: Answers, texts: PairTexts, place: npt.NDArray[np.intp], prompts: IntArray
) -> AdjustedFacts | None:
    """By one regression of “the first won” on all three; None where there is too little for it."""
    if len(decided) < FEWEST or len(np.unique(prompts)) < 2:
        return None
    length = np.clip(texts.log_length[place], -LONGEST, LONGEST)
    side = np.where(decided.on_left, 1.0, -1.0)
    marks = np.sign(texts.markdown[place]).astype(float)
    has_marks = bool(marks.any())
    columns = [length, side, marks] if has_marks else [length, side]
    found = clustered_logistic(np.stack(columns, axis=1), decided.said == FIRST, prompts)
    return AdjustedFacts(
        labels=len(decided),
        twice_as_long=estimate(found.share(0)),
        left=estimate(found.share(1)),
        formatted=estimate(found.share(2)) if has_marks else None,
    )
