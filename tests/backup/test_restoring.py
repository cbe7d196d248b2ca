"""What a backup of a running installation gives back: by real commands, on both databases."""

import hashlib
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.backup.conftest import FILL, New
from tests.backup.installations import Installation

# Each test starts several processes, and a busy machine takes its time for that.
pytestmark = pytest.mark.timeout(1800)
ROUNDS = int(os.environ.get("PAIRSELECT_ROUNDS", "1"))
PAIRS = 400


@dataclass
class Filled:
    here: Installation
    facts: dict[str, Any]
    backup: Path  # made before anything else happened
    told: dict[str, Any]


@pytest.fixture(scope="module")
def filled(new: New) -> Filled:
    here = new(migrated=True)
    facts = here.run(FILL, PAIRS=PAIRS)
    backup = here.folder.parent / "first.tar.gz"
    return Filled(here, facts, backup, here.told("backup", str(backup)))


@pytest.fixture(scope="module")
def restored(filled: Filled, new: New) -> Installation:
    there = new()
    told = there.told("restore", str(filled.backup))
    assert told["tables"] == filled.told["tables"]
    assert told["trail_links"] == told["tables"]["trail_entry"] >= 3
    return there


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below the folders that rows speak of."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("features", "exports", "uploads")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file()
    }


def test_every_row_and_every_file_comes_back(filled: Filled, restored: Installation) -> None:
    assert restored.counts() == filled.told["tables"]
    before, after = files_of(filled.here.folder), files_of(restored.folder)
    unfinished = {name for name in before if name not in after}
    # Features that a job is filling are left out: it makes them anew.
    assert len(unfinished) == 5
    assert {name.partition("/")[0] for name in unfinished} == {"features"}
    assert after == {name: sha for name, sha in before.items() if name not in unfinished}
    assert {name.partition("/")[0] for name in after} == {"features", "exports", "uploads"}
    assert filled.told["files"] == len(after)
    assert restored.labels() == filled.here.labels()


def test_its_trail_is_append_only_as_before(restored: Installation) -> None:
    said = restored.run(
        """
from django.db import DatabaseError, connection
refused = []
for statement in ("UPDATE trail_entry SET person_name = 'x'", "DELETE FROM trail_seal"):
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as problem:
        refused.append("append-only" in str(problem))
print(json.dumps(refused))
"""
    )
    assert said == [True, True]
    assert restored.manage("verify_trail").returncode == 0


def test_it_is_private_and_without_the_secret_key(filled: Filled, restored: Installation) -> None:
    assert filled.backup.stat().st_mode & 0o777 == 0o600
    assert (filled.told["secrets"], filled.told["lost"]) == (False, [])
    assert filled.told["sha256"] == hashlib.sha256(filled.backup.read_bytes()).hexdigest()
    keys = [(one.folder / "secret_key").read_text() for one in (filled.here, restored)]
    assert keys[0] != keys[1]
    left = {path.name for path in filled.here.folder.iterdir()}
    assert not {name for name in left if "part" in name}


def test_it_is_whole_and_says_so(filled: Filled) -> None:
    told = filled.here.told("verify_backup", str(filled.backup))
    assert told["tables"] == filled.told["tables"]
    assert told["tables"]["annotate_judgement"] == 2
    assert told["trail_links"] == told["tables"]["trail_entry"] >= 3


def test_leases_lapse_and_jobs_go_on(filled: Filled, restored: Installation) -> None:
    """The worker of the job is gone with the machine; the person may come back or not."""
    found = restored.run(
        """
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Export
from pairselect.jobs.actions import run_job, sweep_stale_jobs
from pairselect.jobs.models import Job

campaign = Campaign.objects.get(pk=facts["campaign"])
first = User.objects.get(username="p0")
still_theirs = next_comparison(campaign, first).pk == facts["held"]
hour = timedelta(hours=1)
Comparison.objects.filter(lease__isnull=False).update(leased_until=timezone.now() - hour)
Job.objects.update(heartbeat_at=timezone.now() - hour)
passed_on = next_comparison(campaign, User.objects.get(username="p2")).pk == facts["held"]

swept = [job.pk for job in sweep_stale_jobs()]
ready = DBTaskResult.objects.filter(status="READY").count()
ran = run_job(facts["job"])
made = Export.objects.get(pk=facts["export"])
print(json.dumps([still_theirs, passed_on, swept, ready, ran, made.row_count]))
""",
        facts=filled.facts,
    )
    assert found == [True, True, [filled.facts["job"]], 1, True, 2]


def test_what_is_not_empty_is_left_as_it_is(filled: Filled) -> None:
    here = filled.here
    before = here.counts(), files_of(here.folder)
    assert "A backup is restored into an empty installation" in here.refused(
        "restore", str(filled.backup)
    )
    assert (here.counts(), files_of(here.folder)) == before


class Answering:
    """People at a real web server, who answer until they are told to stop."""

    def __init__(self, address: str, facts: dict[str, Any]) -> None:
        self.path = f"{address}/api/v1/campaigns/{facts['campaign']}"
        self.acknowledged: list[str] = []  # leases, in the order in which the server said yes
        self.stop = threading.Event()
        self.tokens = facts["tokens"]

    def post(self, token: str, what: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.path}/{what}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def person(self, token: str) -> None:
        while not self.stop.is_set():
            sheet = self.post(token, "next", {})["comparison"]
            if sheet is None:
                return
            body = {"comparison": sheet["id"], "lease": sheet["lease"], "choice": "left"}
            assert self.post(token, "answers", body)["outcome"] == "stored"
            self.acknowledged.append(sheet["lease"])
            self.stop.wait(0.1)  # so that there is work for as long as the backup takes

    def wait_for(self, number: int) -> None:
        while len(self.acknowledged) < number and not self.stop.wait(0.02):
            pass


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_no_acknowledged_label_is_missing(filled: Filled, new: New, round_: int) -> None:
    """People answer through the web while the backup runs."""
    here, there = filled.here, new()
    backup = here.folder.parent / f"busy{round_}.tar.gz"
    with here.served() as address:
        people = Answering(address, filled.facts)
        with ThreadPoolExecutor(len(people.tokens)) as pool:
            working = [pool.submit(people.person, token) for token in people.tokens]
            try:
                people.wait_for(10)
                before = list(people.acknowledged)
                told = here.told("backup", str(backup))
                meanwhile = len(people.acknowledged) - len(before)
            finally:
                people.stop.set()
            for one in working:
                one.result()
    assert len(before) >= 10
    assert meanwhile > 0  # else nobody worked while it ran
    restored = there.told("restore", str(backup))
    assert restored["tables"] == told["tables"]
    assert there.counts() == told["tables"]
    labels = there.labels()
    assert set(before) <= set(labels)
    assert len(labels) == told["tables"]["annotate_judgement"]
    assert set(labels) <= set(here.labels())


KILLED = """
import os, signal
from pathlib import Path
from pairselect.backup import restoring
inner = getattr(restoring, where)

def killed(*args):
    if after:
        inner(*args)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(restoring, where, killed)
restoring.restore_backup(Path(backup), told=lambda *args: None)
"""


def test_one_that_is_killed_leaves_the_installation_empty(filled: Filled, new: New) -> None:
    """At each step before the last, and then it is restored all the same."""
    there = new()
    last = "restore_dump" if there.database_url else "_swap_in"
    for where, after in (("check_database", True), ("_put_files", True), (last, False)):
        killed = there.run(KILLED, where=where, after=after, backup=str(filled.backup))
        assert killed == "killed"
        assert there.counts().get("auth_user", 0) == 0
    assert there.told("restore", str(filled.backup))["tables"] == filled.told["tables"]
    assert there.counts() == filled.told["tables"]
    assert "restore.part" not in os.listdir(there.folder)
    assert len(files_of(there.folder)) == filled.told["files"]


def test_an_older_one_is_brought_up_to_date(
    filled: Filled, restored: Installation, new: New
) -> None:
    older, there = new(), new()
    older.told("restore", str(filled.backup))
    assert older.manage("migrate", "annotate", "0005", "-v0").returncode == 0
    backup = older.folder.parent / "older.tar.gz"
    assert "annotate_assignment" not in older.told("backup", str(backup))["tables"]
    there.told("restore", str(backup))
    assert there.labels() == older.labels()
    assert there.manage("migrate", "--check", "-v0").returncode == 0


def test_a_backup_of_another_database_is_refused(
    filled: Filled, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    there = Installation(tmp_path / "other")
    if not filled.here.database_url:
        there.database_url = request.getfixturevalue("postgres").new_database()
    said = there.refused("restore", str(filled.backup))
    kinds = ("postgresql", "sqlite") if filled.here.database_url else ("sqlite", "postgresql")
    assert f"The backup is of {kinds[0]} and this installation has {kinds[1]}" in said


@pytest.fixture
def open_database(filled: Filled, new: New) -> Iterator[Installation]:
    there = new(migrated=True)
    with there.served("--no-workers", "--web-processes", "1"):
        yield there


def test_it_waits_for_nobody_who_uses_the_database(
    filled: Filled, open_database: Installation
) -> None:
    said = open_database.refused("restore", str(filled.backup))
    assert "Others use the database: stop web server and workers first." in said
