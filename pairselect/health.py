"""What probes and scrapers ask: does it live, is it ready, and how much has it done."""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from pairselect import metrics
from pairselect.jobs.actions import STALE_AFTER
from pairselect.jobs.models import Job

ADDRESS, READY = "/health/", "/ready/"
LEAST_FREE = 200_000_000  # bytes: with less an upload or an export soon fails
LONG_QUEUED = timedelta(minutes=2)  # of the first job in the queue: nobody may be at work

OK = "ok"


class HealthMiddleware:
    """Answers `ADDRESS`, `READY` and the metrics itself.

    A probe comes without a session, by HTTP and by whatever name or number the machine has, so
    neither the login, nor the redirect to HTTPS, nor the allowed hosts apply to it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == ADDRESS:
            return _alive()
        if request.path_info == READY:
            return _ready()
        if request.path_info == metrics.ADDRESS:
            return metrics.answer(request)
        return self.get_response(request)


def _alive() -> HttpResponse:
    """Whether this web process works and reaches its database."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except AnyDatabaseError:
        return _text("The database does not answer.", 503)
    return _text(OK)


def _ready() -> HttpResponse:
    """Whether people can be sent here; what workers do is told, and keeps nobody away."""
    needed = readiness()
    lines = [f"{name}: {state}" for name, state in needed.items()]
    is_ready = all(state == OK for state in needed.values())
    if needed["database"] == needed["migrations"] == OK:
        lines.append(f"workers: {workers()}")
    return _text("\n".join(lines), 200 if is_ready else 503)


def readiness() -> dict[str, str]:
    """Each thing that is needed, and ``ok`` or one sentence. No name, no path, no version."""
    try:
        migrations = _migrations()
    except AnyDatabaseError:
        return {
            "database": "It does not answer.",
            "migrations": "Not known.",
            "data folder": _data_folder(),
        }
    return {"database": OK, "migrations": migrations, "data folder": _data_folder()}


_up_to_date = False  # once it is, it stays so while this process lives


def _migrations() -> str:
    global _up_to_date
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _up_to_date:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "Some are not applied: run manage.py migrate."
        _up_to_date = True
    return OK


def _data_folder() -> str:
    folder = settings.PAIRSELECT_DATA_DIR
    try:
        facts = os.statvfs(folder)
        free = shutil.disk_usage(folder).free
    except OSError:
        return "It is not there."
    if facts.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK | os.X_OK):
        return "It is not writable."
    if free < LEAST_FREE:
        return f"Less than {LEAST_FREE // 10**6} MB are free."
    return OK


def workers() -> str:
    """What is known of workers: they beat while they work, and take what is queued."""
    now = timezone.now()
    running = Job.objects.filter(status=Job.Status.RUNNING)
    silent = running.exclude(heartbeat_at__gte=now - STALE_AFTER).count()
    late = Job.objects.filter(status=Job.Status.QUEUED, queued_at__lt=now - LONG_QUEUED).count()
    said = []
    if silent:
        said.append(f"{silent} at work have not been heard of for a while.")
    if late:
        said.append(f"{late} jobs wait longer than {LONG_QUEUED.seconds // 60} minutes.")
    return " ".join(said) or OK


def _text(said: str, status: int = 200) -> HttpResponse:
    response = HttpResponse(f"{said}\n", status=status, content_type="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response
