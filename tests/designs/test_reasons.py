"""Why a pair was chosen: each sentence is held to the numbers that it is told from."""

import numpy as np
import pytest
from django.test import Client
from django.utils import translation

from pairselect.designs.actions import solve_design
from pairselect.designs.models import Design, KnownLabel, SelectedPair
from pairselect.designs.reasons import reasons
from pairselect.pools.models import FeatureSet, Pool
from pairselect.pools.storage import FeatureStore, features_folder
from tests.conftest import NoProgress, People, make_pool
from tests.designs.conftest import design, give_scores

WHERE = "along directions in which the model’s choices vary."
WHY = {"alone": 0.72, "left": 0.9, "then": 0.97, "of_prompt": 1}


def told(
    position: int = 5, strategy: str = "trace", *, is_random: bool = False, later: bool = False,
    **why: float | None,
) -> list[str]:  # fmt: skip
    facts = {name: value for name, value in (WHY | why).items() if value is not None}
    found = Design(strategy=strategy, after_id=1 if later else None)
    pair = SelectedPair(design=found, position=position, is_random=is_random, rationale=facts)
    return reasons(pair)


@pytest.mark.parametrize(
    ("alone", "said"),
    [
        (1.0, f"differ most, more than 99.9% of all pairs do, {WHERE}"),
        (0.9975, f"differ most, more than 99.8% of all pairs do, {WHERE}"),
        (0.99, f"differ most, more than 99% of all pairs do, {WHERE}"),
        (0.98, f"differ more than 98% of all pairs do, {WHERE}"),
        (0.5, f"differ more than 50% of all pairs do, {WHERE}"),
        (0.3, f"differ little, more than only 30% of all pairs do, {WHERE}"),
        (0.0, f"differ little, more than only 0% of all pairs do, {WHERE}"),
    ],
)
def test_how_far_two_answers_differ_is_a_share_of_all_pairs(alone: float, said: str) -> None:
    assert told(alone=alone)[0] == f"These two answers {said}"


@pytest.mark.parametrize(
    ("left", "then", "said"),
    [
        (0.9, 0.1, "No pair before it in the queue covers them."),
        (0.89, 0.97, "cover a part of that, yet in its place only 3.0% of the others tell more."),
        (0.5, 0.6, "cover a part of that: in its place 40% of the others tell more."),
        (0.49, 0.9, "cover most of that, yet in its place only 10% of the others tell more."),
        (0.01, 1.0, "cover most of that, yet in its place no other pair tells more."),
        (0.01, 0.2, "cover most of that: in its place 80% of the others tell more."),
        (0.4, None, "cover most of that; no other pair is left."),
    ],
)
def test_what_is_left_of_it_is_told_from_the_pairs_before(
    left: float, then: float | None, said: str
) -> None:
    assert told(left=left, then=then)[1].endswith(said)


def test_the_first_is_told_to_be_first_and_no_other() -> None:
    assert told(position=0, left=1)[1] == "It comes first, so nothing covers them yet."
    assert "first" not in told(position=1, left=1)[1]


def test_a_control_is_told_to_be_one_and_nothing_else() -> None:
    assert told(is_random=True) == ["Drawn at random from all pairs, as a control."]


def test_scores_are_told_where_the_strategy_looks_at_them() -> None:
    scores = {"gap": 1.236, "gap_above": 0.91}
    said = "Their scores differ by 1.24, more than those of 91% of all pairs."
    assert told(strategy="trace_gap", **scores)[0] == said
    assert said not in told(strategy="trace", **scores)


def test_a_later_round_tells_of_the_labels_before_it() -> None:
    assert "that earlier labels leave open" in told(later=True)[0]
    assert "earlier labels" not in told()[0]


def test_the_share_of_the_prompt() -> None:
    assert told()[-1] == "The only pair of its prompt."
    assert told(of_prompt=3)[-1] == "One of 3 pairs of its prompt."


def test_a_pair_from_before_the_numbers_has_no_reasons() -> None:
    assert reasons(SelectedPair(design=Design(strategy="trace"), position=0)) == []


def test_numbers_are_written_in_the_reader_s_language() -> None:
    with translation.override("de"):
        assert "1,24" in told(strategy="trace_gap", gap=1.236, gap_above=0.91)[0]


# Through the real core


def along_axes(prompts: int = 30) -> Pool:
    """A third of the prompts has its two answers apart along each of three axes."""
    pool = make_pool(prompts=prompts, completions=2)
    axis = np.repeat(np.arange(3), prompts * 2 // 3)
    features = np.eye(3)[axis] * np.tile([1.0, -1.0], prompts)[:, None]
    stored = FeatureSet.objects.create(
        pool=pool, model=pool.model, kind="mean_middle", dimension=3, completed_at=pool.completed_at
    )
    store = FeatureStore(features_folder(stored), rows=prompts * 2, dimension=3)
    count = prompts * 2
    store.write(
        np.arange(count), features.astype(np.float32), np.full(count, -9.0), np.full(count, 12)
    )
    return pool


@pytest.mark.django_db
def test_a_pair_that_repeats_others_is_told_so_and_a_new_one_too() -> None:
    along_axes()
    found = design(
        "--strategy=first_two", "--prior-sd=none", budget=12
    )  # ten along one axis, two along the next
    pairs = list(found.pairs.select_related("prompt"))
    first, second, last = pairs[0], pairs[1], pairs[-1]
    axis = [pair.prompt.position // 10 for pair in pairs]
    assert axis[0] != axis[1]
    assert axis[-1] == 0
    assert reasons(first)[1] == "It comes first, so nothing covers them yet."
    assert reasons(second)[1] == "No pair before it in the queue covers them."
    assert "Pairs before it cover most of that: in its place" in reasons(last)[1]
    assert last.rationale["left"] < 0.2
    assert last.rationale["then"] < 0.5  # those of the third axis tell more


@pytest.mark.django_db
def test_every_chosen_pair_has_numbers_and_its_control_a_sentence(pool: Pool) -> None:
    give_scores(pool)
    found = design("--strategy=trace_gap", "--random-share=20")
    pairs = list(found.pairs.all())
    counts = {p: sum(q.prompt_id == p for q in pairs) for p in {q.prompt_id for q in pairs}}
    for pair in pairs:
        why = pair.rationale
        assert 0 <= why["alone"] <= 1
        assert 0 <= why["then"] <= 1
        assert why["of_prompt"] == counts[pair.prompt_id]
        assert pair.is_random or why["gap_above"] >= 0.69  # the strategy keeps the widest 30%
    told = [reasons(pair) for pair in pairs]
    assert sum(one == ["Drawn at random from all pairs, as a control."] for one in told) == 4


@pytest.mark.django_db
def test_a_round_stores_the_gap_of_the_fitted_reward(pool: Pool) -> None:
    first = design()
    second = Design.objects.create(
        name="second", pool=pool, after=first, budget=8, strategy="trace_gap",
        feature_kind="mean_middle",
    )  # fmt: skip
    KnownLabel.objects.bulk_create(
        KnownLabel(design=second, first=p.first, second=p.second, preference=p.pk % 2)
        for p in first.pairs.all()
    )
    solve_design(second.pk, NoProgress())  # type: ignore[arg-type]
    for pair in second.pairs.all():
        assert pair.rationale["gap"] > 0
        assert "earlier labels leave open" in " ".join(reasons(pair))


@pytest.mark.django_db
def test_the_queue_tells_them(pool: Pool, people: People) -> None:
    found = design("--random-share=20")
    client: Client = people.client(people.admin)
    page = client.get(f"/designs/{found.pk}/").content.decode()
    assert page.count('<tr class="why">') == 20
    first = found.pairs.order_by("position").first()
    assert first is not None
    for sentence in reasons(first):
        assert sentence in page
