"""Ways to choose n pairs, each as the product would be asked, and the labels that come of it."""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.proof.task import Split
from pairselect.core import CandidatePool, Selection, budget_curve, choose_pairs, next_round
from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.strategies import AGREEMENT, KEEP

# Certified fraction above the optimum at which a design will do: far below what seeds differ by.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Plan:
    """The options of `manage.py design_pairs`, and of `next_round` where there are rounds.

    Its defaults are those of the core, which has no prior; the product's are `DEFAULT`.

    Attributes
    ----------
    scores : str
        Whose gaps the strategy looks at: those of `Split.scores`, or ``fitted`` to the rounds
        before.
    rounds : int
        Equal parts of the budget, each chosen in the knowledge of the labels before.
    first : str
        The strategy of the first round, which knows of no labels.
    fit_prior_sd : float or None
        Of the fits between rounds; None: by the evidence.
    dimension : int
        Of the design's features; 0 for the product's own choice.
    draws : int
        Independent choices, averaged.
    within : str
        The paper's settings, which narrow what is chosen from: ``prompts``, two completions of
        each prompt, so that prompts are chosen; ``responses``, all pairs of as many prompts as
        there are labels, which goes with one pair a prompt. Which ones is the seed's.
    """

    strategy: str = "trace"
    method: str = "exact"
    scores: str = ""
    keep: float = KEEP
    rounds: int = 1
    first: str = "trace"
    random_share: float = 0.0
    target: str = "samples"
    ridge: float = 1e-3
    max_per_prompt: int | None = None
    prior_sd: float | None = None
    fit_prior_sd: float | None = None
    agreement: float = AGREEMENT
    dimension: int = 0
    draws: int = 1
    within: str = ""

    def facts(self) -> dict[str, Any]:
        """What differs from the defaults, for the records."""
        usual = asdict(Plan())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


# As the product designs where nobody says otherwise.
DEFAULT = Plan(prior_sd=0.5)


@dataclass(frozen=True, eq=False)
class Chosen:
    pairs: IntArray  # (n, 2), rows of the split's pool
    worth: float | None = None  # random labels, as the receipt predicts; None where it does not
    gap: float | None = None  # Φ over its bound − 1, where there is a receipt


def choose(split: Split, plan: Plan, budget: int, draw: int, *, receipt: bool = False) -> Chosen:
    """`budget` pairs of the split's training prompts."""
    rng = np.random.default_rng([3, split.seed, budget, draw])
    if plan.rounds > 1:
        return Chosen(in_rounds(split, plan, budget, rng))
    pool = split.design_pool(plan.dimension or dimension_for(budget))
    if plan.within:
        pool = pool.restricted_to(allowed(pool, plan.within, budget, split.seed))
    if plan.scores:
        pool = scored(pool, split.scores(plan.scores))
    settings = settings_of(plan, rng)
    selection = choose_pairs(pool, strategy=plan.strategy, budget=budget, **settings)
    if not receipt:
        return Chosen(selection.pairs)
    return Chosen(selection.pairs, worth(selection, rng), selection.gap)


def allowed(pool: CandidatePool, within: str, budget: int, seed: int) -> IntArray:
    """Ids of the pairs that may be chosen in one of the paper's settings, see `Plan`."""
    rng = np.random.default_rng([8, seed])
    ids = pool.candidate_ids()
    if within == "responses":
        prompts = rng.permutation(pool.n_prompts)[:budget]
        return ids[np.isin(pool.pair_prompts(ids), prompts)]
    ids = rng.permutation(ids)
    found: IntArray = ids[np.unique(pool.pair_prompts(ids), return_index=True)[1]]
    return found


def in_rounds(split: Split, plan: Plan, budget: int, rng: np.random.Generator) -> IntArray:
    """Pairs (budget, 2), a part a round; the first by a strategy that needs no labels."""
    sizes = np.diff(np.linspace(0, budget, plan.rounds + 1).round().astype(int)).tolist()
    settings = settings_of(plan, rng)
    pool = split.design_pool(plan.dimension or dimension_for(sizes[0]))
    pairs = choose_pairs(pool, strategy=plan.first, budget=sizes[0], **settings).pairs
    for size in sizes[1:]:
        pool = split.design_pool(plan.dimension or dimension_for(size + len(pairs)))
        step = next_round(
            pool,
            pairs,
            split.labels(pairs),
            budget=size,
            strategy=plan.strategy,
            fit_prior_sd=plan.fit_prior_sd,
            **settings,
        )
        pairs = np.concatenate([pairs, step.selection.pairs])
    return pairs


def dimension_for(labels: int) -> int:
    """The product's own choice."""
    from pairselect.designs.solution import dimension_for as of_product  # needs Django set up

    return of_product(labels)


def settings_of(plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "method": plan.method,
        "keep": plan.keep,
        "agreement": plan.agreement,
        "random_share": plan.random_share,
        "target": plan.target,
        "ridge": plan.ridge,
        "max_per_prompt": plan.max_per_prompt,
        "prior_sd": plan.prior_sd,
        "tolerance": TOLERANCE,
        "rng": rng,
    }


def scored(pool: CandidatePool, scores: FloatArray) -> CandidatePool:
    """The same pool with a score for each row; it shares the arrays."""
    other = copy(pool)
    other.scores = scores[pool.rows]
    return other


def worth(selection: Selection, rng: np.random.Generator) -> float:
    """The receipt's prediction: as many random labels bring the loss of these."""
    curve = budget_curve(selection.problem, rng=rng, chosen_objective=selection.objective)
    return curve.worth
