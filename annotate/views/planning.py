"""What the next round would bring, predicted beside its form."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from annotate.chain import CONTROL, first_values, lacks_control
from annotate.models import Campaign
from annotate.rounds import known_labels, usable_labels
from pairselect.accounts.roles import admin_required
from pairselect.designs.predicting import asked_plan, form_for, is_asked, predict, shown
from pairselect.jobs.limits import queues


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def campaign_next_round_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """The form for the next round, with the plan that its Predict asks for."""
    campaign = get_object_or_404(Campaign.objects.select_related("design__pool"), pk=pk)
    plan = asked_plan(request, campaign.design.pool, after=campaign.design)
    form = form_for(request, initial=first_values(campaign), plan=plan, after=campaign.design)
    context: dict[str, Any] = {
        "campaign": campaign,
        "form": form,
        "labels": usable_labels(campaign).count(),
        "lacks_control": lacks_control(campaign),
        "control": CONTROL,
        "verb": gettext("Choose"),
        "choose_url": reverse("annotate:campaign_next_round", args=[pk]),
        "predict_url": reverse("annotate:campaign_next_round_plan", args=[pk]),
    }
    answer = None
    if is_asked(request) and context["labels"]:
        answer = predict(request, form, labels=lambda: known_labels(campaign), context=context)
    return answer or render(request, "annotate/next_round.html", context | shown(plan))
