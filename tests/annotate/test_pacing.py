"""Labels a day, seconds a label, the end and the costs, worked out by hand."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from scipy.stats import t as student

from annotate.adjudication import settle_all
from annotate.answering import undo
from annotate.day_chart import draw_days
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Judgement
from annotate.pacing import Day, PaceAndCost, finish_of, pace_and_cost
from tests.annotate.giving import answer_next, gold_for, onboard, repeat
from tests.conftest import People, give, make_campaign

TODAY = date(2026, 5, 4)


@pytest.fixture
def campaign(people: People) -> Campaign:
    return make_campaign(people.anna, people.ben, prompts=40)


def on(judgement: Judgement, days_ago: int) -> None:
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    Judgement.objects.filter(pk=judgement.pk).update(created_at=noon - timedelta(days=days_ago))


def labels_on(campaign: Campaign, person: User, *counts: int) -> None:
    """So many labels today, so many yesterday, and so on."""
    for days_ago, count in enumerate(counts):
        for _ in range(count):
            on(give(campaign, person, "left"), days_ago)


def priced(campaign: Campaign, price: str, by: str) -> PaceAndCost:
    Campaign.objects.filter(pk=campaign.pk).update(price=price, priced_by=by, currency="EUR")
    campaign.refresh_from_db()
    return pace_and_cost(campaign)


# Days


def test_days_hold_labels_that_stand(campaign: Campaign, people: People) -> None:
    labels_on(campaign, people.anna, 2, 1, 0, 3)
    on(give(campaign, people.anna, "tie"), 8)  # before the week
    on(give(campaign, people.anna, "skip"), 1)
    last = give(campaign, people.anna, "right")
    assert undo(campaign, people.anna, judgement_id=last.pk)
    give(campaign, people.anna, "tie")
    repeat(Judgement.objects.earliest("pk"))
    give(campaign, people.anna, "left")
    found = pace_and_cost(campaign)
    assert [day.labels for day in found.days] == [0, 0, 0, 0, 3, 0, 1, 3]
    assert found.days[-1].date == timezone.localdate()
    assert (found.today, found.week, found.labels) == (3, 4, 8)
    assert found.decided == 6
    assert (found.wanted, found.left) == (40, 32)


def test_a_label_just_after_midnight_is_of_that_day(campaign: Campaign, people: People) -> None:
    with timezone.override("Asia/Tokyo"):
        given = give(campaign, people.anna, "left")
        midnight = timezone.localtime().replace(hour=0, minute=1, second=0)
        Judgement.objects.filter(pk=given.pk).update(created_at=midnight)
        assert pace_and_cost(campaign).today == 1
        before = midnight - timedelta(minutes=2)
        Judgement.objects.filter(pk=given.pk).update(created_at=before)
        assert [day.labels for day in pace_and_cost(campaign).days[-2:]] == [1, 0]


# The end


def test_as_many_each_day_end_on_a_day() -> None:
    found = finish_of([10, 10, 10, 10], 25, today=TODAY)
    assert found is not None
    assert found.earliest == found.expected == found.latest == TODAY + timedelta(days=2)
    assert (found.days, found.a_day) == (4, 10)
    today = finish_of([10, 10, 10, 10], 10, today=TODAY)
    assert today is not None
    assert today.expected == TODAY


def test_of_little_nothing_is_said() -> None:
    assert finish_of([10, 10], 25, today=TODAY) is None
    assert finish_of([0, 0, 0, 0], 25, today=TODAY) is None
    assert finish_of([1, 0, 0, 0, 0, 0, 0], 10_000, today=TODAY) is None  # in 190 years


def test_days_that_differ_too_much_name_no_latest() -> None:
    found = finish_of([0, 90, 0], 3000, today=TODAY)
    assert found is not None
    assert found.latest is None
    assert TODAY < found.earliest < found.expected


@pytest.mark.parametrize("left", [400, 2000])
def test_the_range_holds_the_end_as_often_as_it_says(left: int) -> None:
    """Days of a week, drawn as they are: more varied than by chance alone."""
    rng = np.random.default_rng(left)
    held = 0
    for _ in range(400):
        days = rng.negative_binomial(4, 4 / (4 + 50), size=7 + 400)
        found = finish_of(list(map(int, days[:7])), left, today=TODAY)
        assert found is not None
        end = TODAY + timedelta(days=int(np.searchsorted(np.cumsum(days[7:]), left)))
        held += found.earliest <= end and (found.latest is None or end <= found.latest)
    assert 0.76 < held / 400 < 0.97


def test_there_is_no_end_of_what_does_not_go_on(campaign: Campaign, people: People) -> None:
    labels_on(campaign, people.anna, 0, 2, 2, 2)
    found = pace_and_cost(campaign)
    assert found.finish is not None
    assert found.finish.days == 3  # the days before the first label are none of its
    for field in ("paused_at", "closed_at"):
        setattr(campaign, field, timezone.now())
        assert pace_and_cost(campaign).finish is None
        setattr(campaign, field, None)


# Seconds and hours


def test_seconds_have_students_interval(campaign: Campaign, people: People) -> None:
    spent = [4.0, 6.0, 9.0, 12.0, 20.0, 5.0, 7.0, 8.0, 30.0, 11.0]
    for seconds in spent[:-1]:
        answer_next(campaign, people.anna, "tie", active_seconds=seconds, seconds=99.0)
    assert pace_and_cost(campaign).seconds is None  # of nine
    answer_next(campaign, people.anna, "tie", active_seconds=spent[-1], seconds=99.0)
    found = pace_and_cost(campaign).seconds
    assert found is not None
    low, high = student.interval(
        0.95, 9, loc=np.mean(spent), scale=np.std(spent, ddof=1) / np.sqrt(10)
    )
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(spent), low, high))


def test_a_page_left_open_that_counts_nothing_is_ten_minutes_at_most(
    campaign: Campaign, people: People
) -> None:
    answer_next(campaign, people.anna, "tie", seconds=80_000.0)
    assert pace_and_cost(campaign).hours == pytest.approx(600 / 3600)


def test_work_left_counts_checks_as_so_far(campaign: Campaign, people: People) -> None:
    for _ in range(10):
        answer_next(campaign, people.anna, "left", active_seconds=10.0, seconds=10.0)
    for judgement in list(Judgement.objects.all()[:5]):
        repeat(judgement)
        answer_next(campaign, people.anna, "left", active_seconds=10.0, seconds=10.0)
    found = pace_and_cost(campaign).hours_left
    assert found is not None
    assert found.value == pytest.approx(30 * 1.5 * 10 / 3600)
    assert found.low == found.high == found.value  # every answer took as long


def test_who_is_at_work(campaign: Campaign, people: People) -> None:
    assert pace_and_cost(campaign).at_work == 0
    next_comparison(campaign, people.anna)
    next_comparison(campaign, people.ben)
    assert pace_and_cost(campaign).at_work == 2
    ago = timedelta(minutes=6)
    held = Comparison.objects.get(annotator=people.ben)
    assert held.leased_until is not None
    Comparison.objects.filter(pk=held.pk).update(leased_until=held.leased_until - ago)
    assert pace_and_cost(campaign).at_work == 1


# Costs


def test_without_a_price_there_is_no_cost(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "left")
    assert pace_and_cost(campaign).cost is None


def test_by_the_label_checks_cost_nothing(campaign: Campaign, people: People) -> None:
    for choice in ("left", "right", "tie", "skip"):
        give(campaign, people.anna, choice)
    gold_for(campaign, people.anna)
    give(campaign, people.anna, "left")
    cost = priced(campaign, "0.12", "label").cost
    assert cost is not None
    assert cost.so_far == Decimal("0.36")
    assert cost.total == cost.low == cost.high == Decimal("4.80")
    assert cost.per_decided == Decimal("0.18")


def test_by_the_hour_all_that_people_did_costs(campaign: Campaign, people: People) -> None:
    for choice in ("left", "tie", "skip"):
        answer_next(campaign, people.anna, choice, active_seconds=60.0, seconds=60.0)
    gold_for(campaign, people.anna)
    answer_next(campaign, people.anna, "left", active_seconds=60.0, seconds=60.0)
    last = answer_next(campaign, people.anna, "left", active_seconds=60.0, seconds=60.0)
    assert undo(campaign, people.anna, judgement_id=last.pk)
    onboarded = onboard(campaign, people.ben, "left")
    Judgement.objects.filter(pk=onboarded.pk).update(active_seconds=60.0)
    cost = priced(campaign, "20", "hour").cost
    assert cost is not None
    assert cost.so_far == pytest.approx(Decimal("2"))  # six minutes
    assert cost.per_decided == pytest.approx(Decimal("2"))  # one stands
    assert cost.total is None  # of two labels nothing can be told


def test_by_the_hour_the_total_has_an_interval(campaign: Campaign, people: People) -> None:
    for seconds in (10.0, 14.0) * 10:
        answer_next(campaign, people.anna, "left", active_seconds=seconds, seconds=seconds)
    cost = priced(campaign, "36", "hour").cost  # a cent a second
    assert cost is not None
    assert cost.so_far == pytest.approx(Decimal("2.40"))
    assert cost.total == pytest.approx(Decimal("4.80"))
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low < Decimal("4.80") < cost.high
    assert cost.high - cost.low == pytest.approx(Decimal("0.508"), abs=Decimal("0.02"))


def test_decisions_of_adjudicators_are_paid_and_machines_are_not(people: People) -> None:
    campaign = make_campaign(
        people.anna, people.ben, prompts=2, labels_per_pair=2, adjudicate="any"
    )
    campaign.adjudicators.add(people.admin)
    give(campaign, people.anna, "tie")
    give(campaign, people.ben, "both_bad")
    settle_all(campaign)
    found = next_comparison(campaign, people.admin, adjudicating=True)
    assert found is not None
    decided = Judgement.objects.create(
        comparison=found, annotator=people.admin, choice="left", first_on_left=True,
        lease="12345678-1234-5678-1234-567812345678", seconds=3600.0, active_seconds=3600.0,
    )  # fmt: skip
    cost = priced(campaign, "1", "label").cost
    assert cost is not None
    assert cost.so_far == 3
    assert cost.total == 5
    assert cost.per_decided is None
    by_hour = priced(campaign, "10", "hour").cost
    assert by_hour is not None
    assert by_hour.so_far > 10
    Comparison.objects.filter(pk=decided.comparison_id).update(
        kind="machine", reserved_for=people.stranger
    )
    by_hour = priced(campaign, "10", "hour").cost
    assert by_hour is not None
    assert by_hour.so_far < 1


def test_as_many_queries_however_many_labels(
    campaign: Campaign, people: People, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(3):
        give(campaign, people.anna, "left")
        with django_assert_num_queries(6):
            pace_and_cost(campaign)


# The chart


def test_bars_are_as_high_as_their_labels() -> None:
    days = [Day(TODAY + timedelta(days=k), n) for k, n in enumerate((0, 5, 10))]
    chart = draw_days(days)
    assert chart is not None
    none, half, most = chart.bars
    assert none.height == 0
    assert half.height == pytest.approx(most.height / 2)
    assert most.y + most.height == pytest.approx(chart.base)
    assert [bar.is_today for bar in chart.bars] == [False, False, True]
    assert none.x + none.width < half.x


def test_nothing_is_no_chart() -> None:
    assert draw_days([Day(TODAY, 0)]) is None
