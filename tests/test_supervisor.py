"""Web server and workers under one process, by real processes."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

import manage as command_line
from pairselect.jobs.models import Job
from pairselect.management.commands import serve
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
        with pytest.raises(PortTaken, match=f"Port {port} .* make demo PORT={port + 1}"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())


@pytest.fixture
def signals_kept() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


def test_a_child_that_has_lived_is_started_again_for_ever() -> None:
    said: list[str] = []
    child = Child("worker", ["false"], signal.SIGTERM)
    child.keep_alive(said.append)
    assert child.process is not None
    child.started -= 100  # as if it had lived long
    for _ in range(8):
        child.process.wait()
        child.keep_alive(said.append)
        child.not_before = 0.0  # as if it had waited
        child.keep_alive(said.append)
        assert child.process is not None
    child.process.wait()
    again = "worker ended (exit status 1): started again"
    waits = [1, 2, 4, 8, 16, 30, 30]
    assert said == [again, *(f"{again} in {wait} s" for wait in waits)]


def test_a_child_waits_before_it_is_started_again() -> None:
    child = Child("worker", ["false"], signal.SIGTERM)
    child.keep_alive(lambda line: None)
    assert child.process is not None
    child.process.wait()
    before = time.monotonic()
    child.keep_alive(lambda line: None)
    assert before + 1 <= child.not_before <= time.monotonic() + 1
    child.not_before += 60  # so that this machine's load does not use it up
    child.keep_alive(lambda line: None)
    assert child.process is None


@pytest.mark.usefixtures("signals_kept")
def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """nohup keeps the service when its terminal closes."""
    ticks = []

    def tick() -> None:
        ticks.append(supervisor.stopping)
        if len(ticks) == 1:
            os.kill(os.getpid(), signal.SIGHUP)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervisor = Supervisor([], say=lambda line: None, tick=tick)
    supervisor.run()
    assert ticks == [False, False]


@pytest.mark.usefixtures("signals_kept")
def test_a_child_that_never_starts_ends_the_supervisor() -> None:
    child = Child("broken", [sys.executable, "-c", "raise SystemExit(3)"], signal.SIGTERM)
    supervisor = Supervisor([child], say=lambda line: None, tick=lambda: None)
    child.quick_deaths = 4
    with pytest.raises(ChildBroken, match=r"broken does not start \(exit status 3\)"):
        supervisor.run()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {
        key: os.environ[key]
        for key in ("PATH", "HOME", "LANG", "OMP_NUM_THREADS")
        if key in os.environ
    }
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
                [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(self.port)],
                cwd=log.parent,  # it serves from any folder
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
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


@pytest.fixture
def serving(environment: dict[str, str], tmp_path: Path, migrated_file: Path) -> Iterator[Serving]:
    shutil.copy(migrated_file, tmp_path)
    served = Serving(environment, tmp_path / "log")
    yield served
    served.stop()


def test_serve_says_when_the_database_is_behind(environment: dict[str, str]) -> None:
    result = manage(environment, "serve", "--port", str(free_port()))
    assert result.returncode == 1
    assert result.stderr == (
        "CommandError: The database is not up to date: run manage.py migrate first.\n"
    )


@pytest.mark.parametrize("port", ["70000", "0", "-1"])
def test_serve_refuses_what_is_no_port(environment: dict[str, str], port: str) -> None:
    result = manage(environment, "serve", "--port", port)
    assert result.returncode == 1
    assert result.stderr == (f"CommandError: --port {port}: a port is a number from 1 to 65535.\n")


def test_serve_says_that_the_database_cannot_be_reached(environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "postgres://a:b@127.0.0.1:1/c"
    result = manage(environment, "serve", "--port", str(free_port()))
    assert result.returncode == 1
    assert result.stderr.startswith("Error: The database cannot be used: connection failed")
    assert result.stderr.count("\n") == 1


def test_a_command_says_what_is_wrong_with_a_setting(environment: dict[str, str]) -> None:
    environment["PAIRSELECT_DEBUG"] = "maybe"
    result = manage(environment, "migrate")
    assert result.returncode == 1
    assert result.stderr == "Error: PAIRSELECT_DEBUG='maybe' is neither true nor false.\n"


def test_a_command_says_that_the_database_is_not_migrated(environment: dict[str, str]) -> None:
    result = manage(environment, "load_demo")
    assert result.returncode == 1
    assert result.stderr == (
        "Error: The database is not up to date: run manage.py migrate first.\n"
    )


def test_a_command_keeps_its_traceback_on_request(environment: dict[str, str]) -> None:
    for result in (
        manage(environment, "load_demo", "--traceback"),
        manage(environment | {"PAIRSELECT_DEBUG": "1"}, "load_demo"),
    ):
        assert result.returncode == 1
        assert result.stderr.startswith("Traceback")
        assert result.stderr.endswith("OperationalError: no such table: auth_user\n")


def caused_by(problem: Exception, cause: Exception) -> Exception:
    problem.__cause__ = cause
    return problem


class UndefinedTable(Exception):
    sqlstate = "42P01"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ImproperlyConfigured("Say this."), "Say this."),
        (
            caused_by(OperationalError('relation "x" does not exist'), UndefinedTable()),
            "The database is not up to date: run manage.py migrate first.",
        ),
        (
            OperationalError('connection failed:\n\tdatabase "x" does not exist\n'),
            'The database cannot be used: connection failed: database "x" does not exist.',
        ),
        (InterfaceError("closed"), "The database cannot be used: closed."),
        (
            UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"),
            "'a\\udcff' is not valid UTF-8: give a name that is.",
        ),
        (
            UnicodeEncodeError("ascii", "“Demo”", 0, 1, "ordinal not in range"),
            "This terminal shows ascii only: set PYTHONIOENCODING=utf-8.",
        ),
    ],
)
def test_a_problem_becomes_a_sentence(problem: Exception, said: str) -> None:
    assert command_line.sentence(problem) == said


@pytest.mark.parametrize(
    ("host", "allowed", "shown", "refused"),
    [
        ("127.0.0.1", ["label.example.org"], "127.0.0.1", False),  # behind a proxy
        ("::1", ["localhost"], "[::1]", False),
        ("0.0.0.0", ["localhost", "127.0.0.1", "[::1]"], "localhost", True),
        ("0.0.0.0", ["label.example.org"], "label.example.org", False),
        ("::", ["*"], "localhost", False),
        ("10.0.0.5", ["localhost"], "10.0.0.5", True),
        ("10.0.0.5", ["10.0.0.5"], "10.0.0.5", False),
        ("fe80::1", ["[fe80::1]"], "[fe80::1]", False),
        ("gpu.example.org", [".example.org"], "gpu.example.org", False),
    ],
)
def test_an_address_that_would_be_refused_is_known(
    settings: Settings, host: str, allowed: list[str], shown: str, refused: bool
) -> None:
    settings.ALLOWED_HOSTS = allowed
    assert serve.name_to_type(host) == shown
    assert serve.is_refused(host) is refused


def make_job(subject_id: int, **facts: object) -> Job:
    job = Job.objects.create(kind="solve_design", subject_id=subject_id)
    Job.objects.filter(pk=job.pk).update(**facts)
    return job


def test_jobs_are_shown_while_they_change_and_then_forgotten(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    said: list[str] = []
    make_job(1, status="done", finished_at=now - timedelta(minutes=2))
    running = make_job(2, status="running", done=10, total=288)
    failed = make_job(3, status="failed", error="No features.", finished_at=now)
    make_job(4, status="waiting")
    watch = serve.JobWatch(said.append, "http://localhost:8000")
    watch.started = now - timedelta(hours=2)
    watch.look()
    assert said == [
        "Solving the design  running  10 of 288",
        "Solving the design  failed",
        "  No features.",
    ]
    said.clear()
    with django_assert_num_queries(1):
        watch.look()
    Job.objects.filter(pk=running.pk).update(done=64)
    watch.look()
    assert said == ["Solving the design  running  64 of 288"]

    said.clear()
    Job.objects.filter(pk=failed.pk).update(finished_at=now - timedelta(minutes=2))
    watch.look()
    assert said == []
    assert set(watch.said) == {running.pk}


def test_jobs_that_ended_before_the_start_are_not_shown(db: None) -> None:
    said: list[str] = []
    make_job(1, status="done", finished_at=timezone.now() - timedelta(seconds=5))
    serve.JobWatch(said.append, "http://localhost:8000").look()
    assert said == []


def test_a_database_that_does_not_answer_is_said_once(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    watch = serve.JobWatch(said.append, "http://localhost:8000")

    def fail() -> None:
        raise InterfaceError("connection\nis closed")

    closed: list[bool] = []
    monkeypatch.setattr(serve, "close_old_connections", lambda: None)  # the test's own is kept
    with monkeypatch.context() as patch:
        patch.setattr(serve, "connection", SimpleNamespace(close=lambda: closed.append(True)))
        patch.setattr(watch, "look", fail)
        watch.tick()
        watch.tick()
    watch.tick()
    watch.tick()
    assert closed == [True, True]
    assert said == [
        "The database does not answer: connection is closed",
        "The database answers again.",
    ]


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

    serving.wait_for("Extracting features of “pool”  done", 120)
    after = rows(environment, "select id, created_at from pools_completion order by id")
    assert len(after) == 480
    assert after[: len(before)] == before
    assert rows(environment, "select attempt from jobs_job where kind = 'generate_pool'") == [(2,)]


@pytest.mark.timeout(120)
def test_a_killed_supervisor_takes_its_children_with_it(serving: Serving) -> None:
    serving.wait_for("pairselect is at")
    deadline = time.monotonic() + 60
    while len(serving.children()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = list(serving.children().values())
    serving.process.kill()
    serving.process.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    check_port("127.0.0.1", serving.port)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_stopped_supervisor_leaves_nothing_behind(serving: Serving, number: int) -> None:
    serving.wait_for("pairselect is at")
    time.sleep(1)
    children = psutil.Process(serving.process.pid).children(recursive=True)
    serving.process.send_signal(number)
    assert serving.process.wait(60) == 0
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert "Unfinished jobs go on at the next start" in serving.log.read_text()
