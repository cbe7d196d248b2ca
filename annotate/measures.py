"""How each person of a campaign answers, with what so many answers can tell."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from annotate.models import Campaign, Comparison, Flag, Judgement
from annotate.queries import current_judgements, current_labels
from pairselect.core.intervals import wilson_interval

Choice = Judgement.Choice
Kind = Comparison.Kind
WIDE = 0.3  # an interval wider than this says little; 39 answers narrow every one to it


@dataclass(frozen=True)
class Share:
    """So many of so many, with the Wilson 95% interval of the share behind it."""

    count: int = 0
    total: int = 0

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.total if self.total else None

    @property
    def low(self) -> float | None:
        """In percent, as `high`."""
        return 100 * wilson_interval(self.count, self.total)[0] if self.total else None

    @property
    def high(self) -> float | None:
        return 100 * wilson_interval(self.count, self.total)[1] if self.total else None

    @property
    def is_wide(self) -> bool:
        low, high = self.low, self.high
        return low is not None and high is not None and high - low > 100 * WIDE

    @property
    def lean(self) -> str:
        """More, or less, than a half: where the interval leaves the half out and is not wide.

        Of those without a lean at most 7 in 100 are said to have one, whatever the number of
        answers. Four answers, all on one side, leave out the half too, by chance in 12 of 100.
        """
        low, high = self.low, self.high
        if low is None or high is None or self.is_wide or low <= 50 <= high:
            return ""
        return "more" if low > 50 else "less"


@dataclass(frozen=True)
class PersonMeasures:
    """One person's answers that stand. The onboarding is left out, and skips where not named."""

    name: str
    labels: int = 0
    seconds: float | None = None  # active ones a label, their median; no label: None
    left: Share = field(default_factory=Share)  # of the decided labels and repeats
    consistent: Share = field(default_factory=Share)  # of the repeats with a standing original
    same_side: int = 0  # repeats that differ from their original because the side was kept
    gold: Share = field(default_factory=Share)  # right ones; a tie on gold is wrong
    skips: int = 0
    undone: int = 0
    revised: int = 0
    flags: int = 0


class People(list[PersonMeasures]):
    """Those of one campaign, most labels first."""

    @property
    def left(self) -> Share:
        """Of everybody's decided answers together."""
        return Share(sum(one.left.count for one in self), sum(one.left.total for one in self))


def people_of(campaign: Campaign) -> People:
    """Everybody who has answered or flagged something, in four queries however many they are."""
    seconds, flags = _seconds(campaign), _flags(campaign)
    repeats, same_side = _repeats(campaign)
    people = []
    for row in _counts(campaign):
        name = row["annotator__username"]
        people.append(
            PersonMeasures(
                name=name,
                labels=row["labels"],
                seconds=seconds.get(name),
                left=Share(row["left"], row["decided"]),
                consistent=repeats.get(name, Share()),
                same_side=same_side[name],
                gold=Share(row["gold_right"], row["gold"]),
                skips=row["skips"],
                undone=row["withdrawn"] - row["revised"],
                revised=row["revised"],
                flags=flags.pop(name, 0),
            )
        )
    people += [PersonMeasures(name=name, flags=count) for name, count in flags.items()]
    return People(sorted(people, key=lambda one: (-one.labels, one.name)))


def _counts(campaign: Campaign) -> QuerySet[Judgement, dict[str, Any]]:
    stands = Q(withdrawn_at__isnull=True)
    answered = stands & ~Q(choice=Choice.SKIP)
    asked = Q(comparison__kind__in=[Kind.LABEL, Kind.REPEAT])
    gold = answered & Q(comparison__kind=Kind.GOLD)
    better = Q(choice=Choice.LEFT, first_on_left=True) | Q(choice=Choice.RIGHT, first_on_left=False)
    return (
        Judgement.objects.filter(comparison__campaign=campaign)
        .exclude(comparison__kind=Kind.ONBOARDING)
        .order_by()
        .values("annotator__username")
        .annotate(
            labels=Count("pk", filter=answered & Q(comparison__kind=Kind.LABEL)),
            left=Count("pk", filter=stands & asked & Q(choice=Choice.LEFT)),
            decided=Count("pk", filter=stands & asked & Q(choice__in=[Choice.LEFT, Choice.RIGHT])),
            gold=Count("pk", filter=gold),
            gold_right=Count("pk", filter=gold & better),
            skips=Count("pk", filter=stands & Q(choice=Choice.SKIP)),
            withdrawn=Count("pk", filter=~stands),
            revised=Count("pk", filter=Q(replaces__isnull=False)),
        )
    )


def _seconds(campaign: Campaign) -> dict[str, float]:
    """Of the page in view and its reader not idle; where a page did not count them, all."""
    spent: dict[str, list[float]] = {}
    rows = current_labels(campaign).exclude(choice=Choice.SKIP).order_by()
    for name, active, seconds in rows.values_list(
        "annotator__username", "active_seconds", "seconds"
    ).iterator():
        spent.setdefault(name, []).append(seconds if active is None else active)
    return {name: median(found) for name, found in spent.items()}


def _repeats(campaign: Campaign) -> tuple[dict[str, Share], Counter[str]]:
    """Repeats answered as their originals now stand, and those that kept the side instead."""
    given = current_judgements().exclude(choice=Choice.SKIP).order_by()
    original = given.filter(
        comparison=OuterRef("comparison__original"), annotator=OuterRef("annotator")
    )
    rows = (
        given.filter(comparison__campaign=campaign, comparison__kind=Kind.REPEAT)
        .annotate(
            earlier=Subquery(original.values("choice")[:1]),
            earlier_first_on_left=Subquery(original.values("first_on_left")[:1]),
        )
        .filter(earlier__isnull=False)
        .values_list(
            "annotator__username", "choice", "first_on_left", "earlier", "earlier_first_on_left"
        )
    )
    total, same, same_side = Counter[str](), Counter[str](), Counter[str]()
    for name, choice, on_left, earlier, earlier_on_left in rows:
        total[name] += 1
        if _said(choice, on_left) == _said(earlier, earlier_on_left):
            same[name] += 1
        elif choice == earlier:  # both times a side: a tie twice is the same
            same_side[name] += 1
    return {name: Share(same[name], count) for name, count in total.items()}, same_side


def _said(choice: str, first_on_left: bool) -> str:
    """The answer whatever the sides: the winner, or the choice that names none."""
    if choice not in (Choice.LEFT, Choice.RIGHT):
        return choice
    return "first" if (choice == Choice.LEFT) == first_on_left else "second"


def _flags(campaign: Campaign) -> dict[str, int]:
    rows = Flag.objects.filter(comparison__campaign=campaign).order_by()
    return dict(rows.values_list("annotator__username").annotate(Count("pk")))
