"""Whose a comparison is. Each function may be tried twice, and by many at the same time."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotate.checks import check_due, first_on_left
from annotate.models import Campaign, Comparison
from annotate.onboarding import onboarding_left
from annotate.queries import Given, free_for, given_by, held_by

LEASE = timedelta(minutes=15)  # after the last sign of life of the page that shows it
RENEWED = timedelta(minutes=1)  # so old a lease may be before a sign of life renews it
AHEAD = 2  # comparisons that a page has ready besides the one in view
LOOKED_AT = 20  # of those that were free a moment ago
TEXTS = ("gold", "pair__prompt", "pair__first", "pair__second")


@dataclass(frozen=True)
class Outlook:
    """What is read before anything is locked: a moment later it is still good enough."""

    given: Given
    free: list[int]  # the next ones of the queue, where pages keep some ahead
    has_plenty: bool  # so much is free that pages may keep some ahead


def look_ahead(
    campaign: Campaign, annotator: User, *, ahead: int = AHEAD, adjudicating: bool = False
) -> Outlook:
    given = given_by(campaign, annotator, adjudicating=adjudicating)
    if not ahead:
        return Outlook(given, [], has_plenty=False)
    people = campaign.adjudicators if adjudicating else campaign.annotators
    number = people.through.objects.filter(campaign=campaign).count()
    # For everybody to have their pages full, after this one's is.
    enough = (1 + AHEAD) * max(1, number) + AHEAD
    rows = free_for(campaign, annotator, timezone.now(), adjudicating=adjudicating)
    free = list(rows.values_list("pk", flat=True)[:enough])
    return Outlook(given, free, has_plenty=len(free) == enough)


def next_comparison(
    campaign: Campaign,
    annotator: User,
    *,
    adjudicating: bool = False,
    outlook: Outlook | None = None,
) -> Comparison | None:
    """The comparison that the person has open, or the next one, leased; the same on a reload.
    With its texts."""
    found = next_comparisons(
        campaign, annotator, ahead=0, adjudicating=adjudicating, outlook=outlook
    )
    return with_texts(found)[0] if found else None


def next_comparisons(
    campaign: Campaign,
    annotator: User,
    *,
    ahead: int = AHEAD,
    adjudicating: bool = False,
    in_view: str = "",
    outlook: Outlook | None = None,
) -> list[Comparison]:
    """The comparison in view and those to come, leased to the person: at most 1 + ahead.

    Nothing is kept ahead where that would leave somebody idle. Adjudicators have a queue of
    their own, without onboarding and checks. ``in_view`` is the lease of what the page shows, and
    ``outlook`` is for whoever has a transaction open: SQLite writes for one at a time.
    """
    if outlook is None:
        outlook = look_ahead(campaign, annotator, ahead=ahead, adjudicating=adjudicating)
    now = timezone.now()
    with transaction.atomic(savepoint=False):
        take_turns(annotator)
        found = _renew(campaign, annotator, now, in_view=in_view, adjudicating=adjudicating)
        onboarding = None if adjudicating else onboarding_left(campaign, annotator)
        if onboarding is not None:  # only what belongs to it is theirs to see
            found = [one for one in found if one.kind == Comparison.Kind.ONBOARDING]
        may_keep_ahead = outlook.has_plenty and onboarding is None
        while len(found) < 1 + ahead and (not found or may_keep_ahead):
            if adjudicating:
                claimed = _claim_free(campaign, annotator, now, outlook.free, adjudicating=True)
            elif onboarding is not None:  # one after the other: each is explained before the next
                rows = onboarding.filter(annotator__isnull=True)
                claimed = _claim_first(rows, campaign, annotator)
            else:
                place = outlook.given.answers + len(found)
                claimed = _claim_next(campaign, annotator, now, outlook.free, number=place)
            if claimed is None:
                break
            found.append(claimed)
        found = found[: 1 + ahead]
        if found and found[0].shown_at is None:
            show(found[0], annotator)
    return found


def take_turns(annotator: User) -> None:
    """Let a person's tabs write one after the other: at the same time each would fill up to the
    whole number. Before the lock on a comparison, or two of them could wait for each other."""
    if connection.features.has_select_for_update:  # else the whole transaction is one's own
        list(User.objects.select_for_update(no_key=True).filter(pk=annotator.pk).values_list("pk"))


def with_texts(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same ones with all that they show, in one query."""
    rows = Comparison.objects.filter(pk__in=[one.pk for one in comparisons])
    texts = rows.select_related(*TEXTS).in_bulk()
    found = []
    for one in comparisons:
        found.append(texts[one.pk])
        found[-1].campaign = one.campaign
    return found


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
    *,
    in_view: str,
    adjudicating: bool,
) -> list[Comparison]:
    """What the person holds, for longer; a pair left open for longer than a lease is timed anew."""
    mine = held_by(campaign, annotator, adjudicating=adjudicating)
    held = list(mine)
    old = now + LEASE - RENEWED
    if any(one.leased_until is None or one.leased_until < old for one in held):
        mine.filter(leased_until__lt=now, shown_at__isnull=False).update(shown_at=now)
        mine.update(leased_until=now + LEASE)
        held = list(mine)  # what had lapsed may be another's by now
    for place, one in enumerate(held):
        one.campaign = campaign
        if str(one.lease) == in_view and one.shown_at is None:
            show(one, annotator)
            held.insert(0, held.pop(place))  # the last to be shown comes first
    return held


def _claim_next(
    campaign: Campaign, annotator: User, now: datetime, seen: Sequence[int], *, number: int
) -> Comparison | None:
    """A check that waits for the person, the one that their answer of this number is, or the next
    of the queue."""
    checks = (
        campaign.comparisons.filter(
            reserved_for=annotator, annotator__isnull=True, labelled_at__isnull=True
        )
        .exclude(kind=Comparison.Kind.ONBOARDING)
        .exclude(gold__retired_at__isnull=False)
    )
    if claimed := _claim_first(checks, campaign, annotator):
        return claimed
    check = check_due(campaign, annotator, number=number)
    if check and (claimed := _claim_first(checks.filter(pk=check.pk), campaign, annotator)):
        return claimed
    return _claim_free(campaign, annotator, now, seen)


def _claim_free(
    campaign: Campaign,
    annotator: User,
    now: datetime,
    seen: Sequence[int],
    *,
    adjudicating: bool = False,
) -> Comparison | None:
    """The first that is free. Those that were ``seen`` to be are looked at first: it is quicker
    than to pass over all that others hold."""
    free = free_for(campaign, annotator, now, adjudicating=adjudicating)
    claimed = _claim_first(free.filter(pk__in=seen[:LOOKED_AT]), campaign, annotator)
    return claimed or _claim_first(free, campaign, annotator)


def _claim_first(
    rows: QuerySet[Comparison], campaign: Campaign, annotator: User
) -> Comparison | None:
    """Lease the first of the rows that nobody else is at. None when nothing is left."""
    free = rows.select_for_update(skip_locked=True, no_key=True, of=("self",))
    comparison = free.first()
    if comparison is None:
        return None
    comparison.campaign = campaign
    lease = _lease(annotator, timezone.now())
    lease |= {"shown_at": None, "first_on_left": first_on_left(comparison, annotator)}
    for name, value in lease.items():
        setattr(comparison, name, value)
    comparison.save(update_fields=list(lease))
    return comparison
