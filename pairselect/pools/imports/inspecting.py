"""The first look at a file: only its beginning is read."""

from typing import Any

from django.conf import settings

from pairselect.jobs.progress import JobProgress
from pairselect.pools.imports.discarding import remove_abandoned_files
from pairselect.pools.imports.watching import open_watched
from pairselect.pools.models import Upload
from pairselect.pools.reading import Limits, preview


def limits() -> Limits:
    """What the operator allows of one file."""
    return Limits(
        expanded_bytes=settings.PAIRSELECT_MAX_UNPACKED,
        rows=settings.PAIRSELECT_MAX_ROWS,
        characters=settings.PAIRSELECT_MAX_CHARACTERS,
    )


def inspect_upload(upload_id: int, progress: JobProgress) -> None:
    """Keep what can be recognised in the file: format, columns, first rows, a mapping."""
    remove_abandoned_files()
    upload = Upload.objects.get(pk=upload_id)
    if upload.preview is not None:
        return
    with open_watched(upload, progress) as (file, _):
        found = preview(file, limits())
    upload.preview = storable(found.as_dict())
    upload.save(update_fields=["preview"])


def storable(value: Any) -> Any:
    """The same in texts that PostgreSQL takes: it knows no NUL and no half of a surrogate pair."""
    if isinstance(value, dict):
        return {storable(key): storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one) for one in value]
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return value
