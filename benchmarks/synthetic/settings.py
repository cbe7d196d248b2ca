"""The two settings: candidates, reference policy, true reward, exact gap.

A policy of the class is π_θ ∝ exp(θᵀφ) over the candidates of a prompt, and π₀ = π_θ₀. The
KL-regularised objective is J(π) = E_x[E_π r − β KL(π‖π₀)] with reward r = β(θ* − θ₀)ᵀφ in logits,
so its optimum is π* = π_θ* ∝ π₀ exp(r/β), and

    J(π*) − J(π) = β E_x KL(π‖π*),

a finite sum here. DPO's logit of a pair is u = β(θ − θ₀)ᵀg: its fit is a logistic regression of
the labels on g, whose coefficient is an estimate of β(θ* − θ₀).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairselect.core import CandidatePool
from pairselect.core.arrays import FloatArray, IntArray

BETA = 1.0  # DPO's β; only θ* − θ₀ = (reward parameter)/β depends on it

# Tabular: one prompt, one-hot features.
ITEMS = 100
REFERENCE_SD = 2.0  # of log π₀: the ten likeliest of 100 items hold about 70%

# Linear contextual: φ = [x; a; x∘a], x and a standard normal vectors, ∘ by coordinate.
CONTEXTS, CANDIDATES, WIDTH, HELD_OUT = 60, 8, 8, 300
CONTEXT_REFERENCE_SD = 2.0  # of log π₀ over the candidates of a context

REPLICATES = 4  # draws of the labels of an instance, averaged
REWARD_SD = 1.0  # of r over the candidates of a prompt: a random pair's better side wins 72%


@dataclass(frozen=True)
class Candidates:
    """Candidates by prompt, all prompts of one size."""

    features: FloatArray  # (prompts, K, d)
    log_reference: FloatArray  # log π₀, (prompts, K)
    reward: FloatArray  # r in logits, (prompts, K)

    def log_policy(self, reward: FloatArray) -> FloatArray:
        """log of π ∝ π₀ exp(reward/β), (prompts, K)."""
        return _normalised(self.log_reference + reward / BETA)

    def gap(self, coefficient: FloatArray) -> float:
        """β E_x KL(π‖π*) of the policy with reward coefficientᵀφ, in logits."""
        ours = self.log_policy(self.features @ coefficient)
        return BETA * float(
            np.mean(np.sum(np.exp(ours) * (ours - self.log_policy(self.reward)), axis=1))
        )

    def target(self, reward: FloatArray) -> FloatArray:
        """W: the mean over prompts of Cov(φ) under π ∝ π₀ exp(reward/β), (d, d)."""
        p = np.exp(self.log_policy(reward))
        mean = np.einsum("xk,xkd->xd", p, self.features)
        y = (self.features - mean[:, None]) * np.sqrt(p)[:, :, None]
        flat = y.reshape(-1, y.shape[2])
        return np.asarray(flat.T @ flat / len(p))


@dataclass(frozen=True)
class Instance:
    """One draw of a setting. `held_out` are the prompts that the gap is taken over."""

    train: Candidates
    held_out: Candidates
    reward_sd: float
    seed: int
    # Uniform numbers (REPLICATES, pairs): a pair's label is the same for every design.
    label_noise: FloatArray
    flip_noise: FloatArray

    @property
    def n_pairs(self) -> int:
        return int(self.label_noise.shape[1])

    @property
    def prior_sd(self) -> float:
        """The fit's prior, the same for every design: √2 times as wide as the truth."""
        return 2 * self.reward_sd

    def pool(self, *, rewards: FloatArray | None = None) -> CandidatePool:
        """The pool of the training candidates; `rewards` (prompts, K) if they are known."""
        prompts, size, d = self.train.features.shape
        return CandidatePool(
            self.train.features.reshape(-1, d),
            np.repeat(np.arange(prompts), size),
            self.train.log_reference.reshape(-1),
            rewards=None if rewards is None else rewards.reshape(-1),
        )

    def labels(
        self, pool: CandidatePool, pairs: IntArray, replicate: int, flip_rate: float = 0.0
    ) -> FloatArray:
        """Bradley-Terry labels of pairs (n, 2), each flipped with probability `flip_rate`."""
        ids = pool.pair_ids(pairs)
        reward = self.train.reward.reshape(-1)
        logit = reward[pairs[:, 0]] - reward[pairs[:, 1]]
        first = self.label_noise[replicate, ids] < 1 / (1 + np.exp(-logit))
        return np.where(first ^ (self.flip_noise[replicate, ids] < flip_rate), 1.0, 0.0)


def tabular(seed: int, *, reward_sd: float = REWARD_SD) -> Instance:
    """One prompt, 100 items, independent log π₀ ~ N(0, 2²) and r ~ N(0, reward_sd²)."""
    rng = np.random.default_rng([1, seed])
    reference = REFERENCE_SD * rng.standard_normal((1, ITEMS))
    reward = reward_sd * rng.standard_normal((1, ITEMS))
    candidates = Candidates(np.eye(ITEMS)[None], _normalised(reference), reward)
    return _instance(candidates, candidates, reward_sd, seed, rng)


def contextual(seed: int, *, reward_sd: float = REWARD_SD) -> Instance:
    """Contexts with 8 candidates each; θ₀ and θ* − θ₀ are independent random directions."""
    rng = np.random.default_rng([2, seed])
    # The part on x shifts all candidates of a context alike and changes no policy.
    theta_0, reward = rng.standard_normal((2, 3 * WIDTH))
    theta_0 *= CONTEXT_REFERENCE_SD / np.linalg.norm(theta_0[WIDTH:])
    reward *= reward_sd / np.linalg.norm(reward[WIDTH:])

    def draw(contexts: int) -> Candidates:
        x = np.broadcast_to(
            rng.standard_normal((contexts, 1, WIDTH)), (contexts, CANDIDATES, WIDTH)
        )
        a = rng.standard_normal((contexts, CANDIDATES, WIDTH))
        features = np.concatenate([x, a, x * a], axis=2)
        return Candidates(features, _normalised(features @ theta_0), features @ reward)

    train, held_out = draw(CONTEXTS), draw(HELD_OUT)
    return _instance(train, held_out, reward_sd, seed, rng)


SETTINGS = {"tabular": tabular, "contextual": contextual}


def _instance(
    train: Candidates,
    held_out: Candidates,
    reward_sd: float,
    seed: int,
    rng: np.random.Generator,
) -> Instance:
    prompts, size, _ = train.features.shape
    noise = rng.random((2, REPLICATES, prompts * size * (size - 1) // 2))
    return Instance(train, held_out, reward_sd, seed, noise[0], noise[1])


def _normalised(logits: FloatArray) -> FloatArray:
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
