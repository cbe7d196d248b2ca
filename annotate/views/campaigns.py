"""The admin's pages: campaigns and their exports."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate.actions import (
    close_campaign,
    create_campaign,
    reopen_campaign,
    work_for_campaign,
)
from annotate.asking import Fixed, change_asked, fixed
from annotate.exports import export_path
from annotate.forms.asked import AskedForm
from annotate.forms.campaigns import AnnotatorsForm, CampaignForm, ExportForm
from annotate.measures import people_of
from annotate.models import Campaign, Export
from annotate.overview import leaks_of, onboarding_of, open_flags, warnings
from annotate.queries import (
    campaigns,
    counts_by_choice,
    current_guideline,
)
from annotate.rendering import render_markdown
from annotate.rounds import NoLabels, create_next_round, usable_labels
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.designs.actions import work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.jobs.actions import enqueue_in_turn, enqueue_job, last_job
from pairselect.jobs.queries import last_jobs, with_subjects
from pairselect.pools.naming import NameRefused


@require_GET
@admin_required
def campaign_list(request: HttpRequest) -> HttpResponse:
    found = list(campaigns())
    jobs = last_jobs(("open_campaign", one.pk) for one in found)
    rows = [(one, jobs.get(("open_campaign", one.pk))) for one in found]
    return render(request, "annotate/campaigns.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@admin_required
def campaign_new(request: HttpRequest) -> HttpResponse:
    form = CampaignForm(request.POST or None, initial={"design": request.GET.get("design")})
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
        chosen = form.cleaned_data["annotators"]
        campaign.annotators.set(chosen)
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


@require_http_methods(["GET", "POST"])
@admin_required
def campaign_next_round(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign.objects.select_related("design__pool"), pk=pk)
    initial = {"strategy": "trace_gap", "budget": campaign.design.budget}
    form = DesignForm(request.POST or None, after=campaign.design, initial=initial)
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
    context = {"campaign": campaign, "form": form, "labels": usable_labels(campaign).count()}
    return render(request, "annotate/next_round.html", context)


@require_POST
@admin_required
def export_new(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    form = ExportForm(request.POST)
    if form.is_valid():
        person = signed_in(request)
        export = Export.objects.create(
            campaign=campaign, format=form.cleaned_data["format"], created_by=person
        )
        enqueue_job("export_dataset", export.pk, created_by=person)
    else:
        messages.error(request, _("That is not a format that can be exported. Choose another."))
    return redirect("annotate:campaign", pk=pk)


@require_GET
@admin_required
def export_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    export = get_object_or_404(Export, pk=pk, completed_at__isnull=False)
    path = export_path(export)
    if not path.exists():
        raise Http404(_("The file is gone from the data folder: export again."))
    name = f"{slugify(export.campaign.name) or 'campaign'}-{export.format}-{export.pk}.jsonl"
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type="application/jsonl"
    )


def _campaign_page(
    request: HttpRequest, pk: int, *, asked_form: AskedForm | None = None
) -> HttpResponse:
    campaign = get_object_or_404(campaigns(), pk=pk)
    exports = list(campaign.exports.all())
    jobs = last_jobs(("export_dataset", one.pk) for one in exports if not one.completed_at)
    with_subjects(jobs.values())
    guideline = current_guideline(campaign)
    context = {
        "campaign": campaign,
        "here": "campaign",
        "flag_count": open_flags(campaign).count(),
        "warnings": warnings(campaign),
        "job": last_job("open_campaign", pk),
        "choices": counts_by_choice(campaign),
        "people": people_of(campaign),
        "annotators_form": AnnotatorsForm(initial={"annotators": campaign.annotators.all()}),
        "asked_form": asked_form or AskedForm(campaign=campaign, fixed=fixed(campaign)),
        "guideline": guideline,
        "guidelines": render_markdown(guideline.text) if guideline else "",
        # Searching takes seconds: only who asks for it waits.
        "leaks": leaks_of(campaign) if request.GET.get("identities") else None,
        "onboarding": onboarding_of(campaign) if campaign.passing_mark is not None else None,
        "export_form": ExportForm(),
        "rounds": campaign.design.rounds.order_by("pk"),
        "exports": [(one, jobs.get(("export_dataset", one.pk))) for one in exports],
    }
    return render(request, "annotate/campaign.html", context)
