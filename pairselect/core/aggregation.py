"""What several people's answers to a pair say together: the probability that its first is better.

Each person has an ability and a lean to the side that is shown on the left; both are learned from
all that they have answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logit

from pairselect.core.arrays import BoolArray, DesignError, FloatArray, IntArray

# The prior, in logits. People agree on 65 to 73 of 100 pairs of completions (Stiennon et al.,
# arXiv:2009.01325; Bai et al., arXiv:2204.05862), which two people who are right on 80 do: .8² +
# .2² = .68. A person one deviation above or below is right on 89 or 67 of 100.
USUAL_ABILITY = float(logit(0.8))
ABILITY_OF_ALL_SD = 0.5  # of the mean ability of these people around the usual
ABILITY_SD = 0.7  # of one of them around that mean
# Of the logit of the share in which one prefers the left side: a deviation is 58 times in 100, a
# lean β of ½ at the usual ability. It is on what is seen of a lean: were it on β, a small ability
# would cost each person less, and with one answer a pair nothing speaks against it.
LEFT_SD = 0.32

TOLERANCE = 0.01  # on the gradient; the prior alone bends by 2 to 4, so α is off by .005 at most
MAX_ITERATIONS = 500
Z = 1.959964  # of a 95% interval
SIDES, ANSWERS = 2, 3  # first on the right or left; second, tie, first


Small = npt.NDArray[np.int32]  # a million labels stay in the cache


@dataclass(frozen=True, eq=False)
class Aggregation:
    """Beliefs on the pairs, and what they take of the people.

    Attributes
    ----------
    probability : (n_pairs,) array
        P(first better) given all answers; the prior's where there are none.
    ability, lean : (n_annotators,) arrays
        α and β in logits, at the maximum of their posterior.
    converged : bool
        Whether `gradient_norm` met the tolerance. If not, the beliefs are those of the best
        point found; people with very few answers are the likely reason.
    gradient_norm : float
        The largest derivative of the log posterior.
    log_likelihood : float
        Log of the probability of the answers at the maximum, in nats.
    ability_sd : (n_annotators,) array or None
        Of the posterior, by Laplace's approximation, where it was asked for.
    """

    probability: FloatArray = field(repr=False)
    ability: FloatArray = field(repr=False)
    lean: FloatArray = field(repr=False)
    converged: bool
    gradient_norm: float
    log_likelihood: float
    ability_sd: FloatArray | None = field(default=None, repr=False)

    @property
    def accuracy(self) -> FloatArray:
        """How often each is right, (n_annotators,): the mean over either side of the better one."""
        return self._accuracy(self.ability)

    @property
    def accuracy_interval(self) -> FloatArray | None:
        """Low and high 95% limits of each accuracy, (n_annotators, 2), the lean held fixed."""
        if self.ability_sd is None:
            return None
        reach = Z * self.ability_sd
        limits = (self._accuracy(self.ability - reach), self._accuracy(self.ability + reach))
        return np.stack(limits, axis=1)

    def _accuracy(self, ability: FloatArray) -> FloatArray:
        return np.asarray((expit(ability + self.lean) + expit(ability - self.lean)) / 2)

    @property
    def left_share(self) -> FloatArray:
        """How often each prefers the left side, (n_annotators,); ½ without a lean."""
        right = expit(self.ability - self.lean)
        return np.asarray((expit(self.ability + self.lean) + 1 - right) / 2)


def aggregate_labels(
    pair: npt.ArrayLike,
    annotator: npt.ArrayLike,
    answer: npt.ArrayLike,
    first_on_left: npt.ArrayLike,
    *,
    n_pairs: int | None = None,
    known: npt.ArrayLike | None = None,
    prior: npt.ArrayLike | None = None,
    uncertainty: bool = False,
) -> Aggregation:
    """P(first better) of each pair, from answers of people who err and lean.

    A pair has one better side, z = +1 for the first or −1 for the second. Person a, who sees the
    first on side s = +1 (left) or −1, calls the first better with probability

        P(y = 1 | z, s) = σ(α_a z + β_a s),

    independently of all others given z. The priors are α_a ~ N(μ, 0.7²), μ ~ N(logit 0.8, 0.5²),
    and logit ℓ_a ~ N(0, 0.32²) for the share ℓ_a = [σ(β_a + α_a) + σ(β_a − α_a)]/2 in which the
    person prefers the left side. α, β and μ maximise the posterior with each z summed out; the
    beliefs are P(z = +1 | answers) there.

    Parameters
    ----------
    pair : (n,) integers
        From 0; one entry an answer.
    annotator : (n,) integers
        From 0. Where one answers a pair several times (a silent repeat, a machine in both orders)
        all the answers tell of their ability, but the pair hears their mean: a person's second
        answer is no second person.
    answer : (n,) array
        1 if the first is better, 0 for the second, ½ for a tie: half an answer to either side,
        which is also half a mistake.
    first_on_left : (n,) booleans
        The order that was shown.
    n_pairs : int, optional
        By default as many as `pair` names.
    known : (n_pairs,) array, optional
        1 or 0 where the better side is known (gold, an adjudicator's decision), NaN elsewhere.
        Of all answers, those to such pairs tell most of a person's ability.
    prior : (n_pairs,) array, optional
        P(first better) before any answer, between 0 and 1, for example σ of a fitted reward's
        difference; ½ by default.
    uncertainty : bool
        Whether to say how uncertain the abilities are. It takes as long as a pass over the answers
        for each of them.

    Returns
    -------
    Aggregation

    Raises
    ------
    DesignError
        On wrong shapes, negative numbers, other answers, or a prior outside of (0, 1).

    Notes
    -----
    This is Dawid and Skene's model for two classes, written by side: its confusion matrix of
    (better side, answered side) has the rows σ(α + β) and σ(α − β). The gradient comes from the
    expected counts of its E-step (Fisher's identity), but L-BFGS climbs by it: EM itself needs
    thousands of steps where most pairs have one answer, and stops short unnoticed.

    What it assumes, and where it fails:

    - With one answer a pair, and neither repeats nor known pairs, α is not identified: the prior
      decides, and each decided pair is believed at about .8. Repeats identify it from above: a
      mistake that a person makes every time, such as a taste of their own, is not seen.
    - Every pair is as hard as another. On hard pairs people err together, so beliefs built on many
      answers are too sure there.
    - Known pairs that are easier than the others make everybody look better than they are.
    - What all people share (a preference for length) counts as what is better.

    References
    ----------
    A. P. Dawid and A. M. Skene (1979), Maximum likelihood estimation of observer error-rates using
    the EM algorithm, Applied Statistics 28, 20–28. The lean as a logit beside the ability is the
    order effect of R. R. Davidson and R. J. Beaver (1977), Biometrics 33, 693–702.
    """
    pairs, people = _numbers(pair, "pair"), _numbers(annotator, "annotator")
    count = int(pairs.max(initial=-1)) + 1 if n_pairs is None else n_pairs
    left = np.asarray(first_on_left, dtype=bool)
    if people.shape != pairs.shape or left.shape != pairs.shape:
        raise DesignError("pair, annotator, answer and first_on_left must be of one length.")
    if pairs.size and pairs.max() >= count:
        raise DesignError(f"pair must be below n_pairs = {count}; got {pairs.max()}.")
    code = _codes(people, left, _answers(answer, len(pairs)))
    labels = _Labels(pairs, code, int(people.max(initial=-1)) + 1, _log_odds(prior, known, count))
    start = np.zeros(2 * labels.n_people + 1)
    start[: labels.n_people] = start[-1] = USUAL_ABILITY
    n = max(len(pairs), 1)

    def mean_loss(x: FloatArray) -> tuple[float, FloatArray]:
        loss, gradient = labels.loss(x)
        return loss / n, gradient / n

    from scipy.optimize import minimize  # 0.4 s, which every command would pay

    found = minimize(
        mean_loss,
        start,
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE / n / 10, "ftol": 0.0},
    )
    norm = n * float(np.abs(mean_loss(found.x)[1]).max())
    return Aggregation(
        probability=expit(labels.beliefs(found.x)),
        ability=found.x[: labels.n_people],
        lean=found.x[labels.n_people : -1],
        converged=norm <= TOLERANCE,
        gradient_norm=norm,
        log_likelihood=labels.log_likelihood(found.x),
        ability_sd=labels.ability_sd(found.x) if uncertainty else None,
    )


class _Labels:
    """Answers as codes: which person, which side the first was on, which answer."""

    def __init__(self, pair: Small, code: Small, n_people: int, log_odds: FloatArray) -> None:
        self.n_people, self.pair, self.code, self.log_odds = n_people, pair, code, log_odds
        self.n_codes = self.n_people * SIDES * ANSWERS
        self.counts = np.bincount(code, minlength=self.n_codes).astype(float)
        codes = np.arange(self.n_codes)
        self.of_person = codes // (SIDES * ANSWERS)
        self.s = np.where(codes // ANSWERS % SIDES, 1.0, -1.0)
        self.y = codes % ANSWERS / 2

    def _logits(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """u of each code if the first is better, and if the second is."""
        ability, lean = x[self.of_person], x[self.n_people + self.of_person] * self.s
        return ability + lean, lean - ability

    def _evidence(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log P(answer | first better) of each code, and the same for the second."""
        one, two = self._logits(x)
        if_first = self.y * one - np.logaddexp(0, one)
        return if_first, self.y * two - np.logaddexp(0, two)

    def _posterior(self, x: FloatArray) -> tuple[FloatArray, float]:
        """Log odds of each pair, and the log likelihood."""
        one, two = self._evidence(x)
        said = np.bincount(self.pair, (one - two)[self.code], minlength=len(self.log_odds))
        odds = self.log_odds + said
        # Σ_i log(π e^L₁ + (1 − π) e^L₀), the L₀ taken out of the sum
        free = np.isfinite(self.log_odds)
        total = np.logaddexp(0, odds[free]) - np.logaddexp(0, self.log_odds[free])
        sure = said[self.log_odds == np.inf]
        return odds, float(self.counts @ two + total.sum() + sure.sum())

    def log_likelihood(self, x: FloatArray) -> float:
        return self._posterior(x)[1]

    def loss(self, x: FloatArray) -> tuple[float, FloatArray]:
        """−log posterior of (α, β, μ), and its gradient."""
        odds, likelihood = self._posterior(x)
        first = np.bincount(self.code, expit(odds)[self.pair], minlength=self.n_codes)
        one, two = self._logits(x)
        if_first = first * (self.y - expit(one))
        if_second = (self.counts - first) * (self.y - expit(two))
        ability, lean, mean = x[: self.n_people], x[self.n_people : -1], x[-1]
        apart, off = (ability - mean) / ABILITY_SD**2, (mean - USUAL_ABILITY) / ABILITY_OF_ALL_SD**2
        squares = (ability - mean) @ apart + (mean - USUAL_ABILITY) * off
        left, by_ability, by_lean = _left_logit(ability, lean)
        squares += left @ left / LEFT_SD**2

        def by_person(codes: FloatArray) -> FloatArray:
            return np.bincount(self.of_person, codes, minlength=self.n_people).astype(float)

        gradient = np.concatenate(
            [
                apart + left * by_ability / LEFT_SD**2 - by_person(if_first - if_second),
                left * by_lean / LEFT_SD**2 - by_person(self.s * (if_first + if_second)),
                [off - apart.sum()],
            ]
        )
        return float(squares) / 2 - likelihood, gradient

    def ability_sd(self, x: FloatArray) -> FloatArray:
        """From the inverse of the Hessian, which differences of the gradient give."""
        step = 1e-4 * np.eye(x.size)
        rows = [(self.loss(x + one)[1] - self.loss(x - one)[1]) / 2e-4 for one in step]
        hessian = np.array(rows)
        covariance = np.linalg.inv((hessian + hessian.T) / 2)
        return np.asarray(np.sqrt(np.diag(covariance)[: self.n_people].clip(min=0)))

    def beliefs(self, x: FloatArray) -> FloatArray:
        """Log odds of each pair, each person heard once."""
        one, two = self._evidence(x)
        key = self.pair.astype(np.int64) * self.n_people + self.of_person[self.code]
        weight = (one - two)[self.code]
        weight /= _times(key)
        return self.log_odds + np.bincount(self.pair, weight, minlength=len(self.log_odds))


def _left_logit(ability: FloatArray, lean: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logit of the share of left sides preferred, and its derivatives by ability and lean."""
    one, two = lean + ability, lean - ability  # if the left one is better, if the right one is
    log_left = np.logaddexp(log_expit(one), log_expit(two))  # of twice the share
    log_right = np.logaddexp(log_expit(-one), log_expit(-two))
    scale = 2 * np.exp(-log_left - log_right)  # 1/2 over the share times its rest
    at_one, at_two = expit(one) * expit(-one), expit(two) * expit(-two)
    return log_left - log_right, scale * (at_one - at_two), scale * (at_one + at_two)


def _times(key: IntArray) -> IntArray:
    """How often each number occurs in all, as it stands in ``key``; most occur once."""
    ordered = np.sort(key)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    times = np.ones(len(key), dtype=np.int64)
    if twice.size:
        place = np.searchsorted(twice, key)
        place[place == twice.size] = 0
        several = np.flatnonzero(twice[place] == key)
        times[several] = np.bincount(place[several])[place[several]]
    return times


def _numbers(values: npt.ArrayLike, name: str) -> Small:
    found = np.asarray(values)
    if found.size == 0:
        return np.zeros(0, dtype=np.int32)
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < 0:
        raise DesignError(f"{name} must be one row of integers from 0.")
    return found.astype(np.int32, copy=False)


def _answers(answer: npt.ArrayLike, n: int) -> FloatArray:
    y = np.asarray(answer, dtype=np.float64)
    if y.shape != (n,):
        raise DesignError(f"answer must have one entry a label, shape ({n},); got {y.shape}.")
    if not np.all((y == 0) | (y == 0.5) | (y == 1)):
        raise DesignError("answer must be 1 for the first, 0 for the second, 0.5 for a tie.")
    return y


def _codes(person: Small, left: BoolArray, y: FloatArray) -> Small:
    """One number an answer: who, on which side the first was, and what."""
    return (2 * y).astype(np.int32) + np.int32(ANSWERS) * left + np.int32(ANSWERS * SIDES) * person


def _log_odds(prior: npt.ArrayLike | None, known: npt.ArrayLike | None, n: int) -> FloatArray:
    """Of each pair before any answer; infinite where it is known."""
    odds = np.zeros(n)
    if prior is not None:
        given = np.asarray(prior, dtype=np.float64)
        if given.shape != (n,) or not np.all((given > 0) & (given < 1)):
            raise DesignError(f"prior must have shape ({n},), each between 0 and 1.")
        odds = np.asarray(logit(given))
    if known is not None:
        sure = np.asarray(known, dtype=np.float64)
        there = ~np.isnan(sure)
        if sure.shape != (n,) or not np.isin(sure[there], (0.0, 1.0)).all():
            raise DesignError(f"known must have shape ({n},), each 1, 0 or NaN.")
        odds[there] = np.where(sure[there] == 1, np.inf, -np.inf)
    return odds
