"""Each experiment's table in Markdown and its figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks.synthetic import figures
from benchmarks.synthetic.designs import DESIGNS
from benchmarks.synthetic.experiments import (
    BUDGETS,
    DISTANCE_BUDGET,
    DISTANCES,
    FEW_BUDGETS,
    FLIP_RATES,
    PRIORS,
    ROUND_REWARDS,
    ROUNDS,
)
from benchmarks.synthetic.statistics import (
    Curve,
    Curves,
    Estimate,
    label_ratio,
    mean_of,
    ratio_of,
)
from pairselect.core.arrays import FloatArray

SETTING_TITLES = {
    "tabular": "tabular (4,950 pairs, 99 dimensions)",
    "contextual": "linear contextual (1,680 pairs, 16 dimensions)",
}
RATIO_NOTE = (
    "Label ratio: how many times as many labels uniform needs for the same gap. A dash: the gap is "
    "not yet a fifth below that without labels. `>`: uniform does not get there with every pair."
)
Report = Callable[[Curves, Path], str]


def main_comparison(found: Curves, figure_path: Path) -> str:
    (setting,) = {setting for setting, _, _ in found}
    uniform, none = found[setting, "", "uniform"], found[setting, "", "none"]
    names = [name for name in DESIGNS if (setting, "", name) in found]
    others = {name: found[setting, "", name] for name in names if name != "uniform"}

    figure, (axes,) = figures.panels([f"Gap of the fitted policy, {SETTING_TITLES[setting]}"])
    for name in names:
        curve = found[setting, "", name]
        shown = [k for k, share in enumerate(curve.shares) if share in BUDGETS]
        estimates = [mean_of(curve.gaps[:, k]) for k in shown]
        figures.line(
            axes,
            [curve.shares[k] for k in shown],
            estimates,
            label=DESIGNS[name].label,
            style=figures.STYLE[name],
            band=name in ("uniform", "capped"),
        )
    figures.level(axes, float(none.gaps.mean()), "no labels")
    figures.share_axis(axes, BUDGETS)
    means = [v for name in names for v in found[setting, "", name].mean()]
    figures.value_axis(axes, 0.9 * min(means), 1.1 * max(means))
    axes.set_ylabel("J(π*) − J(π), logits")
    figures.legend(figure, axes)
    figures.save(figure, figure_path)

    head = ["", *(f"{n:,} ({_share(s)})" for n, s in _budgets(others["capped"]))]
    gap_rows = [
        [
            "uniform: gap",
            *(_plain(mean_of(uniform.at(n)), 4) for n, _ in _budgets(others["capped"])),
        ]
    ]
    ratio_rows = []
    for name, curve in others.items():
        label = DESIGNS[name].label
        gap_rows.append(
            [label, *(_plain(ratio_of(curve.at(n), uniform.at(n))) for n, _ in _budgets(curve))]
        )
        ratio_rows.append([label, *_label_ratios(curve, uniform, float(none.gaps.mean()))])
    return (
        f"Without a label the gap is {none.gaps.mean():.4f}. First row: the gap after n labels on "
        "uniform pairs, in logits; below it each design's gap over uniform's (below 1 is better "
        "than uniform).\n\n"
        + _table(head, gap_rows)
        + f"\n{RATIO_NOTE}\n\n"
        + _table(head, ratio_rows)
    )


def noise(found: Curves, figure_path: Path) -> str:
    settings = _settings(found)
    figure, axes = figures.panels([SETTING_TITLES[s] for s in settings])
    rows = []
    for setting, one in zip(settings, axes, strict=True):
        for colour, rate in zip(figures.CASE_COLOURS, FLIP_RATES, strict=False):
            case = f"{rate:.0%}"
            for name, dash in (("uniform", ":"), ("capped", "-")):
                curve = found[setting, case, name]
                shown = [k for k, share in enumerate(curve.shares) if share >= min(BUDGETS)]
                figures.line(
                    one,
                    [curve.shares[k] for k in shown],
                    [mean_of(curve.gaps[:, k]) for k in shown],
                    label=f"{case} flipped, {'uniform' if name == 'uniform' else 'capped'}",
                    style=(colour, dash, "" if name == "uniform" else "o"),
                    band=name == "capped",
                )
            capped = found[setting, case, "capped"]
            none = float(found[setting, "", "none"].gaps.mean())
            ratios = _label_ratios(capped, found[setting, case, "uniform"], none)
            rows.append([setting, case, *ratios])
        figures.share_axis(one, BUDGETS)
        _fit_values(one, found, setting)
    axes[0].set_ylabel("J(π*) − J(π), logits")
    figures.legend(figure, axes[-1])
    figures.save(figure, figure_path)
    return (
        f"For `trace, capped, exact`, at the same rate of flipped labels. {RATIO_NOTE}\n\n"
        + _table(["setting", "flipped", *map(_share, BUDGETS)], rows)
    )


def distance(found: Curves, figure_path: Path) -> str:
    settings = _settings(found)
    figure, axes = figures.panels([SETTING_TITLES[s] for s in settings])
    rows = []
    for setting, one in zip(settings, axes, strict=True):
        ratios: dict[str, list[Estimate]] = {"randomized": [], "oracle": []}
        for sd in DISTANCES:
            case = f"{sd:g}"
            uniform = found[setting, case, "uniform"].gaps[:, 0]
            for name, held in ratios.items():
                held.append(ratio_of(found[setting, case, name].gaps[:, 0], uniform))
            none = found[setting, case, "none"].gaps.mean()
            cells = [_plain(mean_of(uniform), 4), *(_plain(r[-1]) for r in ratios.values())]
            rows.append([setting, case, f"{none:.3f}", *cells])
        for name, held in ratios.items():
            label = "designed at θ₀" if name == "randomized" else "designed at θ* (oracle)"
            style = figures.STYLE["capped" if name == "randomized" else name]
            figures.line(one, DISTANCES, held, label=label, style=style)
        figures.level(one, 1.0, "uniform")
        one.set_xscale("log")
        figures.log_axis(one.xaxis, DISTANCES, [f"{sd:g}" for sd in DISTANCES])
        one.set_xlabel("sd of the reward, logits")
    axes[0].set_ylabel("gap over uniform's")
    figures.legend(figure, axes[-1])
    figures.save(figure, figure_path)
    return (
        f"Budget {_share(DISTANCE_BUDGET)} of all pairs. Columns: the reward's standard deviation "
        "over the candidates of a prompt (θ* − θ₀ is the reward over β), the gap without labels, "
        "uniform's gap, and both designs' gaps over uniform's.\n\n"
        + _table(["setting", "reward sd", "no labels", "uniform: gap", "θ₀ design", "oracle"], rows)
    )


def rounds(found: Curves, figure_path: Path) -> str:
    settings = _settings(found)
    names = {"uniform": "uniform", "rounds": f"{ROUNDS} rounds"}
    cases = [(s, f"{sd:g}") for s in settings for sd in ROUND_REWARDS]
    figure, axes = figures.panels([f"{s}, reward sd {case}" for s, case in cases])
    figure.set_size_inches(3.1 * len(cases), 3.2)
    rows = []
    for (setting, case), one in zip(cases, axes, strict=True):
        base = found[setting, case, "from_prior"]
        gaps = [_plain(mean_of(base.at(n)), 4) for n, _ in _budgets(base)]
        rows.append([setting, case, "one shot: gap", *gaps])
        for name, label in names.items():
            curve = found[setting, case, name]
            ratios = [ratio_of(curve.at(n), base.at(n)) for n, _ in _budgets(base)]
            figures.line(one, FEW_BUDGETS, ratios, label=label, style=figures.STYLE[name])
            rows.append([setting, case, label, *map(_plain, ratios)])
        figures.level(one, 1.0, "one shot")
        figures.share_axis(one, FEW_BUDGETS)
    axes[0].set_ylabel("gap over one shot's")
    figures.legend(figure, axes[-1])
    figures.save(figure, figure_path)
    return (
        "First row: the gap of one shot (`trace, capped, with the prior`, at θ₀), in logits; below "
        "it the gap over that of one shot (below 1 is better than one shot).\n\n"
        + _table(["setting", "reward sd", "", *map(_share, FEW_BUDGETS)], rows)
    )


def prior(found: Curves, figure_path: Path) -> str:
    settings = _settings(found)
    cases = ["evidence" if sd is None else f"{sd:g}" for sd in PRIORS]
    figure, axes = figures.panels([SETTING_TITLES[s] for s in settings])
    rows = []
    for setting, one in zip(settings, axes, strict=True):
        for colour, share in zip(figures.CASE_COLOURS, FEW_BUDGETS, strict=False):
            for name, dash in (("uniform", ":"), ("capped", "-")):
                estimates = [mean_of(_at_share(found[setting, c, name], share)) for c in cases]
                label = f"{_share(share)}, {'uniform' if name == 'uniform' else 'capped'}"
                style = (colour, dash, "o")
                figures.line(one, range(len(cases)), estimates, label=label, style=style)
                rows.append([setting, _share(share), name, *(_plain(e, 4) for e in estimates)])
        figures.level(one, float(found[setting, "", "none"].gaps.mean()), "no labels")
        one.set_xticks(range(len(cases)), cases)
        one.set_xlabel("prior_sd of the fit (the truth: 1.41)")
        _fit_values(one, found, setting)
    axes[0].set_ylabel("J(π*) − J(π), logits")
    figures.legend(figure, axes[-1])
    figures.save(figure, figure_path)
    return "The gap in logits by the fit's `prior_sd`.\n\n" + _table(
        ["setting", "budget", "design", *cases], rows
    )


REPORTS: dict[str, tuple[str, Report]] = {
    "tabular": ("Tabular", main_comparison),
    "contextual": ("Linear contextual", main_comparison),
    "noise": ("Flipped labels", noise),
    "distance": ("θ₀ far from θ*", distance),
    "rounds": ("Rounds", rounds),
    "prior": ("The fit's regularisation", prior),
}


# Where the gap is hardly below that of no labels, uniform's curve is flat and a ratio arbitrary.
LEARNT = 0.8


def _label_ratios(curve: Curve, uniform: Curve, none: float) -> list[str]:
    return [
        _ratio_cell(label_ratio(curve.at(n), n, uniform), n, uniform)
        if curve.at(n).mean() < LEARNT * none
        else "–"
        for n, _ in _budgets(curve)
    ]


def _ratio_cell(ratio: Estimate, budget: int, uniform: Curve) -> str:
    least, most = uniform.budgets[0] / budget, uniform.budgets[-1] / budget

    def text(value: float) -> str:
        if value == 0:
            return f"<{least:.1f}"
        return f">{most:.1f}" if value == float("inf") else f"{value:.2f}"

    return f"{text(ratio.value)} [{text(ratio.low)}, {text(ratio.high)}]"


def _budgets(curve: Curve) -> list[tuple[int, float]]:
    return [(int(n), float(s)) for n, s in zip(curve.budgets, curve.shares, strict=True)]


def _at_share(curve: Curve, share: float) -> FloatArray:
    return curve.gaps[:, list(curve.shares).index(share)]


def _settings(found: Curves) -> list[str]:
    return [name for name in SETTING_TITLES if any(name == setting for setting, _, _ in found)]


def _fit_values(axes: Axes, found: Curves, setting: str) -> None:
    """A logarithmic axis over all mean gaps of this setting."""
    values = np.concatenate([c.mean() for (one, _, _), c in found.items() if one == setting])
    figures.value_axis(axes, 0.85 * float(values.min()), 1.15 * float(values.max()))


def _share(share: float) -> str:
    return f"{share:.1%}".replace(".0%", "%")


def _plain(estimate: Estimate, digits: int = 2) -> str:
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
