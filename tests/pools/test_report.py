"""The facts of a pool's report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pairselect.pools.models import Completion, FeatureSet, Pool, Variant
from pairselect.pools.report import build_report, geometry, present
from pairselect.pools.report.facts import Facts
from pairselect.pools.report.texts import MOST_SOURCES
from pairselect.pools.storage import FeatureStore, features_folder
from pairselect.pools.words import percent
from tests.conftest import NoProgress, make_pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Any) -> Path:
    settings.PAIRSELECT_DATA_DIR = tmp_path
    return tmp_path


def say(pool: Pool, position: int, *texts: str, **columns: object) -> None:
    """Let the prompt's first completions say this, with these columns."""
    rows = pool.completions.filter(prompt__position=position).order_by("index")
    for row, text in zip(rows, texts, strict=False):
        Completion.objects.filter(pk=row.pk).update(text=text, **columns)


def give_features(pool: Pool, features: np.ndarray, kind: str = "mean_middle") -> FeatureSet:
    feature_set = FeatureSet.objects.create(
        pool=pool,
        model="a-reference",
        kind=kind,
        dimension=features.shape[1],
        completed_at=timezone.now(),
    )
    n = len(features)
    store = FeatureStore(features_folder(feature_set), rows=n, dimension=features.shape[1])
    store.write(
        np.arange(n), features.astype(np.float32), np.zeros(n), np.arange(1, n + 1, dtype=np.int32)
    )
    return feature_set


def report(pool: Pool) -> Facts:
    """The facts as they come back from the database's JSON."""
    facts: Facts = json.loads(json.dumps(build_report(pool, NoProgress()), allow_nan=False))  # type: ignore[arg-type]
    return facts


# --- texts ----------------------------------------------------------------------------------


def test_texts_are_counted_within_their_prompts() -> None:
    pool = make_pool(prompts=3, completions=4)
    say(pool, 0, "Yes.", "yes", "Yes.", "No")
    say(pool, 1, "", " \n", "...", "Yes.")
    say(pool, 2, "Same", "same!", "SAME", "same")
    texts = report(pool)["texts"]
    assert texts["prompts"] == 3
    assert texts["completions"] == 12
    assert texts["distinct"] == 2 + 2 + 1
    assert texts["repeated_exactly"] == 1
    assert texts["empty"] == 2
    assert texts["without_choice"] == 1


def test_lengths_are_of_tokens_where_all_are_counted() -> None:
    pool = make_pool(prompts=2, completions=2)
    say(pool, 0, "abc", "a", token_count=10)
    say(pool, 1, "ab", "ab", token_count=40, finish_reason="length")
    lengths = report(pool)["lengths"]
    assert lengths is not None
    assert lengths["tokens"] is not None
    assert lengths["tokens"]["median"] == 25
    assert lengths["tokens_by"] == "writer"
    assert lengths["characters"]["most"] == 3
    assert lengths["spread"]["most"] == 1
    assert lengths["histogram"]["unit"] == "tokens"
    assert sum(lengths["histogram"]["counts"]) == 4
    Completion.objects.filter(pool=pool, index=0).update(token_count=None)
    lengths = report(pool)["lengths"]
    assert lengths is not None
    assert lengths["tokens"] is None
    assert lengths["histogram"]["unit"] == "characters"
    assert lengths["spread"] == {
        "least": 1, "tenth": 1.2, "median": 2, "ninetieth": 2.8, "most": 3, "mean": 2,
    }  # fmt: skip


def test_the_reference_models_tokens_stand_in() -> None:
    pool = make_pool(prompts=3, completions=3)
    give_features(pool, np.random.default_rng(0).standard_normal((9, 5)))
    lengths = report(pool)["lengths"]
    assert lengths is not None
    assert lengths["tokens"] is not None
    assert lengths["tokens_by"] == "reference"
    assert lengths["tokens"]["most"] == 9


def test_a_pool_without_completions_has_a_report() -> None:
    pool = make_pool(prompts=0)
    shown = present(report(pool))
    assert shown.warnings == ["The pool has no completions."]
    assert shown.length_chart is None


# --- sources --------------------------------------------------------------------------------


def test_each_variant_is_told_apart() -> None:
    pool = make_pool(prompts=2, completions=4)
    hot = Variant.objects.create(
        pool=pool, position=1, model="other", temperature=1.5, top_p=0.9, completions_per_prompt=2
    )
    pool.completions.filter(index__gte=2).update(variant=hot)
    say(pool, 0, "Yes", "yes", "One", "Two")
    pool.completions.filter(index=3).update(finish_reason="length", text="I am an AI.")
    facts = report(pool)
    cold, warm = facts["sources"]
    assert cold["label"] == "a-model-that-nobody-sees, temperature 1, top p 1"
    assert warm["label"] == "other, temperature 1.5, top p 0.9"
    assert (cold["completions"], cold["distinct"], cold["cut"], cold["identity"]) == (4, 3, 0, 0)
    assert (warm["completions"], warm["distinct"], warm["cut"], warm["identity"]) == (4, 4, 2, 2)
    assert [row.cut for row in present(facts).sources] == ["none", "50%"]


def test_a_system_prompt_is_said_once() -> None:
    pool = make_pool(prompts=1, completions=2)
    pool.variants.update(system_prompt="Terse")
    [source] = report(pool)["sources"]
    assert source["label"] == "a-model-that-nobody-sees, temperature 1, system prompt “Terse”"


def test_a_system_prompt_is_quoted_from_its_beginning() -> None:
    pool = make_pool(prompts=1, completions=2)
    pool.variants.update(system_prompt="Be\nbrief. " + "And kind. " * 20)
    [source] = report(pool)["sources"]
    assert source["label"].endswith("system prompt “Be brief. And kind. And kind. And kind.…”")


def test_variants_of_one_name_are_numbered() -> None:
    pool = make_pool(prompts=1, completions=2)
    first = pool.variants.get()
    second = Variant.objects.create(
        pool=pool,
        position=1,
        model=first.model,
        temperature=1.0,
        top_p=1.0,
        completions_per_prompt=1,
    )
    pool.completions.filter(index=1).update(variant=second)
    labels = [one["label"] for one in report(pool)["sources"]]
    assert [label[-11:] for label in labels] == ["(variant 1)", "(variant 2)"]


def test_models_of_an_imported_pool_are_sources_up_to_a_limit() -> None:
    pool = make_pool(prompts=1, completions=MOST_SOURCES + 3)
    for row in pool.completions.all():
        Completion.objects.filter(pk=row.pk).update(variant=None, model=f"m{row.index}")
    facts = report(pool)
    assert [one["label"] for one in facts["sources"]] == [f"m{k}" for k in range(MOST_SOURCES)]
    assert facts["other_sources"] == 3


def test_one_source_needs_no_table() -> None:
    assert present(report(make_pool())).sources == []


# --- identity -------------------------------------------------------------------------------


def test_leaks_are_counted_once_a_completion_with_where_they_stand() -> None:
    pool = make_pool(prompts=5, completions=2)
    for position in range(5):
        say(pool, position, "Hm. As an AI, I am an AI. As an AI!", "Nothing of the kind")
    identity = report(pool)["identity"]
    assert identity["completions"] == 5
    counts = {one["phrase"]: one["completions"] for one in identity["found"]}
    assert counts == {"as an AI": 5, "I am an AI": 5}
    examples = identity["found"][0]["examples"]
    assert len(examples) == 3
    assert examples[1]["position"] == 1
    assert examples[1]["index"] == 0
    assert examples[1]["excerpt"].startswith("As an AI, I am an AI.")


# --- geometry -------------------------------------------------------------------------------


def spread_out(prompts: int, completions: int, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(5)
    offset = 10 * rng.standard_normal((prompts, 1, d))
    return (rng.standard_normal((prompts, completions, d)) + offset).reshape(-1, d)


def test_without_features_the_rest_is_there() -> None:
    facts = report(make_pool())
    assert facts["geometry"] is None
    assert facts["no_geometry"].startswith("No features yet")
    shown = present(facts)
    assert shown.more is None
    assert shown.missing == facts["no_geometry"]


def test_features_of_other_completions_are_not_used() -> None:
    pool = make_pool(prompts=3, completions=3)
    give_features(pool, spread_out(2, 3))
    assert report(pool)["no_geometry"] == (
        "The features are of other completions: extract them again."
    )


def test_features_that_are_gone_are_missed() -> None:
    pool = make_pool(prompts=3, completions=3)
    feature_set = give_features(pool, spread_out(3, 3))
    (features_folder(feature_set) / "features.npy").unlink()
    assert "gone from the data folder" in report(pool)["no_geometry"]


def test_features_that_are_all_the_same_are_said_so() -> None:
    pool = make_pool(prompts=3, completions=3)
    give_features(pool, np.ones((9, 4)))
    assert "same features" in report(pool)["no_geometry"]


def test_the_usual_features_are_looked_at_first() -> None:
    pool = make_pool(prompts=4, completions=3)
    give_features(pool, spread_out(4, 3))
    give_features(pool, spread_out(4, 3, d=3), kind="last_token")
    geometry_facts = report(pool)["geometry"]
    assert geometry_facts is not None
    assert geometry_facts["kind"] == "mean_middle"


def test_a_narrow_prompt_is_counted_and_named() -> None:
    pool = make_pool(prompts=12, completions=4)
    features = spread_out(12, 4)
    features[28:32] = features[28] + 1e-4 * np.arange(4)[:, None]
    features[33] = features[32] + 1e-4
    give_features(pool, features)
    facts = report(pool)
    found = facts["geometry"]
    assert found is not None
    assert found["narrow"] == 1
    assert found["narrowest"][0]["position"] == 7
    assert found["narrowest"][0]["excerpt"] == "Question number 7?"
    assert found["narrowest"][0]["widest"] < 0.01 < 0.1 < found["narrowest"][1]["widest"]
    assert found["near_share"] == pytest.approx(7 / 72)
    assert found["prompts"] == found["of_prompts"] == 12
    shown = present(facts)
    assert shown.warnings == [
        "1 of 12 prompts is too narrow to be worth a label: its completions hardly differ."
    ]
    assert [row.is_narrow for row in shown.narrowest] == [True] + 7 * [False]


def test_equal_texts_are_no_near_duplicates() -> None:
    pool = make_pool(prompts=6, completions=3)
    features = spread_out(6, 3)
    features[1] = features[0]
    give_features(pool, features)
    first = report(pool)
    say(pool, 0, "Same", "same")
    second = report(pool)
    assert first["geometry"] is not None
    assert second["geometry"] is not None
    assert first["geometry"]["near_share"] == pytest.approx(1 / 18)
    assert second["geometry"]["near_share"] == 0
    assert second["texts"]["distinct"] == 17


def test_more_completions_are_compared_with_two() -> None:
    pool = make_pool(prompts=12, completions=8)
    give_features(pool, spread_out(12, 8))
    facts = report(pool)
    assert facts["geometry"] is not None
    more = facts["geometry"]["more"]
    assert more is not None
    assert more["counts"] == [2, 3, 4, 6, 8]
    assert more["share"][0] == 1
    assert np.all(np.diff(more["share"]) < 0)
    assert more["budget"] == 12
    assert all(
        a <= b <= c for a, b, c in zip(more["least"], more["share"], more["most"], strict=True)
    )
    shown = present(facts).more
    assert shown is not None
    fall = percent(1 - more["share"][4] / more["share"][2])
    assert shown.statement == (
        f"8 completions a prompt instead of 4 lower the predicted objective by {fall}; "
        "lower is better."
    )
    assert [row.label for row in shown.chart.rows] == ["2", "3", "4", "6", "8"]


def test_two_completions_a_prompt_have_no_curve() -> None:
    pool = make_pool(prompts=5, completions=2)
    give_features(pool, spread_out(5, 2))
    facts = report(pool)
    assert facts["geometry"] is not None
    assert facts["geometry"]["more"] is None
    assert present(facts).more is None


def test_a_large_pool_is_sampled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make_pool(prompts=20, completions=4)
    give_features(pool, spread_out(20, 4))
    monkeypatch.setattr(geometry, "MOST_PAIRS", 8 * 6)
    once, twice = report(pool), report(pool)
    assert once == twice
    assert once["geometry"] is not None
    assert once["geometry"]["prompts"] == 8
    assert once["texts"]["prompts"] == 20
    assert present(once).sampled == (
        "What the features say is of 8 of the 20 prompts, drawn at random with a fixed seed."
    )


def test_a_sample_keeps_rows_with_their_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only prompt 3 is narrow; wherever it is drawn, it is the narrowest, under its own name."""
    pool = make_pool(prompts=10, completions=3)
    pool.completions.filter(prompt__position=1, index=2).delete()  # sizes differ
    features = np.delete(spread_out(10, 3), 5, axis=0)
    features[8:11] = features[8] + 1e-4 * np.arange(3)[:, None]
    give_features(pool, features)
    monkeypatch.setattr(geometry, "MOST_NUMBERS", 6 * 22)
    seen = set()
    for seed in range(8):
        monkeypatch.setattr(geometry, "SEED", seed)
        found = report(pool)["geometry"]
        assert found is not None
        assert found["prompts"] == 7
        narrow = [one["position"] for one in found["narrowest"] if one["widest"] < 0.1]
        assert narrow in ([], [3])
        seen.add(tuple(narrow))
    assert seen == {(), (3,)}


def test_variants_have_a_spread() -> None:
    pool = make_pool(prompts=6, completions=4)
    wide = Variant.objects.create(
        pool=pool, position=1, model="wide", temperature=1, top_p=1, completions_per_prompt=2
    )
    pool.completions.filter(index__gte=2).update(variant=wide)
    features = spread_out(6, 4).reshape(6, 4, -1)
    features[:, 1] = features[:, 0] + 0.1 * (features[:, 1] - features[:, 0])
    give_features(pool, features.reshape(24, -1))
    low, high = (one["spread"] for one in report(pool)["sources"])
    assert low is not None
    assert high is not None
    assert low < 0.2 < high


def test_queries_do_not_grow_with_the_pool() -> None:
    def queries(prompts: int) -> int:
        pool = make_pool(prompts=prompts, completions=3, name=f"pool{prompts}")
        give_features(pool, spread_out(prompts, 3))
        with CaptureQueriesContext(
            connection,
        ) as seen:
            report(pool)
        return len(seen)

    assert queries(2) == queries(9) == 5
