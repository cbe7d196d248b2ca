"""What ends work before its time: as a sentence; and a database that is away, waited for."""

import errno
import time

from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError, connection

WAIT_SECONDS = 1.0  # between two tries
DISK_FULL = ("database or disk is full", "no space left on device")  # SQLite's words, PostgreSQL's
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


def is_away(problem: BaseException) -> bool:
    """Whether the same may work later: the connection is gone, or others held SQLite's lock.

    False where the database answers and does not take what it was given.
    """
    if not isinstance(problem, OperationalError | InterfaceError):
        return False
    if connection.vendor == "sqlite":
        return "locked" in str(problem)
    return connection.connection is None or not connection.is_usable()


def wait_for_database() -> None:
    """Return when the database answers, on a new connection."""
    while True:
        try:
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except AnyDatabaseError:
            time.sleep(WAIT_SECONDS)
        else:
            return


def in_a_sentence(problem: Exception) -> str:
    """What a person may be told of a failure that no handler foresaw."""
    said = str(problem).lower()
    full = isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)
    if isinstance(problem, AnyDatabaseError):
        full = any(words in said for words in DISK_FULL)
    if full:
        return "The disk is full. Make room, then retry: what was finished is kept."
    if isinstance(problem, MemoryError) or any(words in said for words in OUT_OF_MEMORY):
        return (
            "There is not enough memory. End what else uses it, or choose a smaller model, then "
            "retry: what was finished is kept."
        )
    if isinstance(problem, OSError):
        return f"{problem.strerror or type(problem).__name__}: {problem.filename or problem}."
    if isinstance(problem, AnyDatabaseError):
        return f"The database refused: {problem}. Mend it, then retry the job."
    return f"Unexpected {type(problem).__name__}: {problem}. The worker's log has the details."
