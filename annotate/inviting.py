"""Campaigns, as invitations know them."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet

from annotate.models import Campaign
from pairselect.trail.actions import changed, record


def open_campaigns() -> QuerySet[Campaign]:
    """Those that somebody new may begin in."""
    return Campaign.objects.filter(closed_at__isnull=True, archived_at__isnull=True)


def join(person: User, campaigns: Iterable[Model], adjudicates: bool) -> None:
    """Let the person begin in those of the campaigns that are still open."""
    wanted = [campaign.pk for campaign in campaigns]
    role = "adjudicators" if adjudicates else "annotators"
    for campaign in open_campaigns().filter(pk__in=wanted):
        people = getattr(campaign, role)
        before = sorted(people.values_list("username", flat=True))
        people.add(person)
        found = changed({role: before}, {role: sorted([*before, person.username])})
        record("campaign.people_changed", campaign, person=person, **found)
