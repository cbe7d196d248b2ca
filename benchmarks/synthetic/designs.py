"""The designs that are compared, each a way to choose n pairs of an instance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.synthetic.settings import REPLICATES, Instance
from pairselect.core import Design as SolvedDesign
from pairselect.core import choose_pairs, next_round, select_pairs, solve_trace_design
from pairselect.core.arrays import IntArray
from pairselect.core.bradley_terry import fit_bradley_terry

# Certified fraction above the optimum at which a design will do: far below what seeds differ by.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Design:
    """`strategy` and `method` of `choose_pairs`, and what the design is told."""

    label: str
    strategy: str
    method: str = "randomized"
    oracle: bool = False  # W and σ′ at θ* instead of θ₀
    from_prior: bool = False  # the design knows the fit's prior
    draws: int = 2  # independent choices, averaged


DESIGNS = {
    "uniform": Design("uniform", "uniform", draws=3),
    "reference": Design("reference-weighted", "reference_weighted"),
    "first_two": Design("first two", "first_two", draws=1),
    "d_optimal": Design("D-optimal", "d_optimal", "exact", draws=1),
    "vertex": Design("trace, vertex (the paper's)", "trace_vertex", draws=1),
    "randomized": Design("trace, capped, randomized", "trace"),
    "capped": Design("trace, capped, exact", "trace", "exact", draws=1),
    "from_prior": Design("trace, capped, with the prior", "trace", from_prior=True),
    "oracle": Design("trace, capped, at θ* (oracle)", "trace", oracle=True),
}


@dataclass
class Chooser:
    """Chooses pairs, and remembers the choices and the designs that experiments share."""

    found: dict[tuple[str, int, float], list[IntArray]] = field(default_factory=dict)
    solved: dict[tuple[bool, bool, int, float], SolvedDesign] = field(default_factory=dict)

    def pairs(self, instance: Instance, name: str, budget: int) -> list[IntArray]:
        """The pairs (budget, 2) of each draw."""
        design = DESIGNS[name]
        key = (name, budget, scale_of(instance, design))
        if key not in self.found:
            rng = np.random.default_rng([3, instance.seed, list(DESIGNS).index(name), budget])
            self.found[key] = [
                self._draw(instance, design, budget, rng) for _ in range(design.draws)
            ]
        return self.found[key]

    def _draw(
        self, instance: Instance, design: Design, budget: int, rng: np.random.Generator
    ) -> IntArray:
        if design.strategy == "trace":
            return select_pairs(
                self.solve(instance, design, budget), method=design.method, rng=rng
            ).pairs
        return choose_pairs(
            instance.pool(),
            strategy=design.strategy,
            budget=budget,
            method=design.method,
            target=instance.train.target(np.zeros_like(instance.train.reward)),
            tolerance=TOLERANCE,
            rng=rng,
        ).pairs

    def solve(self, instance: Instance, design: Design, budget: int) -> SolvedDesign:
        """The trace design, capped."""
        reward = instance.train.reward
        key = (design.oracle, design.from_prior, budget, scale_of(instance, design))
        if key not in self.solved:
            pool = instance.pool(rewards=reward if design.oracle else None)
            self.solved[key] = solve_trace_design(
                pool,
                budget,
                prior_sd=instance.prior_sd if design.from_prior else None,
                tolerance=TOLERANCE,
                target=instance.train.target(reward if design.oracle else np.zeros_like(reward)),
            )
        return self.solved[key]


def scale_of(instance: Instance, design: Design) -> float:
    """The reward's scale for the designs that depend on it; 0 for those that do not."""
    return instance.reward_sd if design.oracle or design.from_prior else 0.0


def choose_in_rounds(
    chooser: Chooser, instance: Instance, budget: int, rounds: int, replicate: int
) -> IntArray:
    """Pairs (budget, 2), a part a round, each designed at the fit to the labels so far.

    The first round is the design at θ₀; all know the fit's prior.
    """
    pool = instance.pool()
    rng = np.random.default_rng([4, instance.seed, budget, rounds, replicate])
    sizes = np.diff(np.linspace(0, budget, rounds + 1).round().astype(int)).tolist()
    first = chooser.solve(instance, DESIGNS["from_prior"], sizes[0])
    pairs = select_pairs(first, method="randomized", rng=rng).pairs
    for size in sizes[1:]:
        labels = instance.labels(pool, pairs, replicate)
        fit = fit_bradley_terry(pool, pairs, labels, prior_sd=instance.prior_sd)
        step = next_round(
            pool,
            pairs,
            labels,
            budget=size,
            prior_sd=instance.prior_sd,
            fit_prior_sd=instance.prior_sd,
            target=instance.train.target(fit.rewards.reshape(instance.train.reward.shape)),
            method="randomized",
            tolerance=TOLERANCE,
            rng=rng,
        )
        pairs = np.concatenate([pairs, step.selection.pairs])
    return pairs


def gap_after(
    instance: Instance,
    draws: list[IntArray],
    *,
    prior_sd: float | None = None,
    evidence: bool = False,
    flip_rate: float = 0.0,
    replicates: range = range(REPLICATES),
) -> float:
    """J(π*) − J(π_θ̂) on the held-out prompts, the mean over draws of pairs and of labels.

    `prior_sd` is the instance's unless another is given, or the evidence chooses.
    """
    sd = None if evidence else prior_sd or instance.prior_sd
    pool = instance.pool()
    gaps = []
    for pairs in draws:
        for replicate in replicates:
            labels = instance.labels(pool, pairs, replicate, flip_rate)
            fit = fit_bradley_terry(pool, pairs, labels, prior_sd=sd)
            gaps.append(instance.held_out.gap(fit.theta))
    return float(np.mean(gaps))
