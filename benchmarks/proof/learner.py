"""The reward model that labels teach; the main one a Bradley-Terry fit, the product's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.proof.task import Split
from pairselect.core import fit_bradley_terry
from pairselect.core.arrays import FloatArray, IntArray


class RewardLearner(Protocol):
    """Labels in, rewards out; the same for every strategy."""

    @property
    def name(self) -> str:
        """Whatever decides what it learns."""

    @property
    def dimension(self) -> int:
        """Of the features of the pool whose rows pairs are numbered by."""

    def rewards(self, split: Split, pairs: IntArray) -> FloatArray:
        """Of the task's rows (n,), those of held-out prompts at least, from labelled pairs.

        The pairs are (k, 2), rows of the split's pool.
        """


@dataclass(frozen=True)
class Learner:
    """θ̂ from labels; the same for every strategy.

    Attributes
    ----------
    dimension : int
        Of the features that it sees.
    ties : {"half", "dropped"}
        A tie counts half for each side, or its label is spent and teaches nothing.
    prior_sd : float or None
        None: the evidence of the training labels chooses.
    """

    dimension: int = 128
    ties: str = "half"
    prior_sd: float | None = None

    @property
    def name(self) -> str:
        return f"{self.dimension}:{self.ties}:{self.prior_sd or 'evidence'}"

    def fit(self, split: Split, pairs: IntArray) -> FloatArray:
        """θ̂ (d,) from the labels of pairs (n, 2), rows of the split's pool; 0 without a label."""
        pool, preferred = split.pool(self.dimension), split.labels(pairs)
        if self.ties == "dropped":
            pairs, preferred = pairs[preferred != 0.5], preferred[preferred != 0.5]
        if not len(pairs):
            return np.zeros(pool.dimension)
        return fit_bradley_terry(pool, pairs, preferred, prior_sd=self.prior_sd).theta

    def rewards(self, split: Split, pairs: IntArray) -> FloatArray:
        """θ̂ᵀφ of every row."""
        theta = self.fit(split, pairs)
        found: FloatArray = split.task.features[:, : theta.size] @ theta
        return found
