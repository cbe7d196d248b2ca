"""The archive: a gzipped tar of plain files, written and read as a stream.

The manifest comes first and says of each member how long it is and what its SHA-256 is. Whoever
reads trusts nothing else: a member that is no plain file, that the manifest does not name, that is
longer or other than it says, or that comes twice, ends the reading.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from pairselect.backup import BackupError
from pairselect.backup.manifest import MOST_BYTES, NAME, FileFacts, Manifest, read_manifest

CHUNK = 1 << 20
LEVEL = 1  # features hardly shrink at any; the next levels cost twice the time for a few percent
LONGEST_NAME = 1024  # bytes, of a path that has a header of its own
MOST_AFTER = 1 << 16  # bytes after the last member: tar fills up its last record

Progress = Callable[[int], None]  # is told of bytes as they go by


class PlainFile(tarfile.TarInfo):
    """A header that is refused, before anything of it is read, where it is not a plain file's.

    tarfile reads an extended header whole, however long it says it is.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        long_name = found.type == tarfile.GNUTYPE_LONGNAME and found.size <= LONGEST_NAME
        plain = found.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        if found.size < 0 or not (plain or long_name):
            raise BackupError(
                f"The backup holds {found.name[:200]!r}, which is no plain file: it is refused."
            )
        return found


def facts_of(path: Path, told: Progress) -> FileFacts:
    """How long the file is, and what it holds."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            told(len(chunk))
    return FileFacts(size, digest.hexdigest())


def write_archive(
    file: IO[bytes], manifest: Manifest, sources: dict[str, Path], told: Progress
) -> None:
    """Put the manifest and the files that it names into ``file``."""
    with (
        gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):
        content = manifest.to_json()
        archive.addfile(_header(NAME, len(content)), io.BytesIO(content))
        for name, facts in manifest.files.items():
            with sources[name].open("rb") as source:
                archive.addfile(_header(name, facts.bytes), _Counted(source, told))


def read_archive(path: Path) -> tuple[Manifest, Iterator[tuple[str, Iterator[bytes]]]]:
    """The manifest, and its files in turn, each to be read to its end before the next.

    Raises
    ------
    BackupError
        At once, or while it is read: when it is not what the manifest says.
    """
    members = _members(path)
    try:
        first = next(members, None)
        if first is None or first[0].name != NAME or first[0].size > MOST_BYTES:
            raise BackupError(f"{path} is no backup of pairselect: it begins with no manifest.")
        with _damage_is_said(path):
            content = first[1].read()
        manifest = read_manifest(content)
    except BaseException:
        members.close()
        raise
    return manifest, _files(path, manifest, members)


@contextmanager
def _damage_is_said(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError) as problem:
        raise BackupError(f"{path} is damaged, or no backup: {problem}.") from problem


def _members(path: Path) -> Generator[tuple[tarfile.TarInfo, IO[bytes]]]:
    with (
        _damage_is_said(path),
        gzip.open(path) as packed,
        tarfile.open(fileobj=packed, mode="r|", tarinfo=PlainFile) as archive,
    ):
        for header in archive:
            content = archive.extractfile(header)
            assert content is not None  # a plain file's
            yield header, content
        if len(packed.read(MOST_AFTER + 1)) > MOST_AFTER:  # to its end, where gzip's own sum is
            raise BackupError(f"{path} goes on after its end.")


def _files(
    path: Path, manifest: Manifest, members: Iterator[tuple[tarfile.TarInfo, IO[bytes]]]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    missing = dict(manifest.files)
    for header, content in members:
        facts = missing.pop(header.name, None)
        if facts is None or facts.bytes != header.size:
            raise BackupError(f"The backup's {header.name[:200]!r} is not as its manifest says.")
        yield header.name, _checked(path, header.name, facts, content)
    if missing:
        raise BackupError(f"{path} is cut off: {next(iter(missing))!r} is not in it.")


def _checked(path: Path, name: str, facts: FileFacts, content: IO[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    while True:
        with _damage_is_said(path):
            chunk = content.read(CHUNK)
        if not chunk:
            break
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != facts.sha256:
        raise BackupError(f"The backup's {name!r} has changed: its SHA-256 is another.")


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


class _Counted:
    """A file whose reader is counted; tarfile asks for no more than the size that it was told."""

    def __init__(self, file: IO[bytes], told: Progress) -> None:
        self._file, self._told = file, told

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._told(len(chunk))
        return chunk


def write_durably(path: Path, chunks: Iterator[bytes]) -> None:
    """A new private file of these bytes; one that is there already is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
