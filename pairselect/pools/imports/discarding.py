"""Away with files: an upload that nobody wants, and what killed processes left."""

import time
from contextlib import suppress
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.utils.translation import gettext

from pairselect.jobs.actions import JobBusy, enqueue_job
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.imports.staging import DISCARD, discard_upload, discard_without_rows
from pairselect.pools.models import Upload

UNFINISHED = ("*.upload", "problems/*.part")  # below MEDIA_ROOT, while they are written
ABANDONED_AFTER = 24 * 3600  # seconds since the last byte


def begin_discard(upload: Upload, *, created_by: User | None = None) -> bool | None:
    """Discard the upload at once; where a killed import left rows, by a worker.

    Returns what `discard_upload` does, or None where a worker will have to see to it.
    """
    discarded = discard_without_rows(upload)
    if discarded is None:
        with suppress(JobBusy):  # a worker is at it
            enqueue_job(DISCARD, upload.pk, created_by=created_by)
    return discarded


def discard_in_worker(upload_id: int, progress: JobProgress) -> None:
    upload = Upload.objects.filter(pk=upload_id).first()
    if upload is not None and not discard_upload(upload, progress):
        raise JobError(stays(upload))


def stays(upload: Upload) -> str:
    said = gettext(
        "“%(name)s” stays: it is imported or on its way, or a design waits for its pool."
    )
    return said % {"name": upload}


def remove_abandoned_files() -> None:
    """Uploads and lists of bad rows whose process was killed while it wrote them."""
    late = time.time() - ABANDONED_AFTER
    root = Path(default_storage.path(""))
    for pattern in UNFINISHED:
        for path in root.glob(pattern):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < late:
                    path.unlink()
