"""The reward: log-odds that a review is positive, by a model trained on the training reviews."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from benchmarks.proof.sentiment.reviews import Review
from pairselect.core.arrays import FloatArray

WORDS = (1, 2)  # words and pairs of words
RAREST = 5  # reviews that a term is in, at least
STRENGTH = 4.0  # the C of scikit-learn


@dataclass(frozen=True)
class Reward:
    """TF-IDF and logistic regression.

    Attributes
    ----------
    accuracy, accuracy_short : float
        On held-out reviews, whole ones and as much of them as a policy writes.
    spread : float
        Standard deviation of the reward over the latter.
    """

    pipeline: Any
    accuracy: float
    accuracy_short: float
    spread: float

    def of(self, texts: Sequence[str]) -> FloatArray:
        """Log-odds of "positive", (n,)."""
        return np.asarray(self.pipeline.decision_function(list(texts)), dtype=np.float64)

    @property
    def mark(self) -> str:
        """The same for the same reward."""
        weights = np.round(self.pipeline[-1].coef_, 6)
        return hashlib.sha256(weights.tobytes()).hexdigest()[:12]


def train_reward(train: Sequence[Review], test: Sequence[Review], *, words: int) -> Reward:
    """Fit to reviews, and look at others; ``words`` is the length of the short ones."""
    pipeline = Pipeline(
        [
            ("terms", TfidfVectorizer(ngram_range=WORDS, min_df=RAREST, sublinear_tf=True)),
            ("weights", LogisticRegression(C=STRENGTH, max_iter=200)),
        ]
    )
    pipeline.fit([one.text for one in train], [one.positive for one in train])
    positive = np.array([one.positive for one in test])
    whole = pipeline.decision_function([one.text for one in test])
    short = pipeline.decision_function([one.beginning(words) for one in test])
    return Reward(
        pipeline,
        float(np.mean((whole > 0) == positive)),
        float(np.mean((short > 0) == positive)),
        float(np.std(short)),
    )


def save_reward(reward: Reward, file: Path) -> None:
    partial = file.with_suffix(".partial")
    joblib.dump(reward, partial)
    partial.replace(file)


def load_reward(file: Path) -> Reward:
    found = joblib.load(file)
    assert isinstance(found, Reward)
    return found
