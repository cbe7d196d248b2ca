"""Every address × every method × everybody, as the tables of `tests/permissions.py` have it."""

import re
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver

from tests import permissions
from tests.conftest import People
from tests.permissions import (
    BY_BROWSERS,
    COLUMNS,
    FORMS,
    KEPT,
    METHODS,
    POST_ONLY,
    SENT,
    TABLE,
    WITH_HEAD,
    House,
    expected,
    methods_of,
    names,
    outcome,
)
from tests.trust.watching import nothing_stays, writes

house = permissions.house  # a fixture


def test_the_table_knows_every_address() -> None:
    assert sorted(names(get_resolver().url_patterns)) == sorted(TABLE)
    assert TABLE.keys() >= POST_ONLY | FORMS | WITH_HEAD
    assert not POST_ONLY & FORMS


@pytest.mark.parametrize("column", COLUMNS)
def test_who_is_let_in_to_what_by_which_method(column: str, house: House) -> None:
    """Every cell. What is refused changes nothing, nor tries to."""
    wrong = {}
    last = "pools:prompt_set_upload_discard"  # whose file no transaction brings back
    for name in sorted(TABLE, key=lambda name: (name == last, name)):
        for method in METHODS:
            with nothing_stays(), writes() as changed:
                found = outcome(house.ask(column, method, name))
            wanted = expected(name, column, method)
            if found != wanted or (wanted != "in" and changed):
                wrong[f"{method} {name}"] = (found, wanted, changed)
    assert wrong == {}


def test_pages_carry_the_strict_policy(people: People) -> None:
    response = people.client(people.admin).get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    settled = re.search(r'"attributesToSettle":\[(.*?)\]', response.content.decode())
    assert settled is not None  # else htmx copies styles too, which the policy forbids
    assert "style" not in settled[1]


def walk(house: House, column: str) -> Iterator[tuple[str, HttpResponse]]:
    """Every page that the person gets by GET."""
    for name in sorted(TABLE):
        if "GET" in methods_of(name) and expected(name, column, "GET") == "in":
            with nothing_stays():
                yield name, house.ask(column, "GET", name)


@pytest.mark.parametrize("column", ["nobody", "annotator", "adjudicator", "admin"])
def test_every_page_is_framed_by_nobody_and_kept_by_no_cache(column: str, house: House) -> None:
    """Whoever comes to the computer next finds no page of somebody else's by the back button."""
    for name, response in walk(house, column):
        headers = response.headers
        assert headers["X-Frame-Options"] == "DENY", name
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], name
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert headers["Referrer-Policy"] == "same-origin", name
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert "private" in headers["Cache-Control"], name
        assert "public" not in headers["Cache-Control"], name
        if name not in KEPT:
            assert "no-store" in headers["Cache-Control"], name


def test_refusals_are_framed_and_kept_by_nobody_either(house: House) -> None:
    for column, name, status in [("outsider", "people", 403), ("outsider", "compare", 404)]:
        found = {"people": "accounts:people", "compare": "annotate:compare"}[name]
        response = house.ask(column, "GET", found)
        assert response.status_code == status
        assert response.headers["X-Frame-Options"] == "DENY"
        assert "no-store" in response.headers["Cache-Control"]


def test_a_form_from_another_site_is_refused_everywhere(house: House) -> None:
    """Every address that takes a POST, for whoever may send it."""
    passed = {}
    for name in sorted(TABLE):
        if "POST" not in methods_of(name) or name in BY_BROWSERS:
            continue
        column = next(one for one in reversed(COLUMNS) if expected(name, one, "POST") == "in")
        client = Client(enforce_csrf_checks=True)
        client.force_login(house.users.get(column, house.users["annotator"]))
        with nothing_stays(), writes() as changed:
            response = client.post(house.addresses[name], SENT)
        if response.status_code != 403 or changed:
            passed[name] = (response.status_code, changed)
    assert passed == {}


def test_another_host_is_no_host_of_ours(house: House) -> None:
    """No link is built, and nothing cached, for a name that a request made up."""
    for host in ("evil.example", "localhost.evil.example", "localhost@evil.example", "[::2]"):
        response = Client().get("/login/", headers={"host": host})
        assert response.status_code == 400
        assert "evil" not in response.content.decode()
        assert Client().get("/api/v1/me", headers={"host": host}).status_code in (400, 401)
