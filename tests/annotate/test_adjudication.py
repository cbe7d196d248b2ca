"""Labels that differ go before an adjudicator, whose answer decides the pair."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from annotate.adjudication import change_adjudication, decisions, settle_all
from annotate.answering import Outcome, answer, undo
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Judgement
from tests.annotate.disputing import Kind, asked, decide, disputed, say
from tests.annotate.giving import revise
from tests.conftest import People, give


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
