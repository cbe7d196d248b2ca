"""What browsers refused to load or run by the Content-Security-Policy: markup that got through.

Anybody can send such reports, so they are short, few, and nothing in them is believed: what is
logged are names of ours and the origin of what was blocked.
"""

import json
import logging
import re
import time
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pairselect import metrics

logger = logging.getLogger(__name__)

MOST_BYTES = 16_384
MOST_A_MINUTE = 60  # of each web process; a page that breaks the policy sends many at once
MOST_AT_ONCE = 20  # reports of one request
TYPES = ("application/csp-report", "application/reports+json", "application/json")
KNOWN = frozenset(
    ["base-uri", "form-action", "frame-ancestors"]
    + [f"{kind}-src" for kind in ("default", "script", "style", "img", "font", "connect", "media")]
    + [f"{kind}-src" for kind in ("object", "frame", "child", "worker", "manifest")]
    + [f"{kind}-src-{of}" for kind in ("script", "style") for of in ("elem", "attr")]
)
WORD = re.compile(r"[a-z-]{1,20}")  # inline, eval, data
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[a-z0-9.:\[\]-]{1,100}")


@csrf_exempt  # browsers send reports by themselves, without a form's token
@login_not_required
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    if request.content_type not in TYPES:
        return HttpResponse(status=415)
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        return HttpResponse(status=413)
    if not _take():
        return HttpResponse(status=429, headers={"Retry-After": "60"})
    try:
        body = json.loads(request.read(MOST_BYTES + 1)[:MOST_BYTES])
    except (ValueError, RecursionError):
        return HttpResponse(status=400)
    for one in _violations(body)[:MOST_AT_ONCE]:
        directive = one.get("effectiveDirective") or one.get("effective-directive")
        directive = str(directive or one.get("violated-directive")).partition(" ")[0]
        directive = directive if directive in KNOWN else "other"
        blocked = one.get("blockedURL") or one.get("blocked-uri")
        page = one.get("documentURL") or one.get("document-uri")
        metrics.CSP_REPORTS.labels(directive).inc()
        told = {"directive": directive, "blocked": origin_of(blocked), "page": route_of(page)}
        logger.warning("CSP: %(directive)s blocked %(blocked)s on %(page)s", told, extra=told)
    return HttpResponse(status=204)


def _violations(body: Any) -> list[dict[str, Any]]:
    """Of either form: one object by report-uri, a list of reports by report-to."""
    if isinstance(body, dict):
        found = [body.get("csp-report")]
    elif isinstance(body, list):
        found = [
            one.get("body")
            for one in body
            if isinstance(one, dict) and one.get("type") == "csp-violation"
        ]
    else:
        found = []
    return [one for one in found if isinstance(one, dict)]


def origin_of(address: Any) -> str:
    """Scheme and host, or the word that browsers write for what has none."""
    text = str(address)[:2000].lower()
    if WORD.fullmatch(text):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return "other"
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return origin if ORIGIN.fullmatch(origin) else parts.scheme[:20] or "other"


def route_of(address: Any) -> str:
    try:
        return resolve(urlsplit(str(address)[:2000]).path).view_name
    except (Resolver404, ValueError):
        return "unknown"


def _take() -> bool:
    """Whether one more is taken in this minute."""
    key = f"csp-reports:{int(time.time() // 60)}"
    cache.add(key, 0, timeout=120)
    try:
        return cache.incr(key) <= MOST_A_MINUTE
    except ValueError:  # dropped in between, as the cache was full
        return True
