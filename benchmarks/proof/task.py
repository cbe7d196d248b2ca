"""A pool with its labels, and what a strategy may see of it: the prompts that are not held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.special import expit, rel_entr, softmax

from benchmarks.proof.sentiment.labels import FLIPPED
from benchmarks.proof.sources import Source
from pairselect.core import CandidatePool, near_duplicates
from pairselect.core.arrays import BoolArray, FloatArray, IntArray

TEST_SHARE = 0.25  # of the prompts


@dataclass(frozen=True, eq=False)
class Task:
    """Completions as rows, in the order of (question, completion), and every pair with its label.

    The features are those of the whole pool, reduced as the product reduces a pool: texts of
    held-out prompts take part in centring, scaling and the choice of axes, their labels in nothing.
    """

    features: FloatArray  # (n, D), reduced; the first d columns are the reduction to d
    prompt: IntArray  # (n,), 0 to n_prompts − 1
    log_probs: FloatArray  # (n,), nats
    token_counts: IntArray  # (n,)
    text_id: IntArray  # (n,)
    pairs: IntArray  # (m, 2), the first below the second
    preferred: FloatArray  # (m,)
    score: FloatArray  # (n,), a perfect score
    at_hand: Mapping[str, FloatArray]  # (n,) each, scores that cost nobody's judgement
    designed_on: FloatArray | None = None  # (n, D'), reduced; None: `features`, as for the learner

    @property
    def n_prompts(self) -> int:
        return int(self.prompt[-1]) + 1

    @cached_property
    def decided(self) -> BoolArray:
        """(m,): not a tie."""
        return self.preferred != 0.5

    @cached_property
    def judged(self) -> FloatArray:
        """Decided pairs of each prompt, (n_prompts,)."""
        prompts = self.prompt[self.pairs[self.decided, 0]]
        return np.bincount(prompts, minlength=self.n_prompts).astype(np.float64)

    @cached_property
    def _keys(self) -> IntArray:
        keys: IntArray = self.pairs[:, 0] * len(self.prompt) + self.pairs[:, 1]
        assert np.all(np.diff(keys) > 0)  # so that they can be looked up
        return keys

    def labels(self, pairs: IntArray) -> FloatArray:
        """The label of each pair (k, 2), the first below the second."""
        keys = pairs[:, 0] * len(self.prompt) + pairs[:, 1]
        return self.preferred[np.searchsorted(self._keys, keys)]

    def right(self, reward: FloatArray, prompts: IntArray) -> FloatArray:
        """Decided pairs of each of these prompts whose winner the reward (n,) tells; a tie is ½."""
        here = self.decided & np.isin(self.prompt[self.pairs[:, 0]], prompts)
        pairs = self.pairs[here]
        logit = reward[pairs[:, 0]] - reward[pairs[:, 1]]
        right = np.where(logit == 0, 0.5, (logit > 0) == (self.preferred[here] == 1))
        return np.bincount(self.prompt[pairs[:, 0]], right, minlength=self.n_prompts)[prompts]

    def gains(self, reward: FloatArray, prompts: IntArray, kl: float) -> FloatArray:
        """What a policy that follows a reward (n,) gains in the true score, by these prompts.

        The policy draws among a prompt's completions, each of which the reference wrote, with
        probabilities in proportion to exp(t reward): what DPO comes to in the log-linear class
        where the reward is θᵀφ, on samples. t is that at which KL(policy ‖ reference), the mean
        over the prompts, is `kl` nats, or the sharpest there is. What all draw alike from the
        reference is taken off. Prompts have equally many completions.
        """
        rows = np.flatnonzero(np.isin(self.prompt, prompts)).reshape(len(prompts), -1)
        return gained(reward[rows], self.score[rows], kl)

    def noisy_score(self, correlation: float, rng: np.random.Generator) -> FloatArray:
        """The score with noise, so that its differences within prompts correlate as much.

        Noise of variance s²(1/ρ² − 1) on each completion, s² the mean variance within prompts.
        """
        if correlation >= 1:
            return self.score
        noise = rng.standard_normal(self.score.size)
        if correlation <= 0:
            return noise
        difference = self.score[self.pairs[:, 0]] - self.score[self.pairs[:, 1]]
        variance = float(np.mean(difference**2)) / 2
        found: FloatArray = self.score + noise * np.sqrt(variance * (correlation**-2 - 1))
        return found


def gained(reward: FloatArray, score: FloatArray, kl: float) -> FloatArray:
    """Mean score under the weights of `tempered` less the plain mean, (prompts,)."""
    weights = tempered(reward, kl)
    found: FloatArray = np.sum(weights * score, axis=1) - score.mean(axis=1)
    return found


def tempered(reward: FloatArray, kl: float) -> FloatArray:
    """Weights (prompts, K) ∝ exp(t reward), rows sum to 1, of mean KL to uniform `kl` nats.

    t is found by bisection; where no t is large enough, the largest that is tried.
    """
    spread = float(np.std(reward - reward.mean(axis=1, keepdims=True)))
    if spread == 0:
        return np.full(reward.shape, 1 / reward.shape[1])
    low, high = 0.0, 1e4 / spread
    for _ in range(60):
        t = (low + high) / 2
        weights = softmax(t * reward, axis=1)
        found = np.mean(np.sum(rel_entr(weights, 1 / reward.shape[1]), axis=1))
        low, high = (t, high) if found < kl else (low, t)
    return np.asarray(softmax(high * reward, axis=1))


def relabelled(task: Task, kind: str, seed: int) -> Task:
    """The same with other labels on all pairs.

    ``noise-free``: the higher score, a tie where both are equal. ``bradley-terry``: the first with
    probability σ(difference of the scores), drawn by the seed. ``25% flipped``: its own, a quarter
    of those that are no tie turned round, drawn by the seed; after a comma behind another kind,
    that kind's.
    """
    rng = np.random.default_rng([7, seed, len(task.pairs)])
    gap = task.score[task.pairs[:, 0]] - task.score[task.pairs[:, 1]]
    labels = task.preferred
    for one in kind.split(", "):
        draws = rng.random(len(gap))
        if one == "noise-free":
            labels = (1 + np.sign(gap)) / 2
        elif one == "bradley-terry":
            labels = (draws < expit(gap)).astype(np.float64)
        elif one == "25% flipped":
            labels = np.where(draws < FLIPPED, 1 - labels, labels)
        else:
            raise ValueError(f"There are no labels {one!r}.")
    return replace(task, preferred=labels)


def task_of(source: Source, raw_features: FloatArray, **columns: IntArray | FloatArray) -> Task:
    """Rows of a source, with features reduced to rows of the same order."""
    questions, size = source.score.shape
    texts = [text for question in source.questions for text in question.completions]
    seen: dict[str, int] = {}
    return Task(
        features=raw_features,
        prompt=np.repeat(np.arange(questions), size),
        log_probs=np.asarray(columns["log_probs"]),
        token_counts=np.asarray(columns["token_counts"]),
        text_id=np.array([seen.setdefault(text.strip(), len(seen)) for text in texts]),
        pairs=source.pairs[:, :1] * size + source.pairs[:, 1:],
        preferred=source.preferred,
        score=source.score.reshape(-1),
        at_hand={name: one.reshape(-1) for name, one in source.at_hand.items()},
    )


@dataclass(frozen=True, eq=False)
class Split:
    """One seed's training prompts as a pool of their own, and the prompts held out."""

    task: Task
    seed: int
    test: IntArray  # prompts, in order
    rows: IntArray  # of the training prompts
    _pools: dict[tuple[int, bool], CandidatePool] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, seed: int) -> Split:
        order = np.random.default_rng([1, seed]).permutation(task.n_prompts)
        test = np.sort(order[: round(TEST_SHARE * task.n_prompts)])
        return cls(task, seed, test, np.flatnonzero(~np.isin(task.prompt, test)))

    @property
    def n_prompts(self) -> int:
        """Of the training prompts."""
        return self.task.n_prompts - self.test.size

    def pool(self, dimension: int) -> CandidatePool:
        """The training prompts as the product has them: equal texts and near-duplicates barred."""
        return self._pool(self.task.features, dimension)

    def design_pool(self, dimension: int) -> CandidatePool:
        """The same as a design sees it."""
        other = self.task.designed_on
        return self.pool(dimension) if other is None else self._pool(other, dimension)

    def _pool(self, features: FloatArray, dimension: int) -> CandidatePool:
        d = min(dimension, features.shape[1])
        key = d, features is self.task.features
        if key not in self._pools:
            rows = self.rows
            pool = CandidatePool(
                features[rows, :d],
                self.task.prompt[rows],
                self.task.log_probs[rows],
                text_id=self.task.text_id[rows],
            )
            near = near_duplicates(pool, limit=pool.n_pairs)
            if near.count:
                pool = pool.without(pool.pair_ids(near.pairs))
            self._pools[key] = pool
        return self._pools[key]

    def scores(self, name: str) -> FloatArray:
        """A score for each of `rows`.

        ``true``; ``noisy:CORRELATION``; ``log_prob``, a token's; or one of the task's `at_hand`.
        """
        if name == "true":
            found = self.task.score
        elif name == "log_prob":
            found = self.task.log_probs / np.maximum(self.task.token_counts, 1)
        elif name in self.task.at_hand:
            found = self.task.at_hand[name]
        else:
            correlation = float(name.removeprefix("noisy:"))
            found = self.task.noisy_score(correlation, np.random.default_rng([2, self.seed]))
        return found[self.rows]

    def labels(self, pairs: IntArray) -> FloatArray:
        """Labels of pairs (k, 2), numbered as rows of the pool."""
        return self.task.labels(self.rows[pairs])
