"""What is compared: plans by name, and the budgets that they are measured at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.proof.plans import DEFAULT, Plan

BUDGETS = (50, 100, 200, 400, 800, 1600)
# The uniform curve that label ratios are read from; all pairs are added.
UNIFORM_BUDGETS = (25, 35, 50, 70, 100, 140, 200, 280, 400, 565, 800, 1130, 1600, 2260, 3200)
ROUNDS = 4
FEW_BUDGETS = (100, 565)
UNIFORM = Plan(strategy="uniform", draws=4)
PLAIN = Plan()


@dataclass(frozen=True)
class Named:
    """A plan, and what it is called in tables."""

    label: str
    plan: Plan
    budgets: tuple[int, ...] = BUDGETS


def noisy(correlation: float) -> str:
    return "true" if correlation >= 1 else f"noisy:{correlation:g}"


NOISY = noisy(0.46)
# Four rounds to 1,600 labels take longer than everything else together.
ROUND_BUDGETS = (100, 200, 400, 800)
SCORE_BUDGETS = (50, 100, 200, 400, 800)


def main_plans(at_hand: Iterable[str]) -> dict[str, Named]:
    """Every strategy; those that look at scores, with every score at hand."""
    sampled = designed(method="randomized", draws=3)
    found = {
        "uniform": Named("uniform", UNIFORM, UNIFORM_BUDGETS),
        "first_two": Named("first two", Plan("first_two")),
        "reference": Named("reference-weighted", Plan("reference_weighted", draws=2)),
        "k_center": Named("k-center", Plan("k_center")),
        "d_optimal": Named("D-optimal", designed("d_optimal", method="randomized", draws=2)),
        "vertex": Named("trace, vertex (the paper's)", Plan("trace_vertex", draws=2)),
        "plain": Named("trace, exact, no prior", PLAIN),
        "trace": Named("trace, exact (the default)", DEFAULT),
        "randomized": Named("trace, randomized", sampled),
        "share": Named("trace, randomized, 30% random", replace(sampled, random_share=0.3)),
        "uncertainty": Named("rounds, uncertainty", in_rounds("uncertainty"), ROUND_BUDGETS),
        "rounds": Named("rounds, trace", in_rounds("trace"), ROUND_BUDGETS),
        "rounds_gap": Named("rounds, trace_gap", in_rounds("trace_gap"), ROUND_BUDGETS),
    }
    scores = {"log_prob": "log-probability", **{name: name for name in at_hand}}
    scores |= {NOISY: "noisy truth", "true": "truth"}
    for score, said in scores.items():
        if score != "log_prob":
            found[f"max_gap:{score}"] = Named(f"max_gap, {said}", Plan("max_gap", scores=score))
        plan = designed("trace_gap", scores=score)
        found[f"trace_gap:{score}"] = Named(f"trace_gap, {said}", plan, SCORE_BUDGETS)
        label = f"trace_weighted, {said}"
        found[f"weighted:{score}"] = Named(label, weighted(score), SCORE_BUDGETS)
    return found


def designed(strategy: str = "trace", **settings: Any) -> Plan:
    """A plan with the product's prior."""
    return replace(DEFAULT, strategy=strategy, **settings)


def weighted(score: str, **settings: Any) -> Plan:
    return designed("trace_weighted", scores=score, **settings)


def in_rounds(strategy: str) -> Plan:
    return designed(strategy, rounds=ROUNDS)


# The score's quality, by the correlation of its differences with those of a perfect one.
CORRELATIONS = (1.0, 0.46, 0.2)
KEEPS = (0.1, 0.2, 0.3, 0.5, 0.7)
AGREEMENTS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.9, 1.0)


def gap_plans(score: str) -> dict[str, Named]:
    """The score gap and the design: by a share that is kept, or by a weight for each pair."""
    found = {"max": Named("max_gap", Plan("max_gap", scores=score), FEW_BUDGETS)}
    for keep in KEEPS:
        plan = designed("trace_gap", method="randomized", scores=score, keep=keep, draws=2)
        found[f"keep{keep:g}"] = Named(f"trace_gap, {keep:.0%} kept", plan, FEW_BUDGETS)
    for agreement in AGREEMENTS:
        plan = weighted(score, method="randomized", agreement=agreement, draws=2)
        label = "trace_weighted, " + (f"{agreement:.0%} agree" if agreement < 1 else "γ²")
        found[f"agreement:{agreement:g}"] = Named(label, plan, FEW_BUDGETS)
    return found


PRIORS = (1.0, 0.5, 0.3, 0.1)


def prior_plans() -> dict[str, Named]:
    """The design with a prior on θ, by the standard deviation of a random pair's logit."""
    found = {"uniform": GAP_BASE["uniform"], "trace": Named("trace, no prior", PLAIN)}
    for sd in PRIORS:
        found[f"trace:{sd:g}"] = Named(f"trace, prior {sd:g}", Plan(prior_sd=sd))
    found["full"] = Named("trace, prior 0.5, 128 dimensions", designed(dimension=128))
    fixed = replace(in_rounds("trace"), fit_prior_sd=DEFAULT.prior_sd)
    found["rounds"] = Named("rounds, prior 0.5", in_rounds("trace"), ROUND_BUDGETS)
    found["rounds:fixed"] = Named("rounds, prior 0.5 in their fits too", fixed, ROUND_BUDGETS)
    for sd in (None, 1.0, 0.5, 0.3):
        plan = Plan("trace_gap", scores=NOISY, prior_sd=sd)
        label = f"trace_gap, noisy truth, {f'prior {sd:g}' if sd else 'no prior'}"
        found[f"gap:{sd}"] = Named(label, plan, SCORE_BUDGETS)
    found["max"] = Named("max_gap, noisy truth", Plan("max_gap", scores=NOISY), SCORE_BUDGETS)
    label = "trace_weighted, noisy truth, prior 0.5"
    found["weighted"] = Named(label, weighted(NOISY), SCORE_BUDGETS)
    return found


FEW_SETTINGS = (50, 100, 200, 400)


def settings_plans() -> dict[str, Named]:
    """The default with one setting changed at a time."""
    changed: dict[str, dict[str, Any]] = {
        "target policy": {"target": "policy"},
        "ridge 0.1": {"ridge": 0.1},
        "ridge 1e-5": {"ridge": 1e-5},
        "one pair a prompt": {"max_per_prompt": 1},
        "two pairs a prompt": {"max_per_prompt": 2},
        **{f"{d} dimensions": {"dimension": d} for d in (16, 32, 64, 128)},
        "randomized": {"method": "randomized", "draws": 3},
        "10% random": {"random_share": 0.1, "draws": 2},
        "30% random": {"random_share": 0.3, "draws": 2},
    }
    found = {
        "uniform": Named("uniform", UNIFORM, UNIFORM_BUDGETS),
        "trace": Named("the default", DEFAULT, FEW_SETTINGS),
    }
    for name, settings in changed.items():
        found[name] = Named(name, designed(**settings), FEW_SETTINGS)
    return found


GAP_BASE = {
    "uniform": Named("uniform", UNIFORM, UNIFORM_BUDGETS),
    "trace": Named("trace", designed(method="randomized", draws=2), FEW_BUDGETS),
}

# What a policy gains that follows the fitted reward.
POLICY_PLANS = {
    "uniform": Named("uniform", UNIFORM, UNIFORM_BUDGETS),
    "vertex": Named("trace, vertex (the paper's)", Plan("trace_vertex", draws=2), SCORE_BUDGETS),
    "plain": Named("trace, exact, no prior", PLAIN, SCORE_BUDGETS),
    "trace": Named("trace, exact (the default)", DEFAULT, SCORE_BUDGETS),
    "k_center": Named("k-center", Plan("k_center"), SCORE_BUDGETS),
    "max": Named("max_gap, noisy truth", Plan("max_gap", scores=NOISY), SCORE_BUDGETS),
    "weighted": Named("trace_weighted, noisy truth", weighted(NOISY), SCORE_BUDGETS),
}

# The same with labels of another quality than the data's own.
NOISE_PLANS = {
    name: POLICY_PLANS[name] for name in ("uniform", "vertex", "trace", "k_center", "weighted")
}

PAPER_BUDGETS = (50, 100, 175)


def paper_plans(within: str) -> dict[str, Named]:
    """One of the paper's two settings, and beside it as many labels on any pairs."""
    settings = {"within": within, "max_per_prompt": 1 if within == "responses" else None}
    vertex = Plan("trace_vertex", draws=2, **settings)
    found = {
        "uniform": Named("uniform", replace(UNIFORM, **settings)),
        "first_two": Named("first two", Plan("first_two", **settings)),
        "vertex": Named("trace, vertex (the paper's)", vertex),
        "trace": Named("trace, exact (the default)", designed(**settings)),
        "uniform_anywhere": Named("uniform, pairs anywhere", UNIFORM),
        "anywhere": Named("the default, pairs anywhere", DEFAULT),
    }
    if within == "prompts":  # there are no others
        del found["first_two"]
    return {name: replace(one, budgets=PAPER_BUDGETS) for name, one in found.items()}


# The default with other features, beside its own; with every pair, what they can tell at all. Then
# those that the design alone sees: whoever trains by DPO does not choose what the policy reads.
KINDS = (
    "mean_middle",
    "mean_middle@no_length",
    "mean_layer_22",
    "mean_quarters",
    "mean_quarters@no_length",
    "mean_middle designed on mean_middle@no_length",
    "mean_middle designed on mean_middle@length=0.5",
    "mean_middle designed on mean_quarters",
)
KIND_PLANS = {
    "uniform": Named("uniform", Plan("uniform"), ()),
    "trace": Named("trace", DEFAULT, SCORE_BUDGETS),
}

LORA_BUDGETS = (100, 400)
LORA_PLANS = {
    "uniform": Named("uniform", Plan("uniform"), LORA_BUDGETS),
    "trace": Named("trace, exact (the default)", DEFAULT, LORA_BUDGETS),
}

FEATURE_PLANS = {
    "uniform": Named("uniform", UNIFORM, UNIFORM_BUDGETS),
    "trace": Named("trace", designed(method="randomized", draws=2), (100, 400, 1600)),
}
