"""Whose a comparison is. Each function may be tried twice, and by many at the same time."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotate.checks import check_due, first_on_left
from annotate.models import Campaign, Comparison
from annotate.onboarding import onboarding_left
from annotate.queries import answers_of, free_for, held_by

LEASE = timedelta(minutes=15)  # after the last sign of life of the page that shows it
AHEAD = 2  # comparisons that a page has ready besides the one in view
CANDIDATES = 16  # looked at together, since others claim at the same time
TEXTS = ("campaign", "gold", "pair__prompt", "pair__first", "pair__second")


def next_comparison(
    campaign: Campaign, annotator: User, *, adjudicating: bool = False
) -> Comparison | None:
    """The comparison that the person has open, or the next one, leased; the same on a reload."""
    found = next_comparisons(campaign, annotator, ahead=0, adjudicating=adjudicating)
    return found[0] if found else None


def next_comparisons(
    campaign: Campaign, annotator: User, *, ahead: int = AHEAD, adjudicating: bool = False
) -> list[Comparison]:
    """The comparison in view and those to come, leased to the person: at most 1 + ahead.

    Nothing is kept ahead where that would leave somebody idle. Adjudicators have a queue of
    their own, without onboarding and checks.
    """
    now = timezone.now()
    if adjudicating:
        found = _adjudications(campaign, annotator, now, number=1 + ahead)
    else:
        found = _labels(campaign, annotator, now, number=1 + ahead)
    if found and found[0].shown_at is None:
        show(found[0], annotator)
    return found


def _labels(campaign: Campaign, annotator: User, now: datetime, *, number: int) -> list[Comparison]:
    onboarding = onboarding_left(campaign, annotator)
    held, claimed = _renew(campaign, annotator, now, onboarding), True
    while claimed and len(held) < number:
        if held and (onboarding is not None or not _plenty(campaign, annotator, now)):
            break
        if onboarding is not None:  # one after the other: each is explained before the next
            claimed = _claim_reserved(onboarding, annotator, now)
        else:
            claimed = _claim_next(campaign, annotator, now, number=len(held))
        held = _renew(campaign, annotator, now, onboarding)  # another tab may have claimed, too
    return held[:number]


def _adjudications(
    campaign: Campaign, annotator: User, now: datetime, *, number: int
) -> list[Comparison]:
    held, claimed = _renew(campaign, annotator, now, adjudicating=True), True
    while claimed and len(held) < number:
        if held and not _plenty(campaign, annotator, now, adjudicating=True):
            break
        free = free_for(campaign, annotator, now, adjudicating=True)
        claimed = _claim_first(free, annotator, now)
        held = _renew(campaign, annotator, now, adjudicating=True)
    return held[:number]


def show(comparison: Comparison, annotator: User) -> None:
    """The comparison is before the person's eyes from now on."""
    comparison.shown_at = timezone.now()
    mine = Comparison.objects.filter(pk=comparison.pk, annotator=annotator, shown_at__isnull=True)
    mine.update(shown_at=comparison.shown_at)


def claim_back(comparison: Comparison, annotator: User) -> None:
    """Lease the comparison to the person anew, in the order that it was shown in."""
    now = timezone.now()
    rows = Comparison.objects.filter(pk=comparison.pk)
    rows.update(**_lease(annotator, now), shown_at=now)


def release(comparisons: Iterable[Comparison]) -> None:
    for comparison in comparisons:
        comparison.annotator, comparison.lease, comparison.leased_until = None, None, None
        comparison.claimed_at, comparison.shown_at = None, None
        comparison.save(
            update_fields=["annotator", "lease", "leased_until", "claimed_at", "shown_at"]
        )


def _lease(annotator: User, now: datetime) -> dict[str, object]:
    return {
        "annotator": annotator,
        "lease": uuid.uuid4(),
        "leased_until": now + LEASE,
        "claimed_at": timezone.now(),
    }


def _renew(
    campaign: Campaign,
    annotator: User,
    now: datetime,
    onboarding: QuerySet[Comparison] | None = None,
    *,
    adjudicating: bool = False,
) -> list[Comparison]:
    """Extend what the person holds; a pair left open for longer than a lease is timed anew.

    While there is onboarding left, only what belongs to it is theirs to see.
    """
    mine = held_by(campaign, annotator, adjudicating=adjudicating)
    mine.filter(leased_until__lt=now, shown_at__isnull=False).update(shown_at=now)
    mine.update(leased_until=now + LEASE)
    held = list(mine.select_related(*TEXTS))
    if onboarding is None:
        return held
    return [one for one in held if one.kind == Comparison.Kind.ONBOARDING]


def _plenty(
    campaign: Campaign, annotator: User, now: datetime, *, adjudicating: bool = False
) -> bool:
    """Whether enough is free for everybody to have their pages full."""
    people = campaign.adjudicators if adjudicating else campaign.annotators
    enough = (1 + AHEAD) * max(1, people.count())
    free = free_for(campaign, annotator, now, adjudicating=adjudicating)
    return len(free.values_list("pk")[:enough]) == enough


def _claim_next(campaign: Campaign, annotator: User, now: datetime, *, number: int) -> bool:
    mine = campaign.comparisons.filter(reserved_for=annotator)
    checks = (
        mine.filter(labelled_at__isnull=True)
        .exclude(kind=Comparison.Kind.ONBOARDING)
        .exclude(gold__retired_at__isnull=False)
    )
    if _claim_reserved(checks, annotator, now):
        return True
    number += answers_of(campaign, annotator).count()
    check = check_due(campaign, annotator, number=number)
    if check is not None and _claim_reserved(checks.filter(pk=check.pk), annotator, now):
        return True
    return _claim_first(free_for(campaign, annotator, now), annotator, now)


def _claim_reserved(rows: QuerySet[Comparison], annotator: User, now: datetime) -> bool:
    """Lease the first of the rows that are the person's own, unless another tab of theirs has."""
    unclaimed = rows.filter(annotator__isnull=True)
    first = unclaimed.first()
    return first is not None and _claim(unclaimed.filter(pk=first.pk), annotator, now, first)


def _claim(
    rows: QuerySet[Comparison], annotator: User, now: datetime, comparison: Comparison
) -> bool:
    """Lease the row if it is still there to be had: one conditional UPDATE, so one winner."""
    side = first_on_left(comparison, annotator)
    try:
        with transaction.atomic():
            return bool(rows.update(**_lease(annotator, now), shown_at=None, first_on_left=side))
    except IntegrityError:  # another tab of the same person has a slot of this pair by now
        return False


def _claim_first(free: QuerySet[Comparison], annotator: User, now: datetime) -> bool:
    """Lease the first row of the queue that nobody else gets first. False when none is left."""
    while candidates := list(free.select_related("campaign", "original")[:CANDIDATES]):
        if any(_claim(free.filter(pk=one.pk), annotator, now, one) for one in candidates):
            return True
    return False
