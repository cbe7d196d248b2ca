"""What people do with comparisons. Each function is one transaction that may be tried twice."""

import enum
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_judgements, free_for, held_by, last_judgement
from pairselect.designs.actions import work_for_design
from pairselect.designs.models import Design
from pairselect.jobs.actions import Work, is_active
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.naming import row_named

LEASE = timedelta(minutes=30)
CANDIDATES = 16  # looked at together, since others claim at the same time
TEXTS = ("pair__prompt", "pair__first", "pair__second")


class Outcome(enum.Enum):
    STORED = "stored"
    REPEATED = "repeated"  # the same answer came again; one label is stored
    DIFFERED = "differed"  # another answer to what has been answered: the first one stands
    PASSED_ON = "passed on"  # the comparison is somebody else's by now; nothing is stored


def create_campaign(
    design: Design,
    *,
    name: str,
    annotators: Iterable[User],
    instructions: str | None = None,
    seed: int | None = None,
    created_by: User | None = None,
) -> Campaign:
    """The campaign, opened by a worker once its design is solved.

    Asked for again it gains annotators, and the instructions that are given. Without a seed the
    sides are drawn at random, once: two campaigns of one design show them differently.

    Raises
    ------
    NameRefused
        When a campaign of that name puts another design before people.
    """
    campaign = row_named(
        Campaign,
        name,
        settings={"design": design},
        created_by=created_by,
        came_to_nothing=lambda old: (
            old.opened_at is None and not is_active("open_campaign", old.pk)
        ),
        start={"seed": secrets.randbelow(2**31) if seed is None else seed},
    )
    campaign.annotators.add(*annotators)
    if instructions is not None:
        campaign.instructions = instructions
        campaign.save(update_fields=["instructions"])
    return campaign


def work_for_campaign(campaign: Campaign) -> Work:
    """The jobs until the campaign is open, its design's and pool's among them."""
    if campaign.opened_at is not None:
        return []
    return [*work_for_design(campaign.design), ("open_campaign", campaign.pk)]


def open_campaign(campaign_id: int, progress: JobProgress) -> None:
    """Make a comparison of each pair of the design, sides drawn from the campaign's seed."""
    campaign = Campaign.objects.select_related("design").get(pk=campaign_id)
    if campaign.opened_at is not None:
        return
    if campaign.design.solved_at is None:
        raise JobError(f"The design “{campaign.design}” is not solved yet.")
    pairs = list(campaign.design.pairs.values_list("pk", "position"))
    sides = np.random.default_rng(campaign.seed).random(len(pairs)) < 0.5
    progress.report(0, len(pairs), "queueing comparisons")
    with transaction.atomic():
        Comparison.objects.bulk_create(
            [
                Comparison(
                    campaign=campaign, pair_id=pk, position=position, first_on_left=bool(side)
                )
                for (pk, position), side in zip(pairs, sides, strict=True)
            ],
            batch_size=2000,
        )
        campaign.opened_at = timezone.now()
        campaign.save(update_fields=["opened_at"])
    progress.report(len(pairs), len(pairs))


def next_comparison(campaign: Campaign, annotator: User) -> Comparison | None:
    """The comparison that the person has open, or the next free one of the queue, leased.

    So a reload shows the same pair, and no pair is before two people.
    """
    now = timezone.now()
    while True:
        held = held_by(campaign, annotator).select_related(*TEXTS).first()
        if held is None:
            if not _claim_first(free_for(campaign, annotator, now), annotator, now):
                return None
        elif _renew(held, now):
            return held
        # Else another tab of the same person has answered it meanwhile: look again.


def answer(
    comparison: Comparison, annotator: User, *, choice: Judgement.Choice, lease: uuid.UUID
) -> Outcome:
    """Store one answer for the lease that the form carries."""
    now = timezone.now()
    with transaction.atomic():
        comparison = Comparison.objects.select_for_update().get(pk=comparison.pk)
        before = Judgement.objects.filter(lease=lease, annotator=annotator).first()
        if before is not None and before.withdrawn_at is None:
            return Outcome.REPEATED if before.choice == choice else Outcome.DIFFERED
        if comparison.lease != lease or comparison.annotator_id != annotator.pk:
            return Outcome.PASSED_ON
        shown = comparison.shown_at or now
        Judgement.objects.create(
            comparison=comparison,
            annotator=annotator,
            choice=choice,
            first_on_left=comparison.first_on_left,
            lease=lease,
            seconds=(now - shown).total_seconds(),
        )
        if choice == Judgement.Choice.SKIP:
            _release(comparison)
        else:
            comparison.labelled_at, comparison.lease, comparison.leased_until = now, None, None
            comparison.save()
    return Outcome.STORED


def undo(campaign: Campaign, annotator: User, *, judgement_id: int) -> bool:
    """Withdraw the person's last answer and give them that comparison back.

    The answer is named, so that the same request sent twice does not take back two. False when
    it is not their last one any more, or when a skipped pair is somebody else's by now.
    """
    with transaction.atomic():
        judgement = last_judgement(campaign, annotator)
        if judgement is None or judgement.pk != judgement_id:
            return False
        comparison = Comparison.objects.select_for_update().get(pk=judgement.comparison_id)
        skipped = judgement.choice == Judgement.Choice.SKIP
        if skipped and (comparison.annotator_id is not None or comparison.labelled_at):
            return False
        now = timezone.now()
        if not current_judgements().filter(pk=judgement.pk).update(withdrawn_at=now):
            return False
        for held in held_by(campaign, annotator):
            _release(held)
        comparison.labelled_at = None
        comparison.save(update_fields=["labelled_at"])
        return _claim(Comparison.objects.filter(pk=comparison.pk), annotator, now)


def close_campaign(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(closed_at=timezone.now())


def reopen_campaign(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(closed_at=None)


def _claim(rows: QuerySet[Comparison], annotator: User, now: datetime) -> bool:
    """Lease the row if it is still there to be had: one conditional UPDATE, so one winner."""
    return bool(
        rows.update(annotator=annotator, lease=uuid.uuid4(), leased_until=now + LEASE, shown_at=now)
    )


def _claim_first(free: QuerySet[Comparison], annotator: User, now: datetime) -> bool:
    """Lease the first row of the queue that nobody else gets first. False when none is left."""
    while candidates := list(free.values_list("pk", flat=True)[:CANDIDATES]):
        if any(_claim(free.filter(pk=pk), annotator, now) for pk in candidates):
            return True
    return False


def _renew(held: Comparison, now: datetime) -> bool:
    """Extend the lease; a pair left open for longer than one is shown, and timed, anew."""
    if held.leased_until is not None and held.leased_until < now:
        held.shown_at = now
    same = Comparison.objects.filter(pk=held.pk, lease=held.lease, labelled_at__isnull=True)
    return bool(same.update(leased_until=now + LEASE, shown_at=held.shown_at))


def _release(comparison: Comparison) -> None:
    comparison.annotator, comparison.lease, comparison.leased_until = None, None, None
    comparison.save(update_fields=["annotator", "lease", "leased_until"])
