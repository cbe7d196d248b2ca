"""From rewards and log-ratios to frontiers, rewards at equal KL and label ratios, with intervals.

The intervals are those of `benchmarks.proof.statistics`: bootstraps over seeds and, crossed with
them, over evaluation prompts; every quantity comes from the same resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.proof.sentiment.runs import Measured
from benchmarks.proof.statistics import Estimate, estimate, labels_needed, weights
from pairselect.core.arrays import FloatArray

# Equal KL is measured a little inside of what every policy reaches, so that resamples reach it.
INSIDE = 0.9


@dataclass(frozen=True, eq=False)
class Frontier:
    """One plan's policies along β, from the reference on.

    Attributes
    ----------
    betas : (b,) floats
    reward, kl : (b, 1 + RESAMPLES) arrays
        Means over seeds and prompts.
    start : (1 + RESAMPLES,) array
        Mean reward of the reference, whose KL is 0.
    kl_error : (b,) array
        Standard error of each KL, over seeds and prompts.
    """

    betas: tuple[float, ...]
    reward: FloatArray
    kl: FloatArray
    start: FloatArray
    kl_error: FloatArray

    def at(self, kl: float) -> FloatArray:
        """The mean reward (1 + RESAMPLES,) at this KL.

        Interpolated linearly in √KL, as small steps gain reward in proportion to it. Beyond the
        last policy the reward is that of the last.
        """
        found = np.empty(self.start.size)
        for k in range(found.size):
            order = np.argsort(self.kl[:, k])
            x = np.sqrt(np.maximum(np.concatenate([[0.0], self.kl[order, k]]), 0.0))
            y = np.concatenate([self.start[k : k + 1], self.reward[order, k]])
            found[k] = np.interp(np.sqrt(max(kl, 0.0)), x, y)
        return found

    def objective(self, beta: float) -> FloatArray:
        """Mean reward − β·KL of the policy trained with this β, (1 + RESAMPLES,)."""
        place = self.betas.index(beta)
        return np.asarray(self.reward[place] - beta * self.kl[place])

    def points(self) -> tuple[list[float], list[Estimate]]:
        """KL and reward from the reference on, by rising KL."""
        order = np.argsort(self.kl[:, 0])
        rewards = [estimate(self.start), *(estimate(self.reward[k]) for k in order)]
        return [0.0, *self.kl[order, 0].tolist()], rewards

    @property
    def reach(self) -> float:
        """The largest KL."""
        return float(self.kl[:, 0].max())


def frontier(
    policies: Mapping[float, Sequence[Measured]], reference: Sequence[Measured]
) -> Frontier:
    """From the policies of each β and the reference, one a seed each."""
    betas = tuple(sorted(policies))
    ratio = np.array([[one.log_ratio for one in policies[beta]] for beta in betas])
    reward = np.array([[one.reward for one in policies[beta]] for beta in betas])
    kl = np.stack([averages(one) for one in ratio])
    return Frontier(
        betas,
        np.stack([averages(one) for one in reward]),
        kl,
        averages(np.array([one.reward for one in reference])),
        kl[:, 1:].std(axis=1),
    )


def averages(values: FloatArray) -> FloatArray:
    """The mean of values (seeds, prompts), and of each resample: (1 + RESAMPLES,)."""
    seeds, prompts = weights(*values.shape)
    total = seeds.sum(axis=1) * prompts.sum(axis=1)
    return np.asarray(np.sum((seeds @ values) * prompts, axis=1) / total)


def equal_kl(frontiers: Sequence[Frontier]) -> float:
    """A KL that all of them reach."""
    return max(INSIDE * min(one.reach for one in frontiers), 0.0)


def ratio_of_labels(level: FloatArray, budget: int, uniform: Mapping[int, FloatArray]) -> Estimate:
    """How many times `budget` labels uniform needs for the level (1 + RESAMPLES,) of a plan.

    ``uniform`` has the same quantity for each of its budgets.
    """
    budgets = np.array(sorted(uniform))
    curve = np.stack([uniform[int(n)] for n in budgets])
    needed = [labels_needed(one, budgets, curve[:, k]) for k, one in enumerate(level)]
    return estimate(np.array(needed) / budget)
