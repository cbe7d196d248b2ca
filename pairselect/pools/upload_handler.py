"""An upload goes to the disk as it comes, is hashed on the way, and ends at the limit."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.utils.translation import gettext

from pairselect.pools.words import localised, whole

ROOM_FOR_FIELDS = 1 << 20  # bytes of a request that are not the file's


class StagedFile(TemporaryUploadedFile):
    """Beside the place where it will stay, so that keeping it is a rename; gone when closed."""

    sha256 = ""

    def __init__(self, name: str, content_type: str, charset: str | None) -> None:
        folder = Path(settings.MEDIA_ROOT)
        folder.mkdir(parents=True, exist_ok=True)
        file: Any = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115
        UploadedFile.__init__(self, file, name, content_type, 0, charset)


class StagingHandler(FileUploadHandler):
    """Keeps one file; ``refusal`` is the sentence for one that is too large."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.refusal = ""
        self._kept: StagedFile | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._kept is not None:
            self._kept.close()
        self._kept = StagedFile(self.file_name or "", self.content_type or "", self.charset)
        self._digest = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.PAIRSELECT_MAX_UPLOAD:
            self.refusal = too_large()
            self.upload_interrupted()
            raise StopUpload(connection_reset=True)
        assert self._kept is not None
        self._digest.update(raw_data)
        self._kept.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        kept = self._kept
        if kept is None:
            return None
        kept.seek(0)
        kept.size, kept.sha256 = file_size, self._digest.hexdigest()
        self._kept = None
        return kept

    def upload_interrupted(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def is_too_large(request: HttpRequest) -> bool:
    """Whether the request says so itself, before any of it is read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) > settings.PAIRSELECT_MAX_UPLOAD + ROOM_FOR_FIELDS


def too_large() -> str:
    said = gettext("The file is larger than %(limit)s. Pack it with gzip or zstd, or split it.")
    return said % {"limit": _size_limit()}


def _size_limit() -> str:
    """As the operator writes it: 2GB are 2,000,000,000 bytes."""
    most = settings.PAIRSELECT_MAX_UPLOAD
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if most >= size:
            return f"{localised(f'{most / size:.4g}')} {unit}"
    return gettext("%(number)s bytes") % {"number": whole(most)}
