"""Files in: kept, looked at by a worker, and imported as what they are confirmed to be."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import StopUpload
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.datastructures import MultiValueDict
from ninja import Router, Status
from pydantic import Field
from typing_extensions import TypedDict

from pairselect.api.access import Bearer, Queues, Scope, person
from pairselect.api.common import Id, Input, begin, jobs_of, valid
from pairselect.api.errors import ApiError
from pairselect.jobs.summaries import JobSummary
from pairselect.pools.imports.confirming import begin_import, work_for
from pairselect.pools.imports.staging import stage_upload
from pairselect.pools.models import Pool, Upload
from pairselect.pools.reading import Columns, Preview
from pairselect.pools.summaries import (
    PoolSummary,
    PromptSetSummary,
    UploadSummary,
    pool_summary,
    prompt_set_summary,
    upload_summary,
)
from pairselect.pools.upload_forms import UploadForm
from pairselect.pools.upload_handler import StagingHandler, is_too_large, too_large

router = Router(tags=["Uploads"])
CHUNK = 1 << 20
TYPES = {  # of a body that is the file itself: what it is called where it is not named
    "application/x-ndjson": "upload.jsonl",
    "application/jsonl": "upload.jsonl",
    "application/json": "upload.json",
    "text/csv": "upload.csv",
    "application/octet-stream": "upload",
}
MULTIPART = {
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {"type": "string", "maxLength": 100},
        "file": {"type": "string", "format": "binary"},
        "model": {"type": "string", "description": "what wrote the completions"},
    },
}
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": MULTIPART},
        **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES},
    },
}


class UploadBegun(UploadSummary):
    jobs: list[JobSummary]


class Imported(TypedDict):
    prompt_set: PromptSetSummary
    pool: PoolSummary | None  # of a file with completions
    jobs: list[JobSummary]


class ImportInput(Input):
    name: str | None = Field(None, description="of the prompt set, and of the pool; else as sent")
    kind: str | None = Field(None, description="prompts, pool or preferences; else as recognised")
    columns: dict[str, str | list[str]] | None = Field(
        None, description="which column is what, such as {“prompt”: “question”}; else as recognised"
    )
    model: str = Field("", description="what wrote the completions")
    merge_duplicates: bool = Field(
        False, description="keep the first of equal prompts, with the completions of all"
    )


@router.post(
    "",
    auth=Queues(Scope.PREPARE),
    response={201: UploadBegun},
    openapi_extra={"requestBody": BODY},
    summary="Upload a file",
)
def create_upload(
    request: HttpRequest, name: str = "", model: str = "", file_name: str = ""
) -> Status[UploadBegun]:
    """A file of prompts, a ready pool or preferences: JSONL, JSON, CSV or Parquet, also packed.

    Sent as a form, or as the body itself with ``name`` in the address. A worker looks at it;
    once that job is done, confirm what it is with an import.
    """
    if is_too_large(request):
        raise ApiError(413, too_large(), field="file")
    handler, user = StagingHandler(request), person(request)
    content_type = (request.content_type or "").lower()
    if content_type == "multipart/form-data":
        request.upload_handlers = [handler]
        upload = _keep(UploadForm(request.POST, request.FILES), handler, user)
    else:
        file = _body(request, handler, content_type, file_name)
        files = MultiValueDict({"file": [file]} if file else {})
        try:
            upload = _keep(UploadForm({"name": name, "model": model}, files), handler, user)
        finally:
            if file is not None:
                file.close()  # of a form, Django does
    jobs = begin([("inspect_upload", upload.pk)], request)
    return Status(201, UploadBegun(**upload_summary(upload), jobs=jobs))


@router.get(
    "/{upload_id}", auth=Bearer(Scope.READ), response=UploadSummary, summary="Look at an upload"
)
def get_upload(request: HttpRequest, upload_id: Id) -> UploadSummary:
    """What was recognised in a file, and what it became."""
    return upload_summary(get_object_or_404(Upload, pk=upload_id))


@router.post(
    "/{upload_id}/import",
    auth=Queues(Scope.PREPARE),
    response={202: Imported},
    summary="Import an upload",
)
def import_upload(request: HttpRequest, upload_id: Id, body: ImportInput) -> Status[Imported]:
    """Confirm what the file is; a worker imports all of it or nothing. Asked again while that
    runs, or after it, it changes nothing."""
    upload = get_object_or_404(Upload, pk=upload_id)
    if upload.preview is None:
        raise ApiError(409, "A worker has not looked at this file yet. Wait for its job to end.")
    target = begin_import(
        upload,
        columns=_columns(Preview.from_dict(upload.preview), body),
        name=upload.name if body.name is None else body.name,
        model=body.model or upload.model,
        merge_duplicates=body.merge_duplicates,
        created_by=person(request),
    )
    pool = target if isinstance(target, Pool) else None
    prompt_set = target.prompt_set if isinstance(target, Pool) else target
    return Status(
        202,
        Imported(
            prompt_set=prompt_set_summary(prompt_set),
            pool=pool_summary(pool) if pool else None,
            jobs=jobs_of(work_for(target)),
        ),
    )


def _keep(form: UploadForm, handler: StagingHandler, user: User) -> Upload:
    if handler.refusal:
        raise ApiError(413, handler.refusal, field="file")
    data = valid(form).cleaned_data
    return stage_upload(
        data["file"],
        name=data["name"],
        file_name=data["file"].name,
        model=data["model"],
        created_by=user,
    )


def _columns(preview: Preview, body: ImportInput) -> Columns:
    recognised = preview.mapping.as_dict() if preview.mapping else {}
    kind = body.kind or recognised.get("kind")
    if body.columns is None and (not recognised or kind != recognised["kind"]):
        said = preview.problem or f"No columns of a file of {kind} were recognised."
        raise ApiError(422, f"{said} Say which column is what.", field="columns")
    columns: dict[str, Any] = {name: one for name, one in recognised.items() if name != "kind"}
    if body.columns is not None:
        columns = dict(body.columns)
    try:
        return Columns.from_dict({"kind": kind or "prompts"} | columns)
    except (ValueError, TypeError) as problem:
        raise ApiError(422, str(problem), field="columns") from problem


def _body(
    request: HttpRequest, handler: StagingHandler, content_type: str, file_name: str
) -> UploadedFile | None:
    """The body as a file, on the disk as it comes."""
    if content_type not in TYPES:
        raise ApiError(
            415,
            f"Send a form, or the file itself as one of {', '.join(TYPES)}.",
        )
    try:
        handler.new_file("file", file_name or TYPES[content_type], content_type, None, None)
    except SuspiciousFileOperation:
        raise ApiError(422, "That is no file's name.", field="file_name") from None
    size = 0
    try:
        while chunk := request.read(CHUNK):
            handler.receive_data_chunk(chunk, size)
            size += len(chunk)
    except StopUpload:
        return None
    return handler.file_complete(size)
