"""From labels to the learning curve: rows of the pool's features."""

from __future__ import annotations

import numpy as np

from annotate.models import Campaign
from annotate.quality.answers import BOTH_BAD, Answers
from annotate.quality.confounds import estimate
from annotate.quality.facts import BinFacts, ContrastFacts, LearningFacts, PointFacts
from annotate.quality.texts import PairTexts
from pairselect.core import DesignError
from pairselect.core.learning import LearningPoint, learning_curve
from pairselect.designs.bridge import pool_arrays
from pairselect.jobs.progress import JobProgress
from pairselect.pools.storage import FeaturesLost

MOST_DIMENSIONS = 128
TOO_FEW, NO_FEATURES = "labels", "features"


class Unlearnt(Exception):
    """No curve can be drawn; ``reason`` is why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def learning_facts(
    campaign: Campaign,
    labels: Answers,
    texts: PairTexts,
    rng: np.random.Generator,
    progress: JobProgress,
) -> LearningFacts:
    """The fitted reward on held-out labels, with the features that the design was solved with.

    Raises
    ------
    Unlearnt
        When there are too few labels, or the features are gone.
    """
    design = campaign.design
    if design.feature_set is None:
        raise Unlearnt(NO_FEATURES)
    usable = labels.where(labels.said != BOTH_BAD)
    dimension = design.reduction.get("dimension") or MOST_DIMENSIONS
    try:
        arrays = pool_arrays(design.feature_set, dimension=min(dimension, MOST_DIMENSIONS))
    except (FeaturesLost, DesignError):
        raise Unlearnt(NO_FEATURES) from None
    order = np.argsort(arrays.completion_ids)
    place = np.searchsorted(texts.pair_ids, usable.pair_ids)
    sorted_ids = arrays.completion_ids[order]
    rows = order[np.searchsorted(sorted_ids, texts.completions[place].ravel())].reshape(-1, 2)
    try:
        found = learning_curve(
            arrays.candidates,
            rows,
            usable.said / 2,
            texts.is_random[place],
            rng=rng,
            prompt=texts.prompt_ids[place],
            report=lambda done, total: progress.report(done, total, "fitting the reward"),
        )
    except DesignError:
        raise Unlearnt(TOO_FEW) from None
    return LearningFacts(
        everything=[_point(one) for one in found.everything],
        designed=[_point(one) for one in found.designed],
        control=[_point(one) for one in found.control],
        contrast=None
        if found.contrast is None
        else ContrastFacts(
            labels=found.contrast.labels, difference=estimate(found.contrast.difference)
        ),
        reliability=[
            BinFacts(predicted=one.predicted, observed=estimate(one.observed), labels=one.labels)
            for one in found.reliability
        ],
        held_out=found.held_out,
        prompts=found.prompts,
        judged_by_control=found.judged_by_control,
        dimension=arrays.candidates.dimension,
    )


def _point(one: LearningPoint) -> PointFacts:
    return PointFacts(labels=one.labels, accuracy=estimate(one.accuracy))
