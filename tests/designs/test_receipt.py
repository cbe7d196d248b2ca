"""What is kept of a choice, in numbers and in words."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from pairselect.core import STRATEGIES
from pairselect.designs.facts import Diagnostics
from pairselect.designs.findings import findings
from pairselect.designs.models import Design
from pairselect.designs.receipt import plain_facts
from pairselect.designs.words import about, count, figure, receipt, verdict
from pairselect.pools.models import Completion, FeatureSet, Pool
from pairselect.pools.queries import REFUSED
from pairselect.pools.storage import features_folder
from tests.designs.conftest import design, give_scores

pytestmark = [pytest.mark.django_db, pytest.mark.page]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_leaves_a_whole_receipt(pool: Pool, strategy: str) -> None:
    give_scores(pool)
    found = design(f"--strategy={strategy}")
    assert found.message
    assert found.status
    assert set(found.diagnostics) == set(Diagnostics.__annotations__)
    json.dumps(found.diagnostics, allow_nan=False)
    facts: Diagnostics = found.diagnostics
    assert facts["dimension"] == 6
    assert facts["allocation"]["prompts"] == 10
    assert 20 in facts["curve"]["budgets"]
    assert facts["curve"]["chosen"] == pytest.approx((found.objective or 0) / 20)
    assert 1 <= facts["target_rank"] <= 6
    assert facts["fit"] is None
    assert found.pairs.count() == 20
    assert found.gap is not None
    assert (facts["admissible_gap"] is not None) == (strategy in ("trace", "trace_gap"))
    assert (facts["admissible_gap"] or 0) <= found.gap
    assert ("% above" in receipt(found)) == (found.status != "rule")


def test_the_gap_within_the_strategy_is_shown_where_it_is_another(pool: Pool) -> None:
    give_scores(pool)
    by_score, pure = design("--strategy=trace_gap"), design(name="pure")
    assert by_score.gap_percent is not None
    assert by_score.admissible_gap_percent is not None
    assert by_score.admissible_gap_percent < by_score.gap_percent
    assert "above the best it could choose" in receipt(by_score)
    assert pure.diagnostics["admissible_gap"] == pytest.approx(pure.gap)
    assert pure.admissible_gap_percent is None
    assert "above the best possible" in receipt(pure)


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ("converged", "Converged"),
        ("pass_limit", "Stopped early"),
        ("every_pair", "Every pair"),
        ("few_pairs", "Too few pairs"),
        ("rule", "By its rule"),
        ("of_the_future", "Of the future"),
    ],
)
def test_an_outcome_has_a_title(status: str, title: str) -> None:
    assert Design(status=status).status_title == title


def test_numbers_that_json_lacks_become_none() -> None:
    facts = {"a": np.array([1.0, np.inf]), "b": {"c": float("nan")}, "d": np.int64(3), "e": "x"}
    assert plain_facts(facts) == {"a": [1.0, None], "b": {"c": None}, "d": 3, "e": "x"}


def test_a_choice_better_than_random_is_worth_more_labels(pool: Pool) -> None:
    found = design()
    assert found.worth is not None
    assert found.worth > 20
    assert verdict(found) == f"Your 20 labels are worth about {about(found.worth)} random ones."


def test_all_pairs_are_worth_themselves(pool: Pool) -> None:
    found = design(budget=100)
    assert verdict(found) == "Your 100 labels are worth about 100 random ones."
    assert found.status == "every_pair"


def test_a_loss_that_random_pairs_never_reach_is_said(pool: Pool) -> None:
    found = design()
    found.diagnostics["curve"]["worth"] = None
    expected = "Your 20 labels are worth more than all 100 pairs labelled at random."
    assert verdict(found) == expected


@pytest.mark.parametrize(
    ("strategy", "worth", "said"),
    [
        ("k_center", 86.2, "about 86 random ones."),
        ("k_center", 20.3, "about 20 random ones."),
        ("k_center", 7.7, "about 8 random ones: by this measure, pairs at random do better."),
        ("k_center", 1, "about 1 random one: by this measure, pairs at random do better."),
        (
            "k_center",
            0.7,
            "less than one random label: by this measure, pairs at random do better.",
        ),
        ("k_center", 0, "less than one random label: by this measure, pairs at random do better."),
        ("max_gap", 7.7, "about 8 random ones by a measure that does not count scores."),
        ("max_gap", 0.7, "less than one random label by a measure that does not count scores."),
        ("trace_gap", 31, "about 31 random ones by a measure that does not count scores."),
    ],
)
def test_a_worth_is_said_as_it_is(strategy: str, worth: float, said: str) -> None:
    curve = {"worth": worth, "uniform_budgets": [1, 100]}
    found = Design(strategy=strategy, budget=20, diagnostics={"curve": curve, "random_pairs": 0})
    assert verdict(found) == f"Your 20 labels are worth {said}"


def test_random_pairs_are_called_the_control(pool: Pool) -> None:
    found = design("--strategy=uniform")
    assert found.is_control
    assert "drawn at random: the control" in verdict(found)


@pytest.mark.parametrize("budget", [1, 2])
def test_too_few_pairs_get_a_sentence_and_no_percentage(pool: Pool, budget: int) -> None:
    out = StringIO()
    call_command(
        "design_pairs", "pool", "--name=d", f"--budget={budget}", "--prior-sd=none", stdout=out
    )
    found = Design.objects.get()
    assert found.has_few_pairs
    assert (found.gap, found.worth) == (None, None)
    assert out.getvalue() == f"{count(budget, 'pair')} of “pool”. {found.message}\n"
    assert "%" not in out.getvalue()


def test_the_line_never_shows_a_gap_below_nothing(pool: Pool) -> None:
    found = design(budget=100)
    found.lower_bound = (found.objective or 0) * (1 + 1e-9)
    assert "at most 0.00% above" in receipt(found)


# The random control


def test_the_control_is_marked_and_spread_evenly(pool: Pool) -> None:
    found = design("--random-share=20")
    drawn = list(found.pairs.filter(is_random=True).values_list("position", flat=True))
    assert len(drawn) == found.diagnostics["random_pairs"] == 4
    assert [position // 5 for position in drawn] == [0, 1, 2, 3]
    assert found.pairs.filter(is_random=True).first() is not None
    assert found.status == "converged"  # the design's own, beside the control


def test_without_a_share_nothing_is_marked(pool: Pool) -> None:
    assert not design().pairs.filter(is_random=True).exists()


# Findings


def test_length_in_the_features_is_warned_of(pool: Pool) -> None:
    folder = features_folder(FeatureSet.objects.get())
    features, counts = np.load(folder / "features.npy"), np.load(folder / "token_counts.npy")
    counts[:] = 20 + 5 * np.arange(50) % 7
    features[:] = counts[:, None] + 0.01 * features
    np.save(folder / "features.npy", features)
    np.save(folder / "token_counts.npy", counts)
    length = findings(design("--dimension=2"))[0]
    assert length.title == "Length"
    assert float(length.value.removesuffix("%")) > 90
    assert "counted over 2 leading directions; all features together explain" in length.hint
    assert "longer" in length.advice


def test_a_direction_that_hardly_matters_is_not_warned_of(pool: Pool) -> None:
    found = design()
    length = found.diagnostics["length"]
    length["correlation"], length["information_share"] = [0.1, 0.95], [0.99, 0.01]
    assert (findings(found)[0].value, findings(found)[0].advice) == ("2%", "")
    length["correlation"] = [0.95, 0.1]
    assert findings(found)[0].value == "89%"
    assert findings(found)[0].advice


def test_a_pool_without_near_duplicates_is_said_plainly(pool: Pool) -> None:
    near = {one.title: one for one in findings(design())}["Near-duplicates"]
    assert (near.value, near.hint) == ("none", "the features tell all pairs apart")


def test_under_a_cap_the_cap_is_named_where_random_pairs_end(pool: Pool) -> None:
    found = design("--max-per-prompt=2")
    found.diagnostics["curve"]["worth"] = None
    expected = "Your 20 labels are worth more than 20 random ones, all that 2 pairs a prompt allow."
    assert verdict(found).startswith(expected)


@pytest.mark.parametrize(("source", "hotter"), [("generated", True), ("imported", False)])
def test_only_a_generated_pool_can_be_made_hotter(pool: Pool, source: str, hotter: bool) -> None:
    found = design()
    found.pool.source = source
    found.diagnostics["pool"]["near_duplicate_share"] = 0.2
    near = {one.title: one for one in findings(found)}["Near-duplicates"]
    assert "much alike" in near.advice
    assert ("higher temperature" in near.advice) == hotter


@pytest.mark.parametrize(("found_sd", "warned"), [(0.125, True), (1.0, False)])
def test_labels_that_the_features_do_not_see_are_warned_of(
    pool: Pool, found_sd: float, warned: bool
) -> None:
    found = design()
    found.diagnostics["fit"] = {
        "labels": 6, "pairs": 6, "prior_sd": found_sd, "accuracy": 0.9, "log_likelihood": -0.691,
        "converged": True,
    }  # fmt: skip
    strength = {one.title: one for one in findings(found)}["Strength of preference"]
    assert ("hardly see what these labels judge" in strength.advice) == warned


def test_refused_and_empty_texts_are_no_equal_ones(pool: Pool) -> None:
    Completion.objects.filter(prompt__position=1, index=1).update(finish_reason=REFUSED)
    Completion.objects.filter(prompt__position=2, index__in=[0, 1]).update(text="")
    facts: Diagnostics = design("--strategy=uniform").diagnostics
    assert facts["pool"]["equal_text_share"] == 0


def test_near_duplicates_are_counted_and_never_queued(pool: Pool) -> None:
    folder = features_folder(FeatureSet.objects.get())
    features = np.load(folder / "features.npy")
    features[1] = features[0]
    np.save(folder / "features.npy", features)
    Completion.objects.filter(prompt__position=1, index=1).update(text="Answer 0 to question 1")
    found = design("--strategy=uniform", budget=98)  # all that is left of 100
    near = {one.title: one for one in findings(found)}["Near-duplicates"]
    assert near.value == "1.0%"
    assert (
        near.hint
        == "of the pairs; they are never compared. Equal texts, 1.0% of all pairs, neither"
    )
    pairs = found.pairs.filter(prompt__position=0).values_list("first__index", "second__index")
    assert set(pairs) == {(i, j) for i in range(5) for j in range(i + 1, 5)} - {(0, 1)}


def test_prompts_without_a_pair_are_counted(pool: Pool) -> None:
    found = {one.title: one for one in findings(design(budget=6))}["Prompts"]
    used = int(found.value.split()[0])
    assert used <= 6
    assert f"{10 - used} prompts get none" in found.hint


def test_a_choice_that_hangs_on_the_ridge_is_warned_of(pool: Pool) -> None:
    def ridge(name: str, *options: str) -> str:
        found = findings(design(*options, budget=30, name=name))
        return {one.title: one for one in found}["Ridge"].value

    assert ridge("a") == "hardly matters"
    assert ridge("b", "--ridge=1") == "matters"


@pytest.mark.parametrize(
    ("number", "rounded"), [(3.4, 3), (86.2, 86), (863.0, 860), (4719.0, 4700), (0.2, 0)]
)
def test_a_prediction_is_given_to_two_digits(number: float, rounded: int) -> None:
    assert about(number) == rounded


@pytest.mark.parametrize(
    ("number", "text"), [(3.14159, "3.14"), (8675.3, "8,675"), (3e12, "3.0e+12")]
)
def test_figures_are_readable(number: float, text: str) -> None:
    assert figure(number) == text
