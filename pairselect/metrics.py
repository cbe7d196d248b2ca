"""What Prometheus reads: counts of requests over all web processes, and facts of the database.

Labels are numbers of campaigns and names from the code, never of people, paths or texts: whoever
reads the metrics learns how much is done, and by nobody's name.
"""

import hmac
import os
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pairselect import facts

ADDRESS = "/metrics"
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)

own = CollectorRegistry()
REQUESTS = Counter(
    "pairselect_http_requests", "Requests answered", ["method", "route", "status"], registry=own
)
SECONDS = Histogram(
    "pairselect_http_request_seconds",
    "Time until a request was answered",
    ["route", "status"],
    buckets=BUCKETS,
    registry=own,
)
CSP_REPORTS = Counter(
    "pairselect_csp_reports",
    "Violations of the Content-Security-Policy that browsers have reported",
    ["directive"],
    registry=own,
)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    if settings.PAIRSELECT_METRICS_TOKEN:
        REQUESTS.labels(method, route, status).inc()
        SECONDS.labels(route, status).observe(seconds)


def answer(request: HttpRequest) -> HttpResponse:
    """All metrics, to whoever has the token; where none is set, nothing is here."""
    token = settings.PAIRSELECT_METRICS_TOKEN
    if not token:
        return HttpResponse("Not found.\n", status=404, content_type="text/plain")
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        refused = HttpResponse("Send the token.\n", status=401, content_type="text/plain")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    response = HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


def exposition() -> bytes:
    counted: CollectorRegistry = own
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # gunicorn.conf.py: the sums of all processes
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    found = CollectorRegistry()
    found.register(_Facts())
    return generate_latest(counted) + generate_latest(found)


class _Facts(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from facts.gauges()
