"""All files of an export as one zip archive that is never written.

The archive is stored, not compressed, so it is the files with a few bytes before each and a table
at the end: where every byte of it comes from is known from the files' names, sizes and CRC-32.
So it takes no room on the disk, and any part of it can be sent.

Reference: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 to 4.3.16 (ends), 4.5.3 (zip64).
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

UTF8, STORED, VERSION, UNIX = 0x800, 0, 45, 3
NO_TIME = (0, 0x21)  # 1980-01-01 00:00, the format's zero: equal files make equal archives
MODE = 0o100644 << 16
FOLLOWS_64 = 0xFFFFFFFF


class Member(NamedTuple):
    path: Path
    name: str  # within the archive
    bytes: int
    crc32: int


class Archive(io.RawIOBase):
    """The archive as a file to read and seek in."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._pieces: list[bytes | Member] = []
        self._starts: list[int] = []
        self.size = 0
        self._at = 0
        self._open: tuple[Path, BinaryIO] | None = None
        table = b""
        for one in members:
            table += _central(one, self.size)
            self._put(_local(one), len(_local(one)))
            self._put(one, one.bytes)
        end = _end(len(members), len(table), self.size)
        self._put(table + end, len(table) + len(end))

    def _put(self, piece: bytes | Member, size: int) -> None:
        if size:
            self._pieces.append(piece)
            self._starts.append(self.size)
            self.size += size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._at >= self.size:
            return 0
        place = bisect_right(self._starts, self._at) - 1
        piece, offset = self._pieces[place], self._at - self._starts[place]
        if isinstance(piece, bytes):
            found = piece[offset : offset + len(buffer)]
        else:
            file = self._file(piece.path)
            file.seek(offset)
            found = file.read(min(len(buffer), piece.bytes - offset))
            if not found:
                raise OSError(f"{piece.name} is shorter than it was")
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _file(self, path: Path) -> BinaryIO:
        if self._open is None or self._open[0] != path:
            if self._open is not None:
                self._open[1].close()
            self._open = path, path.open("rb")
        return self._open[1]

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()


def _local(one: Member) -> bytes:
    name = one.name.encode()
    extra = struct.pack("<HHQQ", 1, 16, one.bytes, one.bytes)  # zip64, whatever the size
    head = struct.pack(
        "<4sHHHHHLLLHH",
        b"PK\x03\x04", VERSION, UTF8, STORED, *NO_TIME, one.crc32,
        FOLLOWS_64, FOLLOWS_64, len(name), len(extra),
    )  # fmt: skip
    return head + name + extra


def _central(one: Member, offset: int) -> bytes:
    name = one.name.encode()
    extra = struct.pack("<HHQQQ", 1, 24, one.bytes, one.bytes, offset)
    head = struct.pack(
        "<4sBBHHHHHLLLHHHHHLL",
        b"PK\x01\x02", VERSION, UNIX, VERSION, UTF8, STORED, *NO_TIME, one.crc32,
        FOLLOWS_64, FOLLOWS_64, len(name), len(extra), 0, 0, 0, MODE, FOLLOWS_64,
    )  # fmt: skip
    return head + name + extra


def _end(count: int, table: int, offset: int) -> bytes:
    end_64 = struct.pack(
        "<4sQBBHLLQQQQ",
        b"PK\x06\x06", 44, VERSION, UNIX, VERSION, 0, 0, count, count, table, offset,
    )  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, offset + table, 1)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, count, count, FOLLOWS_64, FOLLOWS_64, 0)
    return end_64 + locator + end
