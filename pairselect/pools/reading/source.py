"""A file, unpacked: gzip and zstd are taken off, and no more bytes come out than are allowed."""

import gzip
import io
import os
import stat
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO

from pairselect.pools.reading.rows import TooLarge, UnreadableFile

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # bytes 2 to 4 of a frame that holds no data
BUFFER = 1 << 20


def open_file(path: str | Path) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    UnreadableFile
        If it is not there, may not be read, or is a folder or a device.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFile(f"{path} is a folder; name one file in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableFile(f"{path} is not an ordinary file; save the data to one first.")
        return open(path, "rb")
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}; check the path.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{path} cannot be opened ({why}).") from None


def compression_of(head: bytes) -> str:
    """``gzip``, ``zstd`` or nothing, by the first bytes."""
    if head.startswith(GZIP):
        return "gzip"
    if head.startswith(ZSTD) or (head[1:4] == ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        return "zstd"
    return ""


class Source(io.RawIOBase):
    """The unpacked bytes of a file, from its beginning.

    Parameters
    ----------
    file
        Binary and seekable. It is not closed.
    most
        Bytes that may come out; one more raises :class:`TooLarge`.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file = file
        self.most = most
        self.taken = 0
        try:
            file.seek(0)
            self.compression = compression_of(file.read(4))
            file.seek(0)
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"The file cannot be read ({error}).") from None
        self.inner: Any = _unpacking(file, self.compression)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.inner.read(len(buffer))
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise UnreadableFile(self._why(error)) from None
        self.taken += len(data)
        if self.taken > self.most:
            raise TooLarge(
                f"The file unpacks to more than {self.most:,} bytes; split it into smaller files."
            )
        buffer[: len(data)] = data
        return len(data)

    def _why(self, error: Exception) -> str:
        if not self.compression:
            return f"The file cannot be read to its end ({error})."
        words = str(error).lower()
        if isinstance(error, EOFError) or "truncated" in words:
            return (
                f"The {self.compression} file is cut short: it ends before its data does; "
                "pack it again, or copy it again."
            )
        if "unsupported frame parameter" in words or "too much memory" in words:
            return (
                "The zstd file needs too large a window to unpack; "
                "pack it again without --long or --ultra."
            )
        return f"The {self.compression} file is damaged ({error}); pack it again, or copy it again."


class _Kept:
    """A file that Arrow cannot close when it is done with it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read

    def close(self) -> None:
        pass


def _unpacking(file: IO[bytes], compression: str) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if compression == "zstd":
        # Imported late: forms in the web process need the columns of this package, not Arrow.
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(_Kept(file), mode="r"), "zstd")
    return file


def spooled(reader: io.BufferedReader) -> IO[bytes]:
    """The unpacked bytes as a file that can be sought, in the memory while it is small."""
    copy = tempfile.SpooledTemporaryFile(max_size=16 * BUFFER)  # noqa: SIM115 (the caller closes it)
    while block := reader.read(BUFFER):
        copy.write(block)
    copy.seek(0)
    return copy
