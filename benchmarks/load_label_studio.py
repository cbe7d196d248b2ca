"""The same people, texts and pace as `benchmarks.load`, at Label Studio: its figures beside ours.

Label Studio is installed in an environment of its own (``pip install label-studio==1.23.2``) and
runs as its package starts it, on SQLite. Its people compare two texts with its own Pairwise tag.
Each has a session, asks for the next task and submits an annotation, as its page does; the page
itself is asked for once. Nothing of it is cached ahead: whoever has submitted waits for the next.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from benchmarks.load import measured, memory, report
from benchmarks.load_people import FORM, Connection, Failed, Record
from benchmarks.load_site import Watch, free_port, wait_for

PASSWORD = "only-for-this-run-1"
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
CONFIG = """
<View>
  <Text name="prompt" value="$prompt"/>
  <Pairwise name="better" toName="left,right"/>
  <Text name="left" value="$left"/>
  <Text name="right" value="$right"/>
</View>
"""
TITLES = {"page": "page", "next": "next task", "submit": "submit an annotation"}
JSON = {"Accept": "application/json", "Content-Type": "application/json"}


def main() -> None:
    options = read_options()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    with served(options) as (server, port):
        record = Record()
        people = [Labeller(number, port, record, options.pace) for number in range(options.people)]
        for person in people:
            person.sign_up()
        project = make_project(people[0], options.pairs)
        record.errors.clear()
        run(record, people, project, options, {"server": server.pid, "client": os.getpid()})
        print(f"{'annotations stored':<40}{people[0].number_of_annotations(project):10,}")
        print(f"{'acknowledged':<40}{record.outcomes['stored']:10,}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="/tmp/ls/bin/label-studio")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/label-studio-load"))
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--pace", type=float, default=2.0, help="seconds an answer of a person")
    parser.add_argument("--seconds", type=float, default=300.0, help="measured")
    return parser.parse_args()


@contextmanager
def served(options: argparse.Namespace) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port = free_port()
    environment = os.environ | {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false"}
    command = [options.program, "start", "--no-browser", "--port", str(port)]
    command += ["--data-dir", str(options.folder), "--log-level", "ERROR"]
    with (options.folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/user/login/")
        yield server, port
    finally:
        for child in [*psutil.Process(server.pid).children(recursive=True), server]:
            child.terminate()
        server.wait()


class Labeller:
    """One person of Label Studio."""

    def __init__(self, number: int, port: int, record: Record, pace: float) -> None:
        self.chance, self.number = random.Random(number), number
        self.record, self.pace = record, pace
        self.http = Connection(port, record)

    def sign_up(self) -> None:
        _, page = self.http.ask("", "GET", "/user/signup/")
        fields = {
            "csrfmiddlewaretoken": CSRF.findall(page.decode())[0],
            "email": f"annotator-{self.number:02}@example.org",
            "password": PASSWORD,
            "allow_newsletters": "false",
        }
        status, _ = self.http.ask("", "POST", "/user/signup/", urlencode(fields), **FORM)
        if status != 302:
            raise Failed(f"signing up: {status}")

    def call(self, kind: str, method: str, path: str, body: Any = None) -> Any:
        headers = JSON | {"X-CSRFToken": self.http.cookies.get("csrftoken", "")}
        text = None if body is None else json.dumps(body)
        status, content = self.http.ask(kind, method, path, text, **headers)
        if status == 404 and kind == "next":
            return None
        if status >= 400:
            raise Failed(f"{kind or path}: {status} {content[:200].decode()}")
        return json.loads(content) if content else None

    def number_of_annotations(self, project: int) -> int:
        found = self.call("", "GET", f"/api/projects/{project}/")
        return int(found["total_annotations_number"])

    def sit(self, project: int, arrives: float) -> None:
        self.record.is_over.wait(max(0.0, arrives - time.monotonic()))
        due = time.monotonic()
        is_new = True
        while not self.record.is_over.is_set():
            try:
                if is_new:
                    self.http.ask("page", "GET", f"/projects/{project}/data")
                    is_new = False
                task = self.call("next", "GET", f"/api/projects/{project}/next")
                due = max(due + self.pace * self.chance.uniform(0.4, 1.6), time.monotonic())
                if self.record.is_over.wait(due - time.monotonic()) or task is None:
                    continue
                self.submit(project, task["id"])
            except Failed as problem:
                self.record.erred(str(problem))
                self.record.is_over.wait(1.0)

    def submit(self, project: int, task: int) -> None:
        selected = {
            "from_name": "better",
            "to_name": "left",
            "type": "pairwise",
            "value": {"selected": self.chance.choice(["left", "right"])},
        }
        body = {"result": [selected], "lead_time": self.chance.uniform(5, 40), "project": project}
        self.call("submit", "POST", f"/api/tasks/{task}/annotations/", body)
        self.record.heard("", ("", ""), "stored")


def make_project(admin: Labeller, pairs: int) -> int:
    from benchmarks.desk import answer  # with it comes Playwright, which nothing else needs

    made = admin.call("", "POST", "/api/projects/", {"title": "load", "label_config": CONFIG})
    project, chance = int(made["id"]), random.Random(0)
    for start in range(0, pairs, 2000):
        tasks = [
            {
                "prompt": f"Question {number}: explain it with a formula and a program.",
                "left": answer(chance),
                "right": answer(chance),
            }
            for number in range(start, min(pairs, start + 2000))
        ]
        admin.call("", "POST", f"/api/projects/{project}/import", tasks)
    return project


def run(
    record: Record,
    people: list[Labeller],
    project: int,
    options: argparse.Namespace,
    roots: dict[str, int],
) -> None:
    watch = Watch(roots)
    sits = [partial(one.sit, project) for one in people]
    wall = measured(record, watch, sits, options.seconds)
    report(record, wall, TITLES)
    used = watch.processors("server")
    print(f"{'server':<40}{used:10.2f} processors; {memory(watch.samples['server'])}")


if __name__ == "__main__":
    main()
