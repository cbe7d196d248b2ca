"""From held-out answers to accuracies, paired differences and label ratios, with intervals.

The intervals are percentile bootstraps over seeds (the split, the draws) and, independently, over
prompts: each resample weighs both anew, as if other seeds and other questions had been drawn from
where these came. Both are crossed, so this is the pigeonhole bootstrap, which errs on the wide side
(Owen, Annals of Applied Statistics 1 (2007) 386-411), here with exponential weights, which leave no
resample without a prompt (Owen and Eckles, the same, 6 (2012) 895-927). Every quantity is computed
from the same resamples, so differences and ratios are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from pairselect.core.arrays import FloatArray, IntArray

RESAMPLES = 1000
ROUNDING = 1e-9  # of accuracies that are equal


class Estimate(NamedTuple):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Curve:
    """What a plan came to: budgets, and what the learner had right of what could be.

    Or another quantity of each prompt, `judged` its weight, and `nothing` what it is where
    nothing was learnt.
    """

    budgets: IntArray  # (b,), rising
    right: FloatArray  # (b, seeds, prompts), 0 where the prompt is not held out
    judged: FloatArray  # (seeds, prompts), likewise
    nothing: float = 0.5

    def accuracies(self) -> FloatArray:
        """(b, 1 + RESAMPLES): held-out accuracy, of all first, then of each resample."""
        seeds, prompts = weights(*self.judged.shape)
        of = np.sum((seeds @ self.judged) * prompts, axis=1)
        return np.stack([np.sum((seeds @ right) * prompts, axis=1) / of for right in self.right])

    def at(self, budget: int) -> int:
        return int(np.flatnonzero(self.budgets == budget)[0])


@lru_cache(maxsize=8)
def weights(seeds: int, prompts: int) -> tuple[FloatArray, FloatArray]:
    """What each seed and each prompt weighs: (1 + RESAMPLES, seeds) and (…, prompts).

    The first row is 1 for each.
    """
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([np.ones((1, k)), rng.standard_exponential((RESAMPLES, k))])
        for k in (seeds, prompts)
    ]
    return drawn[0], drawn[1]


def estimate(values: FloatArray) -> Estimate:
    """From a value and its resamples, (1 + RESAMPLES,)."""
    low, high = np.quantile(values[1:], [0.025, 0.975], method="nearest")
    return Estimate(float(values[0]), float(low), float(high))


def labels_needed(level: float, budgets: IntArray, accuracy: FloatArray) -> float:
    """The number of labels at which a curve (b,) reaches a level.

    The curve is made monotone by isotonic regression and interpolated in log n. 0 where the
    smallest budget is above the level already, ∞ where the largest is below.
    """
    rising = isotonic_regression(accuracy).x
    if level < rising[0] - ROUNDING:
        return 0.0
    if level > rising[-1] + ROUNDING:
        return float("inf")
    # On a plateau the middle of it, else a ratio would depend on the side that it is met from.
    first = int(np.searchsorted(rising, level - ROUNDING, side="left"))
    last = int(np.searchsorted(rising, level + ROUNDING, side="right")) - 1
    logs = np.log(budgets)
    if first <= last:
        return float(np.exp((logs[first] + logs[last]) / 2))
    share = (level - rising[last]) / (rising[first] - rising[last])
    return float(np.exp(logs[last] + share * (logs[first] - logs[last])))


def label_ratio(curve: Curve, budget: int, uniform: Curve) -> Estimate:
    """How many times `budget` labels uniform needs for the accuracy that the plan has there."""
    levels, base = curve.accuracies()[curve.at(budget)], uniform.accuracies()
    needed = [labels_needed(level, uniform.budgets, base[:, k]) for k, level in enumerate(levels)]
    return estimate(np.array(needed) / budget)


def difference(curve: Curve, other: Curve, budget: int) -> Estimate:
    """Of the accuracies at a budget."""
    return estimate(curve.accuracies()[curve.at(budget)] - other.accuracies()[other.at(budget)])
