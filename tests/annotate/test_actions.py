"""Leases, answers, undo: one label a pair, whatever happens."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from annotate.actions import Outcome, answer, next_comparison, undo
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import last_judgement, progress_of
from tests.conftest import People, give, make_campaign

Choice = Judgement.Choice


def take_back(campaign: Campaign, user: User) -> bool:
    """Undo as the page does: the last answer, by name."""
    last = last_judgement(campaign, user)
    return last is not None and undo(campaign, user, judgement_id=last.pk)


def take(campaign: Campaign, user: object) -> Comparison:
    comparison = next_comparison(campaign, user)  # type: ignore[arg-type]
    assert comparison is not None
    assert comparison.lease is not None
    return comparison


def lease_of(comparison: Comparison) -> uuid.UUID:
    assert comparison.lease is not None
    return comparison.lease


def test_a_reload_shows_the_same_pair(campaign: Campaign, people: People) -> None:
    first, again = take(campaign, people.anna), take(campaign, people.anna)
    assert (first.pk, first.lease) == (again.pk, again.lease)


def test_two_people_never_hold_the_same_pair(campaign: Campaign, people: People) -> None:
    assert take(campaign, people.anna).position == 0
    assert take(campaign, people.ben).position == 1


def test_the_queue_is_the_designs(campaign: Campaign, people: People) -> None:
    seen = []
    while comparison := next_comparison(campaign, people.anna):
        seen.append(comparison.pair.position)
        give(campaign, people.anna, "left")
    assert seen == [0, 1, 2]


def test_a_double_submit_stores_one_label(campaign: Campaign, people: People) -> None:
    comparison = take(campaign, people.anna)
    lease = lease_of(comparison)
    first = answer(comparison, people.anna, choice=Choice.LEFT, lease=lease)
    second = answer(comparison, people.anna, choice=Choice.LEFT, lease=lease)
    other = answer(comparison, people.anna, choice=Choice.RIGHT, lease=lease)
    assert (first, second, other) == (Outcome.STORED, Outcome.REPEATED, Outcome.DIFFERED)
    assert [j.choice for j in Judgement.objects.all()] == ["left"]


def test_an_answer_without_the_lease_is_not_stored(campaign: Campaign, people: People) -> None:
    comparison = take(campaign, people.anna)
    for person, lease in ((people.anna, uuid.uuid4()), (people.ben, lease_of(comparison))):
        outcome = answer(comparison, person, choice=Choice.LEFT, lease=lease)
        assert outcome is Outcome.PASSED_ON
    assert Judgement.objects.count() == 0


def test_a_lapsed_lease_goes_to_the_next_person(campaign: Campaign, people: People) -> None:
    held = take(campaign, people.anna)
    Comparison.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    taken = take(campaign, people.ben)
    assert taken.pk == held.pk
    late = answer(held, people.anna, choice=Choice.LEFT, lease=lease_of(held))
    assert late is Outcome.PASSED_ON
    assert Judgement.objects.count() == 0


def test_a_late_answer_counts_while_nobody_else_has_the_pair(
    campaign: Campaign, people: People
) -> None:
    held = take(campaign, people.anna)
    Comparison.objects.update(leased_until=timezone.now() - timedelta(hours=9))
    stored = answer(held, people.anna, choice=Choice.LEFT, lease=lease_of(held))
    assert stored is Outcome.STORED


def test_a_skipped_pair_goes_to_somebody_else(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "skip")
    assert take(campaign, people.anna).position == 1
    assert take(campaign, people.ben).position == 0
    assert progress_of([campaign], people.anna)[campaign.pk].answered == 0


def test_a_pair_that_all_have_skipped_is_left(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    give(campaign, people.anna, "skip")
    assert next_comparison(campaign, people.anna) is None


def test_undo_brings_the_last_one_back(campaign: Campaign, people: People) -> None:
    first = take(campaign, people.anna)
    give(campaign, people.anna, "left")
    second = take(campaign, people.anna)
    assert take_back(campaign, people.anna)
    back = take(campaign, people.anna)
    assert (back.pk, back.lease == first.lease) == (first.pk, False)
    stale = answer(first, people.anna, choice=Choice.LEFT, lease=lease_of(first))
    assert stale is Outcome.PASSED_ON  # the double click from before the undo
    give(campaign, people.anna, "right")
    assert take(campaign, people.anna).pk == second.pk
    assert [(j.choice, j.withdrawn_at is None) for j in Judgement.objects.all()] == [
        ("left", False),
        ("right", True),
    ]


def test_undo_goes_back_as_far_as_one_likes(campaign: Campaign, people: People) -> None:
    for _ in range(3):
        give(campaign, people.anna, "tie")
    for position in (2, 1, 0):
        assert take_back(campaign, people.anna)
        assert take(campaign, people.anna).position == position
    assert not take_back(campaign, people.anna)
    assert progress_of([campaign], people.anna)[campaign.pk].answered == 0


def test_an_undo_sent_twice_takes_back_one(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "left")
    give(campaign, people.anna, "left")
    last = last_judgement(campaign, people.anna)
    assert last is not None
    assert undo(campaign, people.anna, judgement_id=last.pk)
    assert not undo(campaign, people.anna, judgement_id=last.pk)
    assert Judgement.objects.filter(withdrawn_at=None).count() == 1


def test_a_pair_left_open_overnight_is_timed_anew(campaign: Campaign, people: People) -> None:
    take(campaign, people.anna)
    yesterday = timezone.now() - timedelta(hours=14)
    Comparison.objects.update(shown_at=yesterday, leased_until=yesterday + timedelta(minutes=30))
    give(campaign, people.anna, "left")
    assert Judgement.objects.get().seconds < 60


def test_undo_leaves_other_peoples_answers(campaign: Campaign, people: People) -> None:
    give(campaign, people.ben, "left")
    assert not take_back(campaign, people.anna)


def test_a_skip_is_undone_unless_somebody_has_the_pair(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "skip")
    assert take_back(campaign, people.anna)
    assert take(campaign, people.anna).position == 0
    give(campaign, people.anna, "skip")
    assert take(campaign, people.ben).position == 0
    assert not take_back(campaign, people.anna)


def test_sides_are_drawn_by_the_seed_and_stored_with_the_answer(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=40)
    sides = list(campaign.comparisons.values_list("first_on_left", flat=True))
    assert 8 < sum(sides) < 32
    first = take(campaign, people.anna)
    give(campaign, people.anna, "left")
    judgement = Judgement.objects.get()
    assert judgement.first_on_left == first.first_on_left
    assert judgement.prefers_first == first.first_on_left


@pytest.mark.django_db(transaction=True)
def test_many_people_at_once_label_each_pair_once(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, people.stranger, prompts=12)
    seen: list[int] = []
    errors: list[BaseException] = []

    def work(user: object) -> None:
        try:
            while comparison := next_comparison(campaign, user):  # type: ignore[arg-type]
                outcome = answer(
                    comparison,
                    user,  # type: ignore[arg-type]
                    choice=Choice.LEFT,
                    lease=lease_of(comparison),
                )
                if outcome is Outcome.STORED:
                    seen.append(comparison.pk)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=(user,))
        for user in (people.anna, people.ben, people.stranger)
        for _ in range(2)  # two tabs each
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(seen) == sorted(campaign.comparisons.values_list("pk", flat=True))
    assert Judgement.objects.count() == 12
