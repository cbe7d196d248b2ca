"""What so many answers say of a person, worked out by hand."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from scipy.stats import binom, binomtest

from annotate.answering import flag, undo
from annotate.measures import People as Measured
from annotate.measures import PersonMeasures, Share, people_of
from annotate.models import Campaign, Comparison, Flag, Judgement, Machine
from annotate.queries import last_judgement
from pairselect.pools.models import Completion
from tests.annotate.giving import answer_next, gold_for, onboard, prefer, repeat, revise
from tests.conftest import People, give, make_campaign


@pytest.fixture
def campaign(people: People) -> Campaign:
    return make_campaign(people.anna, people.ben, prompts=30)


def of_anna(campaign: Campaign) -> PersonMeasures:
    (found,) = people_of(campaign)
    assert found.name == "anna"
    return found


def test_a_share_has_scipys_interval() -> None:
    expected = binomtest(17, 20).proportion_ci(method="wilson")
    share = Share(17, 20)
    assert share.percent == pytest.approx(85)
    assert (share.low, share.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert round(expected.low, 4) == 0.6396  # the published figures of 17 in 20
    assert round(expected.high, 4) == 0.9476


def test_nothing_is_no_share() -> None:
    share = Share()
    assert (share.percent, share.low, share.high) == (None, None, None)
    assert (share.is_wide, share.lean) == (False, "")


@pytest.mark.parametrize(
    ("count", "total", "wide", "lean"),
    [
        (1, 2, True, ""),
        (19, 38, True, ""),
        (20, 40, False, ""),
        (4, 4, True, ""),  # all of four: 51 to 100 %, and one in eight does so by chance
        (9, 9, False, "more"),
        (60, 100, False, "more"),
        (59, 100, False, ""),  # 49.2 to 68.1 %
        (40, 100, False, "less"),
        (50, 100, False, ""),
    ],
)
def test_what_an_interval_allows_to_say(count: int, total: int, wide: bool, lean: str) -> None:
    share = Share(count, total)
    assert (share.is_wide, share.lean) == (wide, lean)


def test_few_people_without_a_lean_are_said_to_have_one() -> None:
    said = [
        sum(binom.pmf(count, total, 0.5) for count in range(total + 1) if Share(count, total).lean)
        for total in range(1, 201)
    ]
    assert max(said) < 0.07
    assert 0.03 < sum(said) / len(said) < 0.05


def test_nobody_yet(campaign: Campaign) -> None:
    assert people_of(campaign) == []
    assert people_of(campaign).left == Share()


def test_labels_and_their_median_of_active_seconds(campaign: Campaign, people: People) -> None:
    for seconds, active in ((100.0, 2.0), (100.0, 4.0), (9.0, None), (500.0, 90.0)):
        answer_next(campaign, people.anna, "tie", seconds=seconds, active_seconds=active)
    answer_next(campaign, people.anna, "skip", skip_reason="other", active_seconds=1000.0)
    gold_for(campaign, people.anna)
    answer_next(campaign, people.anna, "left", active_seconds=1000.0)
    found = of_anna(campaign)
    assert found.labels == 4
    assert found.seconds == 6.5  # of 2, 4, 9, 90
    assert found.skips == 1


def test_position_counts_decided_labels_and_repeats(campaign: Campaign, people: People) -> None:
    given = [give(campaign, people.anna, choice) for choice in ("left", "left", "right")]
    give(campaign, people.anna, "tie")
    give(campaign, people.anna, "both_bad")
    give(campaign, people.anna, "skip")
    assert of_anna(campaign).left == Share(2, 3)
    repeat(given[0])
    give(campaign, people.anna, "left")
    assert of_anna(campaign).left == Share(3, 4)
    gold_for(campaign, people.anna)
    give(campaign, people.anna, "left")
    onboard(campaign, people.anna, "left")
    assert of_anna(campaign).left == Share(3, 4)


def test_position_over_everybody(campaign: Campaign, people: People) -> None:
    for choice in ("left", "left", "left"):
        give(campaign, people.anna, choice)
    for choice in ("right", "left", "tie"):
        give(campaign, people.ben, choice)
    assert people_of(campaign).left == Share(4, 5)


@pytest.mark.parametrize("first", [True, False])
def test_a_repeat_agrees_by_its_winner_not_its_side(
    campaign: Campaign, people: People, first: bool
) -> None:
    for again in (first, not first):
        original = prefer(campaign, people.anna, first=first)
        repeat(original)
        answered = prefer(campaign, people.anna, first=again)
        assert answered.comparison.kind == "repeat"
        assert answered.first_on_left != original.first_on_left
    found = of_anna(campaign)
    assert found.consistent == Share(1, 2)
    assert found.same_side == 1  # with the sides swapped, the other winner is the same side


@pytest.mark.parametrize(
    ("original", "again", "agrees"),
    [
        ("tie", "tie", 1),
        ("both_bad", "both_bad", 1),
        ("tie", "both_bad", 0),
        ("left", "tie", 0),
        ("tie", "right", 0),
    ],
)
def test_repeats_without_a_winner(
    campaign: Campaign, people: People, original: str, again: str, agrees: int
) -> None:
    repeat(give(campaign, people.anna, original))
    give(campaign, people.anna, again)
    found = of_anna(campaign)
    assert (found.consistent, found.same_side) == (Share(agrees, 1), 0)


def test_a_repeat_is_compared_with_what_stands_now(campaign: Campaign, people: People) -> None:
    original = prefer(campaign, people.anna, first=True)
    repeat(original)
    again = prefer(campaign, people.anna, first=False)
    assert of_anna(campaign).consistent == Share(0, 1)
    second = revise(original, again.choice)  # the same side is the other winner
    assert of_anna(campaign).consistent == Share(0, 1)
    revise(second, "left" if again.choice == "right" else "right")
    assert of_anna(campaign).consistent == Share(1, 1)


def test_repeats_that_cannot_be_compared_do_not_count(campaign: Campaign, people: People) -> None:
    original = give(campaign, people.anna, "left")
    repeat(original)
    give(campaign, people.anna, "skip")
    assert of_anna(campaign).consistent == Share()  # the repeat was skipped
    other = give(campaign, people.anna, "left")
    repeat(other)
    give(campaign, people.anna, "left")
    assert of_anna(campaign).consistent.total == 1
    revise(other, "skip", skip_reason="other")
    assert of_anna(campaign).consistent == Share()  # the original is no answer any more


def test_what_another_person_said_of_the_original_is_not_compared(
    campaign: Campaign, people: People
) -> None:
    original = prefer(campaign, people.anna, first=True)
    repeat(original)
    prefer(campaign, people.anna, first=True)
    revise(original, "skip", skip_reason="other")
    passed_on = prefer(campaign, people.ben, first=False)
    assert passed_on.comparison_id == original.comparison_id
    anna = next(one for one in people_of(campaign) if one.name == "anna")
    assert anna.consistent == Share()


def test_agreement_is_with_others_on_the_same_pairs(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, people.stranger, prompts=4, labels_per_pair=3)
    said = {
        people.anna: ("first", "first", "tie", "tie"),
        people.ben: ("first", "second", "tie", "both_bad"),
        people.stranger: ("first", "second", "first"),
    }
    for person, answers in said.items():
        for answer in answers:
            if answer in ("first", "second"):
                prefer(campaign, person, first=answer == "first")
            else:
                give(campaign, person, answer)
    found = {one.name: one.agree for one in people_of(campaign)}
    assert found["anna"] == Share(1 + 0 + 0.5 + 0, 4)
    assert found["ben"] == Share(1 + 0.5 + 0.5 + 0, 4)
    assert found["sam"] == Share(1 + 0.5 + 0, 3)


def test_a_pair_of_ones_own_agrees_with_nobody(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "left")
    assert of_anna(campaign).agree == Share()


def test_the_longer_text_is_of_more_characters(campaign: Campaign, people: People) -> None:
    pairs = list(campaign.design.pairs.order_by("position"))
    texts = [("äää", "aa"), ("a", "aa"), ("aa", "bb"), ("aaa", "a"), ("a", "b " * 500)]
    for pair, (first, second) in zip(pairs, texts, strict=False):
        Completion.objects.filter(pk=pair.first_id).update(text=first)
        Completion.objects.filter(pk=pair.second_id).update(text=second)
    for first in (True, True, True, False):
        prefer(campaign, people.anna, first=first)
    give(campaign, people.anna, "tie")
    assert of_anna(campaign).longer == Share(1, 3)
    assert people_of(campaign).longer == Share(1, 3)


def test_active_time_is_of_all_answers_after_the_onboarding(
    campaign: Campaign, people: People
) -> None:
    answer_next(campaign, people.anna, "left", seconds=9.0, active_seconds=5.0)
    answer_next(campaign, people.anna, "skip", seconds=9.0, active_seconds=6.0)
    answer_next(campaign, people.anna, "tie", seconds=5000.0)
    gold_for(campaign, people.anna)
    answer_next(campaign, people.anna, "left", active_seconds=7.0, seconds=9.0)
    last = answer_next(campaign, people.anna, "left", active_seconds=8.0, seconds=9.0)
    assert undo(campaign, people.anna, judgement_id=last.pk)
    onboard(campaign, people.anna, "left")
    found = of_anna(campaign)
    assert found.active_seconds == 5 + 6 + 600 + 7 + 8
    assert found.skipped == Share(1, 4)


def test_machines_and_adjudicators_are_not_among_the_people(
    campaign: Campaign, people: People
) -> None:
    given = give(campaign, people.anna, "left")
    machine = Machine.objects.create(user=people.stranger)
    for kind, person, reserved in (
        ("machine", people.stranger, people.stranger),
        ("adjudication", people.admin, None),
    ):
        comparison = Comparison.objects.create(
            campaign=campaign, kind=kind, pair=given.comparison.pair, position=0,
            reserved_for=reserved, annotator=person,
        )  # fmt: skip
        Judgement.objects.create(
            comparison=comparison, annotator=person, choice="left", first_on_left=True,
            lease=uuid4(), seconds=1.0,
        )  # fmt: skip
    assert [one.name for one in people_of(campaign)] == ["anna"]
    assert machine.user == people.stranger


def test_gold_is_right_when_the_better_text_won(campaign: Campaign, people: People) -> None:
    for first in (True, True, False):
        gold_for(campaign, people.anna)
        prefer(campaign, people.anna, first=first)
    for choice in ("tie", "skip"):
        gold_for(campaign, people.anna)
        give(campaign, people.anna, choice)
    onboard(campaign, people.anna, "right")
    found = of_anna(campaign)
    assert found.gold == Share(2, 4)  # a tie is wrong; a skip and the onboarding do not count
    assert found.labels == 0


def test_undone_and_revised_are_told_apart(campaign: Campaign, people: People) -> None:
    first = give(campaign, people.anna, "left")
    revise(revise(first, "right"), "tie")
    give(campaign, people.anna, "left")
    last = last_judgement(campaign, people.anna)
    assert last is not None
    assert undo(campaign, people.anna, judgement_id=last.pk)
    found = of_anna(campaign)
    assert (found.revised, found.undone) == (2, 1)
    assert (found.labels, found.left) == (1, Share())


def test_flags_are_their_own_persons(campaign: Campaign, people: People) -> None:
    given = give(campaign, people.anna, "left")
    for kind in (Flag.Kind.BROKEN, Flag.Kind.OTHER):
        flag(given.comparison, people.anna, kind=kind, note="")
    flag(given.comparison, people.ben, kind=Flag.Kind.OTHER, note="")
    assert [(one.name, one.flags) for one in people_of(campaign)] == [("anna", 2), ("ben", 1)]


def test_other_campaigns_do_not_count(campaign: Campaign, people: People) -> None:
    other = make_campaign(people.anna, name="other")
    given = give(other, people.anna, "left")
    flag(given.comparison, people.anna, kind=Flag.Kind.OTHER, note="")
    assert people_of(campaign) == []


def test_most_labels_first(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "left")
    for _ in range(2):
        give(campaign, people.ben, "left")
    assert [one.name for one in people_of(campaign)] == ["ben", "anna"]


def test_as_many_queries_however_many_people(
    campaign: Campaign, people: People, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for person in (people.anna, people.ben, people.stranger):
        campaign.annotators.add(person)
        repeat(give(campaign, person, "left"))
        given = give(campaign, person, "right")
        flag(given.comparison, person, kind=Flag.Kind.OTHER, note="")
        with django_assert_num_queries(7):
            found = people_of(campaign)
        assert found[-1].consistent.total == 1
    assert len(found) == 3


def page_of(people: Measured) -> str:
    from django.template.loader import render_to_string
    from django.utils.translation import override

    with override("en"):
        text = render_to_string("annotate/_people.html", {"people": people})
    return " ".join(text.split())


def test_the_table_says_what_is_not_known_yet() -> None:
    text = page_of(Measured([PersonMeasures(name="anna", skips=3)]))
    for words in ("none decided yet", "no repeats yet", "no gold yet"):
        assert words in text
    assert "0 %" not in text
    assert "All together" not in text


def test_the_table_shows_shares_with_their_intervals() -> None:
    anna = PersonMeasures(
        name="<b>anna</b>",
        labels=1200,
        seconds=12.34,
        left=Share(60, 100),
        consistent=Share(17, 20),
        same_side=2,
        gold=Share(45, 50),
    )
    text = page_of(Measured([anna, PersonMeasures(name="ben", left=Share(0, 100))]))
    assert "&lt;b&gt;anna&lt;/b&gt;" in text
    assert "1,200" in text
    assert "12.3" in text
    assert "50–69 % of 100" in text
    assert "leans left" in text
    assert "leans right" in text
    assert "64–95 % of 20" in text
    assert "2 kept the side" in text
    assert text.count("few so far") == 1  # of 17 in 20; not of 45 in 50
    assert "chosen in 30 % of 200 decided answers (between 24 and 37 %)" in text


def test_the_table_without_anybody() -> None:
    assert "Nobody has answered yet." in page_of(Measured())


def test_withdrawn_answers_are_there_to_be_left_out(campaign: Campaign, people: People) -> None:
    """The measures above look at judgements that stand: here are both sorts."""
    revise(give(campaign, people.anna, "left"), "right")
    assert Judgement.objects.filter(withdrawn_at__isnull=False).count() == 1
    assert of_anna(campaign).left == Share(0, 1)
