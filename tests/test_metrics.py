"""What Prometheus reads: complete over all processes, by nobody's name, behind its token."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from annotate.leasing import next_comparison
from annotate.machines.actions import assign, create_machine
from pairselect import facts, metrics
from pairselect.jobs.models import Job
from tests.annotate.exported import export
from tests.conftest import People, give, make_campaign

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-of-more-than-20-characters"
Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture(autouse=True)
def token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PAIRSELECT_METRICS_TOKEN = TOKEN
    monkeypatch.setattr(facts, "_counted", None)


def read(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def scrape() -> Samples:
    response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return read(response.content.decode())


def test_without_a_token_nothing_is_here(db: None, settings: Any) -> None:
    settings.PAIRSELECT_METRICS_TOKEN = ""
    for sent in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
        assert Client().get("/metrics", headers=sent).status_code == 404


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, "Bearer é"])
def test_the_wrong_token_is_refused(db: None, sent: str) -> None:
    refused = Client().get("/metrics", headers={"Authorization": sent})
    assert refused.status_code == 401
    assert b"pairselect_" not in refused.content


def test_requests_are_counted_by_route_and_status(people: People) -> None:
    before = scrape().get("pairselect_http_requests_total", [])
    client = people.client(people.admin)
    client.get("/people/?x=1")
    client.get("/people/?x=2")
    Client().get("/no-such-page/of/somebody/")
    Client().generic("BREW", "/login/")
    found = scrape()
    counted = {tuple(labels.values()): n for labels, n in found["pairselect_http_requests_total"]}
    earlier = {tuple(labels.values()): n for labels, n in before}
    key = ("GET", "accounts:people", "200")
    assert counted[key] - earlier.get(key, 0) == 2
    assert {labels["method"] for labels, _ in found["pairselect_http_requests_total"]} <= {
        "GET", "POST", "OTHER", "PATCH", "HEAD", "PUT", "DELETE", "OPTIONS"
    }  # fmt: skip
    assert ("OTHER", "login", "405") in counted
    assert not any("somebody" in str(labels) for labels in counted)
    times = [
        n for labels, n in found["pairselect_http_request_seconds_count"]
        if labels == {"route": "accounts:people", "status": "200"}
    ]  # fmt: skip
    assert times[0] >= 2


def test_the_work_is_counted(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=5)
    give(campaign, people.anna, "left")
    give(campaign, people.anna, "tie")
    withdrawn = give(campaign, people.ben, "right")
    withdrawn.withdrawn_at = timezone.now()
    withdrawn.save()
    assert next_comparison(campaign, people.ben) is not None  # holds one
    export(campaign)
    found = scrape()
    here = str(campaign.pk)
    assert sorted((one["choice"], one["by"], n) for one, n in found["pairselect_labels"]) == [
        ("left", "person", 1), ("tie", "person", 1)
    ]  # fmt: skip
    assert [n for one, n in found["pairselect_comparisons_left"] if one == {"campaign": here}] == [
        2
    ]
    assert [n for _, n in found["pairselect_leases_held"]] == [1]
    assert 0 <= found["pairselect_last_export_age_seconds"][0][1] < 60
    assert found["pairselect_disk_free_bytes"][0][1] > 0
    assert found["pairselect_database_bytes"][0][1] > 10_000


def test_jobs_are_counted_and_aged(db: None) -> None:
    assert "pairselect_oldest_queued_job_age_seconds" not in scrape()
    now = timezone.now()
    for subject, minutes in ((1, 3), (2, 1)):
        Job.objects.create(
            kind="report_pool", subject_id=subject, status="queued",
            queued_at=now - timedelta(minutes=minutes),
        )  # fmt: skip
    Job.objects.create(
        kind="report_pool", subject_id=3, status="running",
        heartbeat_at=now - timedelta(seconds=20),
    )  # fmt: skip
    found = scrape()
    jobs = {(one["kind"], one["state"]): n for one, n in found["pairselect_jobs"]}
    assert jobs == {("report_pool", "queued"): 2, ("report_pool", "running"): 1}
    assert 180 <= found["pairselect_oldest_queued_job_age_seconds"][0][1] < 240
    assert 20 <= found["pairselect_stalest_heartbeat_age_seconds"][0][1] < 60


def test_nobody_is_named(people: People) -> None:
    campaign = make_campaign(people.anna, name="of-anna-and-her-secret")
    assign(campaign, create_machine("a-machine-with-a-name"))
    give(campaign, people.anna, "left")
    people.client(people.anna).get(f"/work/{campaign.pk}/")
    answered = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    text = answered.content.decode()
    for name in ("anna", "ada", "secret", "a-machine", "127.0.0.1", TOKEN):
        assert name not in text.replace("annotate", ""), name


def test_what_takes_long_is_counted_once_a_minute(people: People) -> None:
    campaign = make_campaign(people.anna)
    give(campaign, people.anna, "left")
    first = facts.counts()
    give(campaign, people.anna, "left")
    assert facts.counts() is first
    again = facts.counts(every=0.0)
    assert again is not first
    assert sum(one.value for family in again[:1] for one in family.samples) == 2


def test_series_stay_few_however_many_campaigns(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "MOST_CAMPAIGNS", 2)
    made = [make_campaign(people.anna, name=f"c{i}") for i in range(3)]
    shown = {one["campaign"] for one, _ in scrape()["pairselect_comparisons_left"]}
    assert shown == {str(one.pk) for one in made[1:]}


# Several processes


@pytest.fixture
def served(tmp_path: Path, migrated_file: Path) -> Iterator[str]:
    """The address of two real web processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(tmp_path),
        "PAIRSELECT_METRICS_TOKEN": TOKEN,
        "PAIRSELECT_LOG_FORMAT": "json",
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
    }
    environment.pop("DATABASE_URL", None)
    shutil.copy(migrated_file, tmp_path)
    command = [sys.executable, "-m", "gunicorn", "pairselect.wsgi", "--workers", "2"]
    command += ["--threads", "2", "--worker-class", "gthread", "--bind", f"127.0.0.1:{port}"]
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}/health/").close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()
        log.close()


def test_counts_are_the_sum_of_all_processes(served: str, tmp_path: Path) -> None:
    for _ in range(40):
        request = urllib.request.Request(f"{served}/login/", headers={"Connection": "close"})
        urllib.request.urlopen(request).close()
    for turn in range(3):  # whichever process answers
        ask = urllib.request.Request(
            f"{served}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(ask) as response:
            found = read(response.read().decode())
        counts = {
            tuple(labels.values()): n for labels, n in found["pairselect_http_requests_total"]
        }
        assert counts["GET", "login", "200"] == 40, turn
    lines = (tmp_path / "log").read_text().splitlines()
    ids = re.findall(r'"request_id": "([0-9a-f]{32})"', "\n".join(lines))
    assert len(set(ids)) == len([one for one in lines if '"route": "login"' in one]) == 40
    assert metrics.ADDRESS not in "\n".join(lines)
