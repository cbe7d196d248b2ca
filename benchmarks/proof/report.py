"""The parts of a page: each experiment's table in Markdown and its figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.proof.experiments import GAP_BASE, Named, gap_plans
from benchmarks.proof.measuring import KLS, Bench
from benchmarks.proof.statistics import Curve, Estimate, difference, estimate
from benchmarks.proof.tables import accuracy_of, plain, ratio_cell, table
from pairselect.core.arrays import FloatArray

STYLE = {
    "uniform": ("#555555", "-", "o"),
    "vertex": ("#D55E00", "-", "s"),
    "trace": ("#0072B2", "-", "o"),
    "rounds": ("#56B4E9", "--", "o"),
    "trace_gap:noisy:0.46": ("#009E73", "--", "o"),
    "trace_gap:true": ("#009E73", "-", "o"),
}
AT_HAND_STYLES = (("#E69F00", "-", "D"), ("#CC79A7", "-", "v"))
NONE = "–"


def main_section(bench: Bench, plans: Mapping[str, Named], figure: Path) -> str:
    """Accuracy of uniform, differences to it and label ratios of the others."""
    curves = {name: curve_of(bench, one) for name, one in plans.items()}
    draw(curves, plans, figure)
    return comparison(curves, plans)


def prior_section(bench: Bench, plans: Mapping[str, Named]) -> str:
    return comparison({name: curve_of(bench, one) for name, one in plans.items()}, plans)


def comparison(curves: Mapping[str, Curve], plans: Mapping[str, Named]) -> str:
    """Differences to uniform, and label ratios."""
    uniform = curves["uniform"]
    most = int(uniform.budgets[-1])
    differences, ratios = against_uniform(curves, plans, "accuracy")
    return (
        f"With all {most:,} labels the accuracy is {plain(accuracy_of(uniform, most))}. First row: "
        "the accuracy of uniform; below it each plan's difference to it, at as many labels.\n\n"
        + differences
        + "\nLabel ratio: how many times as many labels uniform needs for the same accuracy (2 is "
        "half of the labels). `>`: uniform does not get there with every pair, `<`: it is there "
        "with its smallest budget. A dash: not measured, or the plan has learnt less than a fifth "
        "of what all labels teach.\n\n" + ratios
    )


def against_uniform(
    curves: Mapping[str, Curve], plans: Mapping[str, Named], what: str
) -> tuple[str, str]:
    """Tables of differences to uniform and of label ratios, at the budgets of ``trace``."""
    uniform, budgets = curves["uniform"], [int(n) for n in curves["trace"].budgets]
    ratios = [
        [plans[name].label, *(ratio_cell(curve, n, uniform) for n in budgets)]
        for name, curve in curves.items()
        if name != "uniform"
    ]
    head = ["", *(f"{n:,}" for n in budgets)]
    return differences(curves, plans, budgets, what), table(head, ratios)


def draw(curves: Mapping[str, Curve], plans: Mapping[str, Named], path: Path) -> None:
    from benchmarks.synthetic import figures

    others = [
        name for name in plans if name.startswith("trace_gap:") and name.count(":") == 1
        and name not in STYLE and name != "trace_gap:log_prob"
    ]  # fmt: skip
    styles = STYLE | dict(zip(others, AT_HAND_STYLES, strict=False))
    chart, (axes,) = figures.panels(["Held-out pairwise accuracy of the fitted reward"])
    for name, style in styles.items():
        curve = curves[name]
        shown = [int(n) for n in curve.budgets if n >= 50]
        figures.line(
            axes,
            shown,
            [accuracy_of(curve, n) for n in shown],
            label=plans[name].label,
            style=style,
            band=name in ("uniform", "trace"),
        )
    axes.set_xscale("log")
    most = curves["uniform"].budgets[-1]
    ticks = [t for t in (50, 100, 200, 400, 800, 1600, 3200) if t <= most]
    figures.log_axis(axes.xaxis, ticks, [f"{t:,}" for t in ticks])
    axes.set_xlabel("labels")
    figures.legend(chart, axes)
    figures.save(chart, path)


def receipt_section(bench: Bench, plans: Mapping[str, Named]) -> str:
    """What the receipt predicts beside what came of it, and what its certificate says."""
    uniform = curve_of(bench, plans["uniform"])
    budgets = used(bench, plans["trace"])
    head, rows = ["", *(f"{n:,}" for n in budgets)], []
    for name in ("trace", "plain"):
        one = plans[name]
        curve = curve_of(bench, one)
        worth = {n: bench.fact(one.plan, n, "worth") for n in budgets}
        gaps = {n: bench.fact(one.plan, n, "gap") for n in budgets}
        predicted = [f"{np.mean(worth[n]) / n:.2f}" if worth[n] else NONE for n in budgets]
        gap = [f"{np.mean(gaps[n]):.1%}" if gaps[n] else NONE for n in budgets]
        rows.append([f"{one.label}: predicted", *predicted])
        rows.append(["came of it", *(ratio_cell(curve, n, uniform) for n in budgets)])
        rows.append(["Φ above its bound, at most", *gap])
    return table(head, rows)


def gap_section(bench: Bench, scores: Sequence[str]) -> str:
    """By the score's quality, the share that is kept and the weights."""
    uniform, trace = curve_of(bench, GAP_BASE["uniform"]), curve_of(bench, GAP_BASE["trace"])
    parts = []
    for n in map(int, trace.budgets):
        rows = [
            ["trace: accuracy", *[plain(accuracy_of(trace, n))] * len(scores)],
            ["uniform", *[difference_cell(uniform, trace, n)] * len(scores)],
        ]
        plans = {score: gap_plans(score) for score in scores}
        for key, one in plans[scores[0]].items():
            curves = [curve_of(bench, plans[score][key]) for score in scores]
            rows.append([one.label, *(difference_cell(curve, trace, n) for curve in curves)])
        head = [f"{n:,} labels", *(quality(bench, score) for score in scores)]
        parts.append(table(head, rows))
    return "\n".join(parts)


def quality(bench: Bench, score: str) -> str:
    """A score's name, and how often its sign agrees with decided labels, over all pairs."""
    task = bench.task
    found = []
    for seed in range(bench.seeds):
        split = bench.split(seed)
        values = np.zeros(len(task.prompt))
        values[split.rows] = split.scores(score)
        here = task.decided & np.isin(task.pairs[:, 0], split.rows)
        gap = values[task.pairs[here, 0]] - values[task.pairs[here, 1]]
        right = np.where(gap == 0, 0.5, (gap > 0) == (task.preferred[here] == 1))
        found.append(right.mean())
    said = score.replace("noisy:", "noisy truth, correlation ")
    return f"{said}: agrees with {np.mean(found):.0%}"


def features_section(benches: Mapping[str, Bench], plans: Mapping[str, Named]) -> str:
    """What each kind of features can tell, with few labels and with all."""
    rows = []
    budgets = used(next(iter(benches.values())), plans["trace"])
    for name, bench in benches.items():
        uniform, trace = curve_of(bench, plans["uniform"]), curve_of(bench, plans["trace"])
        cells = [plain(accuracy_of(uniform, n)) for n in budgets]
        cells += [difference_cell(trace, uniform, n) for n in budgets]
        d = min(bench.task.features.shape[1], bench.learner.dimension)
        every = plain(accuracy_of(uniform, int(uniform.budgets[-1])))
        rows.append([f"`{name}`", str(d), every, *cells])
    head = ["features", "d", "uniform, all labels"]
    head += [f"uniform, {n:,}" for n in budgets] + [f"trace − uniform, {n:,}" for n in budgets]
    return table(head, rows)


POLICY_KL = 0.2  # nats
FRONTIER = {"uniform": (100, 200, 400), "trace": (200,), "weighted": (200,)}
FRONTIER_STYLE = {
    ("uniform", 100): ("#bbbbbb", "-", "o"),
    ("uniform", 200): ("#888888", "-", "o"),
    ("uniform", 400): ("#444444", "-", "o"),
    ("trace", 200): ("#0072B2", "-", "o"),
    ("weighted", 200): ("#009E73", "-", "o"),
}


def policy_section(bench: Bench, plans: Mapping[str, Named], figure: Path) -> str:
    """Gains at one KL against the number of labels, and frontiers with a few numbers of them."""
    draw_frontier(bench, plans, figure)
    return gains_section(bench, plans)


def gains_section(bench: Bench, plans: Mapping[str, Named]) -> str:
    """Gains at one KL against the number of labels."""
    gains = {
        name: bench.gains(one.plan, used(bench, one), POLICY_KL) for name, one in plans.items()
    }
    uniform, best = gains["uniform"], bench.best_gains(POLICY_KL)
    most = int(uniform.budgets[-1])
    differences, ratios = against_uniform(gains, plans, "gain")
    return (
        f"At a KL of {POLICY_KL:g} nats all {most:,} labels gain "
        f"{plain(accuracy_of(uniform, most))}, and the true score itself "
        f"{plain(accuracy_of(best, 0))}. First row: the gain of uniform; below it each plan's "
        "difference to it, at as many labels.\n\n"
        + differences
        + "\nLabel ratio: how many times as many labels uniform needs for the same gain (`>`, `<` "
        "and a dash as on the page about a prior).\n\n" + ratios
    )


def draw_frontier(bench: Bench, plans: Mapping[str, Named], path: Path) -> None:
    from benchmarks.synthetic import figures

    chart, (axes,) = figures.panels(["Gain in the true score by KL to the reference, nats"])
    start = Estimate(0.0, 0.0, 0.0)
    for name, budgets in FRONTIER.items():
        for n in (n for n in budgets if n in used(bench, plans[name])):
            found = [accuracy_of(bench.gains(plans[name].plan, [n], kl), n) for kl in KLS]
            style, label = FRONTIER_STYLE[name, n], f"{plans[name].label}, {n} labels"
            band = n == 200 and name != "weighted"
            figures.line(axes, [0, *KLS], [start, *found], label=label, style=style, band=band)
    axes.set_xlabel("KL(policy ‖ reference), nats")
    figures.legend(chart, axes)
    figures.save(chart, path)


def kinds_section(benches: Mapping[str, Bench], plans: Mapping[str, Named]) -> str:
    """The design on each kind of features against the first kind's, and what all labels bring."""
    first, *others = benches
    designed = {name: curve_of(bench, plans["trace"]) for name, bench in benches.items()}
    every = {name: _with_all(bench, plans["uniform"]) for name, bench in benches.items()}
    budgets = [int(n) for n in designed[first].budgets]
    cells = [plain(accuracy_of(designed[first], n)) for n in budgets]
    rows = [[f"`{first}`: accuracy", *cells, plain(estimate(every[first]))]]
    for name in others:
        cells = [difference_cell(designed[name], designed[first], n) for n in budgets]
        rows.append([f"`{name}`", *cells, plain(estimate(every[name] - every[first]), sign=True)])
    return table(["", *(f"{n:,}" for n in budgets), "all labels"], rows)


def _with_all(bench: Bench, uniform: Named) -> FloatArray:
    """Accuracies with every pair, the first of all, then of each resample: (1 + RESAMPLES,)."""
    return curve_of(bench, uniform).accuracies()[-1]


def paper_section(bench: Bench, plans: Mapping[str, Named]) -> str:
    """Accuracies, and gains at one KL, with the budget as the paper has it."""
    budgets = used(bench, plans["uniform"])
    parts = []
    for what in ("accuracy", f"gain at {POLICY_KL:g} nats"):
        curves = {
            name: bench.curve(one.plan, budgets)
            if what == "accuracy"
            else bench.gains(one.plan, budgets, POLICY_KL)
            for name, one in plans.items()
        }
        parts.append(differences(curves, plans, budgets, what))
    return "\n".join(parts)


def differences(
    curves: Mapping[str, Curve], plans: Mapping[str, Named], budgets: Sequence[int], what: str
) -> str:
    """Uniform's own in the first row, below it each other plan's difference to it."""
    uniform = curves["uniform"]
    rows = [[f"uniform: {what}", *(plain(accuracy_of(uniform, n)) for n in budgets)]]
    for name, curve in curves.items():
        if name != "uniform":
            cells = (difference_cell(curve, uniform, n) for n in budgets)
            rows.append([plans[name].label, *cells])
    return table(["", *(f"{n:,}" for n in budgets)], rows)


def lora_section(bench: Bench, plans: Mapping[str, Named]) -> str:
    """Accuracy with uniform pairs, and what each other plan adds."""
    budgets = bench.below(plans["uniform"].budgets)
    curves = {name: bench.curve(one.plan, budgets) for name, one in plans.items()}
    return differences(curves, plans, budgets, "accuracy")


def difference_cell(curve: Curve, other: Curve, budget: int) -> str:
    if budget not in curve.budgets:
        return NONE
    return plain(difference(curve, other, budget), sign=True)


def used(bench: Bench, one: Named) -> list[int]:
    """The budgets that this plan is measured at; of uniform's curve over all pairs, these too."""
    found = bench.budgets(one.budgets)
    if most := one.plan.max_per_prompt or (1 if one.plan.within == "prompts" else None):
        found = [n for n in found if n <= most * bench.split(0).n_prompts]
    whole = one.plan.strategy == "uniform" and not one.plan.within
    return found if whole else [n for n in found if n in one.budgets]


def curve_of(bench: Bench, one: Named) -> Curve:
    return bench.curve(one.plan, used(bench, one))
