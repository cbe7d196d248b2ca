"""From a pool to a queue of pairs."""

import time
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pairselect.core import DesignError, choose_pairs, order_pairs, random_selections
from pairselect.designs.bridge import pool_arrays, selected_rows
from pairselect.designs.models import Design, SelectedPair
from pairselect.jobs.actions import Work, is_active
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.actions import work_for_pool
from pairselect.pools.models import FeatureSet, Pool
from pairselect.pools.naming import row_named
from pairselect.pools.queries import finished_features
from pairselect.pools.storage import FeaturesLost

MOST_DIMENSIONS = 128  # arXiv:2606.19607 reduces to 128
RANDOM_DRAWS = 10


def dimension_for(budget: int) -> int:
    """Half the budget, 4 to 128.

    n pairs say nothing of d > n directions: Φ is then the ridge's alone, and no choice of pairs
    is near the bound. Two labels a direction leave the design something to choose.
    """
    return min(max(budget // 2, 4), MOST_DIMENSIONS)


def create_design(
    pool: Pool, *, name: str, created_by: User | None = None, **settings: Any
) -> Design:
    """The design that a worker will solve, or the same one, asked for before.

    Raises
    ------
    NameRefused
        When a design of that name has another pool or other settings.
    """
    return row_named(
        Design,
        name,
        settings={"pool": pool} | settings,
        created_by=created_by,
        came_to_nothing=lambda design: (
            design.solved_at is None and not is_active("solve_design", design.pk)
        ),
    )


def work_for_design(design: Design) -> Work:
    """The jobs that a design still needs, its pool's among them."""
    if design.solved_at is not None:
        return []
    pool_work = work_for_pool(design.pool, features=design.feature_kind)
    return [*pool_work, ("solve_design", design.pk)]


def solve_design(design_id: int, progress: JobProgress) -> None:
    """Choose the pairs and queue them, with the receipt; all in one step or not at all."""
    design = Design.objects.select_related("pool").get(pk=design_id)
    if design.solved_at:
        return
    features = finished_features(design.pool, design.feature_kind)
    if features is None:
        raise JobError(
            f"The pool “{design.pool}” has no {design.feature_kind} features yet: extract them."
        )
    started = time.monotonic()
    progress.report(0, 3, "reading the pool")
    try:
        dimension = design.dimension or dimension_for(design.budget)
        arrays = pool_arrays(features, dimension=dimension)
        progress.report(1, 3, "choosing pairs")
        rng = np.random.default_rng(design.seed)
        selection = choose_pairs(
            arrays.candidates,
            strategy=design.strategy,
            budget=design.budget,
            ridge=design.ridge,
            max_per_prompt=design.max_per_prompt,
            tolerance=design.tolerance,
            target=design.target,
            method=design.method,
            rng=rng,
        )
        progress.report(2, 3, "ordering the queue")
        order = order_pairs(selection.problem, selection.pairs)
        random = random_selections(selection.problem, rng, draws=RANDOM_DRAWS)
    except DesignError as problem:
        raise JobError(str(problem)) from problem
    except FeaturesLost as problem:
        # So that the next request extracts them anew.
        FeatureSet.objects.filter(pk=features.pk).update(completed_at=None)
        raise JobError(str(problem)) from problem
    design.feature_set = features
    design.objective = selection.objective
    design.uniform_objective = selection.problem.uniform_objective
    design.random_objective = float(np.mean([one.objective for one in random]))
    design.lower_bound = selection.lower_bound
    if selection.design is not None:
        design.relaxed_objective = selection.design.objective
        design.passes = selection.design.passes
        design.status = selection.design.status.name.lower()
        design.message = selection.design.status.message
    design.candidate_count = arrays.candidates.n_pairs
    design.reduction = arrays.reduction
    design.seconds = time.monotonic() - started
    design.solved_at = timezone.now()
    with transaction.atomic():
        SelectedPair.objects.filter(design=design).delete()
        SelectedPair.objects.bulk_create(
            selected_rows(design, arrays, selection, order), batch_size=2000
        )
        design.save()
    progress.report(3, 3)
