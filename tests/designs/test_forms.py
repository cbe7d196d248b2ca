"""What a design may be asked for, on the page and at the terminal."""

import numpy as np
import pytest
from django.core.management import CommandError

from pairselect.core import STRATEGIES
from pairselect.designs.bridge import pool_arrays
from pairselect.designs.forms import DesignForm, settings_of
from pairselect.designs.models import PRIOR_SD, Design
from pairselect.designs.queries import choosable_pairs, choosable_pools
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, FeatureSet, Pool, Score, ScoreSet
from tests.conftest import make_pool
from tests.designs.conftest import design, give_scores

pytestmark = pytest.mark.django_db


def form(pool: Pool, **fields: object) -> DesignForm:
    return DesignForm({"pool": pool.pk, "name": "d", "budget": 20, "strategy": "trace"} | fields)


def said(form: DesignForm) -> list[str]:
    return [str(error) for errors in form.errors.values() for error in errors]


# Scores


@pytest.mark.parametrize("strategy", [s.name for s in STRATEGIES.values() if "scores" in s.needs])
def test_a_strategy_that_needs_scores_says_so_before_any_job(pool: Pool, strategy: str) -> None:
    title = strategy.replace("_", " ")
    assert said(form(pool, strategy=strategy)) == [
        f"{title} needs a score of every completion, and this pool has none: score it, import it "
        "with scores, or choose a strategy that needs none."
    ]
    with pytest.raises(CommandError, match=f"--strategy: {title} needs a score"):
        design(f"--strategy={strategy}")
    assert Design.objects.count() == 0


def test_scores_that_are_not_finished_are_none(pool: Pool) -> None:
    scores = give_scores(pool)
    assert form(pool, strategy="trace_gap").is_valid()
    ScoreSet.objects.filter(pk=scores.pk).update(completed_at=None)
    assert not form(pool, strategy="trace_gap").is_valid()


def test_scores_reach_the_core_in_the_order_of_the_rows(pool: Pool) -> None:
    score_set = give_scores(pool)
    arrays = pool_arrays(FeatureSet.objects.get(), dimension=4, score_set=score_set)
    scores = dict(score_set.scores.values_list("completion_id", "value"))
    assert arrays.candidates.scores is not None
    kept = arrays.completion_ids[arrays.candidates.rows]
    assert arrays.candidates.scores.tolist() == [scores[int(pk)] for pk in kept]
    assert pool_arrays(FeatureSet.objects.get(), dimension=4).candidates.scores is None


def test_a_completion_without_a_score_has_the_mean_of_its_prompt(pool: Pool) -> None:
    score_set = give_scores(pool)
    lost, *others = pool.completions.filter(prompt__position=0)
    Score.objects.filter(completion=lost).delete()
    mean = np.mean([Score.objects.get(completion=one).value for one in others])
    arrays = pool_arrays(FeatureSet.objects.get(), dimension=4, score_set=score_set)
    assert arrays.candidates.scores is not None
    kept = arrays.completion_ids[arrays.candidates.rows]
    assert arrays.candidates.scores[kept == lost.pk] == pytest.approx([mean])


def test_scores_are_chosen_by_name_and_the_newest_otherwise(pool: Pool) -> None:
    old, new = give_scores(pool, "old"), give_scores(pool, "new", seed=2)
    give_scores(make_pool(name="other"), "foreign")
    assert design("--strategy=trace_gap").score_set == new
    assert design("--strategy=trace_gap", "--scores=old", name="by-old").score_set == old
    assert design("--strategy=trace", "--scores=old", name="blind").score_set is None
    with pytest.raises(CommandError, match="no scores named “foreign”; it has “new”, “old”"):
        design("--strategy=trace_gap", "--scores=foreign", name="wrong")


# Pools and pairs


def test_pools_that_failed_or_are_empty_are_not_offered(pool: Pool) -> None:
    def unfinished(name: str, status: str | None) -> Pool:
        other = make_pool(prompts=1, completions=2, name=name)
        Pool.objects.filter(pk=other.pk).update(completed_at=None)
        if status:
            Job.objects.create(kind="generate_pool", subject_id=other.pk, status=status)
        return other

    running = unfinished("running", "running")
    failed = unfinished("failed", "failed")
    unfinished("never begun", None)
    make_pool(prompts=1, completions=0, name="empty")
    assert {one.name for one in choosable_pools()} == {"pool", "running"}
    assert form(running, budget=1).is_valid()
    with pytest.raises(CommandError, match=r"^This pool has no completions to compare"):
        design_of(failed)


def design_of(pool: Pool) -> None:
    from django.core.management import call_command

    call_command("design_pairs", pool.name, "--name=d", "--budget=1")


def test_equal_texts_are_counted_as_the_solver_does(pool: Pool) -> None:
    for index, text in enumerate(("the  same", "the same\n", "the same")):
        Completion.objects.filter(prompt__position=0, index=index).update(text=text)
    assert form(pool, budget=97).is_valid()
    assert said(form(pool, budget=98)) == ["The pool has 97 pairs; ask for no more."]
    assert said(form(pool, budget=51, max_per_prompt=5)) == [
        "The pool has 50 pairs under that cap; ask for no more."
    ]


def test_a_pool_without_a_pair_is_refused_in_words(pool: Pool) -> None:
    Completion.objects.update(text="the same")
    assert said(form(pool)) == ["There is no pair to compare in this pool."]


def test_counting_ends_when_there_are_enough(pool: Pool) -> None:
    assert choosable_pairs(pool, enough=11) == 20  # two prompts of ten pairs
    assert choosable_pairs(pool, enough=1000) == 100


def test_one_pair_is_one_pair() -> None:
    assert said(form(make_pool(prompts=1, completions=2), budget=2)) == [
        "The pool has 1 pair; ask for no more."
    ]


@pytest.mark.parametrize(
    "given",
    [{"finish_reason": "refused", "text": "No."}, {"text": ""}, {"text": " \n\u3000"}],
    ids=["refused", "empty", "blank"],
)
def test_what_no_trainer_takes_is_in_no_pair(pool: Pool, given: dict[str, str]) -> None:
    before = pool_arrays(FeatureSet.objects.get(), dimension=4).candidates.n_pairs
    left_out = pool.completions.filter(prompt__position__lt=2, index=0)
    left_out.update(**given)
    arrays = pool_arrays(FeatureSet.objects.get(), dimension=4)
    others = pool.completions.filter(prompt__position=0).count() - 1
    assert arrays.candidates.n_pairs == before - 2 * others
    assert choosable_pairs(pool, enough=10**6) == arrays.candidates.n_pairs


# Settings


def test_shares_are_in_percent_here_and_fractions_there(pool: Pool) -> None:
    give_scores(pool)
    found = design("--strategy=trace_gap", "--random-share=25", "--keep=40", "--ridge=0.01")
    assert (found.random_share, found.keep, found.ridge) == (0.25, 0.4, 0.01)
    assert settings_of(found)["random_share"] == 25
    assert settings_of(found)["keep"] == 40
    weighed = design("--strategy=trace_weighted", "--agreement=80", name="weighed")
    assert (weighed.agreement, settings_of(weighed)["agreement"]) == (0.8, 80)


def test_what_is_left_out_is_the_usual(pool: Pool) -> None:
    found = form(pool)
    assert found.is_valid()
    usual = {
        "method": "exact", "target": "samples", "feature_kind": "mean_middle", "ridge": 0.001,
        "keep": 0.3, "agreement": 0.6, "random_share": 0.0, "seed": 0, "dimension": None,
        "max_per_prompt": None, "prior_sd": None,
    }  # fmt: skip
    assert {name: found.cleaned_data[name] for name in usual} == usual


def test_the_expected_strength_of_preference_reaches_the_design(pool: Pool) -> None:
    usual, weak = design(name="usual"), design("--prior-sd=0.1", name="weak")
    plain = design("--prior-sd=none", name="plain")
    assert (usual.prior_sd, weak.prior_sd, plain.prior_sd) == (PRIOR_SD, 0.1, None)
    assert settings_of(weak)["prior_sd"] == 0.1
    assert plain.objective is not None
    assert weak.objective is not None
    assert weak.objective < plain.objective / 2  # the prior holds more than the labels bring


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--prior-sd=0", "--prior-sd"),
        ("--random-share=101", "--random-share"),
        ("--keep=0", "--keep"),
        ("--agreement=49", "--agreement"),
        ("--ridge=0", "--ridge"),
        ("--ridge=lots", "--ridge"),
        ("--target=fitted", "--target"),
    ],
)
def test_a_setting_out_of_range_is_named(pool: Pool, option: str, named: str) -> None:
    with pytest.raises(CommandError, match=f"^{named}: "):
        design(option)


def test_more_settings_are_open_only_for_unusual_ones(pool: Pool) -> None:
    found = design()
    assert not DesignForm(initial=settings_of(found)).more_is_open
    assert DesignForm(initial=settings_of(found) | {"random_share": 5}).more_is_open
    assert form(pool, keep=0).more_is_open


def test_every_strategy_is_offered_with_its_summary() -> None:
    blank = DesignForm()
    rows = [*blank.common_strategies(), *blank.other_strategies()]
    assert sorted(row.strategy.name for row in rows) == sorted(STRATEGIES)
    assert next(row.strategy.name for row in blank.common_strategies()) == "trace"
    assert all(row.strategy.summary for row in rows)
