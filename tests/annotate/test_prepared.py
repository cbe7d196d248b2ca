"""Queries that are built once say what the database says at the moment that they are asked."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, UUIDField
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotate.addresses import word_of
from annotate.leasing import Outlook, next_comparisons
from annotate.models import Campaign, Comparison, Preferences
from annotate.prepared import (
    CAMPAIGN,
    COMPARISON,
    NOW,
    PERSON,
    Placeholder,
    Prepared,
    PreparedUpdate,
)
from annotate.queries import given_by, has_work_for
from tests.annotate.desk import ask
from tests.conftest import People, give, make_campaign

LEASE = Placeholder("lease", UUIDField(null=True))


def test_models_are_those_that_the_orm_gives(campaign: Campaign, people: People) -> None:
    held = next_comparisons(campaign, people.anna, ahead=0)[0]
    answered = Comparison.objects.filter(pk=OuterRef("pk"), labelled_at__isnull=False)
    rows = Comparison.objects.select_related("campaign", "pair__prompt", "gold", "annotator")
    ask_for = Prepared(
        lambda: rows.annotate(done=Exists(answered)).filter(
            pk=COMPARISON, annotator=PERSON, lease=LEASE, leased_until__gt=NOW
        )
    )
    told: dict[str, Any] = {
        "comparison": held.pk,
        "person": people.anna.pk,
        "lease": held.lease,
        "now": timezone.now(),
    }
    usual = rows.get(pk=held.pk)
    for _ in range(2):  # built, then told other values
        (found,) = ask_for(**told)
        for field in Comparison._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(usual, field.attname)
        with_it = found.campaign, found.designed.prompt, found.gold, found.annotator
        assert with_it == (campaign, usual.designed.prompt, None, people.anna)
        assert found.campaign.opened_at == campaign.opened_at
        assert found.done is False  # type: ignore[attr-defined]
    for other in (
        {"person": people.ben.pk},
        {"lease": uuid4()},
        {"now": timezone.now() + timedelta(days=1)},
        {"comparison": held.pk + 1},
    ):
        assert ask_for(**told | other) == []


def test_what_comes_with_a_row_is_not_asked_for_again(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Preferences.objects.create(person=people.anna, theme="dark")
    person = Prepared(lambda: User.objects.select_related("preferences").filter(pk=PERSON))
    with django_assert_num_queries(2):
        anna, ben = (person(person=one.pk)[0] for one in (people.anna, people.ben))
        assert anna.preferences.theme == "dark"
        assert not hasattr(ben, "preferences")  # and it is known that there are none


def test_no_row_is_kept(campaign: Campaign, people: People) -> None:
    places = Prepared(
        lambda: Comparison.objects.filter(campaign=CAMPAIGN, labelled_at__lte=NOW).values_list(
            "position", "labelled_at"
        )
    )
    asked = {"campaign": campaign.pk, "now": timezone.now() + timedelta(hours=1)}
    assert (places(**asked), places.first(**asked)) == ([], None)
    given = give(campaign, people.anna, "left").comparison
    given.refresh_from_db()
    assert places(**asked) == [(given.position, given.labelled_at)]
    assert places.first(**asked | {"campaign": campaign.pk + 1}) is None


def test_an_update_changes_what_it_is_told_and_says_how_many(
    campaign: Campaign, people: People
) -> None:
    take = PreparedUpdate(
        lambda: Comparison.objects.filter(campaign=CAMPAIGN, pk=COMPARISON, lease__isnull=True),
        lease=LEASE,
        shown_at=NOW,
        claimed_at=None,
    )
    first, second = campaign.comparisons.all()[:2]
    now, lease = timezone.now(), uuid4()
    told = {"campaign": campaign.pk, "comparison": first.pk, "now": now}
    assert take(**told, lease=lease) == 1
    assert take(**told, lease=uuid4()) == 0  # it is taken
    first.refresh_from_db()
    assert (first.lease, first.shown_at, first.claimed_at) == (lease, now, None)
    second.refresh_from_db()
    assert second.lease is None
    assert take(**told | {"comparison": second.pk, "now": None}, lease=None) == 1


def test_a_value_that_is_not_told_is_no_value() -> None:
    rows = Prepared(lambda: Comparison.objects.filter(campaign=CAMPAIGN, pk=COMPARISON))
    with pytest.raises(KeyError, match="comparison"):
        rows(campaign=1)


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_a_transaction_alone() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has no locks on rows")
    person = User.objects.create_user("anna")
    lock = Prepared(lambda: User.objects.select_for_update().filter(pk=PERSON).order_by())
    with transaction.atomic():  # where it is built, which the ORM would refuse elsewhere
        assert lock(person=person.pk) == [person]
    with pytest.raises(TransactionManagementError):
        lock(person=person.pk)


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_by_its_own_connection(people: People) -> None:
    """Else one person's query would see, and end with, another person's transaction."""
    campaign = make_campaign(people.anna)
    name = Prepared(lambda: Campaign.objects.filter(pk=CAMPAIGN).values_list("name"))
    seen: list[Any] = []

    def look() -> None:
        try:
            seen.append(name(campaign=campaign.pk))
        finally:
            connection.close()

    for text in ("changed", "changed again"):  # built by this thread, then built before
        before = name(campaign=campaign.pk) if seen else [(campaign.name,)]
        with transaction.atomic():
            Campaign.objects.filter(pk=campaign.pk).update(name=text)
            assert name(campaign=campaign.pk) == [(text,)]
            other = threading.Thread(target=look)
            other.start()
            other.join()
        assert seen.pop() == before
        seen.append(None)


@pytest.mark.parametrize("what", ["paused_at", "closed_at", "archived_at", "taken off"])
def test_who_has_no_work_there_any_more_is_told_at_the_next_answer(
    people: People, what: str
) -> None:
    """The answer in their hands still counts; nothing more comes, however often it was asked."""
    campaign = make_campaign(people.anna, people.ben, prompts=20)
    client = people.client(people.anna)
    held = next_comparisons(campaign, people.anna)
    assert has_work_for(people.anna, campaign)
    sent = {"token": held[0].lease, "choice": "left"}
    state = ask(client, _address(campaign, held[0]), **sent)
    assert state["outcome"] == "stored"
    assert len(state["held"]) == 3
    if what == "taken off":
        campaign.annotators.remove(people.anna)
    else:
        Campaign.objects.filter(pk=campaign.pk).update(**{what: timezone.now()})
    assert not has_work_for(people.anna, campaign)
    sent = {"token": held[1].lease, "choice": "left"}
    state = ask(client, _address(campaign, held[1]), **sent)
    assert (state["outcome"], "held" in state, "leave" in state) == ("stored", False, True)
    assert has_work_for(people.ben, campaign) == (what == "taken off")


def test_what_was_freed_before_the_place_that_was_seen_is_not_left_over(people: People) -> None:
    """The look at the queue is a moment old when the next comparison is claimed."""
    campaign = make_campaign(people.anna, people.ben, prompts=4)
    for _ in range(2):
        give(campaign, people.ben, "left")
    campaign.comparisons.filter(position=3).update(labelled_at=timezone.now())
    outlook = Outlook(given_by(campaign, people.anna), beginning=3, has_plenty=False)
    found = next_comparisons(campaign, people.anna, outlook=outlook)
    assert [one.position for one in found] == [2]


def _address(campaign: Campaign, comparison: Comparison) -> str:
    return f"/work/{campaign.pk}/{word_of(comparison.pk)}/answer/"
