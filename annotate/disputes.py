"""An admin's view of the pairs whose labels differ. Reads alone."""

from dataclasses import dataclass, field

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from annotate.adjudication import (
    Adjudicate,
    Choice,
    Kind,
    Label,
    decided,
    disputed,
    label_as_shown,
    votes,
)
from annotate.bar import DEGREES, SIDES
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_judgements
from pairselect.designs.models import SelectedPair

WITHOUT_SIDE = {"tie": _("Tie"), "both_bad": _("Both bad")}


def in_words(label: Label, campaign: Campaign) -> str:
    """The answer as its button has it: “Left much better”."""
    if label.choice not in SIDES:
        return str(WITHOUT_SIDE[label.choice])
    degrees = DEGREES[campaign.strengths]
    return f"{SIDES[label.choice]} {degrees[(label.strength or 1) - 1]}"


@dataclass(frozen=True)
class Said:
    """An answer in words, and whose it is."""

    words: str
    name: str
    reason: str
    is_swapped: bool  # the reason speaks of the sides the other way round


@dataclass(frozen=True)
class Dispute:
    """A pair whose labels differ, as the admin's page shows it: its first text on the left."""

    pair: SelectedPair
    said: list[Said]
    decided: Said | None = None
    is_queued: bool = False  # an adjudicator is asked for it
    skips: int = 0  # adjudicators who passed it on


@dataclass(frozen=True)
class Standing:
    """How many pairs are in dispute, and how far they are decided."""

    complete: int  # pairs with all their labels
    disputed: int  # of them, those with labels that differ
    waiting: int  # before the adjudicators
    decided: int
    stuck: int  # of those that wait: every adjudicator has labelled the pair or passed it on
    by: list[tuple[str, int]] = field(default_factory=list)  # decisions of each adjudicator


def standing_of(campaign: Campaign) -> Standing:
    complete = votes(campaign).filter(given__gte=campaign.labels_per_pair)
    asked = campaign.comparisons.filter(kind=Kind.ADJUDICATION)
    waiting = asked.filter(labelled_at__isnull=True)
    by = decided(campaign).order_by().values_list("annotator__username")
    return Standing(
        complete=complete.count(),
        disputed=disputed(campaign, adjudicate=Adjudicate.ANY).count(),
        waiting=waiting.count(),
        decided=decided(campaign).count(),
        stuck=_stuck(campaign, waiting),
        by=list(by.annotate(number=Count("pk")).order_by("-number", "annotator__username")),
    )


def _stuck(campaign: Campaign, waiting: QuerySet[Comparison]) -> int:
    """Those that no adjudicator can take."""
    labelled = campaign.comparisons.filter(kind=Kind.LABEL, pair=OuterRef("pair"))
    skipped = current_judgements().filter(comparison=OuterRef("pk"), choice=Choice.SKIP)
    able = Q(pk__in=[])
    for person in campaign.adjudicators.filter(is_active=True):
        able |= ~Exists(labelled.filter(annotator=person)) & ~Exists(
            skipped.filter(annotator=person)
        )
    return waiting.exclude(able).count()


def disputes(campaign: Campaign) -> QuerySet[SelectedPair]:
    """The pairs whose labels differ or that were decided, in the order of the queue; first those
    that wait for a decision."""
    differ = disputed(campaign, adjudicate=Adjudicate.ANY).values("pair")
    known = decided(campaign).order_by().values("comparison__pair")
    return (
        SelectedPair.objects.filter(Q(pk__in=differ) | Q(pk__in=known))
        .annotate(is_decided=Q(pk__in=known))
        .select_related("prompt", "first", "second")
        .order_by("is_decided", "position")
    )


def in_detail(campaign: Campaign, pairs: list[SelectedPair]) -> list[Dispute]:
    """Labels and decisions of one page of pairs, in two queries."""
    given: dict[int, list[Judgement]] = {pair.pk: [] for pair in pairs}
    rows = (
        current_judgements()
        .filter(comparison__campaign=campaign, comparison__pair__in=pairs)
        .filter(comparison__kind__in=[Kind.LABEL, Kind.ADJUDICATION])
    )
    for judgement in rows.select_related("comparison__pair", "annotator").order_by("pk"):
        given[judgement.comparison.designed.pk].append(judgement)
    waiting = campaign.comparisons.filter(kind=Kind.ADJUDICATION, labelled_at__isnull=True)
    queued = set(waiting.filter(pair__in=pairs).values_list("pair", flat=True))
    found = []
    for pair in pairs:
        of_kind: dict[str, list[Judgement]] = {Kind.LABEL: [], Kind.ADJUDICATION: []}
        for one in given[pair.pk]:
            of_kind[one.comparison.kind].append(one)
        last = [one for one in of_kind[Kind.ADJUDICATION] if one.choice != Choice.SKIP]
        found.append(
            Dispute(
                pair=pair,
                said=[
                    _said(one, campaign) for one in of_kind[Kind.LABEL] if one.choice != Choice.SKIP
                ],
                decided=_said(last[0], campaign) if last else None,
                is_queued=pair.pk in queued,
                skips=len(of_kind[Kind.ADJUDICATION]) - len(last),
            )
        )
    return found


def _said(judgement: Judgement, campaign: Campaign) -> Said:
    label = label_as_shown(judgement, True)
    name = judgement.annotator.get_username()
    return Said(in_words(label, campaign), name, label.reason, label.is_swapped)
