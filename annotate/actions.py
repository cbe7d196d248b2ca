"""What admins do with campaigns. What annotators do is in ``leasing`` and ``answering``."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from annotate.amending import add_people
from annotate.exporting.options import Options
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Comparison, Export, Flag
from annotate.queueing import take_turns
from pairselect.designs.actions import work_for_design
from pairselect.designs.models import Design
from pairselect.jobs.actions import Work, is_active
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Score
from pairselect.pools.naming import row_named
from pairselect.trail.actions import record


@transaction.atomic
def create_campaign(
    design: Design,
    *,
    name: str,
    annotators: Iterable[User],
    guidelines: str | None = None,
    seed: int | None = None,
    created_by: User | None = None,
    adjudicators: Iterable[User] = (),
    **asked: Any,
) -> Campaign:
    """The campaign, opened by a worker once its design is solved.

    ``asked`` are the fields of `Campaign` that say what annotators are asked. Asked for again it
    gains annotators and adjudicators, and the guidelines that are given. Without a seed one is
    drawn at random, once: two campaigns of one design show their sides differently.

    Raises
    ------
    NameRefused
        When a campaign of that name puts another design before people, or asks otherwise.
    """
    campaign = row_named(
        Campaign,
        name,
        settings={"design": design, **asked},
        created_by=created_by,
        came_to_nothing=lambda old: (
            old.opened_at is None and not is_active("open_campaign", old.pk)
        ),
        start={"seed": secrets.randbelow(2**31) if seed is None else seed},
    )
    add_people(campaign, annotators=annotators, adjudicators=adjudicators)
    if guidelines is not None:
        change_guidelines(campaign, guidelines, created_by=created_by)
    return campaign


def work_for_campaign(campaign: Campaign) -> Work:
    """The jobs until the campaign is open, its design's and pool's among them."""
    if campaign.opened_at is not None:
        return []
    return [*work_for_design(campaign.design), ("open_campaign", campaign.pk)]


def open_campaign(campaign_id: int, progress: JobProgress) -> None:
    """Queue as many comparisons of each pair as it is to get labels, in the campaign's order."""
    with transaction.atomic():
        # Locked, so that nothing that is laid down here is changed before it has opened.
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
        if campaign.opened_at is not None:
            return
        if campaign.design.solved_at is None:
            raise JobError(f"The design “{campaign.design}” is not solved yet.")
        queue = _queue(campaign)
        total = len(queue) * campaign.labels_per_pair
        progress.report(0, total, "queueing comparisons")
        Comparison.objects.bulk_create(
            (
                Comparison(campaign=campaign, pair_id=pk, position=position, slot=slot)
                for position, pk in enumerate(queue)
                for slot in range(campaign.labels_per_pair)
            ),
            batch_size=2000,
        )
        campaign.opened_at = timezone.now()
        campaign.save(update_fields=["opened_at"])
        record("campaign.opened", campaign, comparisons=total)
    progress.report(total, total)


def close_campaign(campaign: Campaign) -> None:
    _switch(campaign, "closed_at", timezone.now(), "campaign.closed")


def reopen_campaign(campaign: Campaign) -> None:
    _switch(campaign, "closed_at", None, "campaign.reopened")


def pause_campaign(campaign: Campaign) -> None:
    """Nobody gets a comparison until it goes on. An answer in somebody's hands still counts."""
    _switch(campaign, "paused_at", timezone.now(), "campaign.paused")


def resume_campaign(campaign: Campaign) -> None:
    _switch(campaign, "paused_at", None, "campaign.resumed")


def _switch(campaign: Campaign, field: str, to: datetime | None, action: str) -> None:
    """Asked a second time it changes nothing."""
    with transaction.atomic():
        rows = Campaign.objects.filter(pk=campaign.pk, **{f"{field}__isnull": to is not None})
        if rows.update(**{field: to}):
            record(action, campaign)


def resolve_flag(flag: Flag, *, resolved: bool) -> None:
    """Put a flag away, or open it again."""
    with transaction.atomic():
        rows = Flag.objects.filter(pk=flag.pk, resolved_at__isnull=resolved)
        if rows.update(resolved_at=timezone.now() if resolved else None):
            action = "flag.resolved" if resolved else "flag.reopened"
            campaign = flag.comparison.campaign
            record(action, campaign, flag=flag.pk, comparison=flag.comparison_id, kind=flag.kind)


def create_export(
    campaign: Campaign, options: Options, *, created_by: User | None = None
) -> Export:
    """The export that a worker will write."""
    with transaction.atomic():
        export = Export.objects.create(
            campaign=campaign,
            format=options.format,
            options=options.to_json(),
            created_by=created_by,
        )
        told = {"export": export.pk, "format": options.format} | options.to_json()
        record("export.started", campaign, person=created_by, **told)
    return export


def _queue(campaign: Campaign) -> list[int]:
    """The design's pairs in its order, but easy and hard ones taking turns.

    Two completions far apart, in their scores or else in their features, are taken to be easy
    to tell apart.
    """
    rows = list(
        campaign.design.pairs.order_by("position").values_list(
            "pk", "first", "second", "feature_distance"
        )
    )
    pairs, ease = [row[0] for row in rows], [row[3] for row in rows]
    if campaign.design.score_set_id is not None and campaign.mix_window > 1:
        scored = Score.objects.filter(score_set=campaign.design.score_set_id)
        scores = dict(scored.values_list("completion", "value"))
        ease = [abs(scores.get(one, 0.0) - scores.get(other, 0.0)) for _, one, other, _ in rows]
    return take_turns(pairs, ease, window=campaign.mix_window)
