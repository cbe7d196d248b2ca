"""What there is to do for a person, and what they have done."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotate.models import Comparison
from annotate.queries import (
    answers_of,
    campaigns_known_to,
    campaigns_of,
    pace_of,
)
from pairselect.accounts.roles import signed_in

PER_PAGE = 50


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    rows = [(one, pace_of(one, person)) for one in campaigns_of(person)]
    return render(request, "annotate/work.html", {"rows": rows})


@require_GET
def history(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    """The person's answers that stand, the last first, each to be looked at and revised."""
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    given = (
        answers_of(campaign, person)
        .select_related("comparison__pair__prompt", "comparison__gold", "edit")
        .order_by("-pk")
    )
    context = {
        "campaign": campaign,
        "page": Paginator(given, PER_PAGE).get_page(request.GET.get("page")),
        "is_open": campaigns_of(person).filter(pk=campaign.pk).exists(),
        "skip": "skip",
        "kinds": Comparison.Kind,
    }
    return render(request, "annotate/history.html", context)
