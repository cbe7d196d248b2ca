"""The answers of a campaign counted: every row is gone through.

Plain numbers come out, which `annotate.tally` keeps of large campaigns.
"""

from datetime import datetime, timedelta
from math import sqrt
from typing import Any, TypedDict

from django.db.models import Avg, Count, FloatField, Min, Q, Sum, Value
from django.db.models.functions import Coalesce, Least, TruncDate
from django.utils import timezone

from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_labels

Choice = Judgement.Choice
Kind = Comparison.Kind

WINDOW = 7  # whole days before today: a week, so that every weekday is in it once
MOST_SECONDS = (
    600.0  # that an answer counts for whose page could not see whether its reader was idle
)
SPENT = Coalesce("active_seconds", Least("seconds", Value(MOST_SECONDS)), output_field=FloatField())


class AnswerCounts(TypedDict):
    """Of people: machines are in none of them."""

    wanted: int  # labels
    choices: dict[str, int]  # labels that stand, by what they say; skips among them
    label_mean: float | None  # active seconds of a label
    label_sd: float | None
    answers: int  # whether or not they stand, of all kinds
    seconds: float  # active ones of all answers
    seconds_sd: float | None
    decisions: int  # of adjudicators, that stand
    days: dict[str, int]  # ISO date: labels; of the last days
    first: str | None  # ISO time of the first label


def count_answers(campaign: Campaign) -> AnswerCounts:
    """Three queries; days are those of the active time zone."""
    stands = Q(withdrawn_at__isnull=True)
    asked = stands & Q(comparison__kind=Kind.LABEL)
    label = asked & ~Q(choice=Choice.SKIP)
    decision = stands & Q(comparison__kind=Kind.ADJUDICATION) & ~Q(choice=Choice.SKIP)
    given = Judgement.objects.filter(
        ~Q(comparison__kind=Kind.MACHINE), comparison__campaign=campaign
    )
    found = given.aggregate(
        answers=Count("pk"),
        total=Sum(SPENT),
        mean=Avg(SPENT),
        squares=Avg(SPENT * SPENT),
        label_mean=Avg(SPENT, filter=label),
        label_squares=Avg(SPENT * SPENT, filter=label),
        decisions=Count("pk", filter=decision),
        first=Min("created_at", filter=asked),
        **{one: Count("pk", filter=asked & Q(choice=one)) for one in Choice.values},
    )
    choices = {one: int(found[one]) for one in Choice.values}
    labels = sum(choices.values()) - choices[Choice.SKIP]
    return AnswerCounts(
        wanted=campaign.comparisons.filter(kind=Kind.LABEL).count(),
        choices=choices,
        label_mean=found["label_mean"],
        label_sd=_sd(found["label_mean"], found["label_squares"], labels),
        answers=found["answers"],
        seconds=found["total"] or 0.0,
        seconds_sd=_sd(found["mean"], found["squares"], found["answers"]),
        decisions=found["decisions"],
        days=_days(campaign, timezone.now()),
        first=found["first"].isoformat() if found["first"] else None,
    )


def _sd(mean: Any, squares: Any, number: int) -> float | None:
    """The sample's standard deviation, of the means of its values and of their squares."""
    if number < 2:
        return None
    return sqrt(max(0.0, squares - mean**2) * number / (number - 1))


def _days(campaign: Campaign, now: datetime) -> dict[str, int]:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=WINDOW, hours=1)  # clocks may have been put back
    rows = current_labels(campaign).exclude(choice=Choice.SKIP).filter(created_at__gte=since)
    counts = rows.order_by().annotate(day=TruncDate("created_at")).values_list("day")
    return {day.isoformat(): number for day, number in counts.annotate(labels=Count("pk"))}
