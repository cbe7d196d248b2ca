"""A file that is read under the eyes of a job: it can be stopped, and says how far it is."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pairselect.jobs.progress import JobError, JobProgress, in_words
from pairselect.pools.imports import NOTHING
from pairselect.pools.models import Upload
from pairselect.pools.reading import UnreadableFile

BUFFER = 1 << 18  # bytes: some milliseconds between two looks at the job
SAY_EVERY = 0.5  # seconds


class WatchedFile(io.RawIOBase):
    """Raises ``JobStopped`` from the next read once the job should stop.

    So a cancellation ends even what yields no row, such as a bomb that unpacks to one long line.
    """

    def __init__(self, file: BinaryIO, size: int, progress: JobProgress) -> None:
        self._file, self._size, self._progress = file, size, progress
        self.on_read: Callable[[], None] = progress.check

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.on_read()
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return min(1.0, self._file.tell() / self._size) if self._size else 1.0


class Pace:
    """Says how many rows have been read, how fast, and when the file will end."""

    def __init__(self, file: WatchedFile, progress: JobProgress, verb: str) -> None:
        self._file, self._progress, self._verb = file, progress, verb
        self._began = self._said = time.monotonic()
        self.rows = 0
        file.on_read = self.say  # also where no row comes for long

    def say(self) -> None:
        """Cheap enough for every thousand rows."""
        self._progress.check()
        now = time.monotonic()
        if now - self._said < SAY_EVERY:
            return
        self._said, seconds, share = now, now - self._began, self._file.share
        left = f", {in_words(seconds * (1 - share) / share)} left" if 0 < share < 1 else ""
        pace = f"{self.rows / seconds:,.0f} rows a second"
        words = f"{self.rows:,} rows {self._verb}, {pace}{left}"
        self._progress.report(0, 0, words)


@contextmanager
def open_watched(upload: Upload, progress: JobProgress) -> Iterator[tuple[BinaryIO, WatchedFile]]:
    """The upload's file, for reading, and the watch over it.

    Raises
    ------
    JobError
        Where the file is gone, or where what reads it finds that nobody can.
    """
    try:
        file = upload.file.open("rb")
    except (FileNotFoundError, ValueError) as problem:
        raise JobError(
            f"{NOTHING}: the file is gone from the data folder. Upload it again."
        ) from problem
    with file:
        watched = WatchedFile(file, upload.size or file.size, progress)
        try:
            yield io.BufferedReader(watched, BUFFER), watched
        except UnreadableFile as problem:
            progress.check()  # a stop that a reader took for a broken file
            raise JobError(f"{NOTHING}. {problem}") from problem
