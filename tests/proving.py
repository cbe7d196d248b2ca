"""A small pool of answers with their labels, as the benchmark of real labels reads one."""

import itertools

import numpy as np

from benchmarks.proof import sources
from benchmarks.proof.sources import Source
from benchmarks.proof.task import task_of

PROMPTS, SIZE, WIDTH = 40, 4, 6


def source_of(seed=0, prompts=PROMPTS):
    """Completions whose score is a linear function of the numbers that `features` returns."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((prompts, SIZE, WIDTH))
    score = x @ np.arange(1, WIDTH + 1)
    pairs = np.array(
        [(q, a, b) for q in range(prompts) for a, b in itertools.combinations(range(SIZE), 2)]
    )
    gap = score[pairs[:, 0], pairs[:, 1]] - score[pairs[:, 0], pairs[:, 2]]
    preferred = np.where(np.abs(gap) < 2, 0.5, gap > 0)
    questions = tuple(
        sources.Question(
            f"question {q}", tuple(f"answer {k} to {q}" + ", so" * k for k in range(SIZE))
        )
        for q in range(prompts)
    )
    at_hand = {"rounded": np.round(score)}
    return x.reshape(-1, WIDTH), Source(questions, pairs, preferred, score, at_hand)


def task(seed=0, prompts=PROMPTS):
    x, source = source_of(seed, prompts)
    return task_of(source, x, log_probs=-np.arange(float(len(x))), token_counts=np.full(len(x), 3))
