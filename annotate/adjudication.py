"""Pairs whose labels differ, and what an adjudicator decided on each.

A pair in dispute has one comparison of the kind ``adjudication``. It is made when the last of the
pair's labels comes in and they differ as the campaign says; where a revised or undone label ends
the dispute before anybody has decided, it leaves the queue, and comes back with the dispute.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_judgements, current_labels
from pairselect.designs.models import SelectedPair
from pairselect.trail.actions import changed, record

Adjudicate = Campaign.Adjudicate
Choice = Judgement.Choice
Kind = Comparison.Kind

FIRST, SECOND = "first", "second"
ANSWERS = (FIRST, SECOND, Choice.TIE.value, Choice.BOTH_BAD.value)

# The answer whatever the sides were: which of the pair's two, or the choice that names none.
SAID = Case(
    When(Q(choice=Choice.LEFT, first_on_left=True), then=Value(FIRST)),
    When(Q(choice=Choice.RIGHT, first_on_left=False), then=Value(FIRST)),
    When(choice__in=[Choice.LEFT, Choice.RIGHT], then=Value(SECOND)),
    default=F("choice"),
)


def decisions(campaign: Campaign) -> dict[int, Judgement]:
    """What adjudicators decided and what stands, by the pair's id."""
    rows = decided(campaign).select_related("comparison__pair", "annotator")
    return {judgement.comparison.designed.pk: judgement for judgement in rows}


def decided(campaign: Campaign) -> QuerySet[Judgement]:
    """The same as a query: at most one a pair."""
    return current_judgements().filter(
        ~Q(choice=Choice.SKIP),
        comparison__campaign=campaign,
        comparison__kind=Kind.ADJUDICATION,
    )


def disputed(campaign: Campaign, *, adjudicate: str | None = None) -> QuerySet[Any, dict[str, Any]]:
    """Pairs with all their labels that differ as ``adjudicate`` says, else as the campaign does.

    One row for each: ``pair`` and the number of labels that say ``first``, ``second``, ``tie``
    and ``both_bad``.
    """
    wanted = campaign.labels_per_pair
    rule = campaign.adjudicate if adjudicate is None else adjudicate
    if rule == Adjudicate.NEVER:
        return votes(campaign).none()
    enough = wanted if rule == Adjudicate.ANY else wanted // 2 + 1  # labels that settle a pair
    differ = Q(**{f"{answer}__lt": enough for answer in ANSWERS})
    return votes(campaign).filter(differ, given__gte=wanted)


def votes(campaign: Campaign) -> QuerySet[Any, dict[str, Any]]:
    """What the labels of each pair say, as `disputed` has it; also how many are ``given``."""
    labels = current_labels(campaign).exclude(choice=Choice.SKIP).order_by()
    counts = {answer: Count("pk", filter=Q(said=answer)) for answer in ANSWERS}
    return (
        labels.annotate(said=SAID)
        .values(pair=F("comparison__pair"))
        .annotate(given=Count("pk"), **counts)
    )


def settle(comparison: Comparison) -> None:
    """After a label was given, revised or taken back: what that means for its pair. After a
    decision was passed on: nobody is asked again where the dispute has ended since.

    Called within the transaction of that change. Labels of one pair come to this one after the
    other, so that of two that arrive together the later one sees both.
    """
    campaign = comparison.campaign
    # Of one that was passed on, nobody's claim is left.
    if comparison.kind == Kind.ADJUDICATION and (comparison.labelled_at or comparison.claimed_at):
        action = "dispute.settled" if comparison.labelled_at else "dispute.undone"
        record(action, campaign, pair=comparison.pair_id, comparison=comparison.pk)
    if comparison.kind == Kind.ADJUDICATION and comparison.labelled_at is None:
        rule = _rule_of(campaign)
        if not disputed(campaign, adjudicate=rule).filter(pair=comparison.pair_id).exists():
            _spare(campaign.comparisons.filter(pk=comparison.pk, lease__isnull=True))
        return
    if comparison.kind != Kind.LABEL or campaign.labels_per_pair == 1:
        return
    # Not against rows that refer to the pair: one that `settle_all` makes would wait for this
    # lock, and this one for that row.
    pair = SelectedPair.objects.select_for_update(no_key=True).get(pk=comparison.designed.pk)
    rule = _rule_of(campaign)  # only now: see `_settle_after`
    if rule == Adjudicate.NEVER:
        return
    if disputed(campaign, adjudicate=rule).filter(pair=pair.pk).exists():
        _ask(campaign, {pair.pk: comparison.position})
    else:
        _spare(campaign.comparisons.filter(pair=pair))


def settle_all(campaign: Campaign) -> None:
    """The same for every pair, after the campaign's rule was changed; idempotent."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        wanted = {row["pair"] for row in disputed(campaign)}
        rows = campaign.comparisons.filter(kind=Kind.LABEL, slot=0)
        places = rows.values_list("pair", "position").iterator(chunk_size=2000)
        _ask(campaign, {pair: place for pair, place in places if pair in wanted})
        waiting = campaign.comparisons.filter(kind=Kind.ADJUDICATION, labelled_at__isnull=True)
        ended = [pk for pk, pair in waiting.values_list("pk", "pair") if pair not in wanted]
        for start in range(0, len(ended), 500):
            _spare(campaign.comparisons.filter(pk__in=ended[start : start + 500]))


def _rule_of(campaign: Campaign) -> str:
    """As it is stored: whoever read the campaign may have done so before it was changed."""
    return Campaign.objects.values_list("adjudicate", flat=True).get(pk=campaign.pk)


def _settle_after(campaign: Campaign) -> None:
    """Once a rule holds for all: labels that were being stored meanwhile may not have known it.

    Each holds its pair's lock from before it read the rule until it is stored. So whoever holds
    one now is waited for, and whoever comes later finds the rule.
    """
    with transaction.atomic():
        pairs = SelectedPair.objects.select_for_update(no_key=True).filter(
            design=campaign.design_id
        )
        list(pairs.order_by("pk").values_list("pk"))
    settle_all(campaign)


def _ask(campaign: Campaign, pairs: dict[int, int]) -> None:
    """Put the pairs, by their places in the queue, before the adjudicators, unless decided."""
    Comparison.objects.bulk_create(
        (
            Comparison(campaign=campaign, kind=Kind.ADJUDICATION, pair_id=pair, position=place)
            for pair, place in pairs.items()
        ),
        batch_size=500,
        ignore_conflicts=True,  # there is one already
    )
    spared = _undecided(campaign.comparisons.filter(labelled_at__isnull=False))
    ids = list(pairs)
    for start in range(0, len(ids), 500):
        spared.filter(pair__in=ids[start : start + 500]).update(labelled_at=None)


def _spare(rows: QuerySet[Comparison]) -> None:
    """Take what nobody has decided out of the queue. Skips and flags of it are kept."""
    _undecided(rows.filter(labelled_at__isnull=True)).update(
        labelled_at=timezone.now(),
        annotator=None,
        lease=None,
        leased_until=None,
        claimed_at=None,
        shown_at=None,
    )


def _undecided(rows: QuerySet[Comparison]) -> QuerySet[Comparison]:
    decided = current_judgements().filter(comparison=OuterRef("pk")).exclude(choice=Choice.SKIP)
    return rows.filter(~Exists(decided), kind=Kind.ADJUDICATION)


def change_adjudication(
    campaign: Campaign, *, adjudicate: str, adjudicators: Iterable[User]
) -> None:
    """Have disagreements decided so from now on, those that are there already among them."""
    with transaction.atomic():
        adjudicators = list(adjudicators)
        before = Campaign.objects.get(pk=campaign.pk)
        found = changed(_told(before.adjudicate, before.adjudicators.all()),
                        _told(adjudicate, adjudicators))  # fmt: skip
        campaign.adjudicate = adjudicate
        campaign.save(update_fields=["adjudicate"])
        campaign.adjudicators.set(adjudicators)
        if found:
            record("campaign.adjudication_changed", campaign, **found)
        settle_all(campaign)
        if adjudicate != Adjudicate.NEVER and campaign.labels_per_pair > 1:
            transaction.on_commit(partial(_settle_after, campaign))


def _told(rule: str, people: Iterable[User]) -> dict[str, Any]:
    return {"adjudicate": str(rule), "adjudicators": sorted(one.username for one in people)}


@dataclass(frozen=True)
class Label:
    """One of a pair's labels, on the sides that the comparison in view has."""

    choice: str  # left, right, tie or both_bad
    strength: int | None
    reason: str
    is_swapped: bool  # its person saw the sides the other way round, as the reason may say


def labels_given(comparison: Comparison) -> list[Label]:
    """The labels of the comparison's pair, in no order that tells who gave them."""
    labels = current_labels(comparison.campaign).filter(comparison__pair=comparison.pair_id)
    rows = labels.exclude(choice=Choice.SKIP)
    found = [label_as_shown(one, comparison.first_on_left) for one in rows]
    return sorted(found, key=lambda one: (one.choice, -(one.strength or 0), one.reason))


def label_as_shown(judgement: Judgement, first_on_left: bool) -> Label:
    choice = judgement.choice
    if choice in (Choice.LEFT, Choice.RIGHT):
        choice = Choice.LEFT if judgement.prefers_first == first_on_left else Choice.RIGHT
    swapped = judgement.first_on_left != first_on_left
    return Label(str(choice), judgement.strength, judgement.reason, swapped)
