"""The admin's pages about the dataset: what an export would hold, exports, their reports."""

import hashlib
import io
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotate.actions import create_export
from annotate.exporting.archive import Archive, Member
from annotate.exporting.cards import FILTERS, quality_rows
from annotate.exporting.job import SUMS, export_folder, single_file
from annotate.exporting.options import Options
from annotate.exporting.preview import preview
from annotate.exporting.serving import send
from annotate.forms.exports import ExportForm, in_words
from annotate.models import Campaign, Export
from annotate.overview import open_flags
from annotate.queries import current_labels
from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_job
from pairselect.jobs.limits import no_room
from pairselect.jobs.queries import last_jobs, with_subjects
from pairselect.trail.actions import record

MANY = 100_000  # labels, from which a preview takes seconds and is made when it is asked for


@require_http_methods(["GET", "POST"])
@admin_required
def campaign_exports(request: HttpRequest, pk: int) -> HttpResponse:
    """What an export would hold, and on POST without ``preview`` making it. With htmx the preview
    alone, whenever the form is changed."""
    campaign = get_object_or_404(Campaign.objects.select_related("design"), pk=pk)
    if request.method == "GET":
        form = ExportForm(campaign=campaign)
        few = current_labels(campaign).count() <= MANY
        return _page(request, campaign, form, preview(campaign, Options()) if few else None)
    form = ExportForm(request.POST, campaign=campaign)
    only_shown = "preview" in request.POST
    if form.is_valid():
        if only_shown:
            return _page(request, campaign, form, preview(campaign, form.options))
        if refusal := no_room(request):
            return refusal
        _enqueue(request, campaign, form.options)
        return redirect("annotate:campaign_exports", pk=pk)
    if not only_shown:
        messages.error(request, _("Nothing was exported. See what is marked below."))
    return _page(request, campaign, form, None)


def _enqueue(request: HttpRequest, campaign: Campaign, options: Options) -> None:
    person = signed_in(request)
    export = create_export(campaign, options, created_by=person)
    enqueue_job("export_dataset", export.pk, created_by=person)


def _page(request: HttpRequest, campaign: Campaign, form: ExportForm, found: Any) -> HttpResponse:
    context: dict[str, Any] = {
        "campaign": campaign,
        "here": "exports",
        "form": form,
        "preview": found,
        "removed": [(FILTERS[name], n) for name, n in found.removed] if found else [],
        "needs_template": form.is_bound and form.is_valid() and form.options.wanted.needs_template,
    }
    if by_htmx(request):
        return render(request, "annotate/exports.html#preview", context)
    exports = list(campaign.exports.select_related("created_by"))
    jobs = last_jobs(("export_dataset", one.pk) for one in exports if not one.completed_at)
    with_subjects(jobs.values())
    context |= {
        "flag_count": open_flags(campaign).count(),
        "exports": [(one, jobs.get(("export_dataset", one.pk))) for one in exports],
    }
    return render(request, "annotate/exports.html", context)


@require_safe
@admin_required
def export_report(request: HttpRequest, pk: int) -> HttpResponse:
    export = get_object_or_404(_finished().exclude(files=[]), pk=pk)
    report = export.report
    left_out: list[tuple[Any, int]] = [
        (FILTERS[one["filter"]], one["count"]) for one in report["removed"]
    ]
    left_out += [(_(one["reason"]), one["count"]) for one in report["left_out"]]
    context = {
        "campaign": export.campaign,
        "export": export,
        "report": report,
        "quality": list(quality_rows(report)),
        "left_out": left_out,
        "options": in_words(report["options"]),
        "here": "exports",
        "flag_count": open_flags(export.campaign).count(),
    }
    return render(request, "annotate/export_report.html", context)


@require_safe
@admin_required
def export_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """All of it: the folder as one archive, or the one file of an export of earlier times."""
    export = get_object_or_404(_finished(), pk=pk)
    name = export_name(export)
    if not export.files:
        path = _present(single_file(export))
        _note(request, export, export.sha256)
        return send(
            request,
            path.open("rb"),
            size=path.stat().st_size,
            sha256=export.sha256,
            name=f"{name}.jsonl",
        )
    archive = archive_of(export)
    sums = _present(export_folder(export) / SUMS).read_bytes()
    version = name.encode() + b"\n" + sums  # it is within the archive, and changes with a renaming
    _note(request, export, hashlib.sha256(sums).hexdigest(), file=SUMS)
    return send(
        request,
        io.BufferedReader(archive, 1 << 18),
        size=archive.size,
        sha256=hashlib.sha256(version).hexdigest(),
        name=f"{name}.zip",
    )


@require_safe
@admin_required
def export_file(request: HttpRequest, pk: int, name: str) -> HttpResponseBase:
    """One file, by its name in `Export.files`: no other name reaches the disk."""
    export = get_object_or_404(_finished(), pk=pk)
    facts = next((one for one in export.files if one["name"] == name), None)
    if facts is None:
        raise Http404(_("This export has no such file."))
    path = _present(export_folder(export) / facts["name"])
    _note(request, export, facts["sha256"], file=name)
    return send(
        request,
        path.open("rb"),
        size=facts["bytes"],
        sha256=facts["sha256"],
        name=f"{export_name(export)}-{facts['name']}",
    )


def _note(request: HttpRequest, export: Export, sha256: str, file: str = "") -> None:
    """Who has taken the data away. Of the archive, the hash of the list of all files' hashes."""
    if request.method == "GET":
        told: dict[str, Any] = {"export": export.pk, "sha256": sha256, "file": file}
        if "Range" in request.headers:
            told["range"] = request.headers["Range"]
        record("export.downloaded", export.campaign, **told)


def archive_of(export: Export) -> Archive:
    folder, name = export_folder(export), export_name(export)
    return Archive(
        [
            Member(
                _present(folder / one["name"]), f"{name}/{one['name']}", one["bytes"], one["crc32"]
            )
            for one in export.files
        ]
    )


def export_name(export: Export) -> str:
    return f"{slugify(export.campaign.name) or 'campaign'}-{export.format}-{export.pk}"


def _finished() -> Any:
    return Export.objects.filter(completed_at__isnull=False).select_related("campaign")


def _present(path: Path) -> Path:
    if not path.exists():
        raise Http404(_("The file is gone from the data folder: export again."))
    return path
