"""Arrays in, the plain numbers of a report out."""

from math import ceil

import numpy as np
import numpy.typing as npt

from pairselect.pools.report.facts import Histogram, Quantiles

MOST_BARS = 30


def quantiles(values: npt.ArrayLike) -> Quantiles:
    """Of at least one number."""
    table = np.asarray(values, dtype=np.float64)
    least, tenth, median, ninetieth, most = (
        float(q) for q in np.quantile(table, [0, 0.1, 0.5, 0.9, 1])
    )
    return Quantiles(
        least=least,
        tenth=tenth,
        median=median,
        ninetieth=ninetieth,
        most=most,
        mean=float(table.mean()),
    )


def histogram(lengths: npt.NDArray[np.int64], unit: str) -> Histogram:
    """In bars of a round width; the longest hundredth shares the last one if it goes far."""
    most = int(lengths.max())
    shown = max(int(np.quantile(lengths, 0.99)), 1)
    width = _round_width(shown / MOST_BARS)
    bars = shown // width + 1
    counts = np.bincount(np.minimum(lengths // width, bars - 1), minlength=bars)
    return Histogram(
        unit=unit,
        width=width,
        counts=[int(count) for count in counts],
        open=most >= bars * width,
    )


def _round_width(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … that is not below."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= ceil(least):
                return digit * power
        power *= 10
