"""What a campaign asks, and what of it can be changed once the work has begun."""

from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotate.models import Campaign
from annotate.queries import current_labels
from pairselect.trail.actions import changed, record

LAID_DOWN = ("labels_per_pair", "mix_window")  # into the queue, when the campaign opens


class Fixed(Exception):
    """A change that comes too late. ``field`` says of what, the message why."""

    def __init__(self, field: str, message: str | Promise) -> None:
        super().__init__(message)
        self.field = field


def fixed(campaign: Campaign) -> dict[str, str | Promise]:
    """The fields that can be changed no more, each with the sentence that says why."""
    found: dict[str, str | Promise] = {}
    if campaign.opened_at is not None:
        laid_down = _("Laid down when the campaign opened. Open another one to have it otherwise.")
        found = dict.fromkeys(LAID_DOWN, laid_down)
    if current_labels(campaign).exists():
        found["strengths"] = _(
            "There are labels with these steps already. Open another campaign to ask with others."
        )
    return found


def change_asked(campaign: Campaign, asked: dict[str, Any]) -> None:
    """Ask otherwise from now on. Answers that were given stay as they are.

    Raises
    ------
    Fixed
        When it would change what is laid down. Nothing is changed then.
    """
    with transaction.atomic():
        present = Campaign.objects.select_for_update().get(pk=campaign.pk)
        for field, why in fixed(present).items():
            if field in asked and asked[field] != getattr(present, field):
                raise Fixed(field, why)
        found = changed({field: getattr(present, field) for field in asked}, asked)
        for field, value in asked.items():
            setattr(present, field, value)
        present.save(update_fields=list(asked))
        if found:
            record("campaign.asked_changed", campaign, **found)
