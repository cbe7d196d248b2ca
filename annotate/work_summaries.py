"""What an annotator is given and gives, as the API tells of it."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from typing_extensions import TypedDict

from annotate.addresses import word_of
from annotate.edits import model_names
from annotate.masking import mask_identity
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import pace_of
from annotate.sheets import answer_so_far
from annotate.summaries import Asked, Guidelines, asked_of, guidelines_of


class WorkSummary(TypedDict):
    """An open campaign to one of its annotators."""

    id: int
    name: str
    asked: Asked
    guidelines: Guidelines | None
    done: int  # answers of the person, skips aside
    today: int
    left: int  # about
    seconds: float | None  # an answer, the median of the last


class ComparisonSheet(TypedDict):
    """Two texts to compare; blind to where they came from and to what they are asked for."""

    id: str
    lease: uuid.UUID  # an answer counts only under it
    leased_until: datetime | None
    messages: list[dict[str, str]]
    left: str
    right: str
    earlier: dict[str, Any]  # the answer that was taken back, after an undo


class AnswerSummary(TypedDict):
    id: int
    comparison: str
    choice: str
    strength: int | None
    criteria: dict[str, str]
    reason: str
    skip_reason: str
    edit: str
    edit_of: str
    seconds: float
    created_at: datetime


def work_summary(campaign: Campaign, person: User) -> WorkSummary:
    pace = pace_of(campaign, person)
    return WorkSummary(
        id=campaign.pk,
        name=campaign.name,
        asked=asked_of(campaign),
        guidelines=guidelines_of(campaign),
        done=pace.done,
        today=pace.today,
        left=pace.left,
        seconds=pace.seconds,
    )


def comparison_sheet(comparison: Comparison, *, undone: Judgement | None = None) -> ComparisonSheet:
    """A comparison as whoever holds it may see it, masked where its campaign masks."""
    campaign = comparison.campaign
    left, right = comparison.left_text, comparison.right_text
    if campaign.mask_identities:
        names = model_names(campaign.design.pool)
        left, right = mask_identity(left, names)[0], mask_identity(right, names)[0]
    assert comparison.lease is not None  # whoever is shown a comparison holds its lease
    return ComparisonSheet(
        id=word_of(comparison.pk),
        lease=comparison.lease,
        leased_until=comparison.leased_until,
        messages=comparison.messages,
        left=left,
        right=right,
        earlier=answer_so_far(undone) if undone else {},
    )


def answer_summary(judgement: Judgement) -> AnswerSummary:
    """An answer as the person who gave it sees it."""
    said = answer_so_far(judgement)
    return AnswerSummary(
        id=judgement.pk,
        comparison=word_of(judgement.comparison_id),
        choice=judgement.choice,
        strength=judgement.strength,
        criteria=judgement.criteria,
        reason=judgement.reason,
        skip_reason=judgement.skip_reason,
        edit=said["edit"],
        edit_of=said["edit_of"],
        seconds=judgement.seconds,
        created_at=judgement.created_at,
    )
