"""Which process runs a job, and whether it still exists."""

import os
import socket
from functools import cache

import psutil


@cache
def _identity(pid: int) -> str:
    # The start time tells a process from a later one that was given the same number.
    return f"{socket.gethostname()}/{pid}/{int(psutil.Process(pid).create_time())}"


def this_worker() -> str:
    return _identity(os.getpid())


def is_known_dead(worker: str) -> bool:
    """Whether the process is gone for certain: only this machine's own can be known."""
    host, _, rest = worker.partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        process = psutil.Process(int(pid))
        return (
            int(process.create_time()) != int(started) or process.status() == psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
