"""What is believed of a pair, from rows to arrays."""

import numpy as np
import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotate.beliefs import Belief, beliefs_of
from annotate.models import Campaign
from tests.annotate.saying import (
    ask_machine,
    decide,
    make_machine,
    pairs_of,
    say,
    say_again,
    say_of_gold,
)
from tests.conftest import People, make_campaign


@pytest.fixture
def campaign(people: People) -> Campaign:
    return make_campaign(people.anna, people.ben, prompts=4, labels_per_pair=2)


def test_nobody_has_answered(campaign: Campaign) -> None:
    beliefs = beliefs_of([campaign])
    assert len(beliefs) == 0
    assert beliefs.of(pairs_of(campaign)[0].pk) is None


def test_each_pair_that_has_an_answer_is_there(campaign: Campaign, people: People) -> None:
    one, two, three, four = pairs_of(campaign)
    say(campaign, people.anna, two, "second", left=False)
    say(campaign, people.anna, one, "first")
    say(campaign, people.ben, one, "first", left=False)
    say(campaign, people.anna, three, "both_bad")
    say(campaign, people.anna, four, "skip")
    beliefs = beliefs_of([campaign])
    assert beliefs.pair_ids.tolist() == [one.pk, two.pk, three.pk]
    assert beliefs.labels.tolist() == [2, 1, 1]
    assert beliefs.agreement.tolist() == [1.0, 1.0, 1.0]
    agreed, single, bad = beliefs.probability
    assert agreed > 0.9 > 1 - single > 0.7
    assert bad == pytest.approx(0.5)
    assert not beliefs.adjudicated.any()
    assert beliefs.of(two.pk) == Belief(pytest.approx(single), 1, 1.0, False)
    assert beliefs.of(four.pk) is None


def test_people_who_differ_leave_it_open(campaign: Campaign, people: People) -> None:
    one, two, *_ = pairs_of(campaign)
    say(campaign, people.anna, one, "first")
    say(campaign, people.ben, one, "second", left=False)
    say(campaign, people.anna, two, "tie")
    beliefs = beliefs_of([campaign])
    assert beliefs.agreement.tolist() == [0.5, 1.0]
    assert 0.4 < beliefs.probability[0] < 0.6


def test_withdrawn_answers_count_nowhere(campaign: Campaign, people: People) -> None:
    one, *_ = pairs_of(campaign)
    undone = say(campaign, people.anna, one, "first")
    undone.withdrawn_at = timezone.now()
    undone.save()
    assert len(beliefs_of([campaign])) == 0


def test_an_adjudicator_decides(campaign: Campaign, people: People) -> None:
    one, two, three, _ = pairs_of(campaign)
    for pair in (one, two):
        say(campaign, people.anna, pair, "first")
        say(campaign, people.ben, pair, "second")
    decide(campaign, people.admin, one, "second")
    decide(campaign, people.admin, two, "tie")
    decide(campaign, people.admin, three, "first")  # whose labels have been withdrawn since
    beliefs = beliefs_of([campaign])
    assert beliefs.probability.tolist() == [0.0, 0.5, 1.0]
    assert beliefs.adjudicated.tolist() == [True, True, True]
    assert beliefs.labels.tolist() == [2, 2, 0]
    assert beliefs.agreement[:2].tolist() == [0.5, 0.5]
    assert beliefs.of(three.pk) == Belief(1.0, 0, None, True)


def test_a_repeat_is_no_second_person(campaign: Campaign, people: People) -> None:
    one, two, *_ = pairs_of(campaign)
    say_again(say(campaign, people.anna, one, "first"), "second")
    say_again(say(campaign, people.anna, two, "first"), "first")
    beliefs = beliefs_of([campaign])
    assert beliefs.labels.tolist() == [1, 1]
    assert beliefs.probability[0] == pytest.approx(0.5, abs=0.1)
    assert 0.6 < beliefs.probability[1] < 0.9


def test_gold_tells_who_is_to_be_believed(campaign: Campaign, people: People) -> None:
    one, *_ = pairs_of(campaign)
    say(campaign, people.anna, one, "first")
    say(campaign, people.ben, one, "second")
    for place in range(20):
        say_of_gold(campaign, people.anna, "first", left=place % 2 == 0)
        say_of_gold(campaign, people.ben, ("first", "second")[place % 2], left=place % 4 < 2)
    beliefs = beliefs_of([campaign])
    assert beliefs.pair_ids.tolist() == [one.pk]
    assert beliefs.probability[0] > 0.8


def test_machines_count_only_when_asked(campaign: Campaign, people: People) -> None:
    one, two, *_ = pairs_of(campaign)
    machine = make_machine(campaign)
    say(campaign, people.anna, one, "first")
    ask_machine(campaign, machine, one, "second", "second")
    ask_machine(campaign, machine, two, "first", "second")
    alone, beside = beliefs_of([campaign]), beliefs_of([campaign], machines=True)
    assert alone.pair_ids.tolist() == [one.pk]
    assert alone.labels.tolist() == [1]
    assert beside.pair_ids.tolist() == [one.pk, two.pk]
    assert beside.labels.tolist() == [1, 0]
    assert beside.machine_answers.tolist() == [2, 2]
    assert beside.agreement.tolist() == [0.5, 0.5]  # a machine is one vote
    assert beside.probability[0] < alone.probability[0]


def test_rounds_together(campaign: Campaign, people: People) -> None:
    other = make_campaign(people.anna, prompts=2, name="other")
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    say(other, people.anna, pairs_of(other)[0], "second")
    assert len(beliefs_of([campaign])) == 1
    both = beliefs_of([campaign, other])
    assert both.pair_ids.tolist() == [pairs_of(campaign)[0].pk, pairs_of(other)[0].pk]
    assert np.all(np.diff(both.pair_ids) > 0)


def test_one_query_however_many(campaign: Campaign, people: People) -> None:
    from django.db import connection

    for count in (1, 3):
        for pair in pairs_of(campaign)[count - 1 : count]:
            say(campaign, people.anna, pair, "first")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            beliefs_of([campaign])
        assert len(queries) == 1
