"""What labels teach: the fitted reward on labels that it has not seen, against their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from pairselect.core.arrays import BoolArray, DesignError, FloatArray, IntArray
from pairselect.core.bradley_terry import PRIOR_GRID, BradleyTerryFit, fit_bradley_terry
from pairselect.core.clustered import Estimate, clustered_share
from pairselect.core.contrast import GroupJackknife
from pairselect.core.pool import CandidatePool

FIRST_SIZE = 25  # labels; doubled from there
FOLDS, REPEATS = 4, 5
FEWEST_LABELS, FEWEST_PROMPTS = 40, 8
FEWEST_CONTROL = 60  # held-out labels on random pairs, for these alone to judge
BINS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])  # of the predicted probability of the winner


@dataclass(frozen=True)
class LearningPoint:
    labels: int  # that the reward was fitted to
    accuracy: Estimate  # on held-out labels


@dataclass(frozen=True)
class Contrast:
    """Designed labels against as many on random pairs, on the same held-out labels."""

    labels: int
    difference: Estimate  # of the accuracies, designed − control


@dataclass(frozen=True)
class ReliabilityBin:
    """Held-out labels whose predicted probability lies in the bin."""

    predicted: float  # their mean, of the side that is predicted to win: ½ to 1
    observed: Estimate  # how often that side won
    labels: int


@dataclass(frozen=True)
class Learning:
    """How well labels predict other labels.

    Attributes
    ----------
    everything, designed, control : tuple of LearningPoint
        By number of labels: drawn from all, from those on designed pairs, from those on random
        pairs. The latter two are of the same numbers, and empty unless there are enough of either
        and random pairs alone judge.
    contrast : Contrast or None
        At the largest of those numbers.
    reliability : tuple of ReliabilityBin
        Of the fits to most labels; empty bins are left out.
    held_out : int
        Labels that judged, ties aside: each of them in `REPEATS` splits.
    prompts : int
        Of those labels; the intervals are over them.
    judged_by_control : bool
        Whether those labels are all on random pairs. If not, designed pairs are among them, which
        differ more than others, and are easier.
    """

    everything: tuple[LearningPoint, ...]
    designed: tuple[LearningPoint, ...]
    control: tuple[LearningPoint, ...]
    contrast: Contrast | None
    reliability: tuple[ReliabilityBin, ...]
    held_out: int
    prompts: int
    judged_by_control: bool


def learning_curve(
    pool: CandidatePool,
    pairs: npt.ArrayLike,
    preferred: npt.ArrayLike,
    is_random: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    prompt: npt.ArrayLike | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Learning:
    """Held-out accuracy of the fitted reward against the number of labels it is fitted to.

    In each of `REPEATS` rounds the prompts are dealt into `FOLDS` parts. Each part is held out
    once, and rewards are fitted by `fit_bradley_terry` to n labels drawn without replacement from
    the other parts, for n = 25, 50, 100, … and all there are; the draws are nested. A label's
    score is the share of the rounds in which the reward has its sign right. The intervals are
    over prompts. Those of the accuracies hold what another set of prompts to judge by would
    change, and not what other pairs to learn from would; that of the contrast holds both
    (`GroupJackknife`).

    Parameters
    ----------
    pool : CandidatePool
    pairs : (n, 2) integers
        Rows of `features`, one entry a label.
    preferred : (n,) array
        1 if the first of the pair won, 0 for the second, ½ for a tie. Ties teach, and do not
        judge.
    is_random : (n,) booleans
        Whether the pair was drawn at random, as a control of the design. With at least
        `FEWEST_CONTROL` decided ones on `FEWEST_PROMPTS` prompts, these alone judge: a random pair
        is what the criterion is about. With fewer the arms are not compared: a design would be
        judged on its own kind of pair.
    rng : Generator
    prompt : (n,) integers, optional
        Whose labels are held out together: any number for each prompt, the same for prompts that
        are equal but in their ids. By default the pool's prompts.
    report : callable, optional
        Called with (splits done, splits).

    Returns
    -------
    Learning

    Raises
    ------
    DesignError
        With fewer than `FEWEST_LABELS` decided labels or `FEWEST_PROMPTS` prompts, where so many
        labels are of one prompt that `FIRST_SIZE` are not left without it, or on wrong shapes.
    """
    table, y = np.asarray(pairs), np.asarray(preferred, dtype=np.float64)
    random = np.asarray(is_random, dtype=bool)
    if table.shape != (len(y), 2) or random.shape != y.shape:
        raise DesignError("pairs must have shape (n, 2), preferred and is_random (n,).")
    decided = y != 0.5
    prompts = _prompt_of(pool, table) if prompt is None else np.asarray(prompt)
    if prompts.shape != y.shape:
        raise DesignError("prompt must have one entry a label.")
    too_few = DesignError(
        f"A learning curve needs {FEWEST_LABELS} decided labels on {FEWEST_PROMPTS} prompts, and "
        f"{FIRST_SIZE} labels away from each quarter of the prompts; label more pairs."
    )
    if decided.sum() < FEWEST_LABELS or len(np.unique(prompts[decided])) < FEWEST_PROMPTS:
        raise too_few
    by_control = bool(
        (decided & random).sum() >= FEWEST_CONTROL
        and len(np.unique(prompts[decided & random])) >= FEWEST_PROMPTS
    )
    judges = decided & random if by_control else decided
    part = _folds(prompts, rng)  # (REPEATS, n)
    arms = {"everything": np.ones(len(y), dtype=bool)}
    if by_control and not random.all():
        arms |= {"designed": ~random, "control": random}
    sizes = {name: _sizes(part, arm) for name, arm in arms.items()}
    if not sizes["everything"]:
        raise too_few
    both = 0
    if sizes.get("designed") and sizes.get("control"):  # at equal numbers, as far as both reach
        fewer = min((sizes["designed"], sizes["control"]), key=lambda one: one[-1])
        sizes["designed"] = sizes["control"] = fewer
        both = fewer[-1]
    else:
        sizes = {"everything": sizes["everything"]}

    jackknife = GroupJackknife(pool, table, y, prompts, judges, rng) if both else None
    scores = {(name, n): np.zeros(len(y)) for name in sizes for n in sizes[name]}
    predicted = np.zeros(len(y))
    total = REPEATS * FOLDS
    for split in range(total):
        report(split, total)
        away = part[split // FOLDS] == split % FOLDS
        judged = np.flatnonzero(away & judges)
        for name in sizes:
            train = rng.permutation(np.flatnonzero(arms[name] & ~away))
            sd: float | None = None
            for n in sizes[name]:
                fit = _fit(pool, table[train[:n]], y[train[:n]], sd)
                sd = fit.prior_sd
                logit = fit.rewards[table[judged, 0]] - fit.rewards[table[judged, 1]]
                right = np.where(logit == 0, 0.5, (logit > 0) == (y[judged] == 1))
                scores[name, n][judged] += right / REPEATS
                if name == "everything" and n == sizes[name][-1]:
                    predicted[judged] += expit(logit) / REPEATS
                if jackknife and n == both and name != "everything":
                    sign = 1 if name == "designed" else -1
                    jackknife.add(sign / REPEATS, fit, train[:n], judged)
    report(total, total)

    groups = prompts[judges]

    def points(name: str) -> tuple[LearningPoint, ...]:
        found = []
        for n in sizes.get(name, []):
            estimate = clustered_share(scores[name, n][judges], np.ones(len(groups)), groups)
            assert estimate is not None  # there are labels to judge by
            found.append(LearningPoint(n, estimate))
        return tuple(found)

    contrast = None
    if jackknife:
        apart = (scores["designed", both] - scores["control", both])[judges]
        contrast = Contrast(both, jackknife.interval(apart))
    return Learning(
        everything=points("everything"),
        designed=points("designed"),
        control=points("control"),
        contrast=contrast,
        reliability=_reliability(predicted[judges], y[judges] == 1, groups),
        held_out=int(judges.sum()),
        prompts=len(np.unique(groups)),
        judged_by_control=by_control,
    )


def _fit(
    pool: CandidatePool, pairs: IntArray, preferred: FloatArray, near: float | None
) -> BradleyTerryFit:
    """With the prior that the evidence prefers: of all, or uphill from one that fewer labels did.

    The evidence has one peak in practice, and the labels before are half of these.
    """
    if near is None:
        return fit_bradley_terry(pool, pairs, preferred)
    place = PRIOR_GRID.index(near)
    found: dict[int, BradleyTerryFit] = {}

    def at(k: int) -> float:
        if not 0 <= k < len(PRIOR_GRID):
            return -np.inf
        if k not in found:
            found[k] = fit_bradley_terry(pool, pairs, preferred, prior_sd=PRIOR_GRID[k])
        return found[k].log_evidence

    step = 1 if at(place + 1) > at(place) else -1
    while at(place + step) > at(place):
        place += step
    return found[place]


def _prompt_of(pool: CandidatePool, pairs: IntArray) -> IntArray:
    """A number for the prompt of each pair, (n,)."""
    pool.pair_ids(pairs)  # raises where a pair is none
    place = np.full(pool.n_completions, -1, dtype=np.int64)
    place[pool.rows] = pool.prompt_of_row
    return place[pairs[:, 0]] if len(pairs) else np.zeros(0, dtype=np.int64)


def _folds(prompt: IntArray, rng: np.random.Generator) -> IntArray:
    """Which part each label's prompt is dealt into, in each round: (REPEATS, n)."""
    _, place = np.unique(prompt, return_inverse=True)
    count = int(place.max()) + 1
    return np.stack([(rng.permutation(count) % FOLDS)[place] for _ in range(REPEATS)])


def _sizes(part: IntArray, arm: BoolArray) -> list[int]:
    """How many labels to fit to: 25, 50, … and the most that every split leaves."""
    left = [int((arm & (row != fold)).sum()) for row in part for fold in range(FOLDS)]
    most, found = min(left), []
    n = FIRST_SIZE
    while n <= most:
        found.append(n)
        n *= 2
    if found and most >= 1.25 * found[-1]:
        found.append(most)
    return found


def _reliability(
    probability: FloatArray, first_won: BoolArray, cluster: IntArray
) -> tuple[ReliabilityBin, ...]:
    """Of the side that is predicted to win: how sure, and how often it does."""
    sure = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == first_won
    place = np.clip(np.digitize(sure, BINS) - 1, 0, len(BINS) - 2)
    found = []
    for k in range(len(BINS) - 1):
        inside = place == k
        observed = clustered_share(right[inside], np.ones(inside.sum()), cluster[inside])
        if observed is not None:
            found.append(ReliabilityBin(float(sure[inside].mean()), observed, int(inside.sum())))
    return tuple(found)
