from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import admin_required
from pairselect.jobs.actions import cancel_job, retry_job
from pairselect.jobs.models import Job


@require_GET
@admin_required
def job_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress line alone. Once the job has ended the whole page is fetched anew, so that
    polling ends by itself and the page shows what the job has made."""
    job = get_object_or_404(Job, pk=pk)
    response = render(request, "jobs/_progress.html", {"job": job})
    if by_htmx(request) and not job.is_active:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@admin_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    cancel_job(get_object_or_404(Job, pk=pk))
    messages.info(request, "The job stops at its next step. What is finished is kept.")
    return _back(request)


@require_POST
@admin_required
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    retry_job(get_object_or_404(Job, pk=pk))
    messages.info(request, "The job is queued again and goes on where it stopped.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    page = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}):
        page = "home"
    return redirect(page)
