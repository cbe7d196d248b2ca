"""What there is to do for a person, and what they have done."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotate.models import Campaign
from annotate.queries import (
    Pace,
    answers_of,
    campaigns_known_to,
    open_to,
    pace_of,
)
from annotate.views.compare import desk_addresses, is_at_work
from pairselect.accounts.roles import signed_in

PER_PAGE = 50


@dataclass(frozen=True)
class Row:
    """One queue that is there for a person: a campaign's comparisons, or its disagreements."""

    campaign: Campaign
    pace: Pace
    adjudicating: bool
    is_paused: bool
    desk: dict[str, str]


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    return render(request, "annotate/work.html", {"rows": rows_of(signed_in(request))})


def rows_of(person: User) -> list[Row]:
    """What can be worked at first, then what is paused. Queues without a disagreement that waits
    are not there."""
    found = []
    for adjudicating in (False, True):
        for campaign in open_to(person, adjudicating=adjudicating):
            pace = pace_of(campaign, person, adjudicating=adjudicating)
            desk = desk_addresses(campaign, adjudicating=adjudicating)
            is_paused = campaign.paused_at is not None
            if not adjudicating or pace.left or pace.done:
                found.append(Row(campaign, pace, adjudicating, is_paused, desk))
    return sorted(found, key=lambda row: row.is_paused)


@require_GET
def history(request: HttpRequest, campaign_pk: int, *, adjudicating: bool = False) -> HttpResponse:
    """The person's answers that stand, the last first, each to be looked at and revised."""
    person = signed_in(request)
    known = campaigns_known_to(person, adjudicating=adjudicating)
    campaign = get_object_or_404(known, pk=campaign_pk)
    given = (
        answers_of(campaign, person, adjudicating=adjudicating)
        .select_related("comparison__pair__prompt", "comparison__gold", "edit")
        .order_by("-pk")
    )
    context = {
        "campaign": campaign,
        "desk": desk_addresses(campaign, adjudicating=adjudicating),
        "page": Paginator(given, PER_PAGE).get_page(request.GET.get("page")),
        "is_open": is_at_work(person, campaign, adjudicating=adjudicating),
        "skip": "skip",
    }
    return render(request, "annotate/history.html", context)
