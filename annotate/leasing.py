"""Whose a comparison is. Each function may be tried twice, and by many at the same time."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import BigIntegerField, Count, QuerySet
from django.utils import timezone

from annotate.checks import check_due, first_on_left
from annotate.models import Campaign, Comparison, Gold
from annotate.onboarding import onboarding_left
from annotate.prepared import (
    CAMPAIGN,
    COMPARISON,
    NOW,
    PERSON,
    Placeholder,
    Prepared,
    PreparedUpdate,
)
from annotate.queries import Given, free_for, given_by, held_by
from pairselect.designs.models import SelectedPair

LEASE = timedelta(minutes=15)  # after the last sign of life of the page that shows it
RENEWED = timedelta(minutes=1)  # so old a lease may be before a sign of life renews it
AHEAD = 2  # comparisons that a page has ready besides the one in view
TEXTS = ("gold", "pair__prompt", "pair__first", "pair__second")


@dataclass(frozen=True)
class Outlook:
    """What is read before anything is locked: a moment later it is still good enough."""

    given: Given
    beginning: int  # the place of the first that is free: before it others hold what there is
    has_plenty: bool  # so much is free that pages may keep some ahead


def look_ahead(
    campaign: Campaign, annotator: User, *, ahead: int = AHEAD, adjudicating: bool = False
) -> Outlook:
    given = given_by(campaign, annotator, adjudicating=adjudicating)
    if not ahead:
        return Outlook(given, 0, has_plenty=False)
    number = _people(adjudicating).first(campaign=campaign.pk)
    # For everybody to have their pages full, after this one's is.
    enough = (1 + AHEAD) * (number[0] if number else 1) + AHEAD
    seen = _seen_free(enough, campaign.labels_per_pair == 1, adjudicating)
    free = seen(campaign=campaign.pk, person=annotator.pk, now=timezone.now())
    return Outlook(given, free[0][0] if free else 0, has_plenty=len(free) == enough)


@cache
def _people(adjudicating: bool) -> Prepared[tuple[int]]:
    """How many there are, if any."""
    role = Campaign.adjudicators if adjudicating else Campaign.annotators
    theirs: Any = role.through.objects.filter(campaign=CAMPAIGN).order_by()
    return Prepared(lambda: theirs.values("campaign").annotate(n=Count("pk")).values_list("n"))


@lru_cache(maxsize=128)
def _seen_free(number: int, once: bool, adjudicating: bool) -> Prepared[tuple[int]]:
    """The places of the next so many of the queue that are free."""
    free = free_for(CAMPAIGN, PERSON, NOW, once=once, adjudicating=adjudicating)
    return Prepared(lambda: free.values_list("position")[:number])


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
    has_turn: bool = False,
) -> list[Comparison]:
    """The comparison in view and those to come, leased to the person: at most 1 + ahead.

    Nothing is kept ahead where that would leave somebody idle. Adjudicators have a queue of
    their own, without onboarding and checks. ``in_view`` is the lease of what the page shows, and
    ``outlook`` is for whoever has a transaction open: SQLite writes for one at a time. ``has_turn``
    is for those who took the person's turn in it.
    """
    if outlook is None:
        outlook = look_ahead(campaign, annotator, ahead=ahead, adjudicating=adjudicating)
    now = timezone.now()
    with transaction.atomic(savepoint=False):
        if not has_turn:
            take_turns(annotator)
        found = _renew(campaign, annotator, now, in_view=in_view, adjudicating=adjudicating)
        onboarding = None if adjudicating else onboarding_left(campaign, annotator)
        if onboarding is not None:  # only what belongs to it is theirs to see
            found = [one for one in found if one.kind == Comparison.Kind.ONBOARDING]
        may_keep_ahead = outlook.has_plenty and onboarding is None
        while len(found) < 1 + ahead and (not found or may_keep_ahead):
            if adjudicating:
                claimed = _claim_free(campaign, annotator, now, outlook, adjudicating=True)
            elif onboarding is not None:  # one after the other: each is explained before the next
                rows = onboarding.filter(annotator__isnull=True)
                claimed = _claim_first(rows, campaign, annotator)
            else:
                place = outlook.given.answers + len(found)
                claimed = _claim_next(campaign, annotator, now, outlook, number=place)
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
        _turn(person=annotator.pk)


_turn = Prepared(
    lambda: User.objects.select_for_update(no_key=True).filter(pk=PERSON).values_list("pk")
)


def locked(comparison_id: int) -> Comparison:
    """The comparison as it is now, and nobody else's to change until the transaction ends."""
    found = _locked.first(comparison=comparison_id)
    if found is None:
        raise Comparison.DoesNotExist
    return found


_locked = Prepared(lambda: Comparison.objects.select_for_update().filter(pk=COMPARISON).order_by())


def with_texts(comparisons: Sequence[Comparison]) -> Sequence[Comparison]:
    """The same ones, with all that they show fetched."""
    for one in comparisons:  # mostly a single one
        if one.pair_id is not None:
            one.pair = _pair.first(shown=one.pair_id)
        else:
            one.gold = _gold.first(shown=one.gold_id)
    return comparisons


SHOWN: Any = Placeholder("shown", BigIntegerField())
_pair = Prepared(
    lambda: (
        SelectedPair.objects.filter(pk=SHOWN).select_related("prompt", "first", "second").order_by()
    )
)
_gold = Prepared(lambda: Gold.objects.filter(pk=SHOWN).order_by())


def show(comparison: Comparison, annotator: User) -> None:
    """The comparison is before the person's eyes from now on."""
    comparison.shown_at = timezone.now()
    _show(comparison=comparison.pk, person=annotator.pk, now=comparison.shown_at)


_show = PreparedUpdate(
    lambda: Comparison.objects.filter(pk=COMPARISON, annotator=PERSON, shown_at__isnull=True),
    shown_at=NOW,
)


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
    held = _held(adjudicating)(campaign=campaign.pk, person=annotator.pk)
    old = now + LEASE - RENEWED
    if any(one.leased_until is None or one.leased_until < old for one in held):
        mine = held_by(campaign, annotator, adjudicating=adjudicating)
        mine.filter(leased_until__lt=now, shown_at__isnull=False).update(shown_at=now)
        mine.update(leased_until=now + LEASE)
        held = list(mine)  # what had lapsed may be another's by now
    for place, one in enumerate(held):
        one.campaign = campaign
        if str(one.lease) == in_view and one.shown_at is None:
            show(one, annotator)
            held.insert(0, held.pop(place))  # the last to be shown comes first
    return held


@cache
def _held(adjudicating: bool) -> Prepared[Comparison]:
    return Prepared(lambda: held_by(CAMPAIGN, PERSON, adjudicating=adjudicating))


def _claim_next(
    campaign: Campaign, annotator: User, now: datetime, outlook: Outlook, *, number: int
) -> Comparison | None:
    """A check that waits for the person, the one that their answer of this number is, or the next
    of the queue."""
    if waiting := _waiting_check(campaign=campaign.pk, person=annotator.pk):
        return _lease_to(annotator, waiting[0], campaign)
    check = check_due(campaign, annotator, number=number)
    if check and (
        claimed := _claim_first(_checks(campaign, annotator, check), campaign, annotator)
    ):
        return claimed
    return _claim_free(campaign, annotator, now, outlook)


def _checks(
    campaign: Campaign, annotator: User, check: Comparison | None = None
) -> QuerySet[Comparison]:
    """Those that wait for the person, or one of them, if it does."""
    rows = Comparison.objects.filter(
        campaign=campaign, reserved_for=annotator, annotator__isnull=True, labelled_at__isnull=True
    )
    rows = rows.exclude(kind=Comparison.Kind.ONBOARDING).exclude(gold__retired_at__isnull=False)
    return rows.filter(pk=check.pk) if check else rows


def _claim_free(
    campaign: Campaign,
    annotator: User,
    now: datetime,
    outlook: Outlook,
    *,
    adjudicating: bool = False,
) -> Comparison | None:
    """The first that is free, looked for from where there was one a moment ago: to pass over all
    that others hold takes longer."""
    free = _free(campaign.labels_per_pair == 1, adjudicating)
    asked = {"campaign": campaign.pk, "person": annotator.pk, "now": now}
    found = free(**asked, beginning=outlook.beginning)
    if not found and outlook.beginning:
        found = free(**asked, beginning=0)
    return _lease_to(annotator, found[0], campaign) if found else None


def _lockable(rows: QuerySet[Comparison]) -> QuerySet[Comparison]:
    """The first of the rows that nobody else is at."""
    return rows.select_for_update(skip_locked=True, no_key=True, of=("self",))[:1]


_waiting_check = Prepared(lambda: _lockable(_checks(CAMPAIGN, PERSON)))


@cache
def _free(once: bool, adjudicating: bool) -> Prepared[Comparison]:
    free = free_for(CAMPAIGN, PERSON, NOW, once=once, adjudicating=adjudicating)
    beginning = Placeholder("beginning", BigIntegerField())
    return Prepared(lambda: _lockable(free.filter(position__gte=beginning)))


def _claim_first(
    rows: QuerySet[Comparison], campaign: Campaign, annotator: User
) -> Comparison | None:
    """Lease the first of the rows that nobody else is at. None when nothing is left."""
    found = list(_lockable(rows))
    return _lease_to(annotator, found[0], campaign) if found else None


def _lease_to(annotator: User, comparison: Comparison, campaign: Campaign) -> Comparison:
    comparison.campaign = campaign
    lease = _lease(annotator, timezone.now())
    lease |= {"shown_at": None, "first_on_left": first_on_left(comparison, annotator)}
    for name, value in lease.items():
        setattr(comparison, name, value)
    _take(comparison=comparison.pk, **lease | {"annotator": annotator.pk})
    return comparison


LEASED = {"annotator", "lease", "leased_until", "claimed_at", "shown_at", "first_on_left"}
_take = PreparedUpdate(
    lambda: Comparison.objects.filter(pk=COMPARISON),
    **{
        field.name: Placeholder(field.name, field)
        for field in Comparison._meta.concrete_fields
        if field.name in LEASED
    },
)
