"""From records to means, paired ratios and label ratios, each with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.synthetic.experiments import Record
from pairselect.core.arrays import FloatArray, IntArray

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A value and its 95% interval over seeds (percentile bootstrap)."""

    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """The gaps of one design: a column a budget, a row a seed, both in order."""

    shares: FloatArray  # (b,)
    budgets: IntArray  # (b,)
    gaps: FloatArray  # (seeds, b)

    def mean(self) -> FloatArray:
        return np.asarray(self.gaps.mean(axis=0))

    def at(self, budget: int) -> FloatArray:
        """The gaps (seeds,) at this budget."""
        return self.gaps[:, int(np.flatnonzero(self.budgets == budget)[0])]


Curves = dict[tuple[str, str, str], Curve]  # by setting, case and design


def curves(records: Iterable[Record]) -> Curves:
    groups: dict[tuple[str, str, str], dict[int, dict[int, Record]]] = {}
    for record in records:
        by_budget = groups.setdefault((record.setting, record.case, record.design), {})
        by_budget.setdefault(record.budget, {})[record.seed] = record
    found = {}
    for key, by_budget in groups.items():
        budgets = sorted(by_budget)
        rows = [[by_budget[n][s] for s in sorted(by_budget[n])] for n in budgets]
        found[key] = Curve(
            np.array([row[0].share for row in rows]),
            np.array(budgets),
            np.array([[record.gap for record in row] for row in rows]).T,
        )
    return found


def mean_of(gaps: FloatArray) -> Estimate:
    """The mean over seeds of gaps (seeds,)."""
    return _estimate(float(gaps.mean()), gaps[resamples(gaps.size)].mean(axis=1))


def ratio_of(gaps: FloatArray, others: FloatArray) -> Estimate:
    """The ratio of two mean gaps, seeds paired."""
    draw = resamples(gaps.size)
    value = float(gaps.mean() / others.mean())
    return _estimate(value, gaps[draw].mean(axis=1) / others[draw].mean(axis=1))


def label_ratio(gaps: FloatArray, budget: int, uniform: Curve) -> Estimate:
    """How many times `budget` labels uniform needs for the mean of these gaps.

    ∞ where uniform does not get there with every pair; 0 where it needs fewer labels than its
    curve begins with.
    """
    draw = resamples(gaps.size)
    needed = labels_needed(float(gaps.mean()), uniform.budgets, uniform.mean())
    again = [
        labels_needed(float(gaps[seeds].mean()), uniform.budgets, uniform.gaps[seeds].mean(axis=0))
        for seeds in draw
    ]
    return _estimate(needed / budget, np.array(again) / budget)


def labels_needed(level: float, budgets: IntArray, mean_gap: FloatArray) -> float:
    """The number of labels from which on the mean gap stays at most `level`.

    Interpolated in log-log. A small budget can lie below a larger one, where a fit to few labels
    is worse than none; the curve is therefore replaced by its largest value from each budget on.
    """
    envelope = np.maximum.accumulate(mean_gap[::-1])[::-1]
    if level > envelope[0]:
        return 0.0
    if level < envelope[-1]:
        return float("inf")
    # Where values repeat, np.interp takes the neighbours on either side, as it should.
    return float(np.exp(np.interp(np.log(level), np.log(envelope[::-1]), np.log(budgets[::-1]))))


def resamples(seeds: int) -> IntArray:
    """The same resamples of the seeds for every estimate, (RESAMPLES, seeds)."""
    return np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))


def _estimate(value: float, again: FloatArray) -> Estimate:
    low, high = np.quantile(again, [0.025, 0.975], method="nearest")
    return Estimate(value, float(low), float(high))
