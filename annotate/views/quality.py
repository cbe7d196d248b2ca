"""The admin's page of how far a campaign's labels can be trusted."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotate.models import Assessment, Campaign, Judgement
from annotate.overview import open_flags
from annotate.quality.assess import create_assessment, earlier_rounds, newer_labels
from annotate.quality.present import present
from annotate.queries import current_labels
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_job
from pairselect.jobs.limits import queues
from pairselect.jobs.models import Job
from pairselect.jobs.queries import last_jobs


@require_GET
@admin_required
def quality(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign.objects.select_related("design"), pk=pk)
    assessment = campaign.assessments.filter(completed_at__isnull=False).first()
    context = {
        "campaign": campaign,
        "here": "quality",
        "flag_count": open_flags(campaign).count(),
        "labels": current_labels(campaign).exclude(choice=Judgement.Choice.SKIP).count(),
        "job": _job_under_way(campaign, assessment),
        "assessment": assessment,
        "newer": newer_labels(assessment) if assessment else 0,
        "shown": present(assessment.results) if assessment else None,
        "has_earlier": bool(earlier_rounds(campaign)),
    }
    return render(request, "annotate/quality.html", context)


@require_POST
@admin_required
@queues
def quality_assess(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the labels assessed; a second request while one is under way asks for no other."""
    campaign = get_object_or_404(Campaign, pk=pk)
    job = _job_under_way(campaign, None)
    if job is None or not job.is_active:
        person = signed_in(request)
        together = request.POST.get("together") == "1"
        assessment = create_assessment(campaign, together=together, created_by=person)
        enqueue_job("assess_labels", assessment.pk, created_by=person)
    return redirect("annotate:campaign_quality", pk=pk)


def _job_under_way(campaign: Campaign, shown: Assessment | None) -> Job | None:
    """That of the newest assessment, if it has not come to be shown."""
    newest = campaign.assessments.filter(completed_at__isnull=True).first()
    if newest is None or (shown is not None and newest.pk < shown.pk):
        return None
    return last_jobs([("assess_labels", newest.pk)]).get(("assess_labels", newest.pk))
