"""What browsers report is taken from anybody, so it is little, and none of it is believed."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from pairselect import csp_reports
from pairselect.csp_reports import origin_of
from tests.conftest import People

pytestmark = pytest.mark.page

BY_URI = {
    "csp-report": {
        "document-uri": "https://label.example.org/history/?person=maria",
        "violated-directive": "script-src-elem 'self'",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://evil.example/steal.js?what=secret",
    }
}
BY_TO = [
    {
        "type": "csp-violation",
        "body": {
            "documentURL": "https://label.example.org/people/",
            "effectiveDirective": "style-src-attr",
            "blockedURL": "inline",
        },
    },
    {"type": "deprecation", "body": {}},
]


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


def send(body: Any, kind: str = "application/csp-report", **more: Any) -> int:
    client = Client(enforce_csrf_checks=True)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic("POST", "/csp-reports/", content, content_type=kind, **more).status_code


def test_both_forms_are_logged_by_names_of_ours(db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "pairselect.csp_reports")
    assert send(BY_URI) == 204
    assert send(BY_TO, "application/reports+json") == 204
    assert [one.getMessage() for one in caplog.records] == [
        "CSP: script-src-elem blocked https://evil.example on history",
        "CSP: style-src-attr blocked inline on accounts:people",
    ]


def test_pages_say_where_to_report(people: People) -> None:
    response = people.client(people.admin).get("/history/")
    policy = response.headers["Content-Security-Policy"]
    assert "report-uri /csp-reports/" in policy
    assert "report-to csp" in policy
    assert response.headers["Reporting-Endpoints"] == 'csp="/csp-reports/"'
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (BY_URI, "text/plain", 415),
        (BY_URI, "application/x-www-form-urlencoded", 415),
        (b"x" * (csp_reports.MOST_BYTES + 1), "application/csp-report", 413),
        (b"{", "application/csp-report", 400),
        (b"\xff\xfe", "application/csp-report", 400),
        (b"[" * 10_000, "application/csp-report", 400),
        (b"null", "application/csp-report", 204),
        ([1, None, {"type": "csp-violation", "body": 3}], "application/reports+json", 204),
        ({"csp-report": {"blocked-uri": {"a": 1}, "document-uri": [2]}}, "application/json", 204),
    ],
)
def test_whatever_comes_is_answered(
    db: None, body: Any, kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(body, kind) == status


def test_only_so_many_are_taken_in_a_minute(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(csp_reports, "MOST_A_MINUTE", 3)
    caplog.set_level("WARNING", "pairselect.csp_reports")
    assert [send(BY_URI) for _ in range(5)] == [204, 204, 204, 429, 429]
    cache.clear()
    caplog.clear()
    assert send(BY_TO[:1] * 50, "application/reports+json") == 204
    assert len(caplog.records) == csp_reports.MOST_AT_ONCE


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("inline", "inline"),
        ("data", "data"),
        ("https://user:secret@evil.example:8443/path?query#part", "https://evil.example:8443"),
        ("blob:https://label.example.org/1", "blob"),
        ("https://evil.example\nINFO forged", "https://evil.exampleinfo forged"),
        ("https://[::1", "other"),
        (None, "none"),
        ("x" * 5000, "other"),
    ],
)
def test_of_what_was_blocked_the_origin_alone_is_kept(address: Any, shown: str) -> None:
    found = origin_of(address)
    assert found == shown or (found in ("https", "other") and "forged" in shown)
    assert "secret" not in found
    assert "\n" not in found
    assert len(found) <= 130
