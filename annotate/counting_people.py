"""How each person answers, counted: every answer of the campaign is gone through.

Plain numbers come out, which `annotate.tally` keeps of large campaigns.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Length

from annotate.counting import SPENT
from annotate.models import Campaign, Comparison, Flag, Judgement
from annotate.queries import current_judgements, current_labels
from pairselect.designs.models import SelectedPair

Choice = Judgement.Choice
Kind = Comparison.Kind
ASKED = [Kind.LABEL, Kind.REPEAT, Kind.GOLD]  # of annotators, once they have begun

Pair = tuple[float, int]  # so many, of so many; a list once it has been kept
NONE: Pair = (0, 0)


class PersonCounts(TypedDict):
    """As `measures.PersonMeasures` names them; shares are so many of so many."""

    name: str
    labels: int
    active_seconds: float
    seconds: float | None
    agree: Pair
    left: Pair
    longer: Pair
    consistent: Pair
    same_side: int
    gold: Pair
    answers: int
    skips: int
    undone: int
    revised: int
    flags: int


def count_people(campaign: Campaign) -> list[PersonCounts]:
    """Everybody who has answered or flagged something, in five queries however many they are.

    Neither machines nor adjudicators: what they answer is of kinds of their own.
    """
    labels, flags = _labels(campaign), _flags(campaign)
    repeats, same_side = _repeats(campaign)
    people = []
    for row in _counts(campaign):
        name, given = row["annotator__username"], labels.get(row["annotator"], _Labels())
        people.append(
            PersonCounts(
                name=name,
                labels=row["labels"],
                active_seconds=row["spent"] or 0.0,
                seconds=given.seconds,
                agree=given.agree,
                left=(row["left"], row["decided"]),
                longer=given.longer,
                consistent=repeats.get(name, NONE),
                same_side=same_side[name],
                gold=(row["gold_right"], row["gold"]),
                answers=row["answers"],
                skips=row["skips"],
                undone=row["withdrawn"] - row["revised"],
                revised=row["revised"],
                flags=flags.pop(name, 0),
            )
        )
    return people + [_only_flags(name, count) for name, count in flags.items()]


def _only_flags(name: str, flags: int) -> PersonCounts:
    return PersonCounts(
        name=name, labels=0, active_seconds=0.0, seconds=None, agree=NONE, left=NONE, longer=NONE,
        consistent=NONE, same_side=0, gold=NONE, answers=0, skips=0, undone=0, revised=0,
        flags=flags,
    )  # fmt: skip


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
    agree: Pair = NONE
    longer: Pair = NONE


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
            agree=(float(share[mine].sum()), int(compared[mine].sum())),
            longer=(int(won[mine].sum()), int(decided[mine].sum())),
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


def _repeats(campaign: Campaign) -> tuple[dict[str, Pair], Counter[str]]:
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
    return {name: (same[name], count) for name, count in total.items()}, same_side


def _said(choice: str, first_on_left: bool) -> str:
    """The answer whatever the sides: the winner, or the choice that names none."""
    if choice not in (Choice.LEFT, Choice.RIGHT):
        return choice
    return "first" if (choice == Choice.LEFT) == first_on_left else "second"


def _flags(campaign: Campaign) -> dict[str, int]:
    rows = Flag.objects.filter(comparison__campaign=campaign).order_by()
    return dict(rows.values_list("annotator__username").annotate(Count("pk")))
