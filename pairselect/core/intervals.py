"""How far a share that was counted may be from the one behind it."""

from math import sqrt
from statistics import NormalDist

from pairselect.core.arrays import DesignError


def wilson_interval(successes: float, trials: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a binomial proportion.

    With p̂ = successes / trials, n = trials and z the (1 + level)/2 quantile of the standard normal
    distribution, the p that the score test does not reject, |p̂ − p| ≤ z √(p(1 − p)/n):

        (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n)

    It stays within 0 and 1 and is of use for small n, also where p̂ is 0 or 1. There is no
    continuity correction: it covers the truth at about ``level`` on average over p, at single p
    less. The trials are taken to be independent.

    Parameters
    ----------
    successes : float
        Of the trials, 0 to ``trials``. Where a trial may succeed in part, the sum of the parts:
        the interval is then wide rather than narrow, as no variable within 0 and 1 varies more
        than one that is either.
    trials : float
        Above 0; an effective number of trials need not be whole.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    low, high : float
        0 ≤ low ≤ p̂ ≤ high ≤ 1; low is exactly 0 without successes, high exactly 1 without
        failures.

    Raises
    ------
    DesignError
        Without trials, with more successes than trials, or with a level outside of (0, 1).

    References
    ----------
    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209–212.
    """
    if trials <= 0:
        raise DesignError("There is no interval of a share of nothing: give at least one trial.")
    if not 0 <= successes <= trials:
        raise DesignError(f"successes must be between 0 and {trials}, got {successes}.")
    if not 0 < level < 1:
        raise DesignError(f"level must be between 0 and 1, got {level}.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, square = successes / trials, z * z / trials
    centre = share + square / 2
    reach = sqrt(square * (share * (1 - share) + square / 4))
    low = (centre - reach) / (1 + square) if successes else 0.0
    high = (centre + reach) / (1 + square) if successes < trials else 1.0
    return max(low, 0.0), min(high, 1.0)
