"""Pools, and what is measured of them, as rows that workers will fill."""

from collections.abc import Sequence
from dataclasses import asdict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from pairselect.jobs.actions import Work, is_active
from pairselect.pools.models import FeatureSet, Pool, PoolReport, PromptSet, ScoreSet, Variant
from pairselect.pools.naming import NameRefused, row_named
from pairselect.pools.queries import DEFAULT_FEATURES, finished_features, reference_model
from pairselect.pools.recipes import Recipe
from pairselect.trail.actions import record


def create_pool(
    prompt_set: PromptSet,
    *,
    name: str,
    recipes: Sequence[Recipe] = (),
    completions: int = 8,
    max_new_tokens: int = 128,
    seed: int = 0,
    created_by: User | None = None,
) -> Pool:
    """The pool that generation will fill, or the same one, begun before with the same settings.

    Every prompt gets ``completions`` answers by each of the ``recipes``; without one, by the
    operator's model as it is.

    Raises
    ------
    NameRefused
        When a pool of that name has other prompts, recipes or settings.
    """
    recipes = list(dict.fromkeys(recipes or [Recipe(str(settings.PAIRSELECT_MODEL))]))
    with transaction.atomic():
        pool = row_named(
            Pool,
            name,
            settings={
                "prompt_set": prompt_set,
                "source": Pool.Source.GENERATED,
                "model": ", ".join(dict.fromkeys(recipe.model for recipe in recipes))[:300],
                "completions_per_prompt": completions * len(recipes),
                "max_new_tokens": max_new_tokens,
                "seed": seed,
            },
            created_by=created_by,
            came_to_nothing=_came_to_nothing,
        )
        if recipes_of(pool) != recipes:
            if pool.variants.exists() and not _came_to_nothing(pool):
                said = gettext(
                    "There is a %(what)s named “%(name)s” with other settings. Choose another name."
                )
                raise NameRefused(said % {"what": gettext("pool"), "name": name})
            pool.variants.all().delete()
            Variant.objects.bulk_create(
                Variant(pool=pool, position=i, completions_per_prompt=completions, **asdict(recipe))
                for i, recipe in enumerate(recipes)
            )
    return pool


def recipes_of(pool: Pool) -> list[Recipe]:
    return [
        Recipe(one.model, one.temperature, one.top_p, one.system_prompt)
        for one in pool.variants.all()
    ]


def _came_to_nothing(pool: Pool) -> bool:
    return (
        pool.source == Pool.Source.GENERATED
        and not is_active("generate_pool", pool.pk)
        and not pool.completions.exists()
    )


@transaction.atomic
def create_feature_set(pool: Pool, *, model: str = "", kind: str = DEFAULT_FEATURES) -> FeatureSet:
    feature_set, made = FeatureSet.objects.get_or_create(
        pool=pool, model=model or reference_model(pool), kind=kind
    )
    if made:
        record("features.asked", pool, model=feature_set.model, kind=kind)
    return feature_set


@transaction.atomic
def create_score_set(
    pool: Pool, *, source: ScoreSet.Source, model: str, rubric: str = "", name: str = ""
) -> ScoreSet:
    """The scores that a worker will give, or the same ones, begun before.

    Raises
    ------
    NameRefused
        When the pool has other scores of that name.
    """
    name = (name or model).strip()[:100]
    score_set, made = ScoreSet.objects.get_or_create(
        pool=pool, name=name, defaults={"source": source, "model": model, "rubric": rubric}
    )
    if made:
        record("scores.asked", pool, scores=name, model=model, rubric=rubric)
    if (score_set.source, score_set.model, score_set.rubric) != (source, model, rubric):
        if not is_active("score_pool", score_set.pk) and not score_set.scores.exists():
            # An attempt that came to nothing does not keep its name.
            score_set.source, score_set.model, score_set.rubric = source, model, rubric
            score_set.save()
            record("scores.asked", pool, scores=name, model=model, rubric=rubric)
            return score_set
        said = gettext("The pool has other scores named “%(name)s”. Choose another name.")
        raise NameRefused(said % {"name": name})
    return score_set


def work_for_pool(pool: Pool, *, features: str = DEFAULT_FEATURES) -> Work:
    """The jobs that a pool still needs: its completions, features of that kind, its report."""
    work: Work = []
    if pool.completed_at is None:
        made_by = "import_pool" if pool.source == Pool.Source.IMPORTED else "generate_pool"
        work.append((made_by, pool.pk))
    if features and finished_features(pool, features) is None:
        work.append(("extract_features", create_feature_set(pool, kind=features).pk))
    return work


def work_for_report(pool: Pool, *, features: str = DEFAULT_FEATURES) -> Work:
    """The report, after what it reports of. A design does not wait for it."""
    work = work_for_pool(pool, features=features)
    report, _ = PoolReport.objects.get_or_create(pool=pool)
    if work or report.completed_at is None:
        work.append(("report_pool", pool.pk))
    return work
