"""Easy and hard take turns, and the queue's beginnings stay the design's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import create_campaign, open_campaign
from annotate.leasing import next_comparison
from annotate.queueing import take_turns
from pairselect.designs.models import Design
from pairselect.pools.models import Score, ScoreSet
from tests.conftest import NoProgress, People, give, make_campaign

eases = st.lists(st.floats(0, 10, allow_nan=False), max_size=60)


def test_easy_and_hard_take_turns() -> None:
    assert take_turns("abcdef", [1, 2, 3, 4, 5, 6], window=6) == list("faebdc")
    assert take_turns("abcde", [1, 2, 3, 4, 5], window=5) == list("eadbc")


def test_within_windows_alone() -> None:
    assert take_turns("abcdef", [1, 2, 3, 4, 5, 6], window=3) == list("cabfde")
    assert take_turns("abcde", [1, 2, 9, 8, 7], window=2) == list("bacde")


def test_ties_keep_the_queues_order() -> None:
    assert take_turns("abcd", [1, 1, 1, 1], window=4) == list("adbc")


@pytest.mark.parametrize("window", [0, 1])
def test_without_a_window_nothing_changes(window: int) -> None:
    assert take_turns("abc", [1, 3, 2], window=window) == list("abc")


@given(eases, st.integers(2, 12))
def test_every_whole_window_holds_what_it_held(ease: list[float], window: int) -> None:
    queue = list(range(len(ease)))
    mixed = take_turns(queue, ease, window=window)
    for start in range(0, len(queue), window):
        assert sorted(mixed[start : start + window]) == queue[start : start + window]


@given(eases, st.integers(2, 12))
def test_within_a_window_it_alternates(ease: list[float], window: int) -> None:
    mixed = take_turns(range(len(ease)), ease, window=window)
    for start in range(0, len(mixed), window):
        found = [ease[place] for place in mixed[start : start + window]]
        easy, hard = found[::2], found[1::2]
        assert easy == sorted(easy, reverse=True)
        assert hard == sorted(hard)
        assert not hard or min(easy) >= max(hard)


def queue_of(design: Design, people: People, name: str, **asked: object) -> list[int]:
    """The design's positions in the order in which the campaign asks for them."""
    campaign = create_campaign(design, name=name, annotators=[people.anna], seed=0, **asked)
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    campaign.refresh_from_db()
    seen = []
    while len(seen) < design.pairs.count() and next_comparison(campaign, people.anna):
        seen.append(give(campaign, people.anna, "left").comparison.designed.position)
    return seen


def test_an_interrupted_queue_is_the_designs_beginning(people: People) -> None:
    design = make_campaign(people.anna, prompts=23).design
    for pair in design.pairs.all():
        pair.feature_distance = (pair.position * 7) % 23
        pair.save()
    seen = queue_of(design, people, "mixed", mix_window=5, repeat_share=0.0, gold_share=0.0)
    assert seen != sorted(seen)
    for done in (5, 10, 15, 20, 23):
        assert sorted(seen[:done]) == list(range(done))


def test_scores_say_what_is_easy_where_there_are_any(people: People) -> None:
    design = make_campaign(people.anna, prompts=4).design
    scores = ScoreSet.objects.create(pool=design.pool, name="scores")
    for pair, gap in zip(design.pairs.order_by("position"), (1.0, 4.0, -3.0, 2.0), strict=True):
        Score.objects.create(score_set=scores, completion=pair.first, value=gap)
        Score.objects.create(score_set=scores, completion=pair.second, value=0.0)
    Design.objects.update(score_set=scores)
    design.refresh_from_db()
    asked = {"mix_window": 4, "repeat_share": 0.0, "gold_share": 0.0}
    assert queue_of(design, people, "scored", **asked) == [1, 0, 2, 3]


def test_each_pair_is_queued_k_times_in_a_row(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=3, labels_per_pair=2)
    rows = campaign.comparisons.values_list("position", "slot")
    assert list(rows) == [(i, slot) for i in range(3) for slot in range(2)]
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    assert campaign.comparisons.count() == 6
