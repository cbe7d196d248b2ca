"""How the work stands, as gauges: read from the database when they are asked for."""

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, Max, Min, Q, Value, When
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily

from annotate.models import Campaign, Comparison, Export, Judgement
from pairselect.jobs.models import Job

COUNTED_EVERY = 60.0  # seconds: labels are counted one by one, a million in a second or so
MOST_CAMPAIGNS = 200  # the newest: so many series, whatever has been labelled in years

Counts = list[GaugeMetricFamily]
_lock = threading.Lock()
_counted: tuple[float, Counts] | None = None


def gauges() -> Iterator[GaugeMetricFamily]:
    yield from _jobs()
    yield from _ages()
    yield from _room()
    yield from counts()


def counts(*, every: float = COUNTED_EVERY) -> Counts:
    """What has to be counted row by row; the same for a minute. One thread counts at a time."""
    global _counted
    with _lock:
        if _counted is None or time.monotonic() - _counted[0] >= every:
            _counted = (time.monotonic(), [*_labels(), *_comparisons()])
        return _counted[1]


def _labels() -> Iterator[GaugeMetricFamily]:
    found = GaugeMetricFamily(
        "pairselect_labels",
        "Answers that stand, skips among them",
        labels=["campaign", "choice", "by"],
    )
    rows = Judgement.objects.filter(
        withdrawn_at__isnull=True, comparison__campaign__in=_campaigns()
    )
    by = Case(When(comparison__kind="machine", then=Value("machine")), default=Value("person"))
    groups = rows.order_by().values_list(F("comparison__campaign"), "choice", by)
    for campaign, choice, who, number in groups.annotate(number=Count("pk")):
        found.add_metric([str(campaign), choice, who], number)
    yield found


def _comparisons() -> Iterator[GaugeMetricFamily]:
    left = GaugeMetricFamily(
        "pairselect_comparisons_left", "Labels that are still to be given", labels=["campaign"]
    )
    held = GaugeMetricFamily(
        "pairselect_leases_held", "Comparisons in somebody's hands", labels=["campaign"]
    )
    rows = Comparison.objects.filter(
        kind="label", labelled_at__isnull=True, campaign__in=_campaigns()
    )
    leased = Count("pk", filter=Q(leased_until__gt=timezone.now()))
    groups = rows.order_by().values_list("campaign").annotate(number=Count("pk"), leased=leased)
    for campaign, number, leases in groups:
        left.add_metric([str(campaign)], number)
        held.add_metric([str(campaign)], leases)
    yield from (left, held)


def _campaigns() -> list[int]:
    return list(
        Campaign.objects.filter(opened_at__isnull=False, archived_at=None)
        .order_by("-pk")
        .values_list("pk", flat=True)[:MOST_CAMPAIGNS]
    )


def _jobs() -> Iterator[GaugeMetricFamily]:
    found = GaugeMetricFamily("pairselect_jobs", "Jobs by kind and state", labels=["kind", "state"])
    for kind, state, number in (
        Job.objects.order_by().values_list("kind", "status").annotate(number=Count("pk"))
    ):
        found.add_metric([kind, state], number)
    yield found


def _ages() -> Iterator[GaugeMetricFamily]:
    """Seconds since; there is no such gauge while there is nothing to be old."""
    jobs = Job.objects.aggregate(
        queued=Min("queued_at", filter=Q(status=Job.Status.QUEUED)),
        beat=Min("heartbeat_at", filter=Q(status=Job.Status.RUNNING)),
    )
    exported = Export.objects.aggregate(last=Max("completed_at"))["last"]
    for name, about, since in (
        ("oldest_queued_job", "Since the job was queued that waits longest", jobs["queued"]),
        ("stalest_heartbeat", "Since the last beat of the worker longest silent", jobs["beat"]),
        ("last_export", "Since the last export was written", exported),
    ):
        if since is not None:
            yield GaugeMetricFamily(f"pairselect_{name}_age_seconds", about, value=_age(since))


def _age(since: datetime) -> float:
    return max(0.0, (timezone.now() - since).total_seconds())


def _room() -> Iterator[GaugeMetricFamily]:
    free = shutil.disk_usage(settings.PAIRSELECT_DATA_DIR).free
    yield GaugeMetricFamily(
        "pairselect_disk_free_bytes", "Room left for the data folder", value=free
    )
    yield GaugeMetricFamily(
        "pairselect_database_bytes", "Size of the database", value=database_bytes()
    )


def database_bytes() -> int:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    name = str(connection.settings_dict["NAME"])
    files = (Path(name), Path(f"{name}-wal"))
    return sum(one.stat().st_size for one in files if one.exists())
