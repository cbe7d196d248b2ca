"""From a campaign's labels to the design of its next round."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from annotate.models import Campaign, Judgement
from annotate.queries import current_labels
from pairselect.designs.actions import create_design
from pairselect.designs.models import Design, KnownLabel
from pairselect.designs.queries import chain_of
from pairselect.trail.actions import record

USABLE = (Judgement.Choice.LEFT, Judgement.Choice.RIGHT, Judgement.Choice.TIE)


class NoLabels(Exception):
    """The message says of which campaign, and what to do."""


def usable_labels(campaign: Campaign) -> QuerySet[Judgement]:
    """What the next round is made from: who won, or a tie, by each person who answered.

    Of this campaign, and of those of the designs that came before its own. Both-bad says nothing
    about which is better, and a skip says nothing at all.
    """
    earlier = chain_of(campaign.design)[1:]
    return (
        current_labels()
        .filter(choice__in=USABLE)
        .filter(Q(comparison__campaign=campaign) | Q(comparison__campaign__design__in=earlier))
    )


def create_next_round(
    campaign: Campaign, *, name: str, created_by: User | None = None, **settings: Any
) -> Design:
    """The design of further pairs, with the labels so far as they are at this moment.

    Raises
    ------
    NoLabels
        When no comparison has been decided.
    NameRefused
        When a design of that name has another pool or other settings.
    """
    with transaction.atomic():
        labels = known_labels(campaign)
        if not labels:
            raise NoLabels(no_labels(campaign))
        design = create_design(
            name=name, created_by=created_by, after=campaign.design, labels=labels, **settings
        )
        record("campaign.next_round", campaign, person=created_by, design=design.name)
    return design


def no_labels(campaign: Campaign) -> str:
    return (
        f"No comparison of “{campaign}” has been decided yet, so there is nothing to learn from: "
        "label some pairs first. Both-bad and skips do not count."
    )


def known_labels(campaign: Campaign) -> list[KnownLabel]:
    """The labels that the next round knows, as they stand now; not stored."""
    rows = usable_labels(campaign).select_related("comparison__pair").order_by("pk")
    return [
        KnownLabel(
            first_id=judgement.comparison.designed.first_id,
            second_id=judgement.comparison.designed.second_id,
            preference=_preference(judgement),
        )
        for judgement in rows.iterator(chunk_size=2000)
    ]


def _preference(judgement: Judgement) -> float:
    if judgement.choice == Judgement.Choice.TIE:
        return 0.5
    return 1.0 if judgement.prefers_first else 0.0
