"""Prompt sets, and the uploads that they and ready pools are imported from."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_job, last_job
from pairselect.jobs.limits import queues
from pairselect.jobs.models import Job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.imports.confirming import begin_import
from pairselect.pools.imports.discarding import begin_discard, stays
from pairselect.pools.imports.problems import first_problems
from pairselect.pools.imports.staging import (
    DISCARD,
    imported_from,
    same_file_imported,
    stage_upload,
    unfinished_uploads,
)
from pairselect.pools.models import Pool, PromptSet, Upload
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import prompt_sets
from pairselect.pools.reading import Preview
from pairselect.pools.tidying import archived_or_not
from pairselect.pools.upload_forms import (
    FirstRows,
    MappingForm,
    UploadForm,
    decided_columns,
    repeated_prompts,
)
from pairselect.pools.upload_handler import StagingHandler, is_too_large, too_large

PAGE = 25


@require_GET
@admin_required
def prompt_set_list(request: HttpRequest) -> HttpResponse:
    waiting = list(unfinished_uploads())
    unfinished = [one.pk for one in waiting]
    sets = prompt_sets().exclude(upload__in=unfinished)
    sets, filtered = archived_or_not(request, sets)
    sets = sets.select_related("upload").defer("upload__preview")
    jobs = last_jobs(job for one in waiting for job in _jobs_of(one))
    rows = [(one, _newest(jobs, one)) for one in waiting]
    page = Paginator(sets, PAGE).get_page(request.GET.get("page"))
    context = {"form": UploadForm(), "page": page, "waiting": rows} | filtered
    return render(request, "pools/prompt_sets.html", context)


# The upload's handler has to be set before anything reads the form, as the check against forms
# from elsewhere does: so that check comes after.
@csrf_exempt
@require_http_methods(["GET", "POST"])
@admin_required
@queues
def upload_new(request: HttpRequest) -> HttpResponseBase:
    if request.method == "GET":
        form = UploadForm(initial={"name": request.GET.get("name")})
        return render(request, "pools/upload_new.html", {"form": form})
    if is_too_large(request):
        form = UploadForm({})
        form.refuse(too_large())
        return render(request, "pools/upload_new.html", {"form": form}, status=413)
    request.upload_handlers = [StagingHandler(request)]
    return _receive(request)


@csrf_protect
def _receive(request: HttpRequest) -> HttpResponse:
    handler = request.upload_handlers[0]
    assert isinstance(handler, StagingHandler)
    form = UploadForm(request.POST, request.FILES)
    if handler.refusal:
        form.refuse(handler.refusal)
    elif form.is_valid():
        file, person = form.cleaned_data["file"], signed_in(request)
        try:
            upload = stage_upload(
                file,
                name=form.cleaned_data["name"],
                file_name=file.name,
                model=form.cleaned_data["model"],
                created_by=person,
            )
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_job("inspect_upload", upload.pk, created_by=person)
            return redirect("pools:prompt_set_upload", pk=upload.pk)
    status = 413 if handler.refusal else 200
    return render(request, "pools/upload_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def upload_detail(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(Upload.objects.select_related("prompt_set"), pk=pk)
    preview = Preview.from_dict(upload.preview) if upload.preview else None
    form = None
    if preview is not None and preview.columns:  # else there is nothing to choose from
        form = MappingForm(request.POST or None, upload=upload, preview=preview)
    if request.method == "POST" and form is not None and form.is_valid():
        person = signed_in(request)
        try:
            target = begin_import(upload, **form.decision(), created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            page = "pools:pool" if isinstance(target, Pool) else "pools:prompt_set"
            return redirect(page, pk=target.pk)
    return render(request, "pools/upload.html", _facts(upload, preview, form))


def _facts(upload: Upload, preview: Preview | None, form: MappingForm | None) -> dict[str, object]:
    prompt_set = imported_from(upload)
    jobs = last_jobs(_jobs_of(upload))
    job = _newest(jobs, upload)
    is_open = not (prompt_set and prompt_set.imported_at) and not (job and job.is_active)
    return {
        "upload": upload,
        "preview": preview,
        "job": job if job and job.status != "done" else None,
        "form": form if is_open else None,
        "is_open": is_open,
        "prompt_set": prompt_set,
        "pool": prompt_set.pools.filter(source=Pool.Source.IMPORTED).first()
        if prompt_set
        else None,
        "same": same_file_imported(upload),
        "problems": first_problems(upload) if upload.problem_count else [],
        "table": FirstRows.of(preview) if preview else None,
        "repeats": repeated_prompts(preview) if preview else "",
        "decided": decided_columns(upload),
    }


def _jobs_of(upload: Upload) -> list[tuple[str, int]]:
    """The jobs that work on it."""
    jobs = [("inspect_upload", upload.pk), (DISCARD, upload.pk)]
    prompt_set: PromptSet | None = getattr(upload, "prompt_set", None)
    if prompt_set is not None:
        jobs.append(("import_prompts", prompt_set.pk))
        jobs += [("import_pool", pool.pk) for pool in prompt_set.pools.all()]
    return jobs


def _newest(jobs: dict[tuple[str, int], Job], upload: Upload) -> Job | None:
    """What is under way with it, else the last that was."""
    found = filter(None, map(jobs.get, _jobs_of(upload)))
    return max(found, key=lambda job: (job.is_active, job.pk), default=None)


@require_GET
@admin_required
def upload_problems(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every bad row, as a table that no spreadsheet runs anything of."""
    upload = get_object_or_404(Upload, pk=pk)
    try:
        file = upload.problems.open("rb")
    except (FileNotFoundError, ValueError):
        raise Http404(gettext("There is no list of bad rows: import the file again.")) from None
    name = f"{upload.file_name}-problems.csv"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv")


@require_POST
@admin_required
def upload_discard(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(Upload, pk=pk)
    discarded = begin_discard(upload, created_by=signed_in(request))
    if discarded is False:
        messages.error(request, stays(upload))
        return redirect("pools:prompt_set_upload", pk=pk)
    if discarded is None:
        said = gettext("A worker discards the file, and the rows that were left.")
        messages.success(request, said)
    else:
        said = gettext("The file %(name)s is discarded.")
        messages.success(request, said % {"name": upload.file_name})
    return redirect("pools:prompt_sets")


@require_GET
@admin_required
def prompt_set_detail(request: HttpRequest, pk: int) -> HttpResponse:
    prompt_set = get_object_or_404(PromptSet.objects.select_related("upload"), pk=pk)
    ready = prompt_set.pools.filter(source=Pool.Source.IMPORTED).first()
    job = last_job("import_pool", ready.pk) if ready else last_job("import_prompts", pk)
    if prompt_set.upload_id and not prompt_set.imported_at and not (job and job.is_active):
        return redirect("pools:prompt_set_upload", pk=prompt_set.upload_id)  # to try again
    shown = prompt_set.prompts.all() if prompt_set.imported_at else prompt_set.prompts.none()
    context = {
        "prompt_set": prompt_set,
        "upload": prompt_set.upload,
        "job": job,
        "page": Paginator(shown, PAGE).get_page(request.GET.get("page")),
        "pools": prompt_set.pools.all(),
    }
    return render(request, "pools/prompt_set.html", context)
