"""How each person of a campaign answers, with what so many answers can tell."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import Count, FloatField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Least, Length

from annotate.models import Campaign, Comparison, Flag, Judgement
from annotate.queries import current_judgements, current_labels
from pairselect.core.intervals import wilson_interval
from pairselect.designs.models import SelectedPair

Choice = Judgement.Choice
Kind = Comparison.Kind
ASKED = [Kind.LABEL, Kind.REPEAT, Kind.GOLD]  # of annotators, once they have begun
MOST_SECONDS = (
    600.0  # that an answer counts for whose page could not see whether its reader was idle
)
SPENT = Coalesce("active_seconds", Least("seconds", Value(MOST_SECONDS)), output_field=FloatField())
WIDE = 0.3  # an interval wider than this says little; 39 answers narrow every one to it


@dataclass(frozen=True)
class Share:
    """So many of so many, with the Wilson 95% interval of the share behind it."""

    count: float = 0  # whole, but where an answer counts in part
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
    active_seconds: float = 0.0  # of all answers, those that do not stand among them
    seconds: float | None = None  # active ones a label, their median; no label: None
    agree: Share = field(default_factory=Share)  # of labels on pairs that others labelled too
    left: Share = field(default_factory=Share)  # of the decided labels and repeats
    longer: Share = field(default_factory=Share)  # of decided labels on texts of unequal length
    consistent: Share = field(default_factory=Share)  # of the repeats with a standing original
    same_side: int = 0  # repeats that differ from their original because the side was kept
    gold: Share = field(default_factory=Share)  # right ones; a tie on gold is wrong
    answers: int = 0  # that stand, checks and skips among them
    skips: int = 0
    undone: int = 0
    revised: int = 0
    flags: int = 0

    @property
    def hours(self) -> float:
        return self.active_seconds / 3600

    @property
    def minutes(self) -> float:
        return self.active_seconds / 60

    @property
    def skipped(self) -> Share:
        return Share(self.skips, self.answers)


class People(list[PersonMeasures]):
    """Those of one campaign, most labels first."""

    @property
    def left(self) -> Share:
        """Of everybody's decided answers together."""
        return Share(sum(one.left.count for one in self), sum(one.left.total for one in self))

    @property
    def longer(self) -> Share:
        """How often the longer text won, whoever answered."""
        return Share(sum(one.longer.count for one in self), sum(one.longer.total for one in self))


def people_of(campaign: Campaign) -> People:
    """Everybody who has answered or flagged something, in five queries however many they are.

    Neither machines nor adjudicators: what they answer is of kinds of their own.
    """
    labels, flags = _labels(campaign), _flags(campaign)
    repeats, same_side = _repeats(campaign)
    people = []
    for row in _counts(campaign):
        name, given = row["annotator__username"], labels.get(row["annotator"], _Labels())
        people.append(
            PersonMeasures(
                name=name,
                labels=row["labels"],
                active_seconds=row["spent"] or 0.0,
                seconds=given.seconds,
                agree=given.agree,
                left=Share(row["left"], row["decided"]),
                longer=given.longer,
                consistent=repeats.get(name, Share()),
                same_side=same_side[name],
                gold=Share(row["gold_right"], row["gold"]),
                answers=row["answers"],
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
        Judgement.objects.filter(comparison__campaign=campaign, comparison__kind__in=ASKED)
        .filter(annotator__machine__isnull=True)
        .order_by()
        .values("annotator", "annotator__username")
        .annotate(
            labels=Count("pk", filter=answered & Q(comparison__kind=Kind.LABEL)),
            left=Count("pk", filter=stands & asked & Q(choice=Choice.LEFT)),
            decided=Count("pk", filter=stands & asked & Q(choice__in=[Choice.LEFT, Choice.RIGHT])),
            gold=Count("pk", filter=gold),
            gold_right=Count("pk", filter=gold & better),
            answers=Count("pk", filter=stands),
            skips=Count("pk", filter=stands & Q(choice=Choice.SKIP)),
            withdrawn=Count("pk", filter=~stands),
            revised=Count("pk", filter=Q(replaces__isnull=False)),
            spent=Sum(SPENT),
        )
    )


@dataclass(frozen=True)
class _Labels:
    """What one person's labels tell beside those of others and the texts' lengths."""

    seconds: float | None = None
    agree: Share = field(default_factory=Share)
    longer: Share = field(default_factory=Share)


FIRST, SECOND = 0, 1  # of the pair's two texts; the answers that name neither come after
SAID = {Choice.TIE.value: 2, Choice.BOTH_BAD.value: 3}
ROW = np.dtype([("person", "i8"), ("pair", "i8"), ("said", "i1"), ("seconds", "f4")])


def _labels(campaign: Campaign) -> dict[int, _Labels]:
    """By person's id. An own label agrees by the share of the others' labels that say the same:
    so it counts once, however many there are."""
    columns = ("annotator", "comparison__pair", "choice", "first_on_left")
    rows = current_labels(campaign).exclude(choice=Choice.SKIP).order_by()
    found = np.fromiter(
        (
            (person, pair, _code(choice, on_left), seconds if active is None else active)
            for person, pair, choice, on_left, active, seconds in rows.values_list(
                *columns, "active_seconds", "seconds"
            ).iterator(chunk_size=5000)
        ),
        dtype=ROW,
    )
    if not len(found):
        return {}
    alike, others = _votes(found)
    compared = others > 0
    share = np.divide(alike, others, out=np.zeros(len(found)), where=compared)
    sign = _longer(campaign, found["pair"])
    decided = (found["said"] <= SECOND) & (sign != 0)
    won = decided & ((sign > 0) == (found["said"] == FIRST))
    people = {}
    for person in np.unique(found["person"]):
        mine = found["person"] == person
        people[int(person)] = _Labels(
            seconds=float(np.median(found["seconds"][mine])),
            agree=Share(float(share[mine].sum()), int(compared[mine].sum())),
            longer=Share(int(won[mine].sum()), int(decided[mine].sum())),
        )
    return people


def _code(choice: str, first_on_left: bool) -> int:
    if choice in SAID:
        return SAID[choice]
    return FIRST if (choice == Choice.LEFT) == first_on_left else SECOND


def _votes(found: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For each label, how many others of its pair say the same, and how many there are."""
    answers = found["pair"] * 4 + found["said"]
    _, place, count = np.unique(answers, return_inverse=True, return_counts=True)
    _, of_pair, labels = np.unique(found["pair"], return_inverse=True, return_counts=True)
    return count[place] - 1, labels[of_pair] - 1


def _longer(campaign: Campaign, pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each of the pairs, 1: its first text has more characters; −1: fewer; 0: as many."""
    rows = SelectedPair.objects.filter(design=campaign.design_id).order_by("pk")
    lengths = rows.values_list("pk", Length("first__text") - Length("second__text"))
    known = np.fromiter(lengths.iterator(chunk_size=5000), dtype=[("pk", "i8"), ("more", "i8")])
    signs: np.ndarray[Any, Any] = np.sign(known["more"])
    return signs[np.searchsorted(known["pk"], pairs)]


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
