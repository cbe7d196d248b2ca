"""How fast a campaign's labels come, when they will all be there, and what they cost.

Figures are of people: machines are in none of them. Labels are those that stand.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil, sqrt
from statistics import mean, stdev

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from scipy.special import stdtrit

from annotate.counting import WINDOW, AnswerCounts, count_answers
from annotate.leasing import LEASE
from annotate.models import Campaign, Comparison, Judgement
from annotate.tally import tally_of

Choice = Judgement.Choice
Kind = Comparison.Kind

LEAST_DAYS = 3  # of work, before anything is said of the end
LEVEL = 0.8  # of the range of the end
FARTHEST = 3 * 365  # days; an end beyond them is no end
FEW = 10  # answers, below which seconds an answer say little
AT_WORK = timedelta(minutes=5)  # since the last sign of life, which comes once a minute
HOUR = 3600


@dataclass(frozen=True)
class Day:
    date: date
    labels: int


@dataclass(frozen=True)
class Finish:
    """When the last label is expected, by the labels of the days before today.

    As many are taken to come each day as on average over ``days`` of them. The range holds the
    end with 80% if days go on differing as they did; ``latest`` is None where they differ so
    much that nothing can be said.
    """

    expected: date
    earliest: date
    latest: date | None
    days: int
    a_day: float  # labels


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """What the work costs, in the campaign's currency.

    By the label: those that stand, and the decisions of adjudicators. By the hour: the active
    time of all answers, checks, onboarding and what was taken back among them. The interval of
    the total is that of the seconds an answer; by the label there is nothing to estimate.
    """

    so_far: Decimal
    total: Decimal | None  # None: nothing to tell it from yet
    low: Decimal | None
    high: Decimal | None
    per_decided: Decimal | None  # so far, for each label that says which is better


@dataclass(frozen=True)
class PaceAndCost:
    labels: int
    wanted: int
    decided: int
    choices: dict[str, int]  # labels by choice, skips beside them
    days: list[Day]  # the week before today, and today
    seconds: Estimate | None  # active ones a label, their mean
    hours: float  # active ones of all answers so far
    hours_left: Estimate | None  # of work, with checks as so far
    at_work: int  # people who compare at this moment
    finish: Finish | None
    cost: Cost | None
    counted_at: datetime | None  # None: now

    @property
    def today(self) -> int:
        return self.days[-1].labels

    @property
    def week(self) -> int:
        """Labels of the days before today."""
        return sum(day.labels for day in self.days[:-1])

    @property
    def left(self) -> int:
        return max(0, self.wanted - self.labels)


def pace_and_cost(campaign: Campaign) -> PaceAndCost:
    """As it stands now, or, of a large campaign, when it was last counted; but who is at work is
    always of now. Days are those of the active time zone. Six queries at most."""
    tally = tally_of(campaign)
    found: AnswerCounts = count_answers(campaign) if tally is None else tally.answers
    now, choices = timezone.now(), found["choices"]
    number = sum(choices.values()) - choices[Choice.SKIP]
    decided = choices[Choice.LEFT] + choices[Choice.RIGHT]
    left = max(0, found["wanted"] - number)
    days = _days(found, timezone.localdate(now))
    hours_left = _hours_left(found, number, left)
    goes_on = campaign.opened_at and not (campaign.closed_at or campaign.paused_at)
    return PaceAndCost(
        labels=number,
        wanted=found["wanted"],
        decided=decided,
        choices=choices,
        days=days,
        seconds=_mean(found["label_mean"], found["label_sd"], number),
        hours=found["seconds"] / HOUR,
        hours_left=hours_left,
        at_work=at_work(campaign, now),
        finish=_finish(found, days, left) if goes_on else None,
        cost=_cost(campaign, found, number, decided, hours_left),
        counted_at=tally.counted_at if tally else None,
    )


def at_work(campaign: Campaign, now: datetime) -> int:
    """People with a comparison open whose page has been heard of in the last minutes."""
    held = campaign.comparisons.filter(
        ~Q(kind=Kind.MACHINE),
        annotator__in=User.objects.order_by().values("pk"),  # so that the index `whose` is used
        labelled_at__isnull=True,
        shown_at__isnull=False,
        leased_until__gte=now + LEASE - AT_WORK,
    )
    return held.order_by().values("annotator").distinct().count()


def _mean(value: float | None, sd: float | None, number: int) -> Estimate | None:
    if value is None or sd is None or number < FEW:
        return None
    reach = float(stdtrit(number - 1, 0.975)) * sd / sqrt(number)
    return Estimate(value, max(0.0, value - reach), value + reach)


def _hours_left(found: AnswerCounts, labels: int, left: int) -> Estimate | None:
    """Of the labels that are missing, each with as many other answers as a label had so far."""
    sd = found["seconds_sd"]
    if labels < FEW or sd is None:
        return None
    answers = left * found["answers"] / labels
    value = answers * found["seconds"] / found["answers"]
    # The mean is known to sd/√n, and the answers to come differ from theirs.
    reach = 1.96 * sd * sqrt(answers**2 / found["answers"] + answers)
    return Estimate(value / HOUR, max(0.0, value - reach) / HOUR, (value + reach) / HOUR)


def _days(found: AnswerCounts, today: date) -> list[Day]:
    days = [today - timedelta(days=ago) for ago in range(WINDOW, -1, -1)]
    return [Day(day, found["days"].get(day.isoformat(), 0)) for day in days]


def _finish(found: AnswerCounts, days: list[Day], left: int) -> Finish | None:
    if left <= 0 or found["first"] is None:
        return None
    begun = timezone.localdate(datetime.fromisoformat(found["first"]))
    whole = [day.labels for day in days[:-1] if day.date >= begun]
    return finish_of(whole, left, today=days[-1].date)


def finish_of(whole: list[int], left: int, *, today: date) -> Finish | None:
    """When as many labels as are left have come, by those of the whole days before today.

    With mean m and standard deviation s over k days, the labels of the next D days are
    m·D ± t·s·√(D + D²/k): the end is where that reaches those that are left, ``today`` the first
    day. None where too few days are known, or there is no end in sight.
    """
    k = len(whole)
    rate = mean(whole) if k >= LEAST_DAYS else 0.0
    if not rate or left / rate > FARTHEST:
        return None
    reach = float(stdtrit(k - 1, (1 + LEVEL) / 2)) * stdev(whole)
    earliest, latest = _until(left, rate, reach, k), _until(left, rate, -reach, k)
    return Finish(
        expected=_after(today, left / rate),
        earliest=_after(today, earliest if earliest is not None else left / rate),
        latest=None if latest is None else _after(today, latest),
        days=k,
        a_day=rate,
    )


def _until(left: int, rate: float, reach: float, days: int) -> float | None:
    """The days after which the labels that are left have come, at the range's one end."""
    day = 1.0
    while day <= FARTHEST:
        if rate * day + reach * sqrt(day + day * day / days) >= left:
            return day
        day += max(1.0, day // 50)  # far away no single day counts
    return None


def _after(today: date, days: float) -> date:
    """The date of the last of so many days of work, today the first."""
    return today + timedelta(days=max(0, ceil(days - 1e-9) - 1))


def _cost(
    campaign: Campaign,
    found: AnswerCounts,
    labels: int,
    decided: int,
    hours_left: Estimate | None,
) -> Cost | None:
    """None without a price."""
    price = campaign.price
    if price is None:
        return None
    if campaign.priced_by == Campaign.PricedBy.LABEL:
        so_far = price * (labels + found["decisions"])
        more = price * max(0, found["wanted"] - labels)
        ends = (more, more, more)
    else:
        so_far = price * Decimal(found["seconds"] / HOUR)
        ends = None
        if hours_left is not None:
            hours = (hours_left.value, hours_left.low, hours_left.high)
            ends = (price * Decimal(hours[0]), price * Decimal(hours[1]), price * Decimal(hours[2]))
    per_decided = so_far / decided if decided else None
    if ends is None:
        return Cost(so_far, None, None, None, per_decided)
    return Cost(so_far, so_far + ends[0], so_far + ends[1], so_far + ends[2], per_decided)
