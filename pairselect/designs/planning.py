"""Plans: what a budget would bring, by each strategy, predicted before a design is saved."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pairselect.core import STRATEGIES, DesignError, Selection, allocation
from pairselect.designs.bridge import Label
from pairselect.designs.models import Design, KnownLabel, Plan
from pairselect.designs.receipt import plain_facts
from pairselect.designs.solution import STEPS, Solution, choose, solve
from pairselect.designs.words import verdict
from pairselect.jobs.actions import Work
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.actions import work_for_pool
from pairselect.pools.models import FeatureSet, Pool
from pairselect.pools.queries import finished_features, finished_scores
from pairselect.pools.storage import FeaturesLost
from pairselect.trail.actions import record

# These look at every pair once for each pair that they choose, or need very many passes.
SLOW = ("k_center", "hybrid", "trace_vertex")
MANY_PAIRS = 100_000
KEPT = 20  # plans of a pool; older ones are of no use


def ask_plan(
    pool: Pool,
    *,
    created_by: User | None = None,
    after: Design | None = None,
    labels: Sequence[KnownLabel] = (),
    entry: Mapping[str, str] | None = None,
    page: str = "",
    **settings: Any,
) -> Plan:
    """The plan for these settings, which a worker will make; what is known already is kept.

    ``settings`` are those of `create_design`, a name apart. ``entry`` is how the budget and the
    name were typed, and ``page`` the address of the form, so that it can be shown again as it was.
    """
    known = [[label.first_id, label.second_id, label.preference] for label in labels]
    score_set, features, scores = settings.pop("score_set", None), None, None
    if pool.completed_at is not None:
        features = finished_features(pool, settings["feature_kind"])
        scores = finished_scores(pool).first()  # what the other strategies look at
    asked = settings | {
        "after_id": after.pk if after else None,
        "score_set_id": score_set.pk if score_set else None,
    }
    asked.pop("name", None)
    made_from = [one.pk if one else None for one in (features, scores)]
    facts = [pool.pk, *made_from, asked, known]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    stored = {
        "settings": asked, "labels": known, "key": key, "entry": dict(entry or {}), "page": page,
    }  # fmt: skip
    with transaction.atomic():
        same = pool.plans.filter(asked__key=key)
        plan = same.filter(created_by=created_by).first()
        if plan is None:
            made = same.filter(completed_at__isnull=False).first()
            plan = Plan(pool=pool, created_by=created_by, asked=stored)
            if made is not None:
                plan.results, plan.completed_at = made.results, made.completed_at
            plan.save()
            record("plan.created", pool, person=created_by, budget=asked.get("budget"))
            _forget_old(pool)
        else:
            plan.asked = stored
            plan.save(update_fields=["asked"])  # a worker may store its results at this moment
    return plan


def work_for_plan(plan: Plan) -> Work:
    """The jobs that a plan still needs, its pool's among them."""
    if plan.completed_at is not None:
        return []
    pool_work = work_for_pool(plan.pool, features=plan.asked["settings"]["feature_kind"])
    return [*pool_work, ("plan_design", plan.pk)]


def planned_design(plan: Plan) -> Design:
    """The design that the plan is for, with what was predicted of it; never stored."""
    found = Design(pool=plan.pool, **plan.asked["settings"])
    if plan.results:
        for name in ("objective", "random_objective", "lower_bound", "status", "message"):
            setattr(found, name, plan.results[name])
        found.diagnostics = plan.results["diagnostics"]
    return found


def plan_design(plan_id: int, progress: JobProgress) -> None:
    """Choose by the strategy asked for and then by the others, and keep what each would bring."""
    plan = Plan.objects.select_related("pool").filter(pk=plan_id).first()
    if plan is None or plan.completed_at:
        return  # forgotten, or made by an earlier try
    design = planned_design(plan)
    features = finished_features(plan.pool, design.feature_kind)
    if features is None:
        raise JobError(
            f"The pool “{plan.pool}” has no {design.feature_kind} features yet: extract them."
        )
    if design.score_set is None:
        design.score_set = finished_scores(plan.pool).first()  # for the others that look at some
    labels: list[Label] = [(first, second, kept) for first, second, kept in plan.asked["labels"]]
    try:
        plan.results = _predict(design, features, labels, progress)
    except DesignError as problem:
        raise JobError(str(problem)) from problem
    except FeaturesLost as problem:
        FeatureSet.objects.filter(pk=features.pk).update(completed_at=None)
        raise JobError(str(problem)) from problem
    Plan.objects.filter(pk=plan.pk).update(results=plan.results, completed_at=timezone.now())


def _predict(
    design: Design, features: FeatureSet, labels: Sequence[Label], progress: JobProgress
) -> dict[str, Any]:
    started = time.monotonic()
    steps = STEPS + len(STRATEGIES) - 1
    solution = solve(design, features, labels, progress, steps=steps)
    own = solution.selection
    rows, slow = [], []
    many = own.problem.pool.n_pairs > MANY_PAIRS
    for name, strategy in STRATEGIES.items():
        if name == design.strategy:
            rows.append(_row(name, own, solution, solution.seconds))
        elif strategy.missing(own.problem.pool):
            continue
        elif many and name in SLOW:
            slow.append(name)
        else:
            progress.report(STEPS - 1 + len(rows), steps, name.replace("_", " "))
            began = time.monotonic()
            try:
                rng = np.random.default_rng(design.seed)
                found, _ = choose(design, solution.arrays, labels, rng, strategy=name)
            except DesignError:
                continue  # this one cannot, by the caps say
            rows.append(_row(name, found, solution, time.monotonic() - began))
    progress.report(steps, steps)
    facts = {
        "objective": own.objective,
        "random_objective": solution.random_objective,
        "lower_bound": solution.lower_bound,
        "status": own.status.value,
        "message": own.status.message,
        "diagnostics": solution.diagnostics | {"admissible_gap": solution.admissible_gap},
        "strategies": rows,
        "slow": slow,
        "seconds": time.monotonic() - started,
    }
    return plain_facts(facts)


def _row(name: str, found: Selection, solution: Solution, seconds: float) -> dict[str, Any]:
    """A strategy beside the others; of random pairs, the mean of several draws."""
    budget = found.problem.budget
    objective, worth = found.objective, solution.curve.random_labels(found.objective / budget)
    if name == "uniform":
        objective, worth = solution.random_objective, float(budget)
    return {
        "name": name,
        "objective": objective,
        "worth": worth,
        "without": allocation(found.problem.pool, found.pairs).without,
        "seconds": seconds,
    }


def _forget_old(pool: Pool) -> None:
    making = Job.objects.filter(kind="plan_design", status__in=Job.ACTIVE).values("subject_id")
    old = pool.plans.order_by("-pk").values_list("pk", flat=True)[KEPT:]
    Plan.objects.filter(pk__in=list(old)).exclude(pk__in=making).delete()


def plan_summary(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: of the API, and of ``--json``."""
    facts: dict[str, Any] = {
        "id": plan.pk, "pool": {"id": plan.pool_id, "name": plan.pool.name},
        "asked": plan.asked["settings"], "completed_at": plan.completed_at,
    }  # fmt: skip
    if not plan.completed_at:
        return facts
    design, found = planned_design(plan), plan.results["diagnostics"]
    return facts | {
        "budget": design.budget,
        "verdict": verdict(design),
        "worth": design.worth,
        "knee": found["curve"]["knee"],
        "curve": found["curve"],
        "prompts": found["allocation"]["prompts"],
        "prompts_without_a_pair": found["allocation"]["without"],
        "objective": plan.results["objective"],
        "random_objective": plan.results["random_objective"],
        "lower_bound": plan.results["lower_bound"],
        "strategies": plan.results["strategies"],
        "left_out": plan.results["slow"],
        "seconds": plan.results["seconds"],
    }
