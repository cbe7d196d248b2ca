"""What “better” means in a campaign, version by version."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q
from django.utils.safestring import SafeString

from annotate.changes import Change, changes
from annotate.models import Campaign, Guideline, Participation
from annotate.onboarding import participation
from annotate.queries import current_guideline
from annotate.rendering import render_markdown
from pairselect.trail.actions import record


@dataclass(frozen=True)
class GuidelineView:
    """The present version as one person meets it."""

    version: Guideline
    html: SafeString
    is_unread: bool
    changes: list[Change]  # since the version that the person has read; none: never read one


def change_guidelines(
    campaign: Campaign, text: str, *, created_by: User | None = None
) -> Guideline | None:
    """The text as a new version, unless it is the present one's. Answers keep theirs."""
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        present = current_guideline(campaign)
        if text == (present.text if present else ""):
            return present
        highest = campaign.guidelines.aggregate(highest=Max("number"))["highest"] or 0
        version = Guideline.objects.create(
            campaign=campaign, number=highest + 1, text=text, created_by=created_by
        )
        record("campaign.guidelines_changed", campaign, person=created_by, version=version.number)
    return version


def guideline_view(campaign: Campaign, person: User) -> GuidelineView | None:
    """None where the campaign has no guidelines."""
    present = current_guideline(campaign)
    if present is None:
        return None
    read = participation(campaign, person).guideline
    is_unread = read is None or read.pk != present.pk
    return GuidelineView(
        version=present,
        html=render_markdown(present.text),
        is_unread=is_unread and bool(present.text),
        changes=changes(read.text, present.text) if read is not None and is_unread else [],
    )


def mark_read(campaign: Campaign, person: User, guideline: Guideline) -> None:
    """The person has read this version, and with it those before it."""
    mine = Participation.objects.filter(pk=participation(campaign, person).pk)
    earlier = Q(guideline__isnull=True) | Q(guideline__number__lt=guideline.number)
    mine.filter(earlier).update(guideline=guideline)
