"""The predicted curve as coordinates of an SVG: both axes logarithmic, drawn by the template."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log, log10

from django.utils.translation import gettext

from pairselect.designs.facts import CurveFacts
from pairselect.designs.words import about, figure, in_random_labels
from pairselect.pools.words import localised, whole

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 34, 48
LEAST_X, LEAST_Y = 74, 38  # between two labels of an axis
LABEL = 150  # the width of a long one
ROOM = 0.8  # below the lowest point, for a label


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A point, with a label beside it."""

    x: float
    y: float
    label: str
    label_x: float
    label_y: float
    anchor: str  # SVG's text-anchor


@dataclass(frozen=True)
class Row:
    """A row of the table: losses in percent of that of random pairs at the design's budget."""

    budget: int
    designed: float
    uniform: float
    worth: str | None  # None: more than all random pairs
    is_own: bool


@dataclass(frozen=True)
class Chart:
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    designed: str  # points of a polyline
    uniform: str
    own: Mark  # the pairs chosen
    worth: Mark | None  # as many random pairs as bring the same
    knee: Mark | None
    rows: list[Row]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(curve: CurveFacts, budget: int) -> Chart | None:
    """The chart of a design's curve; None where one point is all there is."""
    if len(curve["budgets"]) < 2:
        return None
    place = curve["budgets"].index(budget)
    unit = curve["uniform"][place]
    numbers, losses, worth = _random_pairs(curve)
    drawn = [*losses, *curve["designed"], curve["chosen"]]
    most, least = max(drawn), min(*curve["designed"], curve["chosen"])
    if not 0 < least < most:
        return None
    x = _Scale(numbers[0], numbers[-1], LEFT, WIDTH - RIGHT)
    y = _Scale(ROOM * least / unit, most / unit, HEIGHT - BOTTOM, TOP)

    def points(numbers: Sequence[float], losses: Sequence[float]) -> str:
        pairs = zip(numbers, losses, strict=True)
        return " ".join(f"{x(n):.1f},{y(loss / unit):.1f}" for n, loss in pairs)

    level = y(curve["chosen"] / unit)
    return Chart(
        x_ticks=[Tick(x(n), whole(round(n))) for n in x.ticks(LEAST_X)],
        y_ticks=[
            Tick(y(share), figure(100 * share) + localised("%")) for share in y.ticks(LEAST_Y)
        ],
        designed=points(curve["budgets"], curve["designed"]),
        uniform=points(numbers, losses),
        own=_above(x(budget), level, gettext("your %(number)s") % {"number": whole(budget)}),
        worth=_beside(x, budget, worth, level),
        knee=_knee(x, y, curve, unit),
        rows=[_row(curve, k, unit, budget) for k in range(len(curve["budgets"]))],
    )


def _random_pairs(curve: CurveFacts) -> tuple[list[int], list[float], float | None]:
    """The curve of random pairs from where there is something to see, and the worth on it.

    That is from where the design's begins; further to the left if its pairs are worth so few.
    """
    numbers, losses, worth = curve["uniform_budgets"], curve["uniform_losses"], curve["worth"]
    low = curve["budgets"][0] if worth is None else min(curve["budgets"][0], worth)
    start = max(bisect_right(numbers, low) - 1, 0)
    if worth is not None and (worth < numbers[0] or curve["chosen"] > 1.001 * max(losses)):
        worth = None  # not on the curve
    return numbers[start:], losses[start:], worth


class _Scale:
    """From numbers to coordinates, logarithmic."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, number: float) -> float:
        share = log(number / self.low) / log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, least: float) -> list[float]:
        """Round numbers, one digit times a power of ten where there is room for them, else 1, 2 or
        5 times, at least so far from each other."""
        first, last = floor(log10(self.low)), floor(log10(self.high))
        for digits in (tuple(range(1, 10)), (1, 2, 5), (1, 3), (1,)):
            found = [d * 10.0**power for power in range(first, last + 1) for d in digits]
            inside = [n for n in found if self.low * 0.999 <= n <= self.high * 1.001]
            at = [self(n) for n in inside]
            if all(abs(b - a) >= least for a, b in pairwise(at)):
                break
        return inside or [self.low, self.high]


def _row(curve: CurveFacts, k: int, unit: float, budget: int) -> Row:
    equivalent = curve["equivalent"][k]
    return Row(
        budget=curve["budgets"][k],
        designed=100 * curve["designed"][k] / unit,
        uniform=100 * curve["uniform"][k] / unit,
        worth=None if equivalent is None else in_random_labels(equivalent),
        is_own=curve["budgets"][k] == budget,
    )


def _above(at: float, level: float, label: str) -> Mark:
    """A label over the plot, kept within its width."""
    anchor = "middle"
    if at < LEFT + 60:
        anchor = "start"
    elif at > WIDTH - RIGHT - 60:
        anchor = "end"
    return Mark(at, level, label, at, TOP - 12, anchor)


def _beside(x: _Scale, budget: int, worth: float | None, level: float) -> Mark | None:
    """The point on the curve of random pairs, its label where neither curve runs."""
    if worth is None:
        return None
    at, own = x(min(max(worth, x.low), x.high)), x(budget)
    label = gettext("%(number)s random") % {"number": whole(about(worth))}
    if own <= at < WIDTH * 0.66:
        return Mark(at, level, label, at + 10, level - 8, "start")  # above the falling curve
    beside = min(at, own) - 10
    if beside > LEFT + LABEL:
        return Mark(at, level, label, beside, level + 22, "end")  # below the one of the design
    if at < own:
        clear = at if own - at > LABEL else own  # of the other mark
        return Mark(at, level, label, clear + 10, level - 8, "start")
    return Mark(at, level, label, at - 10, level + 22, "end")  # between the two


def _knee(x: _Scale, y: _Scale, curve: CurveFacts, unit: float) -> Mark | None:
    knee = curve["knee"]
    if knee is None:
        return None
    budgets, losses = curve["budgets"], curve["designed"]
    k = max(k for k, n in enumerate(budgets) if n <= knee)
    loss = losses[k]
    if k + 1 < len(budgets):  # straight between points, as the curve is drawn
        share = log(knee / budgets[k]) / log(budgets[k + 1] / budgets[k])
        loss = losses[k] ** (1 - share) * losses[k + 1] ** share
    return Mark(x(knee), y(loss / unit), whole(knee), 0, 0, "")
