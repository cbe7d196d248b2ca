"""Who decides pairs in dispute, what they see of them, and what a decision is not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotate.adjudication import decisions, labels_given
from annotate.answering import Details, flag, undo
from annotate.disputes import disputes, in_detail, standing_of
from annotate.leasing import next_comparison, next_comparisons
from annotate.measures import people_of
from annotate.models import Campaign, Comparison, Flag
from annotate.queries import answers_of, counts_by_choice, current_labels, is_complete, pace_of
from annotate.rounds import usable_labels
from tests.annotate.disputing import Kind, asked, decide, disputed, say
from tests.annotate.giving import revise
from tests.conftest import People, give

# Who decides


def test_nobody_decides_a_pair_that_they_labelled(people: People) -> None:
    campaign = disputed(people, prompts=2)
    campaign.adjudicators.set([people.anna, people.stranger])
    for _ in range(2):
        say(campaign, people.anna, "first")
        say(campaign, people.ben, "second")
    assert next_comparison(campaign, people.anna, adjudicating=True) is None
    assert pace_of(campaign, people.anna, adjudicating=True).left == 0
    found = next_comparison(campaign, people.stranger, adjudicating=True)
    assert found is not None
    assert found.kind == Kind.ADJUDICATION
    assert pace_of(campaign, people.stranger, adjudicating=True).left == 2
    assert standing_of(campaign).stuck == 0
    campaign.adjudicators.set([people.anna])
    assert standing_of(campaign).stuck == 2


def test_what_one_passes_on_another_gets(people: People) -> None:
    campaign = disputed(people, prompts=1)
    campaign.adjudicators.add(people.stranger)
    say(campaign, people.anna, "first")
    say(campaign, people.ben, "second")
    skipped = decide(campaign, people.admin, "skip", skip_reason="language")
    assert next_comparison(campaign, people.admin, adjudicating=True) is None
    assert decisions(campaign) == {}
    decided = decide(campaign, people.stranger, "tie")
    assert list(decisions(campaign).values()) == [decided]
    assert undo(campaign, people.admin, judgement_id=skipped.pk, adjudicating=True) is None


def test_two_adjudicators_never_hold_the_same_pair(people: People) -> None:
    campaign = disputed(people, prompts=12)
    campaign.adjudicators.add(people.stranger)
    for _ in range(12):
        say(campaign, people.anna, "first")
        say(campaign, people.ben, "second")
    mine = next_comparisons(campaign, people.admin, adjudicating=True)
    theirs = next_comparisons(campaign, people.stranger, adjudicating=True)
    assert len(mine) == len(theirs) == 3
    assert not {one.pk for one in mine} & {one.pk for one in theirs}
    Comparison.objects.exclude(lease=None).update(leased_until=timezone.now() - timedelta(1))
    again = next_comparisons(campaign, people.stranger, adjudicating=True)
    assert {one.pk for one in again} >= {one.pk for one in theirs}


def test_an_undone_decision_is_asked_for_again(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "first")
    say(campaign, people.ben, "second")
    decided = decide(campaign, people.admin, "left")
    assert asked(campaign) == []
    assert undo(campaign, people.admin, judgement_id=decided.pk) is None  # of the other queue
    assert undo(campaign, people.admin, judgement_id=decided.pk, adjudicating=True)
    assert decisions(campaign) == {}
    again = next_comparison(campaign, people.admin, adjudicating=True)
    assert again is not None
    assert again.pk == decided.comparison_id


def test_what_is_passed_on_after_the_dispute_has_ended_is_asked_of_nobody(people: People) -> None:
    campaign = disputed(people, prompts=1)
    campaign.adjudicators.add(people.stranger)
    say(campaign, people.anna, "first")
    given = say(campaign, people.ben, "second")
    decided = decide(campaign, people.admin, "left")
    revise(given, "left" if given.choice == "right" else "right")  # both say the first now
    revise(decided, "skip", skip_reason="other")
    assert asked(campaign) == []
    assert next_comparison(campaign, people.stranger, adjudicating=True) is None
    assert standing_of(campaign).waiting == 0


# What it is not


def test_a_decision_is_in_no_figure_of_the_labels(people: People) -> None:
    campaign = disputed(people, prompts=2)
    campaign.annotators.add(people.stranger)
    campaign.adjudicators.set([people.stranger])
    for _ in range(2):
        say(campaign, people.anna, "first")
        say(campaign, people.ben, "second")
    before = (
        counts_by_choice(campaign),
        people_of(campaign),
        set(usable_labels(campaign)),
        pace_of(campaign, people.stranger),
    )
    assert is_complete(campaign)
    decided = decide(campaign, people.stranger, "left")
    after = (
        counts_by_choice(campaign),
        people_of(campaign),
        set(usable_labels(campaign)),
        pace_of(campaign, people.stranger),
    )
    assert after == before
    assert current_labels(campaign).count() == 4
    assert answers_of(campaign, people.stranger).count() == 0
    assert answers_of(campaign, people.stranger, adjudicating=True).get() == decided


def test_there_are_no_checks_among_decisions(people: People) -> None:
    campaign = disputed(people, prompts=30)
    Campaign.objects.update(repeat_share=0.5)
    campaign.refresh_from_db()
    campaign.annotators.add(people.admin)
    for _ in range(30):
        for person, said in ((people.anna, "first"), (people.ben, "second")):
            found = next_comparison(campaign, person)
            while found is not None and found.kind != Kind.LABEL:
                give(campaign, person, "tie")
                found = next_comparison(campaign, person)
            if found is not None:
                say(campaign, person, said)
    waiting = len(asked(campaign))
    assert waiting > 20
    kinds = {decide(campaign, people.admin, "left").comparison.kind for _ in range(waiting)}
    assert kinds == {Kind.ADJUDICATION}


# What is shown


@pytest.mark.parametrize("on_left", [True, False])
def test_labels_are_on_the_sides_that_the_adjudicator_sees(people: People, on_left: bool) -> None:
    campaign = disputed(people, prompts=1)
    comparison = next_comparison(campaign, people.anna)
    assert comparison is not None
    choice = "left" if comparison.first_on_left else "right"
    give(campaign, people.anna, choice, Details(strength=3, reason="It says why."))
    say(campaign, people.ben, "tie")
    row = campaign.comparisons.get(kind=Kind.ADJUDICATION)
    row.first_on_left = on_left
    first, tie = labels_given(row)
    assert (first.choice, first.strength, first.reason) == (
        "left" if on_left else "right", 3, "It says why.",
    )  # fmt: skip
    assert first.is_swapped == (comparison.first_on_left != on_left)
    assert (tie.choice, tie.strength) == ("tie", None)


def test_the_list_tells_who_said_what_and_how_it_was_decided(
    people: People, django_assert_num_queries: Callable[[int], Any]
) -> None:
    campaign = disputed(people, prompts=3)
    for said in (("first", "second"), ("tie", "tie"), ("tie", "both_bad")):
        say(campaign, people.anna, said[0])
        say(campaign, people.ben, said[1])
    decide(campaign, people.admin, "both_bad")
    pairs = list(disputes(campaign))
    assert [(pair.position, pair.is_decided) for pair in pairs] == [  # type: ignore[attr-defined]
        (2, False),
        (0, True),
    ]
    with django_assert_num_queries(2):
        waits, decided = in_detail(campaign, pairs)
    assert [(one.words, one.name) for one in waits.said] == [("Tie", "anna"), ("Both bad", "ben")]
    assert (waits.is_queued, waits.decided) == (True, None)
    assert [one.words for one in decided.said] == ["Left slightly better", "Right slightly better"]
    assert decided.decided is not None
    assert (decided.decided.words, decided.decided.name) == ("Both bad", "ada")
    standing = standing_of(campaign)
    assert (standing.complete, standing.disputed) == (3, 2)
    assert (standing.waiting, standing.decided, standing.by) == (1, 1, [("ada", 1)])


def test_a_flag_of_an_adjudicator_outlives_the_dispute(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "tie")
    given = say(campaign, people.ben, "both_bad")
    held = next_comparison(campaign, people.admin, adjudicating=True)
    assert held is not None
    flag(held, people.admin, kind=Flag.Kind.OTHER, note="odd")
    revise(given, "tie")
    assert asked(campaign) == []
    assert Flag.objects.get().note == "odd"
