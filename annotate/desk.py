"""The admin's pages: campaigns and their exports."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate.actions import (
    close_campaign,
    create_campaign,
    reopen_campaign,
    work_for_campaign,
)
from annotate.exports import export_path
from annotate.forms import AnnotatorsForm, CampaignForm, ExportForm, InstructionsForm
from annotate.models import Campaign, Export
from annotate.queries import campaigns, counts_by_choice, labels_by_annotator
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
        names = ", ".join(person.username for person in chosen) or "nobody"
        messages.success(request, f"Saved. Who compares here: {names}.")
    else:
        messages.error(request, f"{form.errors['annotators'][0]} Nothing was saved.")
    return redirect("annotate:campaign", pk=pk)


@require_POST
@admin_required
def campaign_instructions(request: HttpRequest, pk: int) -> HttpResponse:
    form = InstructionsForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The instructions were not saved.")
        return _campaign_page(request, pk, instructions_form=form)
    campaign = get_object_or_404(Campaign, pk=pk)
    campaign.instructions = form.cleaned_data["instructions"]
    campaign.save(update_fields=["instructions"])
    messages.success(request, "The instructions are saved. Annotators read them from now on.")
    return redirect("annotate:campaign", pk=pk)


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
        messages.error(request, "That is not a format that can be exported. Choose another.")
    return redirect("annotate:campaign", pk=pk)


@require_GET
@admin_required
def export_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    export = get_object_or_404(Export, pk=pk, completed_at__isnull=False)
    path = export_path(export)
    if not path.exists():
        raise Http404("The file is gone from the data folder: export again.")
    name = f"{slugify(export.campaign.name) or 'campaign'}-{export.format}-{export.pk}.jsonl"
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type="application/jsonl"
    )


def _campaign_page(
    request: HttpRequest, pk: int, *, instructions_form: InstructionsForm | None = None
) -> HttpResponse:
    campaign = get_object_or_404(campaigns(), pk=pk)
    exports = list(campaign.exports.all())
    jobs = last_jobs(("export_dataset", one.pk) for one in exports if not one.completed_at)
    with_subjects(jobs.values())
    context = {
        "campaign": campaign,
        "job": last_job("open_campaign", pk),
        "choices": counts_by_choice(campaign),
        "people": labels_by_annotator(campaign),
        "annotators_form": AnnotatorsForm(initial={"annotators": campaign.annotators.all()}),
        "instructions": render_markdown(campaign.instructions),
        "instructions_form": instructions_form
        or InstructionsForm(initial={"instructions": campaign.instructions}),
        "export_form": ExportForm(),
        "rounds": campaign.design.rounds.order_by("pk"),
        "exports": [(one, jobs.get(("export_dataset", one.pk))) for one in exports],
    }
    return render(request, "annotate/campaign.html", context)
