"""The admin's page of pairs whose labels differ, and of who decides them."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.adjudication import change_adjudication
from annotate.amending import who_came
from annotate.disputes import disputes, in_detail, standing_of
from annotate.forms.campaigns import AdjudicationForm
from annotate.models import Campaign
from annotate.overview import adjudication_warning, open_flags
from annotate.views.compare import is_at_work
from pairselect.accounts.roles import admin_required, signed_in

PER_PAGE = 20


@require_http_methods(["GET", "POST"])
@admin_required
def disagreements(request: HttpRequest, pk: int) -> HttpResponse:
    """The list; POST says who decides what."""
    campaign = get_object_or_404(Campaign.objects.select_related("design"), pk=pk)
    initial = {
        "adjudicate": campaign.adjudicate,
        "adjudicators": campaign.adjudicators.all(),
    }
    form = AdjudicationForm(request.POST or None, initial=initial)
    if request.method == "POST":
        if form.is_valid():
            asked = form.cleaned_data
            came = who_came(campaign.adjudicators.all(), request.POST.getlist("seen"))
            change_adjudication(
                campaign,
                adjudicate=asked["adjudicate"],
                adjudicators={*asked["adjudicators"], *came},
            )
            messages.success(request, _("Saved. It holds for pairs that differ already, too."))
            return redirect("annotate:campaign_disagreements", pk=pk)
        messages.error(request, _("Nothing was saved. See below why."))
    page = Paginator(disputes(campaign), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "here": "disagreements",
        "flag_count": open_flags(campaign).count(),
        "form": form,
        "page": page,
        "rows": in_detail(campaign, list(page)),
        "standing": standing_of(campaign),
        "warning": adjudication_warning(campaign),
        "may_decide": is_at_work(signed_in(request), campaign, adjudicating=True),
    }
    return render(request, "annotate/disagreements.html", context)
