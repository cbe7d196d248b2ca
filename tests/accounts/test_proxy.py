"""Behind a real web server: whose address counts, and what is in its log."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.accounts.knocking import gunicorn, settings_of

HOST = "label.example.org"
BEHIND_HTTPS = {"PAIRSELECT_HTTPS": "true", "PAIRSELECT_ALLOWED_HOSTS": f"{HOST},127.0.0.1"}
OTHER = "127.0.0.2"  # of this machine, but not the address that is trusted by itself


class From(HTTPAdapter):
    """Comes from another of this machine's addresses."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self.source, 0), **kwargs)


def fail(server: str, *, source: str = "127.0.0.1", headers: dict[str, str] | None = None) -> int:
    """One failed login with a name of its own, so that addresses alone lock."""
    session = requests.Session()
    session.mount("http://", From(source))
    given = {"Host": HOST, "X-Forwarded-Proto": "https"} | (headers or {})
    page = session.get(f"{server}/login/", headers=given, allow_redirects=False, timeout=20)
    if page.status_code != 200:
        return page.status_code
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)', page.text)
    assert token
    data = {"username": "anna", "password": "wrong", "csrfmiddlewaretoken": token[1]}
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    given |= {"Referer": f"https://{HOST}/login/", "Cookie": cookies}
    answer = session.post(f"{server}/login/", data, headers=given, timeout=20)
    return answer.status_code


def addresses(folder: Path) -> set[str]:
    """From which the server has counted failures."""
    with closing(sqlite3.connect(folder / "pairselect.sqlite3")) as database:
        return {row[0] for row in database.execute("SELECT ip_address FROM axes_accessattempt")}


TRUSTED = f"{OTHER},10.0.0.0/8"
HERE = "127.0.0.1"  # always trusted, where there is HTTPS


def test_behind_a_trusted_proxy_the_address_is_the_clients(migrated: Path) -> None:
    seen = {  # who connects, what stands in X-Forwarded-For, and whose address counts
        (HERE, "198.51.100.1"): "198.51.100.1",
        (HERE, "6.6.6.6, 198.51.100.2"): "198.51.100.2",  # a client that forges
        (OTHER, "6.6.6.6, 198.51.100.3"): "198.51.100.3",
        (OTHER, "6.6.6.6, 198.51.100.4, 10.1.1.1"): "198.51.100.4",  # two proxies
        (OTHER, "6.6.6.6, nonsense"): OTHER,
        (OTHER, "2001:db8:1:2:3:4:5:6"): "2001:db8:1:2::",
        (OTHER, "::ffff:198.51.100.5"): "198.51.100.5",
    }
    settings = settings_of(migrated, **BEHIND_HTTPS, PAIRSELECT_TRUSTED_PROXY=TRUSTED)
    with gunicorn(migrated / "log", settings) as server:
        for source, forwarded in seen:
            assert fail(server, source=source, headers={"X-Forwarded-For": forwarded}) == 200
    assert addresses(migrated) == set(seen.values())


def forged(number: int) -> dict[str, str]:
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded")
    return dict.fromkeys(names, f"198.51.100.{number}")


def test_without_a_proxy_a_forged_address_changes_nothing(migrated: Path) -> None:
    settings = settings_of(migrated, PAIRSELECT_ALLOWED_HOSTS=HOST)
    with gunicorn(migrated / "log", settings) as server:
        answers = [fail(server, headers=forged(number)) for number in range(6)]
    assert addresses(migrated) == {"127.0.0.1"}
    assert answers == [200, 200, 200, 200, 429, 429]


def test_from_another_than_the_trusted_proxy_nothing_is_believed(migrated: Path) -> None:
    """The scheme neither: such a client is sent to HTTPS, and its address is its own."""
    settings = settings_of(migrated, **BEHIND_HTTPS, PAIRSELECT_TRUSTED_PROXY="127.0.0.3")
    forged = {"X-Forwarded-For": "198.51.100.7"}
    with gunicorn(migrated / "log", settings) as server:
        assert fail(server, source=OTHER, headers=forged) == 301
    assert addresses(migrated) == set()
