"""Which process runs a job, and whether it still exists."""

import os
import socket
from functools import cache
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The clock may be set while a process runs, and its start is reckoned from the clock.
SAME_START_SECONDS = 120


@cache
def _machine() -> str:
    """Host and boot: containers and cloned machines share names, not boots and names."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return f"{socket.gethostname()}:{boot}"


@cache
def _identity(pid: int) -> str:
    # The start time tells a process from a later one that was given the same number.
    return f"{_machine()}/{pid}/{int(psutil.Process(pid).create_time())}"


def this_worker() -> str:
    return _identity(os.getpid())


def pid_here(worker: str) -> int | None:
    """The number of the worker's process, if it is one of this machine's."""
    machine, _, rest = worker.partition("/")
    pid = rest.partition("/")[0]
    return int(pid) if machine == _machine() and pid.isdigit() else None


def is_known_dead(worker: str) -> bool:
    """Whether the process is gone for certain: only this machine's own can be known."""
    machine, _, rest = worker.partition("/")
    pid, _, started = rest.partition("/")
    if machine != _machine() or not (pid.isdigit() and started.isdigit()):
        return False
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return bool(abs(process.create_time() - int(started)) > SAME_START_SECONDS)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
