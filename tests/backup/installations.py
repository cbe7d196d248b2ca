"""Whole installations, each with a data folder and a database of its own, driven as an operator
would: by processes."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
number = count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A server of the tests' own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.user = "postgres" if os.getuid() == 0 else None  # it does not run as root
        folder.mkdir(mode=0o700)
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres")
        options = f"-p {self.port} -k {folder} -c fsync=off -c listen_addresses=127.0.0.1"
        self._run(
            "pg_ctl", "-D", f"{folder}/data", "-o", options, "-w", "-l", f"{folder}/log", "start"
        )

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / name, *arguments],
            user=self.user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )

    def new_database(self, like: str = "template0") -> str:
        """Its address. Its owner is no superuser, as documented."""
        name = f"db{next(number)}"
        for statement in (
            "DO $$ BEGIN CREATE ROLE ps LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
            f"CREATE DATABASE {name} OWNER ps TEMPLATE {like}",
        ):
            self._run(
                "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                "-q", "-c", statement,
            )  # fmt: skip
        return f"postgres://ps@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")


def programs_of_postgres() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


@dataclass
class Installation:
    folder: Path
    database_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            key: os.environ[key]
            for key in ("PATH", "HOME", "LANG", "OMP_NUM_THREADS")
            if key in os.environ
        }
        kept |= {"PAIRSELECT_DATA_DIR": str(self.folder), "PYTHONUNBUFFERED": "1"}
        kept |= {"PAIRSELECT_API_RATE": "1000000"}
        return kept | ({"DATABASE_URL": self.database_url} if self.database_url else {})

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def told(self, *arguments: str) -> dict[str, Any]:
        """What a command says with ``--json``."""
        done = self.manage(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def refused(self, *arguments: str) -> str:
        """The sentence with which the command ends."""
        done = self.manage(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout == ""
        return done.stderr.strip()

    def run(self, code: str, **values: Any) -> Any:
        """Run Python within the installation; gives the JSON that it has printed last."""
        head = "import django, json; django.setup()\n"
        given = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        done = subprocess.run(
            [sys.executable, "-c", head + given + code],
            cwd=ROOT,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "pairselect.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == -signal.SIGKILL:
            return "killed"
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        return json.loads(lines[-1]) if lines else None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds, asked past the product, whose start takes longer."""
        if self.database_url:
            with psycopg.connect(self.database_url) as database:
                return database.execute(query).fetchall()
        file = self.folder / "pairselect.sqlite3"
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        if not self.database_url and not (self.folder / "pairselect.sqlite3").exists():
            return {}
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'sqlite_sequence'"
        if self.database_url:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        names = [name for (name,) in self.rows(query)]
        return {name: self.rows(f'SELECT count(*) FROM "{name}"')[0][0] for name in names}

    def labels(self) -> list[str]:
        """The leases under which labels were stored, in order."""
        found = self.rows("SELECT lease FROM annotate_judgement")
        return sorted(str(UUID(str(lease))) for (lease,) in found)

    @contextmanager
    def served(self, *options: str) -> Iterator[str]:
        """Web server and workers; gives its address."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port), *options],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not come up")
