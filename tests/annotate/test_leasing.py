"""Whose a comparison is: k different people a pair, nobody idle, the queue in its order."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotate import leasing
from annotate.addresses import word_of
from annotate.answering import Outcome, answer, undo
from annotate.leasing import AHEAD, LEASE, RENEWED, next_comparison, next_comparisons
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_labels
from annotate.views import answers
from tests.annotate.desk import JSON
from tests.annotate.giving import gold_for, repeat
from tests.conftest import People, give, make_campaign

Choice = Judgement.Choice


def all_at_once(people: list[User], work: Callable[[User], None]) -> None:
    """Everybody works with two tabs; what goes wrong in any of them is raised here."""
    errors: list[BaseException] = []

    def tab(person: User) -> None:
        try:
            work(person)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tab, args=(one,)) for one in people for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("ahead", [0, AHEAD])
def test_many_people_at_once_label_each_pair_k_times(people: People, k: int, ahead: int) -> None:
    everybody = [people.anna, people.ben, people.stranger]
    campaign = make_campaign(*everybody, prompts=10, labels_per_pair=k)
    stored: list[int] = []

    def work(person: User) -> None:
        while found := next_comparisons(campaign, person, ahead=ahead):
            for comparison in found:
                assert comparison.lease is not None
                outcome = answer(comparison, person, choice=Choice.LEFT, lease=comparison.lease)
                if outcome is Outcome.STORED:
                    stored.append(comparison.pk)

    all_at_once(everybody, work)
    assert len(stored) == len(set(stored)) == 10 * k
    pairs = Counter(current_labels(campaign).values_list("comparison__pair", flat=True))
    assert set(pairs.values()) == {k}
    whose = current_labels(campaign).values_list("comparison__pair", "annotator")
    assert len(set(whose)) == len(whose)  # nobody twice


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_open_at_once_show_leases_that_hold(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=4)
    checks = [gold_for(campaign, person) for person in (people.anna, people.ben)]
    shown: list[tuple[User, Comparison]] = []
    together = threading.Barrier(4)

    def work(person: User) -> None:
        together.wait()
        found = next_comparison(campaign, person)
        assert found is not None
        shown.append((person, found))

    all_at_once([people.anna, people.ben], work)
    assert {check.pk for check in checks} <= {found.pk for _, found in shown}
    for person, found in shown:
        assert found.lease is not None
        outcome = answer(found, person, choice=Choice.LEFT, lease=found.lease)
        assert outcome in (Outcome.STORED, Outcome.REPEATED)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_hold_together_what_one_page_needs(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would fill up what it has seen the person hold, if it did not wait for the other."""
    campaign = make_campaign(people.anna, prompts=20)
    next_comparisons(campaign, people.anna, ahead=AHEAD - 1)
    claim, together = leasing._claim_next, threading.Barrier(2)

    def slow(*of: Any, **how: Any) -> Any:
        with suppress(threading.BrokenBarrierError):  # the other one is not let in so far
            together.wait(timeout=2.0)
        return claim(*of, **how)

    monkeypatch.setattr(leasing, "_claim_next", slow)
    all_at_once([people.anna], lambda anna: next_comparisons(campaign, anna))
    held = campaign.comparisons.filter(annotator=people.anna).values_list("position", flat=True)
    assert sorted(held) == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_an_answer_and_a_sign_of_life_at_once_do_not_wait_for_each_other(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one writes the comparison that the other renews, and both lease what comes."""
    campaign = make_campaign(people.anna, prompts=20)
    found = next_comparisons(campaign, people.anna)[0]
    campaign.comparisons.filter(annotator=people.anna).update(leased_until=timezone.now() + RENEWED)
    comes, is_written, statuses = answers.what_comes, threading.Event(), []
    tabs = [Client(), Client()]
    for tab in tabs:
        tab.force_login(people.anna)

    def slow(*of: Any, **how: Any) -> Any:
        is_written.set()
        time.sleep(1)  # the other one is at work meanwhile
        return comes(*of, **how)

    def send(tab: Client, what: str, **sent: Any) -> None:
        try:
            response = tab.post(f"/work/{campaign.pk}/{what}/", sent, headers=JSON)
            statuses.append(response.status_code)
        finally:
            connection.close()

    monkeypatch.setattr(answers, "what_comes", slow)
    sent = {"token": found.lease, "choice": "left"}
    answering = threading.Thread(
        target=send, args=(tabs[0], f"{word_of(found.pk)}/answer"), kwargs=sent, daemon=True
    )
    answering.start()
    assert is_written.wait(timeout=30)
    send(tabs[1], "upcoming")
    answering.join(timeout=30)
    assert statuses == [200, 200]
    assert current_labels(campaign).count() == 1


def test_a_person_answers_one_of_a_pairs_slots(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=2, labels_per_pair=2)
    for _ in range(2):
        give(campaign, people.anna, "left")
    assert next_comparison(campaign, people.anna) is None
    assert campaign.comparisons.filter(labelled_at=None).count() == 2
    give(campaign, people.ben, "left")
    give(campaign, people.ben, "left")
    assert next_comparison(campaign, people.ben) is None
    assert not campaign.comparisons.filter(labelled_at=None).exists()


def test_a_skip_is_of_the_whole_pair(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=1, labels_per_pair=2)
    give(campaign, people.anna, "skip")
    assert next_comparison(campaign, people.anna) is None  # the other slot neither


def test_three_are_ready_where_there_is_plenty(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=20)
    found = next_comparisons(campaign, people.anna)
    assert [one.position for one in found] == [0, 1, 2]
    assert [one.shown_at is None for one in found] == [False, True, True]
    assert [one.position for one in next_comparisons(campaign, people.ben)] == [3, 4, 5]
    assert next_comparisons(campaign, people.anna) == found  # a reload


def test_nobody_is_idle_while_something_is_left(people: People) -> None:
    """With fewer left than everybody's pages could keep, each page keeps the one in view."""
    campaign = make_campaign(people.anna, people.ben, prompts=(1 + AHEAD) * 2)
    assert len(next_comparisons(campaign, people.anna)) == 1
    assert len(next_comparisons(campaign, people.ben)) == 1
    few = make_campaign(people.anna, people.ben, prompts=2, name="few")
    assert len(next_comparisons(few, people.anna)) == 1
    assert len(next_comparisons(few, people.ben)) == 1


def test_a_sign_of_life_renews_all_that_is_held(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=20)
    next_comparisons(campaign, people.anna)
    soon = timezone.now() + timedelta(seconds=1)
    campaign.comparisons.exclude(lease=None).update(leased_until=soon)
    next_comparisons(campaign, people.anna)
    until = campaign.comparisons.exclude(lease=None).values_list("leased_until", flat=True)
    assert len(until) == 3
    assert all(one > timezone.now() + LEASE / 2 for one in until)


def test_what_lapsed_comes_first_for_the_next_person(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=20)
    next_comparisons(campaign, people.anna)
    Comparison.objects.exclude(lease=None).update(leased_until=timezone.now() - timedelta(1))
    found = next_comparisons(campaign, people.ben)
    assert [one.position for one in found] == [0, 1, 2]
    assert [one.position for one in next_comparisons(campaign, people.anna)] == [3, 4, 5]


def test_what_comes_after_an_undo_is_what_was_there_before(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=20)
    give(campaign, people.anna, "left")
    before = [one.pk for one in next_comparisons(campaign, people.anna)]
    last = Judgement.objects.get()
    assert undo(campaign, people.anna, judgement_id=last.pk)
    found = [one.pk for one in next_comparisons(campaign, people.anna)]
    assert found == [last.comparison_id, *before[:2]]
    give(campaign, people.anna, "right")
    assert [one.pk for one in next_comparisons(campaign, people.anna)] == before


def test_a_check_is_of_one_person_and_never_goes_to_another(
    campaign: Campaign, people: People
) -> None:
    check = repeat(give(campaign, people.anna, "left"))
    assert next_comparison(campaign, people.anna) == check
    Comparison.objects.filter(pk=check.pk).update(leased_until=timezone.now() - timedelta(1))
    kinds = []
    while found := next_comparison(campaign, people.ben):
        kinds.append(found.kind)
        give(campaign, people.ben, "left")
    assert kinds == ["label", "label"]
    assert next_comparison(campaign, people.anna) == check
