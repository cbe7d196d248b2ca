"""The Wilson interval, by hand and against SciPy's."""

import math

import pytest
from scipy.stats import binomtest

from pairselect.core import DesignError
from pairselect.core.intervals import wilson_interval


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("trials", [1, 2, 3, 7, 40, 1_000, 1_000_000])
def test_it_is_scipys(trials: int, level: float) -> None:
    for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
        found = wilson_interval(successes, trials, level=level)
        assert found == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


def test_by_hand() -> None:
    """z = 2 where the level is that of two standard deviations, so 5 of 16 is in whole numbers:
    p̂ = 5/16, z²/n = 1/4, centre (5/16 + 1/8)/(5/4) = 7/20, and the reach is
    √(1/4 · (55/256 + 1/16)) / (5/4) = √71 / 40."""
    two_deviations = math.erf(math.sqrt(2))
    low, high = wilson_interval(5, 16, level=two_deviations)
    assert low == pytest.approx(7 / 20 - math.sqrt(71) / 40, abs=1e-12)
    assert high == pytest.approx(7 / 20 + math.sqrt(71) / 40, abs=1e-12)


def test_its_ends_are_where_the_score_test_turns() -> None:
    z = 1.959963984540054
    for successes, trials in ((3, 10), (17, 40), (99, 100)):
        for end in wilson_interval(successes, trials):
            deviation = math.sqrt(end * (1 - end) / trials)
            assert abs(successes / trials - end) / deviation == pytest.approx(z, rel=1e-9)


@pytest.mark.parametrize("trials", [1, 5, 10**9])
def test_nothing_and_everything_reach_the_ends_exactly(trials: int) -> None:
    assert wilson_interval(0, trials)[0] == 0.0
    assert wilson_interval(trials, trials)[1] == 1.0
    assert wilson_interval(0, trials)[1] > 0.0
    assert wilson_interval(trials, trials)[0] < 1.0


def test_it_holds_the_share_and_mirrors() -> None:
    for successes in range(31):
        low, high = wilson_interval(successes, 30)
        assert 0 <= low <= successes / 30 <= high <= 1
        mirrored = wilson_interval(30 - successes, 30)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-15)


@pytest.mark.parametrize(
    ("successes", "trials", "level", "said"),
    [
        (0, 0, 0.95, "at least one trial"),
        (-1, 3, 0.95, "between 0 and 3, got -1"),
        (4, 3, 0.95, "between 0 and 3, got 4"),
        (1, 3, 1.0, "level must be between 0 and 1, got 1.0"),
        (1, 3, 0.0, "level must be between 0 and 1, got 0.0"),
    ],
)
def test_what_has_no_interval_is_said(successes: int, trials: int, level: float, said: str) -> None:
    with pytest.raises(DesignError, match=said):
        wilson_interval(successes, trials, level=level)
