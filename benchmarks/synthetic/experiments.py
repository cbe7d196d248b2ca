"""One function an experiment: a setting and a seed in, records out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.synthetic.designs import (
    DESIGNS,
    Chooser,
    choose_in_rounds,
    gap_after,
)
from benchmarks.synthetic.settings import REPLICATES, SETTINGS, Instance

# Shares of all pairs.
BUDGETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.6)
FEW_BUDGETS = (0.02, 0.1, 0.25)
# The uniform curve that label ratios are read from.
UNIFORM_BUDGETS = tuple(float(f) for f in np.geomspace(0.0025, 1, 24))
FLIP_RATES = (0.0, 0.1, 0.25)
DISTANCES = (0.5, 1.0, 2.0, 4.0)  # reward sd; θ* − θ₀ is the reward over β
DISTANCE_BUDGET = 0.1
PRIORS = (0.5, 1.0, 2.0, 4.0, 8.0, None)
ROUNDS = 4
ROUND_REWARDS = (1.0, 2.0)
FEW_REPLICATES = range(2)
ROUND_REPLICATES = range(1)


class Record(NamedTuple):
    """A gap in logits. `case` says what varies apart from design and budget."""

    setting: str
    case: str
    design: str
    share: float  # the budget's share of all pairs
    budget: int
    seed: int
    gap: float


def main_comparison(chooser: Chooser, setting: str, seed: int) -> Iterator[Record]:
    """Every design at every budget."""
    instance = SETTINGS[setting](seed)
    yield without_labels(instance, setting, "")
    for name in DESIGNS:
        if name == "first_two" and setting == "tabular":
            continue  # one prompt: a single pair
        for share in UNIFORM_BUDGETS + BUDGETS if name == "uniform" else BUDGETS:
            yield designed(chooser, instance, setting, "", name, share)


def noise(chooser: Chooser, setting: str, seed: int) -> Iterator[Record]:
    """Labels flipped at random; the choice of pairs does not depend on them."""
    instance = SETTINGS[setting](seed)
    yield without_labels(instance, setting, "")
    for name in ("uniform", "capped"):
        for share in UNIFORM_BUDGETS if name == "uniform" else BUDGETS:
            for rate in FLIP_RATES:
                case = f"{rate:.0%}"
                yield designed(
                    chooser,
                    instance,
                    setting,
                    case,
                    name,
                    share,
                    flip_rate=rate,
                    replicates=FEW_REPLICATES,
                )


def distance(chooser: Chooser, setting: str, seed: int) -> Iterator[Record]:
    """θ* moves away from θ₀ along a line."""
    for sd in DISTANCES:
        instance = SETTINGS[setting](seed, reward_sd=sd)
        yield without_labels(instance, setting, f"{sd:g}")
        for name in ("uniform", "randomized", "oracle"):
            yield designed(chooser, instance, setting, f"{sd:g}", name, DISTANCE_BUDGET)


def rounds(chooser: Chooser, setting: str, seed: int) -> Iterator[Record]:
    """The budget in one round or in four."""
    for sd in ROUND_REWARDS:
        instance, case = SETTINGS[setting](seed, reward_sd=sd), f"{sd:g}"
        for share in FEW_BUDGETS:
            for name in ("uniform", "from_prior"):
                yield designed(
                    chooser,
                    instance,
                    setting,
                    case,
                    name,
                    share,
                    replicates=ROUND_REPLICATES,
                )
            budget = budget_of(instance, share)
            gaps = [
                gap_after(
                    instance,
                    [choose_in_rounds(chooser, instance, budget, ROUNDS, k)],
                    replicates=range(k, k + 1),
                )
                for k in ROUND_REPLICATES
            ]
            yield Record(setting, case, "rounds", share, budget, seed, float(np.mean(gaps)))


def prior(chooser: Chooser, setting: str, seed: int) -> Iterator[Record]:
    """The regularisation of the fit."""
    instance = SETTINGS[setting](seed)
    yield without_labels(instance, setting, "")
    for share in FEW_BUDGETS:
        for name in ("uniform", "capped"):
            for sd in PRIORS:
                case = "evidence" if sd is None else f"{sd:g}"
                yield designed(
                    chooser, instance, setting, case, name, share, prior_sd=sd, evidence=sd is None
                )


Experiment = Callable[[Chooser, str, int], Iterator[Record]]
EXPERIMENTS: dict[str, tuple[Experiment, tuple[str, ...]]] = {
    "tabular": (main_comparison, ("tabular",)),
    "contextual": (main_comparison, ("contextual",)),
    "noise": (noise, ("tabular", "contextual")),
    "distance": (distance, ("tabular", "contextual")),
    "rounds": (rounds, ("tabular", "contextual")),
    "prior": (prior, ("tabular", "contextual")),
}


def run(task: tuple[tuple[str, ...], str, int]) -> dict[str, list[Record]]:
    """These experiments in one setting at one seed; what a worker process does."""
    names, setting, seed = task
    chooser = Chooser()
    return {
        name: list(EXPERIMENTS[name][0](chooser, setting, seed))
        for name in names
        if setting in EXPERIMENTS[name][1]
    }


def designed(
    chooser: Chooser,
    instance: Instance,
    setting: str,
    case: str,
    name: str,
    share: float,
    *,
    prior_sd: float | None = None,
    evidence: bool = False,
    flip_rate: float = 0.0,
    replicates: range = range(REPLICATES),
) -> Record:
    """The gap of a design at one budget."""
    budget = budget_of(instance, share)
    gap = gap_after(
        instance,
        chooser.pairs(instance, name, budget),
        prior_sd=prior_sd,
        evidence=evidence,
        flip_rate=flip_rate,
        replicates=replicates,
    )
    return Record(setting, case, name, share, budget, instance.seed, gap)


def without_labels(instance: Instance, setting: str, case: str) -> Record:
    """The gap of π₀ itself."""
    zero = np.zeros(instance.held_out.features.shape[2])
    return Record(setting, case, "none", 0.0, 0, instance.seed, instance.held_out.gap(zero))


def budget_of(instance: Instance, share: float) -> int:
    return max(1, round(share * instance.n_pairs))
