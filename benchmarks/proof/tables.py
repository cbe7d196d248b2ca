"""Cells and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.proof.statistics import Curve, Estimate, estimate, label_ratio

# Where hardly anything is learnt, uniform's curve is flat and a ratio arbitrary.
LEARNT = 0.2


def plain(found: Estimate, digits: int = 3, *, sign: bool = False) -> str:
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]".replace("0.", ".")


def ratio_cell(curve: Curve, budget: int, uniform: Curve) -> str:
    """A label ratio; a dash where nothing was measured or too little is learnt."""
    if budget not in curve.budgets:
        return "–"
    levels = uniform.accuracies()[:, 0]
    learnt = curve.accuracies()[curve.at(budget), 0] - curve.nothing
    if learnt < LEARNT * (levels.max() - curve.nothing):
        return "–"
    found = label_ratio(curve, budget, uniform)
    least, most = uniform.budgets[0] / budget, uniform.budgets[-1] / budget

    def text(value: float) -> str:
        if value == 0:
            return f"<{least:.2g}"
        return f">{most:.2g}" if value == float("inf") else f"{value:.2f}"

    return f"{text(found.value)} [{text(found.low)}, {text(found.high)}]"


def accuracy_of(curve: Curve, budget: int) -> Estimate:
    return estimate(curve.accuracies()[curve.at(budget)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
