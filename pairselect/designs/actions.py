"""From a pool to a queue of pairs."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pairselect.core import STRATEGIES, DesignError
from pairselect.designs.bridge import labels_of, selected_rows
from pairselect.designs.models import Design, KnownLabel, SelectedPair
from pairselect.designs.solution import STEPS, rationales, solve
from pairselect.jobs.actions import Work, is_active
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.actions import work_for_pool
from pairselect.pools.models import FeatureSet, Pool
from pairselect.pools.naming import row_named
from pairselect.pools.queries import finished_features, finished_scores
from pairselect.pools.storage import FeaturesLost
from pairselect.trail.actions import record

# What solving sets. The rest of a row may be changed meanwhile: renamed, put away.
SOLVED = (
    "feature_set",
    "score_set",
    "objective",
    "uniform_objective",
    "random_objective",
    "lower_bound",
    "status",
    "message",
    "relaxed_objective",
    "passes",
    "candidate_count",
    "reduction",
    "diagnostics",
    "seconds",
    "solved_at",
)


def create_design(
    pool: Pool,
    *,
    name: str,
    created_by: User | None = None,
    after: Design | None = None,
    labels: Sequence[KnownLabel] = (),
    **settings: Any,
) -> Design:
    """The design that a worker will solve, or the same one, asked for before.

    A next round comes ``after`` a design, and is made from ``labels`` on pairs of earlier rounds,
    which are stored with it. One that is solved, or being solved, keeps those that it has.

    Raises
    ------
    NameRefused
        When a design of that name has another pool or other settings.
    """
    with transaction.atomic():
        design = row_named(
            Design,
            name,
            settings={"pool": pool, "after": after} | settings,
            created_by=created_by,
            came_to_nothing=_came_to_nothing,
        )
        if _came_to_nothing(design):
            design.known_labels.all().delete()
            for label in labels:
                label.pk, label.design = None, design
            KnownLabel.objects.bulk_create(labels, batch_size=2000)
    return design


def work_for_design(design: Design) -> Work:
    """The jobs that a design still needs, its pool's among them."""
    if design.solved_at is not None:
        return []
    pool_work = work_for_pool(design.pool, features=design.feature_kind)
    return [*pool_work, ("solve_design", design.pk)]


def solve_design(design_id: int, progress: JobProgress) -> None:
    """Choose the pairs and queue them, with the receipt; all in one step or not at all."""
    design = Design.objects.select_related("pool", "after").get(pk=design_id)
    if design.solved_at:
        return
    features = finished_features(design.pool, design.feature_kind)
    if features is None:
        raise JobError(
            f"The pool “{design.pool}” has no {design.feature_kind} features yet: extract them."
        )
    strategy = STRATEGIES[design.strategy]
    if "scores" in strategy.needs and (design.after is None or strategy.outside):
        # Asked for while the pool was still being made, it takes the scores that came with it.
        design.score_set = design.score_set or finished_scores(design.pool).first()
    started = time.monotonic()
    try:
        solution = solve(design, features, labels_of(design), progress)
    except DesignError as problem:
        raise JobError(str(problem)) from problem
    except FeaturesLost as problem:
        # So that the next request extracts them anew.
        FeatureSet.objects.filter(pk=features.pk).update(completed_at=None)
        raise JobError(str(problem)) from problem
    selection = solution.selection
    design.feature_set = features
    design.objective = selection.objective
    design.uniform_objective = selection.problem.uniform_objective
    design.random_objective = solution.random_objective
    design.lower_bound = solution.lower_bound
    design.status, design.message = selection.status.value, selection.status.message
    if selection.design is not None:
        design.relaxed_objective = selection.design.objective
        design.passes = selection.design.passes
    design.candidate_count = selection.problem.pool.n_pairs
    design.reduction = solution.arrays.reduction
    design.diagnostics = solution.diagnostics | {"admissible_gap": solution.admissible_gap}
    why = rationales(selection, solution.order, np.random.default_rng(design.seed))
    rows = selected_rows(design, solution.arrays, selection, solution.order, why)
    design.seconds = time.monotonic() - started
    design.solved_at = timezone.now()
    with transaction.atomic():
        SelectedPair.objects.filter(design=design).delete()
        SelectedPair.objects.bulk_create(rows, batch_size=2000)
        design.save(update_fields=SOLVED)
        record("design.solved", design, pairs=len(rows))
    progress.report(STEPS, STEPS)


def _came_to_nothing(design: Design) -> bool:
    return design.solved_at is None and not is_active("solve_design", design.pk)
