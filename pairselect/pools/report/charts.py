"""The report's two charts as coordinates of an SVG, drawn by the template."""

from dataclasses import dataclass
from math import ceil, log2

from django.utils.translation import gettext

from pairselect.pools.report.facts import Histogram, MoreFacts
from pairselect.pools.words import localised, whole

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 26, 40
BETWEEN = 1.5  # two bars
MOST_TICKS = 6
LEAST_X = 52  # between two labels of the axis


@dataclass(frozen=True)
class Tick:
    at: str
    label: str


@dataclass(frozen=True)
class Bar:
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Dot:
    x: str
    y: str
    label: str  # empty where none is shown


@dataclass(frozen=True)
class Row:
    """A row of the table below: the lengths or the number of completions, and the numbers."""

    label: str
    value: str


@dataclass(frozen=True)
class Chart:
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    rows: list[Row]
    bars: list[Bar]
    line: str = ""  # points of a polyline
    dots: list[Dot] | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def draw_lengths(facts: Histogram) -> Chart:
    """Bars from zero; the last stands for all longer ones too where the histogram is open."""
    counts, width = facts["counts"], facts["width"]
    left = RIGHT  # the one label stands above its line
    room = (WIDTH - left - RIGHT) / len(counts)
    most = max(counts)
    tall = (HEIGHT - TOP - BOTTOM) / most
    bars = [
        Bar(
            x=_at(left + i * room + BETWEEN / 2),
            y=_at(HEIGHT - BOTTOM - count * tall),
            width=_at(max(room - BETWEEN, 0.5)),
            height=_at(count * tall),
        )
        for i, count in enumerate(counts)
    ]
    step = ceil(len(counts) / MOST_TICKS)
    edges = range(0, len(counts) + (not facts["open"]), step)
    return Chart(
        x_ticks=[Tick(_at(left + i * room), whole(i * width)) for i in edges],
        y_ticks=[Tick(_at(HEIGHT - BOTTOM - most * tall), whole(most))],
        rows=[Row(_bin(i, facts), whole(count)) for i, count in enumerate(counts)],
        bars=bars,
        left=left,
    )


def draw_more(facts: MoreFacts) -> Chart:
    """Φ over that of two completions a prompt, from zero; the number of completions doubles."""
    counts, share = facts["counts"], facts["share"]
    room = (WIDTH - LEFT - RIGHT - 24) / log2(counts[-1] / counts[0])
    tall = HEIGHT - TOP - BOTTOM
    at = [
        (LEFT + 12 + room * log2(k / counts[0]), HEIGHT - BOTTOM - tall * y)
        for k, y in zip(counts, share, strict=True)
    ]
    shown = {facts["half"], len(counts) - 1}
    ticks: list[Tick] = []
    last = at[-1][0] + 2 * LEAST_X
    for place in reversed(range(len(counts))):  # the last has a label in any case
        if last - at[place][0] >= LEAST_X:
            ticks.insert(0, Tick(_at(at[place][0]), str(counts[place])))
            last = at[place][0]
    return Chart(
        x_ticks=ticks,
        y_ticks=[
            Tick(_at(HEIGHT - BOTTOM - tall * y), localised(f"{y:.0%}"))
            for y in (0.25, 0.5, 0.75, 1.0)
        ],
        rows=[Row(str(k), localised(f"{one:.1%}")) for k, one in zip(counts, share, strict=True)],
        bars=[],
        line=" ".join(f"{x:.1f},{y:.1f}" for x, y in at),
        dots=[
            Dot(_at(x), _at(y), localised(f"{share[place]:.0%}") if place in shown else "")
            for place, (x, y) in enumerate(at)
        ],
    )


def _bin(place: int, facts: Histogram) -> str:
    first = place * facts["width"]
    if facts["open"] and place == len(facts["counts"]) - 1:
        return gettext("%(number)s and more") % {"number": whole(first)}
    last = first + facts["width"] - 1
    if first == last:
        return whole(first)
    return gettext("%(first)s to %(last)s") % {"first": whole(first), "last": whole(last)}


def _at(coordinate: float) -> str:
    return f"{coordinate:.1f}"
