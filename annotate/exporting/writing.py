"""Files written as their rows come, with count, size, SHA-256 and CRC-32."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from annotate.exporting.columns import Type, arrow_schema, fits

BLOCK = 1 << 20  # bytes handed on at a time
WAITING = 4  # blocks at most
CHECKED = 200  # of a file's first rows, against each column's type
GROUP = 5_000  # rows of a Parquet row group, at most …
GROUP_BYTES = 16 << 20  # … and about how much: Python and Arrow each hold it once


@dataclass(frozen=True)
class FileFacts:
    """One entry of `Export.files`. ``rows`` is None of a file that has none."""

    name: str
    rows: int | None
    bytes: int
    sha256: str
    crc32: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class RowFile(Protocol):
    """A file of rows that is being written."""

    def add(self, row: dict[str, Any]) -> None: ...

    def close(self) -> FileFacts: ...

    def abandon(self) -> None: ...


class WrongType(TypeError):
    """A row that is not as its columns were announced: a fault of this program."""


def row_file(folder: Path, name: str, columns: Mapping[str, Type]) -> RowFile:
    """A file of rows, in the type that its name ends with."""
    kind = Parquet if name.endswith(".parquet") else Lines
    return kind(folder / name, columns)


class Stream:
    """Bytes to the disk and through the hashes, in a thread of its own: neither needs Python."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("wb")
        self._sha256, self._crc32, self._size = hashlib.sha256(), 0, 0
        self._blocks: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._problem: OSError | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def write(self, block: bytes) -> int:
        if self._problem:
            raise self._problem
        self._blocks.put(bytes(block))
        return len(block)

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._problem:
                continue  # the writer learns of it with its next block
            self._sha256.update(block)
            self._crc32 = zlib.crc32(block, self._crc32)
            self._size += len(block)
            try:
                self._file.write(block)
            except OSError as problem:
                self._problem = problem

    def _end(self) -> None:
        self._blocks.put(None)
        self._thread.join()

    def finish(self, rows: int | None) -> FileFacts:
        self._end()
        with self._file:
            if self._problem:
                raise self._problem
            self._file.flush()
            os.fsync(self._file.fileno())
        digest = self._sha256.hexdigest()
        return FileFacts(self._path.name, rows, self._size, digest, self._crc32)

    def abandon(self) -> None:
        self._end()
        self._file.close()


class Lines:
    """JSON Lines."""

    def __init__(self, path: Path, columns: Mapping[str, Type]) -> None:
        self._stream, self._columns = Stream(path), columns
        self._lines: list[bytes] = []
        self._bytes, self._rows = 0, 0

    def add(self, row: dict[str, Any]) -> None:
        if self._rows < CHECKED:
            check_types(row, self._columns)
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        self._rows += 1
        self._bytes += len(line)
        if self._bytes >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._stream.write(b"".join(self._lines))
        self._lines, self._bytes = [], 0

    def close(self) -> FileFacts:
        self._flush()
        return self._stream.finish(self._rows)

    def abandon(self) -> None:
        self._stream.abandon()


class Parquet:
    """Parquet with zstd, a few thousand rows a group, or fewer long ones."""

    def __init__(self, path: Path, columns: Mapping[str, Type]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._stream, self._columns = Stream(path), columns
        self._schema = arrow_schema(columns)
        self._to = pa.PythonFile(_Counted(self._stream), mode="w")
        self._writer = pq.ParquetWriter(self._to, self._schema, compression="zstd")
        self._pending: list[dict[str, Any]] = []
        self._bytes, self._rows = 0, 0

    def add(self, row: dict[str, Any]) -> None:
        if self._rows < CHECKED:
            check_types(row, self._columns)
        self._pending.append(row)
        self._rows += 1
        self._bytes += len(orjson.dumps(row))  # little beside what Arrow takes for the row
        if len(self._pending) >= GROUP or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._pending, self._schema))
        self._pending, self._bytes = [], 0

    def close(self) -> FileFacts:
        if self._pending:
            self._flush()
        self._writer.close()
        return self._stream.finish(self._rows)

    def abandon(self) -> None:
        self._stream.abandon()


class _Counted:
    """What pyarrow asks of a file that is only written to."""

    closed = False

    def __init__(self, stream: Stream) -> None:
        self._stream, self._at = stream, 0

    def write(self, block: bytes) -> int:
        self._at += self._stream.write(block)
        return len(block)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None: ...

    def close(self) -> None: ...


def check_types(row: Mapping[str, Any], columns: Mapping[str, Type]) -> None:
    """Against the announced columns, by which loaders are told what to expect.

    Raises
    ------
    WrongType
        Naming the column.
    """
    if row.keys() != columns.keys():
        raise WrongType(f"The row has the columns {list(row)}, announced were {list(columns)}.")
    for name, kind in columns.items():
        if not fits(row[name], kind):
            raise WrongType(f"The column {name} is not {kind}: {row[name]!r}")


def text_file(folder: Path, name: str, text: str) -> FileFacts:
    """A file that has no rows."""
    stream = Stream(folder / name)
    stream.write(text.encode())
    return stream.finish(None)
