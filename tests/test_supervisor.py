"""Web server and workers under one process, by real processes."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pairselect.supervisor import Child, ChildBroken, PortTaken, Supervisor, check_port

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} .* make demo PORT=9000"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())


def test_a_child_that_dies_is_started_again() -> None:
    said: list[str] = []
    child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], signal.SIGTERM)
    child.keep_alive(said.append)
    assert child.process is not None
    first = child.process.pid
    child.started -= 100  # as if it had lived long
    os.kill(first, signal.SIGKILL)
    child.process.wait()
    child.keep_alive(said.append)
    child.keep_alive(said.append)
    assert child.process is not None
    assert child.process.pid != first
    assert said == ["sleeper ended (signal SIGKILL): started again"]
    child.process.kill()
    child.process.wait()


def test_a_child_that_never_starts_ends_the_supervisor() -> None:
    child = Child("broken", [sys.executable, "-c", "raise SystemExit(3)"], signal.SIGTERM)
    supervisor = Supervisor([child], say=lambda line: None, tick=lambda: None)
    child.quick_deaths = 4
    with pytest.raises(ChildBroken, match=r"broken does not start \(exit status 3\)"):
        supervisor.run()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return kept | {"PAIRSELECT_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


class Serving:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            line = " ".join(child.cmdline())
            for name in ("gunicorn", "gpu", "cpu"):
                if f" {name} " in f"{line} " or name in line.split("/")[-1]:
                    found[name] = child
        return found

    def wait_for(self, what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while what not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@pytest.fixture
def serving(environment: dict[str, str], tmp_path: Path) -> Iterator[Serving]:
    assert manage(environment, "migrate", "--verbosity=0").returncode == 0
    served = Serving(environment, tmp_path / "log")
    yield served
    served.stop()


def test_serve_says_when_the_database_is_behind(environment: dict[str, str]) -> None:
    result = manage(environment, "serve", "--port", str(free_port()))
    assert result.returncode == 1
    assert result.stderr == (
        "CommandError: The database is not up to date: run manage.py migrate first.\n"
    )


def rows(environment: dict[str, str], query: str) -> list[tuple[object, ...]]:
    path = Path(environment["PAIRSELECT_DATA_DIR"]) / "pairselect.sqlite3"
    with sqlite3.connect(path, timeout=30) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.timeout(240)
def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    serving: Serving, environment: dict[str, str], tmp_path: Path, tiny_model: str
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("\n".join(f'{{"prompt": "Question {i}?"}}' for i in range(60)))
    assert manage(environment, "import_prompts", str(prompts), "--name=p").returncode == 0
    queued = manage(
        environment, "generate_pool", "p", "--name=pool", f"--model={tiny_model}",
        "--completions=8", "--max-new-tokens=30", "--enqueue",
    )  # fmt: skip
    assert queued.returncode == 0, queued.stderr

    count = "select count(*) from pools_completion"
    deadline = time.monotonic() + 90
    while rows(environment, count) == [(0,)]:
        assert time.monotonic() < deadline, serving.log.read_text()
        time.sleep(0.02)
    serving.children()["gpu"].kill()
    before = rows(environment, "select id, created_at from pools_completion order by id")
    assert 0 < len(before) < 480

    serving.wait_for("Extracting features  done", 120)
    after = rows(environment, "select id, created_at from pools_completion order by id")
    assert len(after) == 480
    assert after[: len(before)] == before
    assert rows(environment, "select attempt from jobs_job where kind = 'generate_pool'") == [(2,)]


@pytest.mark.timeout(120)
def test_a_killed_supervisor_takes_its_children_with_it(serving: Serving) -> None:
    serving.wait_for("pairselect is at")
    deadline = time.monotonic() + 30
    while len(serving.children()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = list(serving.children().values())
    serving.process.kill()
    serving.process.wait()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    check_port("127.0.0.1", serving.port)


@pytest.mark.timeout(120)
def test_a_stopped_supervisor_leaves_nothing_behind(serving: Serving) -> None:
    serving.wait_for("pairselect is at")
    time.sleep(1)
    children = psutil.Process(serving.process.pid).children(recursive=True)
    serving.process.send_signal(signal.SIGINT)
    assert serving.process.wait(20) == 0
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert "Unfinished jobs go on at the next start" in serving.log.read_text()
