"""Labels that differ go before an adjudicator, whose answer decides the pair."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from annotate.adjudication import change_adjudication, decisions, labels_given, settle_all
from annotate.answering import Details, Outcome, answer, flag, undo
from annotate.disputes import disputes, in_detail, standing_of
from annotate.leasing import next_comparison, next_comparisons
from annotate.measures import people_of
from annotate.models import Campaign, Comparison, Flag, Judgement
from annotate.queries import answers_of, counts_by_choice, current_labels, is_complete, pace_of
from annotate.rounds import usable_labels
from tests.annotate.giving import prefer, revise
from tests.conftest import People, give, make_campaign

Kind = Comparison.Kind


def disputed(people: People, *, adjudicate: str = "any", prompts: int = 3, k: int = 2) -> Campaign:
    everybody = [people.anna, people.ben, people.stranger][:k]
    campaign = make_campaign(
        *everybody, prompts=prompts, labels_per_pair=k, adjudicate=adjudicate, strengths=3
    )
    campaign.adjudicators.add(people.admin)
    return campaign


def asked(campaign: Campaign) -> list[int]:
    """Places in the queue of the pairs that wait for a decision."""
    rows = campaign.comparisons.filter(kind=Kind.ADJUDICATION, labelled_at__isnull=True)
    return list(rows.values_list("position", flat=True))


def say(campaign: Campaign, person: User, said: str) -> Judgement:
    """Of the person's next comparison: first, second, tie, both_bad."""
    if said in ("first", "second"):
        return prefer(campaign, person, first=said == "first")
    return give(campaign, person, said)


def decide(campaign: Campaign, person: User, choice: str, **details: Any) -> Judgement:
    comparison = next_comparison(campaign, person, adjudicating=True)
    assert comparison is not None
    assert comparison.lease is not None
    lease = comparison.lease
    said = Judgement.Choice(choice)
    outcome = answer(comparison, person, choice=said, lease=lease, details=Details(**details))
    assert outcome is Outcome.STORED
    return Judgement.objects.get(lease=lease)


# Which pairs


@pytest.mark.parametrize(
    ("rule", "labels", "differ"),
    [
        ("any", ("first", "first"), False),
        ("any", ("tie", "tie"), False),
        ("any", ("first", "second"), True),
        ("any", ("first", "tie"), True),
        ("any", ("both_bad", "tie"), True),
        ("split", ("first", "second"), True),
        ("split", ("first", "first"), False),
        ("never", ("first", "second"), False),
        ("any", ("first", "first", "second"), True),
        ("any", ("second", "second", "second"), False),
        ("split", ("first", "first", "second"), False),
        ("split", ("first", "second", "tie"), True),
        ("split", ("tie", "both_bad", "tie"), False),
    ],
)
def test_a_pair_is_asked_for_as_the_campaign_says(
    people: People, rule: str, labels: tuple[str, ...], differ: bool
) -> None:
    campaign = disputed(people, adjudicate=rule, prompts=1, k=len(labels))
    everybody = [people.anna, people.ben, people.stranger]
    for person, said in zip(everybody, labels, strict=False):
        assert asked(campaign) == []  # not before the last label
        say(campaign, person, said)
    assert asked(campaign) == ([0] if differ else [])


def test_two_of_five_are_not_most(people: People) -> None:
    others = [User.objects.create_user(name) for name in ("carl", "dora")]
    campaign = disputed(people, adjudicate="split", prompts=1, k=3)
    Campaign.objects.update(labels_per_pair=5)
    campaign.refresh_from_db()
    for slot, person in enumerate(others, start=3):
        campaign.annotators.add(person)
        row = campaign.comparisons.get(slot=0)
        Comparison.objects.create(
            campaign=campaign, pair=row.pair, position=row.position, slot=slot
        )
    everybody = [people.anna, people.ben, people.stranger, *others]
    for person, said in zip(
        everybody, ("first", "first", "second", "tie", "both_bad"), strict=True
    ):
        say(campaign, person, said)
    assert asked(campaign) == [0]


def test_a_skip_is_no_label(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "first")
    give(campaign, people.ben, "skip")
    assert asked(campaign) == []


def test_what_is_revised_ends_a_dispute_or_begins_one(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "tie")
    given = say(campaign, people.ben, "both_bad")
    assert asked(campaign) == [0]
    given = revise(given, "tie")
    assert asked(campaign) == []
    revise(given, "both_bad")
    assert asked(campaign) == [0]
    assert campaign.comparisons.filter(kind=Kind.ADJUDICATION).count() == 1


def test_what_is_undone_leaves_the_queue(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "tie")
    given = say(campaign, people.ben, "both_bad")
    assert undo(campaign, people.ben, judgement_id=given.pk)
    assert asked(campaign) == []
    assert next_comparison(campaign, people.admin, adjudicating=True) is None


def test_an_answer_to_what_is_no_longer_in_dispute_is_not_stored(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "tie")
    given = say(campaign, people.ben, "both_bad")
    held = next_comparison(campaign, people.admin, adjudicating=True)
    assert held is not None
    assert held.lease is not None
    revise(given, "tie")
    outcome = answer(held, people.admin, choice=Judgement.Choice.LEFT, lease=held.lease)
    assert outcome is Outcome.PASSED_ON
    assert decisions(campaign) == {}


def test_a_decision_stands_when_the_labels_come_to_agree(people: People) -> None:
    campaign = disputed(people, prompts=1)
    say(campaign, people.anna, "tie")
    given = say(campaign, people.ben, "both_bad")
    decided = decide(campaign, people.admin, "left")
    revise(given, "tie")
    assert list(decisions(campaign).values()) == [decided]


def test_switched_on_later_it_finds_what_differs_already(people: People) -> None:
    campaign = disputed(people, adjudicate="never", prompts=3)
    for said in (("first", "second"), ("tie", "tie"), ("first", "tie")):
        say(campaign, people.anna, said[0])
        say(campaign, people.ben, said[1])
    assert asked(campaign) == []
    for _ in range(2):
        change_adjudication(campaign, adjudicate="any", adjudicators=[people.admin])
        assert asked(campaign) == [0, 2]
    decide(campaign, people.admin, "left")
    change_adjudication(campaign, adjudicate="never", adjudicators=[])
    assert asked(campaign) == []
    assert len(decisions(campaign)) == 1
    change_adjudication(campaign, adjudicate="split", adjudicators=[people.admin])
    assert asked(campaign) == [2]  # what is decided is not asked again


def test_a_last_label_is_stored_while_the_rule_is_switched_on(people: People) -> None:
    """Its request read the campaign before."""
    campaign = disputed(people, adjudicate="never", prompts=1)
    say(campaign, people.anna, "tie")
    comparison = next_comparison(campaign, people.ben)
    assert comparison is not None
    assert comparison.lease is not None
    assert comparison.campaign.adjudicate == "never"
    now = Campaign.objects.get(pk=campaign.pk)
    change_adjudication(now, adjudicate="any", adjudicators=[people.admin])
    choice = Judgement.Choice.BOTH_BAD
    assert answer(comparison, people.ben, choice=choice, lease=comparison.lease) is Outcome.STORED
    assert asked(campaign) == [0]


def test_pairs_are_looked_at_again_once_the_rule_holds_for_all(
    people: People, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    """A label that was stored under the former rule was not seen before."""
    campaign = disputed(people, adjudicate="never", prompts=2)
    say(campaign, people.anna, "first")
    with django_capture_on_commit_callbacks() as callbacks:
        now = Campaign.objects.get(pk=campaign.pk)
        change_adjudication(now, adjudicate="any", adjudicators=[people.admin])
    say(campaign, people.ben, "second")
    campaign.comparisons.filter(kind=Kind.ADJUDICATION).delete()  # its transaction asked nothing
    for callback in callbacks:
        callback()
    assert asked(campaign) == [0]


def test_the_last_of_two_rules_holds(
    people: People, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    campaign = disputed(people, adjudicate="never", prompts=1)
    say(campaign, people.anna, "first")
    say(campaign, people.ben, "second")
    with django_capture_on_commit_callbacks() as callbacks:
        change_adjudication(campaign, adjudicate="any", adjudicators=[people.admin])
        now = Campaign.objects.get(pk=campaign.pk)
        change_adjudication(now, adjudicate="never", adjudicators=[])
    for callback in reversed(callbacks):
        callback()
    assert asked(campaign) == []


def test_settling_all_is_settling_each(people: People) -> None:
    campaign = disputed(people, adjudicate="any", prompts=4)
    for said in (("first", "second"), ("tie", "tie"), ("first", "tie")):
        say(campaign, people.anna, said[0])
        say(campaign, people.ben, said[1])
    say(campaign, people.anna, "first")
    before = list(campaign.comparisons.order_by("pk").values())
    settle_all(campaign)
    assert list(campaign.comparisons.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_two_last_labels_at_once_ask_for_their_pair(people: People) -> None:
    campaign = disputed(people, prompts=8)
    errors: list[BaseException] = []
    together = threading.Barrier(2)

    def work(person: User, choice: str) -> None:
        try:
            for _ in range(8):
                together.wait(timeout=30)
                give(campaign, person, choice)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=pair)
        for pair in ((people.anna, "tie"), (people.ben, "both_bad"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert asked(campaign) == list(range(8))


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_changes_while_people_revise_loses_nothing(people: People) -> None:
    """On Postgres the rows that are made, and the pairs that are locked, wait for each other."""
    campaign = disputed(people, prompts=30)
    given = []
    for _ in range(30):
        say(campaign, people.anna, "first")
        given.append(say(campaign, people.ben, "second"))
    campaign.comparisons.filter(kind=Kind.ADJUDICATION).delete()
    errors: list[BaseException] = []
    together = threading.Barrier(3)

    def change() -> None:
        for rule in ("any", "never", "split", "any") * 4:
            now = Campaign.objects.get(pk=campaign.pk)
            change_adjudication(now, adjudicate=rule, adjudicators=[people.admin])

    def think_again(answers: list[Judgement]) -> None:
        for judgement in answers:
            for choice in ("tie", "left", "both_bad"):
                judgement = revise(judgement, choice)

    def run(work: Callable[[], None]) -> None:
        try:
            together.wait(timeout=30)
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    works = (change, partial(think_again, given[:15]), partial(think_again, given[15:]))
    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    settle_all(Campaign.objects.get(pk=campaign.pk))
    assert asked(campaign) == list(range(30))


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
