"""The assessment's charts as coordinates of an SVG, drawn by the templates."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log

from annotate.quality.facts import BinFacts, EstimateFacts, LearningFacts, PointFacts
from pairselect.pools.words import localised, whole

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 44
APART = 5  # the marks of two series at one number of labels
FEWEST = 10  # labels of a bin that is drawn
LEAST_X = 58  # between two labels of the axis
STRIP, EDGE = 160, 6  # the width of an interval in a table's row, and what its dot may overhang


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A point and its interval."""

    x: float
    y: float
    low: float  # coordinates of its ends
    high: float


@dataclass(frozen=True)
class Series:
    name: str  # everything, designed or control
    line: str  # points of a polyline
    dots: list[Dot]


@dataclass(frozen=True)
class Chart:
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    series: list[Series]
    bound: str  # a path: what chance brings, or what would be right
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Strip:
    """A share with its interval on a line from 0 to 1, or of another range."""

    low: float
    at: float
    high: float
    middle: float | None  # where chance is, if that is known
    width: int = STRIP


def draw_learning(facts: LearningFacts) -> Chart:
    """Held-out accuracy against the number of labels, which is on a logarithmic axis."""
    arms: list[tuple[str, list[PointFacts], int]] = [
        ("everything", facts["everything"], 0),
        ("designed", facts["designed"], -APART),
        ("control", facts["control"], APART),
    ]
    points = [point for _, found, _ in arms for point in found]
    numbers = sorted({point["labels"] for point in points})
    x = _Scale(log(numbers[0]), log(max(numbers[-1], 2 * numbers[0])), LEFT + 12, WIDTH - RIGHT - 8)
    y = _accuracy_scale([point["accuracy"] for point in points])
    series = []
    for name, found, aside in arms:
        dots = [_dot(x(log(one["labels"])) + aside, one["accuracy"], y) for one in found]
        line = " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots)
        if dots:
            series.append(Series(name, line, dots))
    ticks: list[Tick] = []
    for number in reversed(numbers):  # the last has a label in any case
        if not ticks or ticks[0].at - x(log(number)) >= LEAST_X:
            ticks.insert(0, Tick(x(log(number)), whole(number)))
    return Chart(ticks, _percents(y), series, f"M{LEFT} {y(0.5):.1f}H{WIDTH - RIGHT}")


def draw_reliability(bins: list[BinFacts]) -> Chart:
    """How often the predicted side wins against how often it should; the diagonal is right.

    Bins of few labels, whose intervals would fill the chart, are left to the table.
    """
    bins = [one for one in bins if one["labels"] >= FEWEST]
    x = _Scale(0.5, 1.0, LEFT + 12, WIDTH - RIGHT - 8)
    y = _accuracy_scale([one["observed"] for one in bins])
    dots = [_dot(x(one["predicted"]), one["observed"], y) for one in bins]
    line = " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots)
    ticks = [Tick(x(part / 10), localised(f"{part * 10}%")) for part in range(5, 11)]
    bound = f"M{x(0.5):.1f} {y(0.5):.1f}L{x(y.high):.1f} {y(y.high):.1f}"  # to the chart's edge
    return Chart(ticks, _percents(y), [Series("everything", line, dots)], bound)


def strip(
    found: EstimateFacts, *, low: float = 0.0, high: float = 1.0, middle: float | None = 0.5
) -> Strip:
    """Of one estimate, cut off at the ends of the range."""
    scale = _Scale(low, high, EDGE, STRIP - EDGE)
    inside = {name: scale(min(max(found[name], low), high)) for name in ("value", "low", "high")}
    chance = None if middle is None else scale(middle)
    return Strip(inside["low"], inside["value"], inside["high"], chance)


class _Scale:
    """From numbers to coordinates."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, number: float) -> float:
        return self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start)


def _accuracy_scale(found: list[EstimateFacts]) -> _Scale:
    """From the tenth below all of them and chance to 100%, or less where all are below."""
    least = min([one["low"] for one in found] + [0.5])
    most = max([one["high"] for one in found] + [0.6])
    low, high = floor(10 * least) / 10, min(floor(10 * most + 1) / 10, 1.0)
    return _Scale(low, high, HEIGHT - BOTTOM, TOP)


def _percents(y: _Scale) -> list[Tick]:
    tenths = range(round(10 * y.low), round(10 * y.high) + 1)
    return [Tick(y(part / 10), localised(f"{part * 10}%")) for part in tenths]


def _dot(x: float, found: EstimateFacts, y: _Scale) -> Dot:
    return Dot(x, y(found["value"]), y(found["low"]), y(found["high"]))
