"""Web server and workers as children of one process: started, watched, restarted, stopped.

Nothing here knows of Django, so that the supervisor of a broken installation still speaks.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 4.0  # then SIGKILL: jobs survive that, and a worker's batch may take longer
QUICK_DEATH = 5.0  # a child that lived shorter than this waits before it is started again
MOST_QUICK_DEATHS = 5  # of a child that has never lived longer
LONGEST_WAIT = 30.0
PR_SET_PDEATHSIG = 1


class PortTaken(Exception):
    pass


class ChildBroken(Exception):
    pass


@dataclass
class Child:
    """A process to keep alive. ``orphan_signal`` reaches it if the supervisor is killed."""

    name: str
    command: Sequence[str]
    orphan_signal: int
    folder: Path | None = None  # that it works in
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    not_before: float = 0.0
    quick_deaths: int = 0
    has_lived: bool = False

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor, which stops them in order
            preexec_fn=_die_with_parent(self.orphan_signal),
        )

    def keep_alive(self, say: Callable[[str], None]) -> None:
        """Start the process again if it has ended, after a while if it ended at once.

        Raises
        ------
        ChildBroken
            When it has only ever ended at once. One that has lived is started again for ever:
            what it needs, such as the database, is away and will come back.
        """
        now = time.monotonic()
        if self.process is None:
            if now >= self.not_before:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        _signal_group(self.process, signal.SIGKILL)  # what is left of it holds its port
        self.process = None
        if now - self.started > QUICK_DEATH:
            self.has_lived, self.quick_deaths = True, 0
            say(f"{self.name} ended ({_reason(code)}): started again")
            return
        self.quick_deaths += 1
        if not self.has_lived and self.quick_deaths >= MOST_QUICK_DEATHS:
            raise ChildBroken(f"{self.name} does not start ({_reason(code)}): see the lines above.")
        wait = min(2.0 ** (self.quick_deaths - 1), LONGEST_WAIT)
        self.not_before = now + wait
        say(f"{self.name} ended ({_reason(code)}): started again in {wait:.0f} s")

    def stop(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(self.process, signal.SIGKILL)
            self.process.wait()


@dataclass
class Supervisor:
    children: list[Child]
    say: Callable[[str], None]
    tick: Callable[[], None]  # called about once a second
    stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Until SIGINT, SIGTERM or SIGHUP; then everything is stopped."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup has it ignored
            signal.signal(signal.SIGHUP, self._stop)
        try:
            while not self.stopping:
                for child in self.children:
                    child.keep_alive(self.say)
                self.tick()
                time.sleep(0.5)
        finally:
            self._stop_children()

    def end_stuck(self, pid: int) -> None:
        """Kill a child that does nothing any more; it is started again as any that has ended."""
        for child in self.children:
            if child.process is not None and child.process.pid == pid:
                self.say(f"{child.name} is stuck: killed")
                _signal_group(child.process, signal.SIGKILL)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def _stop_children(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                _signal_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.stop(deadline)


def check_port(host: str, port: int) -> None:
    """
    Raises
    ------
    PortTaken
        When something listens there already, or the port may not be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise PortTaken(
                f"Port {port} on {host} cannot be had ({problem.strerror}). "
                f"Stop what uses it, or take another: make demo PORT={port + 1}."
            ) from problem


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _die_with_parent(number: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)

    return ask


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
