from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from pydantic import Field

from annotate.actions import create_export
from annotate.exporting.options import Options
from annotate.forms.exports import ExportForm
from annotate.models import Campaign, Export
from annotate.summaries import ExportSummary, export_summary
from annotate.views.exports import export_download, export_file
from pairselect.api.access import Bearer, Queues, Scope, person
from pairselect.api.common import Id, Input, begin, jobs_of, once, percent, valid
from pairselect.api.paging import Page, Paged, page_of
from pairselect.jobs.summaries import JobSummary

router = Router(tags=["Exports"])
FILE: dict[str, Any] = {
    "parameters": [
        {
            "name": "Range",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "description": "bytes=START-, to go on with a download"},
        },
    ],
    "responses": {
        "200": {"description": "The file", "content": {"application/octet-stream": {}}},
        "206": {"description": "The part of it that was asked for"},
    },
}


class ExportBegun(ExportSummary):
    jobs: list[JobSummary]


class ExportInput(Input):
    """What the dataset is to hold. Shares are from 0 to 1."""

    format: str = Field("trl", description="as docs/files.md lists them")
    file_type: Literal["jsonl", "parquet"] = "jsonl"
    one_row: Literal["label", "majority", "posterior"] = Field("label", description="a row for")
    rounds: bool = Field(False, description="the labels of the rounds before this campaign too")
    machines: bool = Field(False, description="the answers of machines too")
    min_agreement: float | None = Field(
        None, description="share of a pair's labels that the most frequent one has"
    )
    min_posterior: float | None = Field(None, description="probability that the chosen is better")
    max_per_prompt: int | None = Field(None, description="rows, in the queue's order")
    leave_flagged: bool = Field(False, description="leave out pairs with an open flag")
    test_share: float = Field(0.0, description="of the prompts, in a file of their own")
    seed: int = Field(0, description="of that split")
    extras: list[str] = Field(
        list(Options.extras), description=f"further files: {', '.join(Options.extras)}"
    )

    def form_data(self) -> dict[str, Any]:
        """As the page's form has it, which has shares in percent."""
        shares = ("min_agreement", "min_posterior", "test_share")
        return self.model_dump() | {name: percent(getattr(self, name)) for name in shares}


@router.get(
    "/campaigns/{campaign_id}/exports",
    auth=Bearer(Scope.EXPORT),
    response=Page[ExportSummary],
    summary="List exports",
)
def list_exports(
    request: HttpRequest, response: HttpResponse, campaign_id: Id, page: Paged
) -> Page[ExportSummary]:
    """The newest first, those that are being written among them."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    rows = _exports().filter(campaign=campaign)
    return page_of(request, response, rows, page, export_summary)


@router.post(
    "/campaigns/{campaign_id}/exports",
    auth=Queues(Scope.EXPORT),
    response={200: ExportBegun, 202: ExportBegun},
    summary="Make an export",
)
def create(request: HttpRequest, campaign_id: Id, body: ExportInput) -> Status[ExportBegun]:
    """Have a worker write the labels that there are now as a dataset. With an Idempotency-Key in
    its header, the same request again finds the same export."""
    campaign = get_object_or_404(Campaign.objects.select_related("design"), pk=campaign_id)
    options = valid(ExportForm(body.form_data(), campaign=campaign)).options

    def make() -> Export:
        return create_export(campaign, options, created_by=person(request))

    export, is_new = once(request, _exports().filter(campaign=campaign), make)
    work = [("export_dataset", export.pk)]
    jobs = jobs_of(work)
    if not jobs and export.completed_at is None:  # new, or broken off before its job was there
        jobs = begin(work, request)
    return Status(202 if is_new else 200, ExportBegun(**export_summary(export), jobs=jobs))


@router.get(
    "/exports/{export_id}",
    auth=Bearer(Scope.EXPORT),
    response=ExportSummary,
    summary="Look at an export",
)
def get_export(request: HttpRequest, export_id: Id) -> ExportSummary:
    """One export: its files with their hashes, and the acceptance report."""
    return export_summary(get_object_or_404(_exports(), pk=export_id))


@router.get(
    "/exports/{export_id}/archive",
    auth=Bearer(Scope.EXPORT),
    openapi_extra=FILE,
    summary="Download all files",
)
def get_archive(request: HttpRequest, export_id: Id) -> HttpResponseBase:
    """All files of an export as one zip archive. A download that broke off goes on with Range."""
    return export_download(request, export_id)


@router.get(
    "/exports/{export_id}/files/{name}",
    auth=Bearer(Scope.EXPORT),
    openapi_extra=FILE,
    summary="Download a file",
)
def get_file(request: HttpRequest, export_id: Id, name: str) -> HttpResponseBase:
    """One file of an export, by its name there. A download that broke off goes on with Range."""
    return export_file(request, export_id, name)


def _exports() -> QuerySet[Export]:
    return Export.objects.select_related("campaign")
