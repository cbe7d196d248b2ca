"""Around each request: its id, one line in the log, and its time in the metrics."""

import ipaddress
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from pairselect import metrics
from pairselect.trail.context import WELL_FORMED, answering, new_request_id

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATIC, UNKNOWN = "static", "unknown"


class ObservingMiddleware:
    """Outside of all that may refuse a request, so that those are told of as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = request_id_of(request)
        with answering(request, request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            response.headers[HEADER] = request_id
            if "Content-Security-Policy" in response.headers:
                response.headers["Reporting-Endpoints"] = 'csp="/csp-reports/"'
            route = route_of(request)
            method = request.method if request.method in METHODS else "OTHER"
            metrics.count_request(method or "OTHER", route, response.status_code, seconds)
            if route != STATIC:
                told = {
                    "method": method,
                    "route": route,
                    "status": response.status_code,
                    "ms": round(1000 * seconds, 1),
                }
                logger.info("%(method)s %(route)s %(status)s %(ms)s ms", told, extra=told)
        return response


def request_id_of(request: HttpRequest) -> str:
    """The proxy's own, so that its log and ours can be read side by side; else a new one.

    From anybody else it would be a text of theirs in our logs, and one id for many requests.
    """
    given = request.headers.get(HEADER, "")
    if WELL_FORMED.fullmatch(given) and _is_trusted(request.META.get("REMOTE_ADDR", "")):
        return given
    return new_request_id()


def route_of(request: HttpRequest) -> str:
    """The name of the address: of as many as there are patterns, and without what a path holds."""
    if request.resolver_match is not None:
        return request.resolver_match.view_name or UNKNOWN
    return STATIC if request.path_info.startswith(settings.STATIC_URL) else UNKNOWN


def _is_trusted(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(one) for one in settings.TRUSTED_PROXIES)
