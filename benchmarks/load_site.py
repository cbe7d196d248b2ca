"""A filled installation on either database, kept in a folder and copied for each run.

``python -m benchmarks.load_site ASKED`` fills the one that the environment names, and prints the
campaign and the people's sessions as JSON.
"""

import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
BINARIES = "/usr/lib/postgresql/*/bin"  # where Debian keeps them, off the path
GOLD = 60
WATCH_SECONDS = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A cluster with PostgreSQL's own settings, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "cluster", free_port()
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:  # PostgreSQL does not run as root
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            if self._as:
                shutil.chown(self.folder, "postgres", "postgres")
            self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8")

    def _run(self, program: str, *options: str) -> None:
        found = shutil.which(program) or sorted(glob.glob(f"{BINARIES}/{program}"))[-1]
        command = [found, "--pgdata", str(self.folder), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as)

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k ''"
        log = ["--log", str(self.folder / "server.log")]
        self._run("pg_ctl", "start", "--wait", "--silent", "--options", options, *log)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--silent", "--mode", "fast")

    @property
    def pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def execute(self, command: str) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(command)  # type: ignore[call-overload]

    def address(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"


@dataclass
class Site:
    """An installation to put load on."""

    folder: Path
    database_url: str
    asked: dict[str, int]
    made: dict[str, Any]  # as `fill` has it
    postgres: Postgres | None
    port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.folder, self.database_url)

    @contextmanager
    def served(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """`manage.py serve` without workers, with its own settings but for ``words``."""
        command = [sys.executable, "manage.py", "serve", "--no-workers", "--port", str(self.port)]
        with (self.folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [*command, *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            wait_for(f"http://127.0.0.1:{self.port}/health/")
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()

    def python(self, code: str) -> str:
        """What the code prints, in a process of the site's own with Django set up."""
        code = f"import django\ndjango.setup()\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout


def environment(folder: Path, database_url: str) -> dict[str, str]:
    return os.environ | {
        "PAIRSELECT_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
        "DATABASE_URL": database_url,
    }


@contextmanager
def site(folder: Path, database: str, asked: dict[str, int]) -> Iterator[Site]:
    """A copy of the installation that was filled so before; it is filled first if there is none."""
    name = "_".join([database, *(f"{key}{value}" for key, value in asked.items())])
    kept, used = folder / name, folder / f"{name}_run"
    folder.mkdir(parents=True, exist_ok=True)
    postgres = Postgres(folder) if database == "postgres" else None
    if postgres:
        postgres.start()
    try:
        if not (kept / "made.json").exists():
            _fill(kept, name, postgres, asked)
        shutil.rmtree(used, ignore_errors=True)
        shutil.copytree(kept, used)
        url = _copied(postgres, name) if postgres else ""
        _migrate(used, url)  # it may have been filled by an earlier version
        yield Site(used, url, asked, json.loads((kept / "made.json").read_text()), postgres)
    finally:
        if postgres:
            postgres.stop()


def _copied(postgres: Postgres, name: str) -> str:
    postgres.execute(f"drop database if exists {name}_run")
    postgres.execute(f"create database {name}_run template {name}")
    return postgres.address(f"{name}_run")


def _migrate(folder: Path, url: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=environment(folder, url), check=True)


def _fill(kept: Path, name: str, postgres: Postgres | None, asked: dict[str, int]) -> None:
    print(f"filling {kept}", flush=True)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    if postgres:
        postgres.execute(f"drop database if exists {name}")
        postgres.execute(f"create database {name} template template0")
    url = postgres.address(name) if postgres else ""
    _migrate(kept, url)
    env = environment(kept, url)
    command = [sys.executable, "-m", "benchmarks.load_site", json.dumps(asked)]
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    if postgres:
        with psycopg.connect(postgres.address(name), autocommit=True) as connection:
            connection.execute("vacuum analyze")
    (kept / "made.json").write_bytes(done.stdout.splitlines()[-1])


def fill(asked: dict[str, int]) -> dict[str, Any]:
    """An open campaign as an admin might set it up: names masked, repeats, gold, guidelines.

    ``asked``: pairs, people, k, given. Of the labels the first ``given`` are there, by turns of
    each person, as after some weeks of work.
    """
    from django.contrib.auth.models import Group, User
    from django.db import transaction
    from django.test import Client

    from annotate.actions import create_campaign, open_campaign
    from annotate.models import Gold
    from benchmarks.desk import answer
    from tests.conftest import NoProgress

    chance = random.Random(0)
    people = []
    with transaction.atomic():
        for number in range(asked["people"]):
            user = User(username=f"annotator-{number:02}")
            user.set_unusable_password()
            user.save()
            user.groups.add(Group.objects.get(name="annotator"))
            people.append(user)
        campaign = create_campaign(
            _design(asked["pairs"], chance),
            name="load",
            annotators=people,
            seed=0,
            labels_per_pair=asked["k"],
            guidelines="# What is better\n\nThe answer that **helps** more.\n\n" * 5,
            mask_identities=True,
            gold_share=0.05,
        )
        open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
        for number in range(GOLD):
            Gold.objects.create(
                campaign=campaign,
                use=Gold.Use.CHECK,
                messages=_question(number),
                better=answer(chance),
                worse=answer(chance),
            )
        _give(campaign, people, asked["given"], chance)
    sessions = {}
    for user in people:
        client = Client()
        client.force_login(user)
        sessions[user.username] = client.cookies["sessionid"].value
    return {"campaign": campaign.pk, "sessions": sessions}


def _question(number: int) -> list[dict[str, str]]:
    text = f"Question {number}: explain it with a formula and a program, and say what it costs."
    return [{"role": "user", "content": text}]


def _design(pairs: int, chance: random.Random) -> Any:
    from benchmarks.desk import answer
    from pairselect.designs.models import SelectedPair
    from pairselect.pools.models import Completion, Prompt
    from tests.conftest import make_design, make_pool

    design = make_design(make_pool(0))
    pool = design.pool
    variant = pool.variants.get()
    for start in range(0, pairs, 1000):
        numbers = range(start, min(pairs, start + 1000))
        prompts = Prompt.objects.bulk_create(
            Prompt(
                prompt_set=pool.prompt_set,
                position=number,
                external_id=f"p{number}",
                messages=_question(number),
            )
            for number in numbers
        )
        completions = Completion.objects.bulk_create(
            Completion(
                pool=pool, prompt=prompt, index=index, variant=variant, seed=0, text=answer(chance)
            )
            for prompt in prompts
            for index in range(2)
        )
        SelectedPair.objects.bulk_create(
            SelectedPair(
                design=design,
                position=number,
                prompt=prompt,
                first=first,
                second=second,
                inclusion_probability=1.0,
                sensitivity=0.5,
                feature_distance=1.5,
                first_log_prob=-10.0,
                second_log_prob=-20.0,
            )
            for number, prompt, first, second in zip(
                numbers, prompts, completions[::2], completions[1::2], strict=True
            )
        )
    return design


def _give(campaign: Any, people: list[Any], number: int, chance: random.Random) -> None:
    from django.utils import timezone

    from annotate.models import Comparison, Judgement

    rows = campaign.comparisons.order_by("position", "slot")[:number].iterator(chunk_size=1000)
    now, place = timezone.now(), 0
    while some := list(islice(rows, 1000)):
        for one in some:
            one.annotator, one.first_on_left = people[place % len(people)], chance.random() < 0.5
            one.claimed_at = one.shown_at = one.labelled_at = now
            place += 1
        changed = ["annotator", "first_on_left", "claimed_at", "shown_at", "labelled_at"]
        Comparison.objects.bulk_update(some, changed)
        Judgement.objects.bulk_create(
            Judgement(
                comparison=one,
                annotator=one.annotator,
                choice=chance.choice(["left", "right", "tie", "both_bad"]),
                first_on_left=one.first_on_left,
                lease=uuid4(),
                seconds=20.0,
                active_seconds=chance.uniform(5, 40),
            )
            for one in some
        )


def wait_for(address: str) -> None:
    for _ in range(1200):
        with suppress(OSError):
            urllib.request.urlopen(address).close()
            return
        time.sleep(0.25)
    raise SystemExit("The server did not answer within five minutes.")


class Family:
    """A process and its children. The family of this process is itself alone: the others are its
    children."""

    def __init__(self, pid: int) -> None:
        self.root = psutil.Process(pid)
        self._seconds: dict[psutil.Process, float] = {}  # of those that have ended, too

    def measured(self) -> tuple[float, float]:
        """Bytes (PSS: each shared page divided by its users); seconds of the processor so far."""
        held = 0.0
        is_own = self.root.pid == os.getpid()
        for process in [self.root, *([] if is_own else self.root.children(recursive=True))]:
            with suppress(psutil.NoSuchProcess):
                held += process.memory_full_info().pss
                times = process.cpu_times()
                self._seconds[process] = times.user + times.system
        return held, sum(self._seconds.values())


class Watch:
    """Memory and processor time of some families of processes, over time."""

    def __init__(self, roots: dict[str, int]) -> None:
        self.families = {name: Family(pid) for name, pid in roots.items()}
        self.samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in roots}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._sample()
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._sample()

    def processors(self, name: str) -> float:
        """How many it kept busy, from the first sample to the last."""
        first, last = self.samples[name][0], self.samples[name][-1]
        return (last[2] - first[2]) / (last[0] - first[0])

    def _watch(self) -> None:
        while not self._is_over.wait(WATCH_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for name, family in self.families.items():
            self.samples[name].append((time.monotonic(), *family.measured()))


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(fill(json.loads(sys.argv[1]))))
