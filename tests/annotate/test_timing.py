"""The pace that a budget in hours is counted by."""

import pytest

from annotate.models import Campaign, Judgement
from annotate.timing import seconds_a_label
from pairselect.designs.pace import MeasuredPace, measured_pace
from tests.annotate.giving import repeat
from tests.conftest import People, give, make_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(people: People) -> Campaign:
    return make_campaign(people.anna, people.ben, prompts=6)


def timed(judgement: Judgement, seconds: float, active: float | None) -> Judgement:
    Judgement.objects.filter(pk=judgement.pk).update(seconds=seconds, active_seconds=active)
    return judgement


def test_nothing_is_measured_before_a_label(campaign: Campaign) -> None:
    assert seconds_a_label() is None


def test_it_is_the_mean_active_time_of_the_labels_that_stand(
    campaign: Campaign, people: People
) -> None:
    first = timed(give(campaign, people.anna, "left"), 300, 20)
    timed(give(campaign, people.ben, "right"), 70, None)  # not measured: from shown to answered
    withdrawn = timed(give(campaign, people.anna, "left"), 9000, 9000)
    Judgement.objects.filter(pk=withdrawn.pk).update(withdrawn_at=withdrawn.created_at)
    repeat(first)
    timed(give(campaign, people.anna, "right"), 9000, 9000)  # a silent repeat is no label
    assert Judgement.objects.count() == 4
    assert seconds_a_label() == MeasuredPace(seconds=45, labels=2)


def test_pages_left_open_and_old_labels_do_not_count(
    campaign: Campaign, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.timing.LAST", 4)
    monkeypatch.setattr("annotate.timing.LONGEST", 0.25)
    for seconds in (500, 30, 40, 50, 7200):  # the first is too old, the last was left open
        timed(give(campaign, people.anna, "left"), seconds, seconds)
    assert seconds_a_label() == MeasuredPace(seconds=40, labels=3)


def test_designs_read_it_through_their_hook(campaign: Campaign, people: People) -> None:
    timed(give(campaign, people.anna, "tie"), 60, 45)
    assert measured_pace() == MeasuredPace(seconds=45, labels=1)
    page = people.client(people.admin).get("/designs/new/").content.decode()
    assert "Measured: 45 s, on the last label." in page
    assert 'name="seconds_per_label" value="45.0"' in page
