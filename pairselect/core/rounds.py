"""The next round: a design that knows the labels so far."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError
from pairselect.core.bradley_terry import BradleyTerryFit, fit_bradley_terry
from pairselect.core.pool import CandidatePool
from pairselect.core.selection import Selection
from pairselect.core.strategies import STRATEGIES, choose_pairs

SCORES = ("pool", "fitted")


@dataclass(frozen=True, eq=False)
class Round:
    """The reward fitted to the labels so far, and the pairs to label next.

    Attributes
    ----------
    fit : BradleyTerryFit
    selection : Selection
        Φ and its bounds are at the fitted reward, with what is labelled as prior information.
    """

    fit: BradleyTerryFit
    selection: Selection


def next_round(
    pool: CandidatePool,
    pairs: npt.ArrayLike,
    preferred: npt.ArrayLike,
    *,
    budget: int,
    strategy: str = "trace",
    scores: str = "fitted",
    target: str | npt.ArrayLike = "samples",
    fit_prior_sd: float | None = None,
    excluded: npt.ArrayLike | None = None,
    **settings: Any,
) -> Round:
    """Fit the labels so far, and choose `budget` further pairs in the knowledge of them.

    1. r̂ is fitted to the labels by `fit_bradley_terry`.
    2. What is bought counts: with m labels, the prior information is (1/n) Σ 4σ′(û) g gᵀ.
    3. A new label on (a, b) counts 4σ′(r̂_a − r̂_b) g gᵀ.
    4. Only pairs that have no label compete.

    Parameters
    ----------
    pool : CandidatePool
    pairs : (m, 2) integers
        Rows of `features` that have a label; a pair may occur several times.
    preferred : (m,) array
        1 if the first of the pair was preferred, 0 for the second, ½ for a tie.
    budget : int
        n, the number of pairs of the next round.
    strategy : str
        A key of `STRATEGIES`.
    scores : {"fitted", "pool"}
        Whose gaps the strategies that need scores look at: those of r̂, or the pool's own. One
        whose scores must come from elsewhere looks at the pool's own in any case.
    target : {"samples", "policy", "fitted"} or (d, d) array
        W. ``"fitted"`` refreshes it at r̂: see `target_information`.
    fit_prior_sd : float, optional
        Of the fit; by default the evidence chooses it.
    excluded : (k, 2) integers, optional
        Further pairs that may not be chosen, such as those that wait for their label.
    **settings
        The other arguments of `choose_pairs`: method, rng, keep, random_share and so on. With
        `prior_sd` that of the fit, M is up to the ridge, times n/4, the precision of the
        posterior.

    Returns
    -------
    Round

    Raises
    ------
    DesignError
        Without a label, or if the request cannot be met.

    Notes
    -----
    The theory of Han, Goyal and Ma, arXiv:2606.19607, is for one round; this is the locally
    optimal design at the fit. Which pairs are labelled now depends on earlier labels, so a random
    share (`random_share`) is what tells whether the rounds are worth it.
    """
    if scores not in SCORES:
        raise DesignError(f'scores must be "fitted" or "pool"; got "{scores}".')
    fit = fit_bradley_terry(pool, pairs, preferred, prior_sd=fit_prior_sd)
    taken = [pool.pair_ids(pairs)]
    if excluded is not None:
        taken.append(pool.pair_ids(excluded))
    rest = copy(pool.without(np.unique(np.concatenate(taken))))
    rest.rewards = fit.rewards[pool.rows]
    known = STRATEGIES.get(strategy)
    if scores == "fitted" and not (known and known.outside):
        rest.scores = rest.rewards
    selection = choose_pairs(
        rest,
        budget=budget,
        strategy=strategy,
        target=target,
        prior_information=fit.information / budget,
        **settings,
    )
    return Round(fit, selection)
