"""Files sent so that a download that broke off goes on where it was.

RFC 9110, sections 13.1.5 (If-Range) and 14 (Range). Of whitenoise, which the static files use,
the ranges have no If-Range and refuse a single byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

BLOCK = 1 << 18
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
TYPES = {
    "jsonl": "application/jsonl",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}


class Unsatisfiable(ValueError):
    """A range that begins after the end."""


def send(
    request: HttpRequest, file: IO[bytes], *, size: int, sha256: str, name: str
) -> HttpResponseBase:
    """The file, or the range of it that is asked for, as a download. It is closed afterwards."""
    headers = {
        "ETag": f'"{sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Content-Type": TYPES.get(name.rpartition(".")[2], "text/plain; charset=utf-8"),
    }
    start, end, status = 0, size, 200
    try:
        found = wanted_range(request, size, headers["ETag"])
    except Unsatisfiable:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    if found is not None:
        (start, end), status = found, 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    file.seek(start)
    return StreamingHttpResponse(_Blocks(file, end - start), status=status, headers=headers)


def wanted_range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """The one range that is asked for, its end exclusive; None: all of it.

    Several ranges, or one that cannot be read, are answered with all, as the RFC allows; so is
    one of another version of the file.

    Raises
    ------
    Unsatisfiable
        When it begins after the end of the file.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if request.method != "GET" or match is None or not any(match.groups()):
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, end


class _Blocks:
    """So many bytes of a file from where it stands. The response closes it."""

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file, self._left = file, left
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (block := self._file.read(min(BLOCK, self._left))):
            self._left -= len(block)
            yield block
