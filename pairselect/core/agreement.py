"""How far people who judge the same pairs agree, beyond what chance would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.clustered import Estimate, clustered_share

DRAWS = 2000


@dataclass(frozen=True)
class Agreement:
    """Over the units that have at least two labels.

    Attributes
    ----------
    alpha : Estimate or None
        Krippendorff's α, 1 for perfect agreement, 0 for that of chance, with a percentile
        interval of the bootstrap over units; None where it is not defined, because there is no
        unit with two labels or all labels are the same.
    percent : Estimate or None
        Share of the pairs of labels on one unit that are equal, 0 to 1.
    units, labels : int
        How many there are.
    """

    alpha: Estimate | None
    percent: Estimate | None
    units: int
    labels: int


def agreement(
    counts: npt.ArrayLike,
    *,
    mirror: Sequence[int] | None = None,
    ordinal: bool = False,
    draws: int = DRAWS,
    level: float = 0.95,
    rng: np.random.Generator,
) -> Agreement:
    """Krippendorff's α and the plain agreement, each with an interval over units.

    With n_uc the labels of unit u in category c, m_u = Σ_c n_uc ≥ 2, n_c = Σ_u n_uc and
    n = Σ_c n_c,

        α = 1 − D_o / D_e,   D_o = (1/n) Σ_u Σ_{c≠k} n_uc n_uk δ_ck / (m_u − 1),
                             D_e = Σ_{c≠k} n_c n_k δ_ck / (n (n − 1)),

    δ = 1 for names (nominal), (Σ_{g=c}^{k} n_g − (n_c + n_k)/2)² for ranks (ordinal).

    Where a category says which of two things is better, first or second, the order in which they
    are stored is nobody's answer: with ``mirror`` n_c is the mean of n_c and n_mirror(c), as if
    half of the units had been stored the other way round, so that α is the same however they
    are. Without it, people who agree that the first is better, in pairs whose better text always
    comes first, would agree by chance alone.

    Parameters
    ----------
    counts : (n_units, n_categories) integers
        Labels of each unit by category; for ``ordinal`` the categories in their order.
    mirror : sequence of n_categories integers, optional
        What each category becomes where the two things change places.
    ordinal : bool
        Whether near categories count as nearly agreeing.
    draws : int
        Bootstrap samples. A sample draws as many units as there are, with replacement: the labels
        of a unit stay together.
    level : float
        Confidence level, between 0 and 1.
    rng : Generator

    Returns
    -------
    Agreement

    Raises
    ------
    DesignError
        On counts that are no table of whole numbers from 0, or a mirror that is none.

    Notes
    -----
    Units with equal counts are one pattern, and a bootstrap sample is a multinomial draw of
    patterns, exactly; so a million units cost what a few hundred patterns do. Samples in which α
    is not defined are left out of its interval. With few units the interval of α is too narrow,
    as percentile intervals are; that of the percentage is `clustered_share`'s.

    References
    ----------
    K. Krippendorff (2011), Computing Krippendorff's alpha-reliability, University of
    Pennsylvania; (2019), Content Analysis, 4th ed., chapter 12. The paper's own bootstrap
    resamples disagreements of label pairs as if they were independent; this one resamples units.
    """
    table = _table(counts)
    table = table[table.sum(axis=1) >= 2]
    units, labels = len(table), int(table.sum())
    if not units:
        return Agreement(None, None, 0, 0)
    patterns, times = np.unique(table, axis=0, return_counts=True)
    sizes = patterns.sum(axis=1)
    same = (patterns * (patterns - 1)).sum(axis=1) / 2
    percent = clustered_share(
        np.repeat(same, times), np.repeat(sizes * (sizes - 1) / 2, times), np.arange(units)
    )
    places = _mirror(mirror, table.shape[1])
    value = _alpha(patterns, times[None, :].astype(float), ordinal, places)[0]
    if np.isnan(value):
        return Agreement(None, percent, units, labels)
    drawn = rng.multinomial(units, times / units, size=draws).astype(float)
    low, high = _interval(_alpha(patterns, drawn, ordinal, places), level)
    return Agreement(
        Estimate(float(value), min(low, float(value)), max(high, float(value))),
        percent,
        units,
        labels,
    )


def agreement_with_others(
    unit: npt.ArrayLike, annotator: npt.ArrayLike, category: npt.ArrayLike
) -> list[Estimate | None]:
    """Of each annotator: the share of others' labels on the same units that are as theirs.

    Parameters
    ----------
    unit, annotator, category : (n,) integers from 0
        One entry a label.

    Returns
    -------
    list of Estimate or None
        One for each annotator up to the largest; None for one whose units nobody else has
        labelled. The intervals are over units.
    """
    u, a, c = (np.asarray(part, dtype=np.int64) for part in (unit, annotator, category))
    if not u.shape == a.shape == c.shape or u.ndim != 1:
        raise DesignError("unit, annotator and category must be rows of one length.")
    if not u.size:
        return []
    width, people = int(c.max()) + 1, int(a.max()) + 1
    by = u * people + a
    others = _times(u) - _times(by)  # labels by somebody else
    agreeing = _times(u * width + c) - _times(by * width + c)
    order = np.argsort(a, kind="stable")
    ends = np.cumsum(np.bincount(a))
    return [
        clustered_share(agreeing[mine], others[mine], u[mine])
        for mine in np.split(order, ends[:-1])
    ]


@dataclass(frozen=True)
class CrossAgreement:
    """Of two groups of judges, over the units that both have labelled."""

    kappa: Estimate | None  # None where both always say the same one thing
    percent: Estimate | None
    units: int


def cross_agreement(
    one: npt.ArrayLike,
    two: npt.ArrayLike,
    *,
    mirror: Sequence[int] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
    rng: np.random.Generator,
) -> CrossAgreement:
    """Cohen's κ between two groups of judges, each unit counting once.

    With h_u and m_u the shares of the categories among the labels of either group on unit u,

        κ = (p_o − p_e) / (1 − p_e),   p_o = mean of h_u · m_u,   p_e = h̄ · m̄.

    Parameters
    ----------
    one, two : (n_units, n_categories) integers
        Labels of each unit by category.
    mirror
        As in `agreement`: h̄ and m̄ are then means over both orders.
    draws, level, rng
        Of the bootstrap over units, as in `agreement`.

    References
    ----------
    J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20, 37–46; for groups of judges as in S. Vanbelle and A. Albert (2009), Agreement
    between two independent groups of raters, Psychometrika 74, 477–491.
    """
    left, right = _table(one), _table(two)
    if left.shape != right.shape:
        raise DesignError("Both tables must have the same units and categories.")
    both = (left.sum(axis=1) > 0) & (right.sum(axis=1) > 0)
    units, width = int(both.sum()), left.shape[1]
    if not units:
        return CrossAgreement(None, None, 0)
    patterns, times = np.unique(
        np.concatenate([left[both], right[both]], axis=1), axis=0, return_counts=True
    )
    h = patterns[:, :width] / patterns[:, :width].sum(axis=1, keepdims=True)
    m = patterns[:, width:] / patterns[:, width:].sum(axis=1, keepdims=True)
    match = (h * m).sum(axis=1)
    places = _mirror(mirror, width)
    h, m = ((part + part[:, places]) / 2 for part in (h, m))
    percent = clustered_share(np.repeat(match, times), np.ones(units), np.arange(units))

    def kappa(weights: FloatArray) -> FloatArray:
        """Of each sample, (draws,), for weights (draws, patterns)."""
        observed = weights @ match / units
        expected = ((weights @ h) * (weights @ m)).sum(axis=1) / units**2
        chance = 1 - expected
        there = chance > 1e-12
        out = np.full(len(weights), np.nan)
        out[there] = (observed - expected)[there] / chance[there]
        return out

    value = float(kappa(times[None, :].astype(float))[0])
    if np.isnan(value):
        return CrossAgreement(None, percent, units)
    drawn = rng.multinomial(units, times / units, size=draws).astype(float)
    low, high = _interval(kappa(drawn), level)
    return CrossAgreement(Estimate(value, min(low, value), max(high, value)), percent, units)


def _times(key: IntArray) -> IntArray:
    """How often each number occurs in all; no table of all that there could be."""
    _, place, times = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(times[place])


def _mirror(mirror: Sequence[int] | None, width: int) -> IntArray:
    found = np.arange(width) if mirror is None else np.asarray(mirror, dtype=np.int64)
    every = np.arange(width)
    if not np.array_equal(np.sort(found), every) or not np.array_equal(found[found], every):
        raise DesignError("mirror must name for each category the one that it changes places with.")
    return found


def _alpha(patterns: IntArray, weights: FloatArray, ordinal: bool, mirror: IntArray) -> FloatArray:
    """α of each sample, (draws,), NaN where it is not defined, for weights (draws, patterns)."""
    width = patterns.shape[1]
    sizes = patterns.sum(axis=1)
    pairs = patterns[:, :, None] * patterns[:, None, :] / (sizes - 1)[:, None, None]
    pairs[:, np.arange(width), np.arange(width)] = 0.0  # δ is 0 there
    observed = (weights @ pairs.reshape(len(patterns), -1)).reshape(-1, width, width)
    totals = weights @ (patterns + patterns[:, mirror]) / 2  # (draws, categories)
    n = totals.sum(axis=1)
    distance = np.ones((1, width, width))
    if ordinal:
        below = np.cumsum(totals, axis=1) - totals / 2  # up to the middle of each category
        distance = (below[:, :, None] - below[:, None, :]) ** 2
    expected = totals[:, :, None] * totals[:, None, :] * distance
    expected[:, np.arange(width), np.arange(width)] = 0.0
    by_chance = expected.sum(axis=(1, 2)) / (n - 1)
    found = np.full(len(weights), np.nan)
    there = by_chance > 0
    found[there] = 1 - (observed * distance).sum(axis=(1, 2))[there] / by_chance[there]
    return found


def _interval(values: FloatArray, level: float) -> tuple[float, float]:
    """The middle part of the samples; without one that is defined, everything."""
    values = values[~np.isnan(values)]
    if not values.size:
        return -1.0, 1.0
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _table(counts: npt.ArrayLike) -> IntArray:
    found = np.asarray(counts)
    if found.ndim != 2 or found.dtype.kind not in "iu" or found.min(initial=0) < 0:
        raise DesignError("counts must be a table of whole numbers, units by categories.")
    return found.astype(np.int64, copy=False)
