"""The admin's pages: campaigns."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate.actions import (
    close_campaign,
    create_campaign,
    pause_campaign,
    reopen_campaign,
    resume_campaign,
    work_for_campaign,
)
from annotate.amending import change_people, change_price, who_came
from annotate.asking import Fixed, change_asked, fixed
from annotate.chain import CONTROL, first_values, lacks_control, rounds_of
from annotate.day_chart import draw_days
from annotate.forms.asked import AskedForm
from annotate.forms.campaigns import AnnotatorsForm, CampaignForm, PriceForm
from annotate.forms.switch import SwitchForm
from annotate.measures import people_of
from annotate.models import Campaign
from annotate.overview import leaks_of, onboarding_of, open_flags, warnings
from annotate.pacing import pace_and_cost
from annotate.queries import (
    campaigns,
    current_guideline,
)
from annotate.rendering import render_markdown
from annotate.rounds import NoLabels, create_next_round, usable_labels
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.designs.actions import work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.queries import openable_designs
from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.jobs.limits import queues
from pairselect.jobs.queries import last_jobs
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import the_only
from pairselect.pools.tidying import archived_or_not

PER_PAGE = 50


@require_GET
@admin_required
def campaign_list(request: HttpRequest) -> HttpResponse:
    shown, filtered = archived_or_not(request, campaigns())
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    jobs = last_jobs(("open_campaign", one.pk) for one in page)
    rows = [(one, jobs.get(("open_campaign", one.pk))) for one in page]
    return render(request, "annotate/campaigns.html", {"rows": rows, "page": page} | filtered)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def campaign_new(request: HttpRequest) -> HttpResponse:
    design = request.GET.get("design") or the_only(openable_designs())
    form = CampaignForm(request.POST or None, initial={"design": design})
    if request.method == "POST" and form.is_valid():
        person = signed_in(request)
        try:
            campaign = create_campaign(**form.cleaned_data, created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_in_turn(work_for_campaign(campaign), created_by=person)
            return redirect("annotate:campaign", pk=campaign.pk)
    return render(request, "annotate/campaign_new.html", {"form": form})


@require_GET
@admin_required
def campaign_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _campaign_page(request, pk)


@require_POST
@admin_required
def campaign_annotators(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    form = AnnotatorsForm(request.POST)
    if form.is_valid():
        came = who_came(campaign.annotators.all(), request.POST.getlist("seen"))
        chosen = [*form.cleaned_data["annotators"], *came]
        change_people(campaign, annotators=chosen)
        names = ", ".join(person.username for person in chosen) or _("nobody")
        messages.success(request, _("Saved. Who compares here: %(names)s.") % {"names": names})
    else:
        problem = form.errors["annotators"][0]
        messages.error(request, _("%(problem)s Nothing was saved.") % {"problem": problem})
    return redirect("annotate:campaign", pk=pk)


@require_POST
@admin_required
def campaign_asked(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask otherwise from now on."""
    campaign = get_object_or_404(Campaign, pk=pk)
    form = AskedForm(request.POST, campaign=campaign, fixed=fixed(campaign))
    if form.is_valid():
        try:
            change_asked(campaign, form.asked())
        except Fixed as problem:
            form.add_error(problem.field, str(problem))
        else:
            messages.success(request, _("Saved. Comparisons ask for it from now on."))
            return redirect("annotate:campaign", pk=pk)
    messages.error(request, _("Nothing was saved. See below what is asked."))
    return _campaign_page(request, pk, asked_form=form)


@require_POST
@admin_required
def campaign_close(request: HttpRequest, pk: int) -> HttpResponse:
    close_campaign(get_object_or_404(Campaign, pk=pk))
    return redirect("annotate:campaign", pk=pk)


@require_POST
@admin_required
def campaign_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    reopen_campaign(get_object_or_404(Campaign, pk=pk))
    return redirect("annotate:campaign", pk=pk)


@require_POST
@admin_required
def campaign_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause (``on``), or go on."""
    campaign = get_object_or_404(Campaign, pk=pk)
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed. Use the button above."))
    elif form.cleaned_data["on"]:
        pause_campaign(campaign)
    else:
        resume_campaign(campaign)
    return redirect("annotate:campaign", pk=pk)


@require_POST
@admin_required
def campaign_price(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    form = PriceForm(request.POST)
    if form.is_valid():
        change_price(campaign, form.cleaned_data)
        messages.success(request, _("The price is saved."))
        return redirect(f"{reverse('annotate:campaign', args=[campaign.pk])}#cost")
    messages.error(request, _("Nothing was saved. See below what the price lacks."))
    return _campaign_page(request, pk, price_form=form)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def campaign_next_round(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign.objects.select_related("design__pool"), pk=pk)
    form = DesignForm(request.POST or None, after=campaign.design, initial=first_values(campaign))
    if request.method == "POST" and form.is_valid():
        person = signed_in(request)
        try:
            design = create_next_round(campaign, **form.cleaned_data, created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        except NoLabels as problem:
            form.add_error(None, str(problem))
        else:
            enqueue_in_turn(work_for_design(design), created_by=person)
            return redirect("designs:design", pk=design.pk)
    context = {
        "campaign": campaign,
        "form": form,
        "labels": usable_labels(campaign).count(),
        "lacks_control": lacks_control(campaign),
        "control": CONTROL,
    }
    return render(request, "annotate/next_round.html", context)


def _campaign_page(
    request: HttpRequest,
    pk: int,
    *,
    asked_form: AskedForm | None = None,
    price_form: PriceForm | None = None,
) -> HttpResponse:
    campaign = get_object_or_404(campaigns(), pk=pk)
    guideline = current_guideline(campaign)
    pace = pace_and_cost(campaign)
    priced = {name: getattr(campaign, name) for name in PriceForm.base_fields}
    if campaign.price is not None:
        priced["price"] = f"{campaign.price.normalize():f}"
    context = {
        "campaign": campaign,
        "here": "campaign",
        "flag_count": open_flags(campaign).count(),
        "warnings": warnings(campaign),
        "job": last_job("open_campaign", pk),
        "pace": pace,
        "chart": draw_days(pace.days),
        "price_form": price_form or PriceForm(initial=priced),
        "choices": pace.choices,
        "people": people_of(campaign),
        "annotators_form": AnnotatorsForm(initial={"annotators": campaign.annotators.all()}),
        "asked_form": asked_form or AskedForm(campaign=campaign, fixed=fixed(campaign)),
        "guideline": guideline,
        "guidelines": render_markdown(guideline.text) if guideline else "",
        # Searching takes seconds: only who asks for it waits.
        "leaks": leaks_of(campaign) if request.GET.get("identities") else None,
        "onboarding": onboarding_of(campaign) if campaign.passing_mark is not None else None,
        "rounds": rounds_of(campaign),
    }
    return render(request, "annotate/campaign.html", context)
