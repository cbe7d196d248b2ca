"""What the tests of the door share."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from django.http import HttpResponse
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "secret-enough"


def knock(
    username: str, password: str = PASSWORD, *, client: Client | None = None, **extra: str
) -> HttpResponse:
    """Try to log in, as the login page does."""
    data = {"username": username, "password": password}
    answer: HttpResponse = (client or Client()).post("/login/", data, **extra)  # type: ignore[arg-type]
    return answer


def is_in(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and not answer.headers["Location"].startswith("/login/")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server has ended"
        try:
            requests.get(address, timeout=30, allow_redirects=False)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{address} does not answer")


@contextmanager
def running(command: list[str], address: str, **environment: str) -> Iterator[None]:
    """A process of its own that answers at the address."""
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        wait_for(address, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def gunicorn(log: Path, settings: dict[str, str]) -> Iterator[str]:
    """The product under a real web server, whose access log it is."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "pairselect.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--threads", "4", "--timeout", "120"]
    command += ["--no-control-socket", "--access-logfile", str(log), "--log-level", "warning"]
    address = f"http://127.0.0.1:{port}"
    with running(command, f"{address}/health/", **settings):
        yield address


def manage(settings: dict[str, str], *words: str) -> str:
    """Run a management command of the server that has these settings."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def settings_of(folder: Path, **environment: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
        "PAIRSELECT_DATA_DIR": str(folder),
        "DATABASE_URL": "",
        **environment,
    }
