"""Figures as SVG that are the same to the byte on every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.synthetic.statistics import Estimate

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "pairselect",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.labelcolor": "#333333",
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "xtick.color": "#555555",
        "ytick.color": "#555555",
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
    }
)

# Okabe and Ito's colours, told apart by the colour-blind; uniform in grey.
STYLE: dict[str, tuple[str, str, str]] = {  # colour, line, marker
    "uniform": ("#555555", "-", "o"),
    "reference": ("#CC79A7", "-", "v"),
    "first_two": ("#8a6d3b", "-", "^"),
    "d_optimal": ("#E69F00", "-", "D"),
    "vertex": ("#D55E00", "-", "s"),
    "randomized": ("#56B4E9", "--", "o"),
    "capped": ("#0072B2", "-", "o"),
    "from_prior": ("#009E73", "-", "o"),
    "oracle": ("#000000", ":", "*"),
    "rounds": ("#0072B2", "-", "o"),
}
CASE_COLOURS = ("#0072B2", "#009E73", "#D55E00", "#E69F00")


def panels(titles: Sequence[str], *, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """A white card with panels side by side that share the vertical axis."""
    figure = Figure(figsize=(4.4 * len(titles) if len(titles) > 1 else 6.4, height))
    figure.patch.set_facecolor("white")
    axes = [figure.add_subplot(1, len(titles), k + 1) for k in range(len(titles))]
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title)
        one.grid(which="major", linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def line(
    axes: Axes,
    x: Sequence[float],
    estimates: Sequence[Estimate],
    *,
    label: str,
    style: tuple[str, str, str],
    band: bool = True,
) -> None:
    colour, dash, marker = style
    axes.plot(
        x,
        [e.value for e in estimates],
        linestyle=dash,
        marker=marker,
        color=colour,
        label=label,
        markersize=3.5,
        linewidth=1.5,
    )
    if band:
        low, high = [e.low for e in estimates], [e.high for e in estimates]
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)


def level(axes: Axes, value: float, text: str) -> None:
    """A thin horizontal line with its name at the right end."""
    axes.axhline(value, color="#999999", linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        text,
        (1, value),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=8.5,
        color="#777777",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
    )


def log_axis(axis: matplotlib.axis.Axis, ticks: Sequence[float], texts: Sequence[str]) -> None:
    """Name these ticks and no others; the axis must be logarithmic already."""
    axis.set_major_locator(ticker.FixedLocator(list(ticks)))
    axis.set_major_formatter(ticker.FixedFormatter(list(texts)))
    axis.set_minor_locator(ticker.NullLocator())


def share_axis(axes: Axes, shares: Sequence[float]) -> None:
    axes.set_xscale("log")
    log_axis(axes.xaxis, shares, [f"{share:.1%}".replace(".0%", "%") for share in shares])
    axes.set_xlabel("labelled, share of all pairs")


def value_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 times the powers of ten within its range."""
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = [t for t in np.outer(decades, [1, 2, 5]).ravel() if low <= t <= high]
    log_axis(axes.yaxis, ticks, [f"{t:g}" for t in ticks])


def legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(
        path, format="svg", bbox_inches="tight", pad_inches=0.12, metadata={"Date": None}
    )
    # Matplotlib ends some lines in a blank.
    text = path.read_text()
    path.write_text("\n".join(part.rstrip() for part in text.splitlines()) + "\n")
