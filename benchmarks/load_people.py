"""People at the comparison page, over HTTP: each sends what the page's script sends, at a pace.

Threads and the standard library's client: what they cost is taken from the server's processors.
"""

import http.client
import json
import random
import re
import select
import threading
import time
from collections import Counter, defaultdict
from html import unescape
from urllib.parse import urlencode

SHEET = re.compile(r'id="desk" data-token="([^"]+)" data-answer-url="([^"]+)"')
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
GUIDELINE = re.compile(r'name="guideline" value="(\d*)"')
BEAT_SECONDS = 60.0  # between two signs of life of a page, as its script has it
RELOAD = 0.025  # of the answers, after which the page is loaded anew
FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
CHOICES = {"left": 42, "right": 42, "tie": 8, "both_bad": 6, "skip": 2}


class Failed(Exception):
    """An answer that is none, in a few words."""


class Record:
    """What happened, from all threads. Times count once `is_measuring` is set."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)  # seconds
        self.errors: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.sent: set[str] = set()  # leases
        self.acknowledged: dict[str, tuple[str, str]] = {}  # choice and person, by lease
        self.reconnected = 0
        self.is_measuring = threading.Event()
        self.is_over = threading.Event()
        self._lock = threading.Lock()

    def took(self, kind: str, seconds: float) -> None:
        if self.is_measuring.is_set():
            with self._lock:
                self.times[kind].append(seconds)

    def erred(self, what: str) -> None:
        with self._lock:
            self.errors[what] += 1

    def said(self, lease: str) -> None:
        with self._lock:
            self.sent.add(lease)

    def heard(self, lease: str, said: tuple[str, str], outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1
            if outcome in ("stored", "repeated"):
                self.acknowledged[lease] = said


class Connection:
    """One kept-alive connection, made anew where the server has closed it, as browsers do."""

    def __init__(self, port: int, record: Record, cookies: dict[str, str] | None = None) -> None:
        self.record, self.cookies = record, dict(cookies or {})
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(
        self, kind: str, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body, timed as ``kind``.

        Raises
        ------
        Failed
            Where no answer came, or one of 500 and above.
        """
        began = time.perf_counter()
        try:
            status, content = self._ask(method, path, body, headers)
        except (OSError, http.client.HTTPException) as problem:
            self._http.close()
            raise Failed(f"{kind}: {type(problem).__name__}") from problem
        self.record.took(kind, time.perf_counter() - began)
        if status >= 500:
            raise Failed(f"{kind}: {status}")
        return status, content

    def _ask(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self.cookies:
            headers["Cookie"] = "; ".join("=".join(cookie) for cookie in self.cookies.items())
        is_kept = self._http.sock is not None
        if is_kept and select.select([self._http.sock], [], [], 0)[0]:
            self._http.close()  # it was closed in the meantime
            self.record.reconnected += 1
            is_kept = False
        try:
            self._http.request(method, path, body, headers)
            response = self._http.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not is_kept:
                raise
            self._http.close()  # closed at this very moment: not a byte of an answer came
            self.record.reconnected += 1
            self._http.request(method, path, body, headers)
            response = self._http.getresponse()
        content = response.read()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, content


class Person:
    """One tab: the page, a sign of life, then answers, each of which brings what comes next."""

    def __init__(
        self,
        number: int,
        port: int,
        name: str,
        session: str,
        campaign: int,
        pace: float,
        record: Record,
    ) -> None:
        self.name, self.chance = name, random.Random(number)
        self.record, self.pace, self.home = record, pace, f"/work/{campaign}/"
        self.csrf = self.guideline = ""
        self.ahead: list[tuple[str, str]] = []  # lease and address, the one in view first
        self.beaten = 0.0
        self.http = Connection(port, record, {"sessionid": session})

    def sit(self, arrives: float) -> None:
        """Until it is over; a request that failed is sent again, as the page's outbox does."""
        self._wait(arrives)
        due = time.monotonic()
        while not self.record.is_over.is_set():
            try:
                if not self.ahead:
                    self.open()
                if self.ahead:
                    due = max(due + self.pace * self.chance.uniform(0.4, 1.6), time.monotonic())
                    self._wait(due)
                    if self.record.is_over.is_set():
                        return
                    self.answer()
                else:
                    self._wait(time.monotonic() + self.pace)
                if self.chance.random() < RELOAD:
                    self.open()
                elif time.monotonic() - self.beaten > BEAT_SECONDS:
                    self.beat()
            except Failed as problem:
                self.record.erred(str(problem))
                self._wait(time.monotonic() + 1.0)

    def open(self) -> None:
        status, content = self.http.ask("page", "GET", self.home)
        page = content.decode()
        if status != 200:
            raise Failed(f"page: {status}")
        self.csrf = CSRF.findall(page)[0]
        found = GUIDELINE.search(page)
        self.guideline = found[1] if found else ""
        self.ahead = [(lease, unescape(url)) for lease, url in SHEET.findall(page)]
        self.beat()

    def beat(self) -> None:
        self.beaten = time.monotonic()
        self._take(self._post("next", f"{self.home}upcoming/", self._present()))

    def answer(self) -> None:
        lease, url = self.ahead[0]
        choice = self.chance.choices(list(CHOICES), list(CHOICES.values()))[0]
        seconds = f"{self.chance.uniform(5, 40):.3f}"
        reason = "It says why, and the other one does not." if self.chance.random() < 0.1 else ""
        fields = [
            ("token", lease),
            ("replaces", ""),
            ("guideline", self.guideline),
            ("choice", choice),
            ("reason", reason),
            ("skip_reason", "other" if choice == "skip" else ""),
            ("seconds", seconds),
            ("active_seconds", seconds),
        ]
        # The page shows the next one at once; the answer's reply fills up what is ahead.
        self.record.said(lease)
        state = self._post("submit", url, fields + [("have", one) for one, _ in self.ahead[1:]])
        self.record.heard(lease, (choice, self.name), str(state.get("outcome")))
        self.ahead = self.ahead[1:]
        self._take(state)

    def _present(self) -> list[tuple[str, str]]:
        return [*(("have", lease) for lease, _ in self.ahead), ("guideline", self.guideline)]

    def _take(self, state: dict[str, object]) -> None:
        sheets, held = state.get("sheets"), state.get("held")
        if not isinstance(sheets, list) or not isinstance(held, list):
            raise Failed(f"a reply with {sorted(state)}")
        known = dict(self.ahead) | dict(SHEET.findall("".join(sheets)))
        self.ahead = [(lease, known[lease]) for lease in held if lease in known]

    def _post(self, kind: str, path: str, fields: list[tuple[str, str]]) -> dict[str, object]:
        body = urlencode([*fields, ("csrfmiddlewaretoken", self.csrf)])
        status, content = self.http.ask(kind, "POST", path, body, **FORM)
        if status != 200:
            raise Failed(f"{kind}: {status}")
        found: dict[str, object] = json.loads(content)
        return found

    def _wait(self, until: float) -> None:
        self.record.is_over.wait(max(0.0, until - time.monotonic()))
