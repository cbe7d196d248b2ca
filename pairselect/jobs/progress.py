"""What a running job reports, and how it learns that it must stop."""

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType

from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import timezone

from pairselect.jobs.models import Job

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
FENCE_SECONDS = 10.0  # without a beat, the claim is looked at before work goes on
PACE_SECONDS = 5.0  # of work, before it says how much is left
MOST_NOTICES = 20

Listener = Callable[[int, int, str], None]


def in_words(seconds: float) -> str:
    """About how long: "40 s", "12 min", "3.5 h", "2 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"


class JobError(Exception):
    """The job cannot go on; the message is one sentence for the person who started it."""


class JobStopped(Exception):
    """The job was cancelled, or another worker has taken it over."""


class JobProgress:
    """Counts in memory; a thread of its own writes them and the heartbeat to the database.

    So the work never waits for a write, and the heart beats through a long step too.
    """

    def __init__(self, job: Job, *, listener: Listener | None = None) -> None:
        self._job = job
        self._listener = listener
        self._done, self._total, self._message = job.done, job.total, ""
        self._began: tuple[float, int] | None = None  # when this stretch of work began, and where
        self._notices = job.notices.splitlines()
        self._stop = threading.Event()
        self._finished = threading.Event()
        self.was_lost = False
        self._beaten = time.monotonic()  # or tried to, in vain

    def __enter__(self) -> "JobProgress":
        beating = copy_context().run  # so that its log lines name the job too
        self._thread = threading.Thread(target=beating, args=[self._beat_until_finished])
        self._thread.daemon = True
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finished.set()
        self._thread.join()

    def report(self, done: int, total: int, message: str = "") -> None:
        """Say how far the job is, and raise ``JobStopped`` if it should not go on."""
        if self._began is None or total != self._total or done < self._done:
            self._began = (time.monotonic(), done)
        self._done, self._total, self._message = done, total, message[:400]
        if self._listener:
            self._listener(done, total, message)
        self.check()

    def notice(self, text: str) -> None:
        """Keep a sentence on something that happened and did not end the work."""
        self._notices = [*self._notices, text][-MOST_NOTICES:]
        logger.warning("job %s: %s", self._job.pk, text)

    @property
    def done(self) -> int:
        return self._done

    def should_stop(self) -> bool:
        """Whether to end: cancelled, or the job is another worker's by now.

        A process that was stopped for a while, or a machine that slept, asks first of all whose
        the job is: its thread that beats has been asleep as well.
        """
        if time.monotonic() - self._beaten > FENCE_SECONDS:
            self._try_to_beat()
        return self._stop.is_set()

    def check(self) -> None:
        if self.should_stop():
            raise JobStopped

    def facts(self) -> dict[str, int | str]:
        return {
            "done": self._done,
            "total": self._total,
            "message": ", ".join(filter(None, (self._message, self._time_left()))),
            "notices": "\n".join(self._notices),
        }

    def _time_left(self) -> str:
        if self._began is None or not self._total:
            return ""
        since, start = self._began
        seconds, made = time.monotonic() - since, self._done - start
        if seconds < PACE_SECONDS or made <= 0:
            return ""
        left = (self._total - self._done) * seconds / made
        return f"{in_words(left)} left" if left >= 1 else ""

    def beat(self) -> None:
        """Write heartbeat and progress; learn of a cancellation or of a lost claim."""
        mine = Job.objects.filter(
            pk=self._job.pk, attempt=self._job.attempt, status=Job.Status.RUNNING
        )
        if not mine.update(heartbeat_at=timezone.now(), **self.facts()):
            self.was_lost = True
            self._stop.set()
        elif mine.filter(cancel_requested=True).exists():
            self._stop.set()
        self._beaten = time.monotonic()

    def _try_to_beat(self) -> None:
        try:
            self.beat()
        except AnyDatabaseError:
            logger.warning("job %s: heartbeat not written", self._job.pk)
            self._beaten = time.monotonic()
            if not connection.in_atomic_block:
                connection.close()

    def _beat_until_finished(self) -> None:
        try:
            while not self._finished.wait(BEAT_SECONDS):
                self._try_to_beat()
        finally:
            connection.close()
