"""A real server, llama.cpp's; and a worker that is killed while it asks one."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from annotate.machines.actions import asked, assign, create_machine
from annotate.machines.judging import judge_campaign
from annotate.machines.measures import report_on
from annotate.models import Judgement
from pairselect.pools.models import Completion
from tests.annotate.machining import at_server
from tests.conftest import NoProgress, People, make_campaign
from tests.pools.engine.servers import Misbehaving, completion, llama_server, misbehaving_server

ROOT = Path(__file__).resolve().parent.parent.parent
PAIRS, KILLS, EACH = 40, 2, 25  # answers before each kill

BEGIN = """
import django
django.setup()
from tests.conftest import make_campaign
make_campaign(prompts=%d)
"""


@pytest.mark.django_db
def test_llama_judges_each_pair_in_both_orders(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=3, ties=False, both_bad=False)
    for one in Completion.objects.filter(index=0):
        one.text = "Paris is the capital of France."
        one.save()
    with llama_server(context=4096) as (address, _process), at_server(address):
        machine = create_machine("small", model="lab:smollm2", instructions="Say A or B.")
        assignment = assign(campaign, machine)
        judge_campaign(assignment.pk, NoProgress())  # type: ignore[arg-type]
    given = Judgement.objects.filter(comparison__in=asked(assignment)).exclude(choice="skip")
    # A model of this size does not always say A or B; when, depends on how its server batches.
    assert given.count() >= 1
    assert all(0 < one.confidence <= 1 for one in given if one.confidence is not None)
    assert any(one.confidence is not None for one in given)
    (measures,) = report_on(campaign).measures
    assert measures.answers == given.count()
    assert measures.left.total == measures.answers
    assert measures.assignment.tokens_read > 100 * measures.answers
    assert measures.assignment.fingerprint["owned_by"] == "llamacpp"


class Site:
    """An installation of its own whose machine is asked at the terminal."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.env = os.environ | {
            "PAIRSELECT_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "pairselect.settings",
            "PAIRSELECT_SERVERS": f"lab={address}",
            "DATABASE_URL": "",
        }

    def begin(self) -> None:
        command = [sys.executable, "-c", BEGIN % PAIRS]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)

    def judge(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "judge_campaign", "campaign", "--model", "lab:m"]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answers(self) -> set[tuple[int, int, int]]:
        """Id, pair and slot of the answers that stand, as another process sees them."""
        query = """
            select j.id, c.pair_id, c.slot from annotate_judgement j
            join annotate_comparison c on c.id = j.comparison_id where c.kind = 'machine'
        """
        path = f"file:{self.folder / 'pairselect.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=30)) as connection:
            return set(connection.execute(query).fetchall())


class Metered:
    """Answers so many requests; those that come after it hang."""

    def __init__(self, told: Misbehaving) -> None:
        self.told, self.left, self.lock = told, 0, threading.Lock()

    def __call__(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        with self.lock:
            self.left -= 1
            answers = self.left >= 0
        return (200, {}, completion("A")) if answers else self.told.hang(body)


def test_a_killed_worker_loses_no_answer_and_asks_none_again(
    tmp_path: Path, migrated_file: Path
) -> None:
    shutil.copy(migrated_file, tmp_path)
    with misbehaving_server() as (address, told):
        told.answer = meter = Metered(told)
        site = Site(tmp_path, address)
        site.begin()
        kept: set[tuple[int, int, int]] = set()
        for kill in range(1, KILLS + 1):
            meter.left = EACH
            process = site.judge()
            deadline = time.monotonic() + 120
            while len(site.answers()) < kill * EACH:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            left = site.answers()
            assert kept < left  # the same rows, and more
            assert len(left) == kill * EACH
            kept = left
        meter.left, before = 2 * PAIRS, len(told.asked)
        process = site.judge()
        said, problem = process.communicate(timeout=120)
        assert process.returncode == 0, problem
        found = site.answers()
        assert kept < found
        assert len({(pair, slot) for _, pair, slot in found}) == len(found) == 2 * PAIRS
        assert len(told.asked) - before == 2 * PAIRS - len(kept)
        assert f"{2 * PAIRS} answers, {PAIRS} pairs in both orders" in said
