"""Small pools with known structure."""

import numpy as np
import pytest

from pairselect.core import CandidatePool


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260619)


@pytest.fixture
def ragged(rng: np.random.Generator) -> CandidatePool:
    """Prompts of 1 to 5 completions, rows shuffled, labels with gaps, an offset on each prompt."""
    return make_ragged(rng)


def make_ragged(
    rng: np.random.Generator, sizes: tuple[int, ...] = (3, 1, 5, 2, 4, 3, 1, 5), d: int = 4
) -> CandidatePool:
    prompt = rng.permutation(np.repeat(10 * np.arange(len(sizes)) - 7, sizes))
    offset = 5 * rng.standard_normal((len(sizes), d))
    features = rng.standard_normal((prompt.size, d)) * np.linspace(1, 3, d)
    features += offset[(prompt + 7) // 10]
    log_probs = rng.standard_normal(prompt.size) * 3
    scores = np.random.default_rng(prompt.size).standard_normal(prompt.size)
    return CandidatePool(features, prompt, log_probs, scores=scores)


def every_pair(prompt: np.ndarray) -> np.ndarray:
    """All pairs of rows of one prompt, by the definition."""
    n = len(prompt)
    return np.array([(i, j) for i in range(n) for j in range(i + 1, n) if prompt[i] == prompt[j]])


def phi(
    pool_features: np.ndarray,
    pairs: np.ndarray,
    weights: np.ndarray,
    W: np.ndarray,
    base: np.ndarray,
) -> float:
    """Φ straight from the definition, with no code of the core."""
    g = pool_features[pairs[:, 0]] - pool_features[pairs[:, 1]]
    return float(np.trace(W @ np.linalg.inv(base + (g.T * weights) @ g)))
