"""A site of its own on either database: gunicorn and workers as processes, to be killed."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from pairselect.management.commands import serve
from tests.migrated import migrate_postgres

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = int(os.environ.get("PAIRSELECT_ROUNDS", "0"))  # 0: as few as a quick suite bears
START_SECONDS = 120.0  # on a machine that has much else to do
SWEEP = """
import time
import django
django.setup()
from pairselect.management.commands.serve import JobWatch
watch = JobWatch(lambda line: print(line, flush=True), "")
while True:
    watch.tick()
    time.sleep(0.5)
"""


def rounds(few: int) -> int:
    return ROUNDS or few


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Of a test that goes through rounds.
PATIENTLY = pytest.mark.timeout(0 if ROUNDS else 1800)


def wait_until(true: Callable[[], Any], what: str, *, seconds: float = START_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        time.sleep(0.02)
    return found


class Postgres:
    """A cluster of its own, which may be stopped, started, or cut off at any moment."""

    def __init__(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="pairselect-postgres-"))  # pytest's are root's own
        self.folder, self.port = home / "cluster", free_port()
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:  # PostgreSQL does not run as root
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(home, "postgres", "postgres")
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8")
        self.start()

    def _run(self, program: str, *options: str) -> None:
        command = [str(binaries() / program), "--pgdata", str(self.folder), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as)

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c max_connections=200"
        if not ROUNDS:  # what a killed process has written is kept by the kernel, synced or not
            options += " -c fsync=off"
        log = ["--log", str(self.folder.parent / "log")]
        self._run("pg_ctl", "start", "--wait", "--silent", "--options", options, *log)

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` ends its processes as a crash does: the next start recovers."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "--mode", mode)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder.parent)

    def make(self, name: str, *, like: str = "template0") -> str:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template {like}")
            # A copied sequence forgets, if it is cut off before a checkpoint, what it has given.
            connection.execute("checkpoint")
        return self.address(name)

    def address(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"


def binaries() -> Path:
    """The folder of PostgreSQL's server programs, which Debian keeps off the path."""
    if program := shutil.which("initdb"):
        return Path(program).parent
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return max(found, key=lambda one: float(one.parent.name), default=Path("/nowhere"))


@dataclass
class Site:
    """An installation in a folder. What it says goes to ``log`` beside its data."""

    folder: Path
    database_url: str = ""  # "": SQLite
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    web: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder.with_suffix(".log")
        self.env = os.environ | {
            "PAIRSELECT_DATA_DIR": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "tests.trust.settings",
            "DATABASE_URL": self.database_url,
            "TRUST_FOLDER": str(self.folder),
            "OPENBLAS_NUM_THREADS": "1",
            **self.environment,
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self._python("manage.py", *words, check=check)

    def set_up(self, **asked: int) -> dict[str, Any]:
        found = self._python("-m", "tests.trust.setting_up", json.dumps(asked))
        return dict(json.loads(found.stdout.splitlines()[-1]))

    def python(self, code: str) -> str:
        """Code in a process of the site's own, with Django set up; what it prints."""
        return self._python("-c", f"import django\ndjango.setup()\n{code}").stdout

    def _python(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def start_web(self, *, processes: int = 2) -> None:
        """The command that `manage.py serve` starts and watches, without it: it would wait
        longer and longer before it starts what is killed again and again."""
        command = serve._web("127.0.0.1", self.port, processes, 8).command
        self.web = self._start(command)
        self.wait_for_web()

    def wait_for_web(self) -> None:
        def answers() -> bool:
            with suppress(requests.RequestException):
                return requests.get(f"{self.address}/health/", timeout=5).status_code == 200
            return False

        wait_until(answers, f"the web server: {self.said()}")

    def start_worker(self, queue: str = "cpu") -> "subprocess.Popen[bytes]":
        process = self._start(serve._worker(queue).command)
        self.workers.append(process)
        return process

    def start_sweep(self) -> "subprocess.Popen[bytes]":
        """What `manage.py serve` does about dead workers, without its children."""
        process = self._start([sys.executable, "-c", SWEEP])
        self.workers.append(process)
        return process

    def start_serve(self, *words: str) -> "subprocess.Popen[bytes]":
        """All of it under one process."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port), *words]
        self.web = self._start(command)
        self.wait_for_web()
        return self.web

    def _start(self, command: Any) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def kill_web(self) -> None:
        """The master and all its processes, at one moment."""
        if self.web is not None:
            kill_group(self.web)
            self.web = None

    def stop(self) -> None:
        self.kill_web()
        for worker in self.workers:
            kill_group(worker)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds, asked past the product."""
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(query).fetchall()
        path = f"file:{self.folder / 'pairselect.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def change(self, query: str) -> int:
        """Change rows past the product, as the passing of time does; how many."""
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(query).rowcount
        path = self.folder / "pairselect.sqlite3"
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            return connection.execute(query).rowcount

    def said(self, lines: int = 30) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def kill_group(process: "subprocess.Popen[bytes]", number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait()


class Sites:
    """Makes sites whose database is migrated already: a copy of one that was."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres], migrated_file: Path) -> None:
        self.folder, self._postgres, self._file = folder, postgres, migrated_file
        self._is_migrated = False
        self._count = 0

    def make(self, database: str, **environment: str) -> Site:
        self._count += 1
        name = f"site{self._count}"
        folder, url = self.folder / name, ""
        if database == "postgres":
            self._migrate()
            url = self._postgres().make(name, like="migrated")
        else:
            folder.mkdir()
            shutil.copy(self._file, folder)
        return Site(folder, url, environment)

    def _migrate(self) -> None:
        if not self._is_migrated:
            address = self._postgres().make("migrated")
            migrate_postgres(address, self._file.parent)
            self._is_migrated = True
