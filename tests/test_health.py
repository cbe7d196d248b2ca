import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.utils import timezone

from pairselect import health
from pairselect.jobs.models import Job
from pairselect.jobs.workers import this_worker

ROOT = Path(__file__).resolve().parent.parent


def test_a_probe_is_answered_by_any_name_and_without_https(db: None) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True, ALLOWED_HOSTS=["label.example.org"]):
        answered = Client(headers={"host": "10.0.0.7:8000"}).get("/health/")
        ready = Client(headers={"host": "10.0.0.7:8000"}).get("/ready/")
        elsewhere = Client(headers={"host": "label.example.org"}).get("/login/")
    assert (answered.status_code, answered.content) == (200, b"ok\n")
    assert ready.status_code == 200
    assert elsewhere.status_code == 301
    assert answered.cookies == ready.cookies == {}


def away() -> None:
    raise OperationalError("could not connect to server at 10.0.0.9")


def test_a_database_that_is_away_is_said(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(connection, "cursor", away)
        answered = Client().get("/health/")
        ready = Client().get("/ready/")
    assert (answered.status_code, ready.status_code) == (503, 503)
    assert answered.content == b"The database does not answer.\n"  # and not where it is
    assert b"database: It does not answer." in ready.content
    assert b"10.0.0.9" not in ready.content


def test_all_that_is_needed_is_named(db: None) -> None:
    answered = Client().get("/ready/")
    assert answered.status_code == 200
    assert answered.content.decode().splitlines() == [
        "database: ok", "migrations: ok", "data folder: ok", "workers: ok"
    ]  # fmt: skip


def test_a_migration_that_is_not_applied_keeps_people_away(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_up_to_date", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs'")
    answered = Client().get("/ready/")
    assert answered.status_code == 503
    assert "migrations: Some are not applied" in answered.content.decode()


Usage = namedtuple("Usage", "total used free")


def test_a_folder_without_room_keeps_people_away(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> None:
    monkeypatch.setattr(health.shutil, "disk_usage", lambda folder: Usage(10**9, 10**9, 10**6))
    answered = Client().get("/ready/")
    assert (answered.status_code, b"Less than 200 MB" in answered.content) == (503, True)
    monkeypatch.undo()
    settings.PAIRSELECT_DATA_DIR = tmp_path / "gone"
    answered = Client().get("/ready/")
    assert (answered.status_code, b"It is not there." in answered.content) == (503, True)
    assert str(tmp_path).encode() not in answered.content


def test_workers_are_told_of_and_keep_nobody_away(db: None) -> None:
    late = timezone.now() - timedelta(hours=1)
    Job.objects.create(kind="report_pool", subject_id=1, status="running", heartbeat_at=late)
    Job.objects.create(kind="report_pool", subject_id=2, status="queued", queued_at=late)
    answered = Client().get("/ready/")
    assert answered.status_code == 200
    said = answered.content.decode()
    assert "workers: 1 at work have not been heard of" in said
    assert "1 jobs wait longer than 2 minutes." in said


def test_a_machine_without_a_worker_is_not_ready(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairselect.management.commands.worker_health.processes", list)
    with pytest.raises(CommandError, match="No db_worker runs"):
        call_command("worker_health")


def test_a_worker_that_is_silent_at_its_job_is_not_ready(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = "pairselect.management.commands.worker_health.processes"
    monkeypatch.setattr(here, lambda: [os.getpid()])
    job = Job.objects.create(
        kind="report_pool", subject_id=1, status="running", worker=this_worker(),
        heartbeat_at=timezone.now(),
    )  # fmt: skip
    call_command("worker_health")
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    with pytest.raises(CommandError, match=f"silent at job {job.pk}"):
        call_command("worker_health")
    monkeypatch.setattr(here, lambda: [1])  # its own worker, not the one of another container
    call_command("worker_health")


def test_a_real_worker_is_found_and_missed(tmp_path: Path, migrated_file: Path) -> None:
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "pairselect.settings",
    }  # fmt: skip
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, str(ROOT / "manage.py")]
    shutil.copy(migrated_file, tmp_path)
    worker = subprocess.Popen([*manage, "db_worker", "--queue-name", "cpu"], env=environment)
    try:
        found = subprocess.run([*manage, "worker_health"], env=environment, capture_output=True)
        assert (found.returncode, b"ready" in found.stdout) == (0, True), found
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
