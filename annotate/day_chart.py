"""Labels a day as bars: where to draw what, in the units of the view box."""

from dataclasses import dataclass
from datetime import date

from annotate.pacing import Day

WIDTH, HEIGHT = 360.0, 150.0
TOP, BOTTOM = 20.0, 24.0  # room for the numbers above the bars, and for the days below
SHARE = 0.62  # of a bar's place that the bar fills


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    middle: float
    date: date
    labels: int
    is_today: bool


@dataclass(frozen=True)
class DayChart:
    bars: list[Bar]
    base: float  # the axis
    width: float = WIDTH
    height: float = HEIGHT


def draw_days(days: list[Day]) -> DayChart | None:
    """The last of the days is today. None where there is no label in any."""
    most = max((day.labels for day in days), default=0)
    if not most:
        return None
    place, base = WIDTH / len(days), HEIGHT - BOTTOM
    bars = []
    for k, day in enumerate(days):
        height = (base - TOP) * day.labels / most
        bars.append(
            Bar(
                x=(k + (1 - SHARE) / 2) * place,
                y=base - height,
                width=SHARE * place,
                height=height,
                middle=(k + 0.5) * place,
                date=day.date,
                labels=day.labels,
                is_today=k == len(days) - 1,
            )
        )
    return DayChart(bars, base)
