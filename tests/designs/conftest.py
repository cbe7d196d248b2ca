"""Pools whose features are there, and designs of them through the command."""

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from pairselect.designs.models import Design
from pairselect.pools.models import FeatureSet, Pool, Score, ScoreSet
from pairselect.pools.storage import FeatureStore, features_folder
from tests.conftest import make_pool


def give_features(pool: Pool, dimension: int = 6) -> FeatureSet:
    """Features as extraction would have stored them, drawn at random."""
    count = pool.completions.count()
    rng = np.random.default_rng(0)
    feature_set = FeatureSet.objects.create(
        pool=pool, model=pool.model, kind="mean_middle", dimension=dimension,
        completed_at=pool.completed_at,
    )  # fmt: skip
    store = FeatureStore(features_folder(feature_set), rows=count, dimension=dimension)
    store.write(
        np.arange(count),
        rng.normal(size=(count, dimension)).astype(np.float32),
        -rng.uniform(10, 90, count),
        np.full(count, 12),
    )
    return feature_set


@pytest.fixture
def pool(db: None) -> Pool:
    pool = make_pool(prompts=10, completions=5)
    give_features(pool)
    return pool


def design(*options: str, budget: int = 20, name: str = "d") -> Design:
    call_command("design_pairs", "pool", f"--name={name}", f"--budget={budget}", *options)
    return Design.objects.get(name=name)


def give_scores(pool: Pool, name: str = "rough", seed: int = 1) -> ScoreSet:
    """A score of every completion, as a worker gives them."""
    score_set = ScoreSet.objects.create(
        pool=pool, name=name, source=ScoreSet.Source.REWARD, completed_at=timezone.now()
    )
    rows = list(pool.completions.all())
    values = np.random.default_rng(seed).normal(size=len(rows))
    Score.objects.bulk_create(
        Score(score_set=score_set, completion=row, value=float(value))
        for row, value in zip(rows, values, strict=True)
    )
    return score_set
