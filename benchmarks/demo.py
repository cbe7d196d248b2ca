"""Seconds from an installed checkout to the first comparison on the screen, by stage."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import psutil

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"PAIRSELECT_DATA_DIR": folder}
        started = time.monotonic()
        manage(environment, "migrate", "--verbosity=0")
        manage(environment, "load_demo")
        loaded = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            memory = Peak(server.pid)
            wait_for_campaign(Path(folder))
            fetch_comparison(f"http://127.0.0.1:{port}", Path(folder))
            ended = time.monotonic()
        finally:
            server.terminate()
            server.wait()
        print(f"{'database and demo prompts':<28}{loaded - started:8.1f} s")
        for kind, seconds in stages(Path(folder)):
            print(f"{kind:<28}{seconds:8.1f} s")
        print(f"{'to the first comparison':<28}{ended - started:8.1f} s")
        print(f"{'peak memory, all processes':<28}{memory.peak / 2**30:8.2f} GiB")


class Peak:
    """The largest sum of resident memory over a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self.root = psutil.Process(pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.root.is_running():
            try:
                family = [self.root, *self.root.children(recursive=True)]
                self.peak = max(self.peak, sum(one.memory_info().rss for one in family))
            except psutil.Error:
                pass
            time.sleep(0.5)


def manage(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def query(folder: Path, sql: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(folder / "pairselect.sqlite3", timeout=30) as connection:
        return connection.execute(sql).fetchall()


def wait_for_campaign(folder: Path) -> None:
    while not query(folder, "select 1 from annotate_campaign where opened_at is not null"):
        failed = query(folder, "select kind, error from jobs_job where status = 'failed'")
        if failed:
            raise SystemExit(f"{failed[0][0]}: {failed[0][1]}")
        time.sleep(0.2)


def fetch_comparison(address: str, folder: Path) -> None:
    """Log in as the demo's annotator and fetch the page with the first pair."""
    password = json.loads((folder / "demo_logins.json").read_text())["annotator"]
    browser = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(path: str, data: dict[str, str] | None = None) -> str:
        body = urlencode(data).encode() if data else None
        with browser.open(address + path, body) as response:
            text: str = response.read().decode()
        return text

    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', get("/login/"))
    assert token
    login = {"username": "annotator", "password": password, "csrfmiddlewaretoken": token[1]}
    get("/login/", login)
    assert 'name="choice" value="left"' in get("/work/1/")


def stages(folder: Path) -> list[tuple[str, float]]:
    rows = query(folder, "select kind, started_at, finished_at from jobs_job order by started_at")
    return [
        (
            kind.replace("_", " "),
            (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(),
        )
        for kind, start, end in rows
    ]


if __name__ == "__main__":
    main()
