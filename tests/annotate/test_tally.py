"""Figures of large campaigns: the same as counted live, of the time that they say."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from annotate import tally
from annotate.measures import people_of
from annotate.models import Campaign, Tally
from annotate.pacing import pace_and_cost
from annotate.summaries import campaign_detail
from annotate.tally import tally_of
from pairselect.jobs.models import Job
from tests.annotate.giving import gold_for, prefer, repeat
from tests.conftest import People, give, make_campaign, run_queued_jobs


@pytest.fixture
def campaign(people: People) -> Campaign:
    """With answers of every kind, four of them more than a small one has here."""
    found = make_campaign(people.anna, people.ben, prompts=12, labels_per_pair=2)
    for person in (people.anna, people.ben):
        first = give(found, person, "left")
        for choice in ("right", "tie", "skip"):
            give(found, person, choice)
        repeat(first)
        prefer(found, person, first=True)
        gold_for(found, person)
        prefer(found, person, first=True)
    return found


@pytest.fixture
def large(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr(tally, "LIVE", 5)
    return campaign


def age(by: timedelta) -> None:
    found = Tally.objects.get()
    Tally.objects.update(counted_at=found.counted_at - by)


def test_a_small_campaign_is_counted_each_time(campaign: Campaign, people: People) -> None:
    before = pace_and_cost(campaign)
    assert before.counted_at is None
    give(campaign, people.anna, "left")
    assert pace_and_cost(campaign).labels == before.labels + 1
    assert not Tally.objects.exists()


def test_it_is_large_from_one_answer_more(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = campaign.comparisons.filter(labelled_at__isnull=False).count()
    monkeypatch.setattr(tally, "LIVE", answered)
    assert tally_of(campaign) is None
    monkeypatch.setattr(tally, "LIVE", answered - 1)
    assert tally_of(campaign) is not None


def test_kept_figures_are_those_that_are_counted_live(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(price="0.12", currency="EUR")
    campaign.refresh_from_db()
    live, people = pace_and_cost(campaign), people_of(campaign)
    monkeypatch.setattr(tally, "LIVE", 5)
    for _ in range(2):  # counted here, then read again
        kept = pace_and_cost(campaign)
        assert kept.counted_at is not None
        assert kept.__dict__ == live.__dict__ | {"counted_at": kept.counted_at}
        assert people_of(campaign) == people
        assert people_of(campaign).counted_at == kept.counted_at
    assert live.labels == 6
    assert campaign_detail(campaign)["answers"] == live.choices


def test_a_fresh_count_is_shown_and_no_worker_is_asked(large: Campaign, people: People) -> None:
    before = pace_and_cost(large)
    give(large, people.anna, "left")
    assert pace_and_cost(large) == before
    assert not Job.objects.filter(kind="count_answers").exists()


def test_an_old_count_is_shown_and_one_worker_counts_again(large: Campaign, people: People) -> None:
    before = pace_and_cost(large)
    give(large, people.anna, "left")
    age(timedelta(minutes=3))
    for _ in range(2):
        assert pace_and_cost(large).labels == before.labels
        assert people_of(large)[0].labels == before.labels / 2
    assert Job.objects.filter(kind="count_answers").count() == 1
    run_queued_jobs()
    after = pace_and_cost(large)
    assert after.labels == before.labels + 1
    assert after.counted_at is not None
    assert timezone.now() - after.counted_at < timedelta(minutes=1)


def test_a_count_that_takes_long_is_not_asked_for_often(large: Campaign) -> None:
    pace_and_cost(large)
    Tally.objects.update(seconds=60.0)
    age(timedelta(minutes=19))
    pace_and_cost(large)
    assert not Job.objects.filter(kind="count_answers").exists()
    age(timedelta(minutes=2))
    pace_and_cost(large)
    assert Job.objects.filter(kind="count_answers").exists()


def test_the_page_says_when_it_was_counted(large: Campaign, people: People) -> None:
    admin: Client = people.client(people.admin)
    page = admin.get(f"/campaigns/{large.pk}/").content.decode()
    assert "as counted" in page
    Tally.objects.all().delete()
    tally.LIVE = 1000  # put back by the fixture
    assert "as counted" not in admin.get(f"/campaigns/{large.pk}/").content.decode()
