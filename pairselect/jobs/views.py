from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.next_page import next_page
from pairselect.accounts.roles import admin_required
from pairselect.jobs.actions import cancel_job, retry_job
from pairselect.jobs.limits import queues
from pairselect.jobs.models import Job


@require_GET
@admin_required
def job_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress line alone, without polling once the job has ended.

    A page that waited for its end is then fetched anew, to show what the job has made. Others,
    which may hold a half-filled form, keep all but this line.
    """
    job = get_object_or_404(Job, pk=pk)
    response = render(request, "jobs/_progress.html", {"job": job})
    if by_htmx(request) and job.refreshes_page and not job.is_active:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@admin_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Job, pk=pk)
    cancel_job(job)
    said = gettext("%(job)s: stops at its next step. What is finished is kept.")
    messages.info(request, said % {"job": job.label})
    return _back(request)


@require_POST
@admin_required
@queues
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Job, pk=pk)
    if job.can_retry:
        retry_job(job)
        said = gettext("%(job)s: queued again. It goes on where it stopped.")
        messages.info(request, said % {"job": job.label})
    elif job.status in Job.UNDONE:
        said = gettext("%(job)s: it would fail again, on what it was given.")
        messages.error(request, said % {"job": job.label})
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    return redirect(next_page(request, request.POST.get("next"), otherwise="home"))
