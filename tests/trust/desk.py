"""A person at the comparison page, over HTTP: sends what the page's script sends, as it sends it.

Each notes which *text* it called the better one; what the server made of sides and ids is its
own affair, and is compared with the texts afterwards (`losses`).
"""

import html
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import requests

from tests.trust.serving import ROUNDS, Site

SHEET = re.compile(
    r'id="desk" data-token="(?P<lease>[^"]+)" data-answer-url="(?P<url>[^"]+)"'
    r'.*?data-replaces="(?P<replaces>\d*)"(?P<body>.*)',
    re.DOTALL,
)
RAW = re.compile(r'<pre class="raw-text"[^>]*>(.*?)</pre>', re.DOTALL)
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
LAST = re.compile(r'name="judgement" value="(\d*)"')
REVISE = re.compile(r'href="(/work/\d+/[a-z2-7]{13}/)"')
STORED = ("stored", "repeated")
GIVE_UP_SECONDS = 600.0 if ROUNDS else 180.0

Fields = list[tuple[str, str]]
Said = tuple[str, str]  # the choice; the text that it called better, of a tie or a skip none


class Unreachable(Exception):
    """No answer, or one that says that the server is in trouble."""


@dataclass(frozen=True)
class Sheet:
    lease: str
    url: str
    texts: dict[str, str]  # left, right
    replaces: str = ""

    @classmethod
    def read(cls, page: str) -> "Sheet | None":
        found = SHEET.search(page)
        if found is None:
            return None
        left, right = (html.unescape(text) for text in RAW.findall(found["body"])[:2])
        return cls(found["lease"], found["url"], {"left": left, "right": right}, found["replaces"])


@dataclass
class Given:
    """One lease: what was said under it, and what the server said to that."""

    person: str
    said: set[Said] = field(default_factory=set)
    acknowledged: set[Said] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    replaces: int | None = None


class Ledger:
    """What people know that they did."""

    def __init__(self) -> None:
        self.given: dict[str, Given] = {}
        self.undone: set[int] = set()  # ids of answers
        self.repeats = 0  # requests that had to be sent again
        self._lock = threading.Lock()

    def say(self, lease: str, person: str, said: Said, replaces: int | None) -> None:
        with self._lock:
            given = self.given.setdefault(UUID(lease).hex, Given(person))
            given.said.add(said)
            given.replaces = replaces

    def heard(self, lease: str, said: Said, outcome: str) -> None:
        with self._lock:
            given = self.given[UUID(lease).hex]
            given.outcomes[outcome] += 1
            if outcome in STORED:
                given.acknowledged.add(said)

    def took_back(self, judgement: int) -> None:
        with self._lock:
            self.undone.add(judgement)

    def sent_again(self) -> None:
        with self._lock:
            self.repeats += 1

    @property
    def acknowledged(self) -> int:
        with self._lock:
            return sum(bool(one.acknowledged) for one in self.given.values())


class Annotator:
    """One tab of one person, with a connection of its own."""

    def __init__(self, site: Site, name: str, session: str, campaign: int, ledger: Ledger) -> None:
        self.site, self.name, self.ledger = site, name, ledger
        self.home = f"/work/{campaign}/"
        self.http = requests.Session()
        self.http.cookies.set("sessionid", session)
        self.csrf = ""
        self.ahead: list[Sheet] = []
        self.last: int | None = None  # the answer that undo would take back
        self.told_nothing_left = 0
        self.gives_up = threading.Event()

    def open(self) -> None:
        """Load the page anew."""
        page = self._until_it_works(lambda: self._get(self.home))
        self.csrf = CSRF.findall(page)[0]
        sheet = Sheet.read(page)
        self.ahead = [sheet] if sheet else []
        found = LAST.search(page)
        self.last = int(found[1]) if found and found[1] else None
        if sheet is None:
            assert "desk-done" in page, page[:2000]
            self.told_nothing_left += 1

    def say(self, sheet: Sheet, choice: str, *, repeat: bool = True) -> str:
        """Answer, and send it until the server has said how it went, as the page's outbox does."""
        said = (choice, sheet.texts.get(choice, ""))
        replaces = int(sheet.replaces) if sheet.replaces else None
        self.ledger.say(sheet.lease, self.name, said, replaces)
        fields = [
            ("choice", choice),
            ("token", sheet.lease),
            ("replaces", sheet.replaces),
            ("guideline", ""),
            ("skip_reason", "other" if choice == "skip" else ""),
            ("seconds", "1.000"),
            ("active_seconds", "1.000"),
            *(("have", one.lease) for one in self.ahead if one is not sheet),
        ]
        send = lambda: self.post(sheet.url, fields)  # noqa: E731
        state = self._until_it_works(send) if repeat else send()
        outcome = str(state["outcome"])
        self.ledger.heard(sheet.lease, said, outcome)
        self.take(state, without=sheet)
        return outcome

    def undo(self) -> bool:
        """Take the last answer back. Where the reply is lost it is asked for again, and then
        refused, because it is taken back already."""
        judgement = self.last
        assert judgement is not None
        fields = [("judgement", str(judgement))]
        tries = Counter[str]()

        def ask() -> dict[str, Any]:
            tries["sent"] += 1
            return self.post(f"{self.home}undo/", fields)

        state = self._until_it_works(ask)
        undone = state["outcome"] == "undone" or (tries["sent"] > 1 and state["last"] != judgement)
        if undone:
            self.ledger.took_back(judgement)
        self.ahead = []
        self.take(state)
        return undone

    def revise(self, chance: random.Random) -> None:
        """Another answer in the place of an earlier one."""
        page = self._until_it_works(lambda: self._get(f"{self.home}history/"))
        if addresses := REVISE.findall(page):
            address = chance.choice(addresses)
            sheet = Sheet.read(self._until_it_works(lambda: self._get(address, may_be_gone=True)))
            if sheet is not None:
                self.say(sheet, chance.choice(["left", "right", "tie"]))

    def take(self, state: dict[str, Any], *, without: Sheet | None = None) -> None:
        """What the page's script makes of a reply: the comparisons that are its own by now."""
        if "held" not in state:
            return
        sheets = [sheet for one in state["sheets"] if (sheet := Sheet.read(one))]
        known = {one.lease: one for one in (*self.ahead, *sheets) if one is not without}
        self.ahead = [known[lease] for lease in state["held"] if lease in known]
        self.last = state.get("last")

    def post(self, url: str, fields: Fields) -> dict[str, Any]:
        response = self._ask("POST", url, [*fields, ("csrfmiddlewaretoken", self.csrf)])
        assert response.status_code in (200, 422), f"{response.status_code}: {response.text[:500]}"
        found: dict[str, Any] = response.json()
        return found

    def _get(self, url: str, *, may_be_gone: bool = False) -> str:
        response = self._ask("GET", url, None)
        if may_be_gone and response.status_code == 404:
            return ""
        assert response.status_code == 200, f"{response.status_code}: {response.text[:500]}"
        return response.text

    def _ask(self, method: str, url: str, fields: Fields | None) -> requests.Response:
        headers = {"Accept": "application/json"} if method == "POST" else {}
        try:
            response = self.http.request(
                method,
                self.site.address + url,
                data=fields,
                headers=headers,
                timeout=20,
                allow_redirects=False,
            )
        except requests.RequestException as problem:
            raise Unreachable(str(problem)) from problem
        if response.status_code >= 500:
            assert response.status_code == 503, f"{response.status_code}: {response.text[:500]}"
            raise Unreachable(response.text[:200])
        return response

    def _until_it_works(self, ask: Any) -> Any:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                return ask()
            except Unreachable:
                if time.monotonic() > deadline or self.gives_up.is_set():
                    raise
                self.ledger.sent_again()
                time.sleep(0.1)


def at_once(*acts: Any) -> list[Any]:
    """Call them at the same time."""
    gate = threading.Barrier(len(acts))

    def run(act: Any) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result() for one in [pool.submit(run, act) for act in acts]]


LABELS = """
    select j.id, j.lease, j.choice, j.first_on_left, j.withdrawn_at, u.username, j.comparison_id,
           c.pair_id, f.text, s.text, c.labelled_at, c.annotator_id = j.annotator_id, j.replaces_id
    from annotate_judgement j
    join annotate_comparison c on c.id = j.comparison_id
    join designs_selectedpair p on p.id = c.pair_id
    join pools_completion f on f.id = p.first_id
    join pools_completion s on s.id = p.second_id
    join auth_user u on u.id = j.annotator_id
    where c.kind = 'label'
"""


def losses(site: Site, ledger: Ledger, *, labels_per_pair: int) -> list[str]:
    """What the database does not hold as people know it: lost, doubled, turned round, unasked.

    Only those may be asked about whose every request has been answered.
    """
    wrong, standing = [], Counter[Any]()
    rows = {UUID(str(row[1])).hex: row for row in site.rows(LABELS)}
    replaced = {row[12] for row in rows.values() if row[12] is not None}
    for lease, given in ledger.given.items():
        if len(given.acknowledged) > 1:
            wrong.append(f"{lease}: two answers were acknowledged: {given.acknowledged}")
        if given.acknowledged and lease not in rows:
            wrong.append(f"{lease}: lost, {given.outcomes}")
        if not given.acknowledged and lease in rows:
            wrong.append(f"{lease}: stored and not acknowledged, {given.outcomes}")
    for lease, row in rows.items():
        pk, _, choice, first_on_left, withdrawn, person, comparison, pair, first, second = row[:10]
        labelled, is_theirs = row[10:12]
        given = ledger.given.get(lease)
        if given is None:
            wrong.append(f"{lease}: nobody gave it")
            continue
        if person != given.person:
            wrong.append(f"{lease}: given by {given.person}, stored as {person}'s")
        better = first if (choice == "left") == bool(first_on_left) else second
        said = (choice, better if choice in ("left", "right") else "")
        if given.acknowledged and given.acknowledged != {said}:
            wrong.append(f"{lease}: said {given.acknowledged}, stored {said}")
        is_withdrawn = withdrawn is not None
        if is_withdrawn != (pk in ledger.undone or pk in replaced):
            wrong.append(f"{lease}: withdrawn {is_withdrawn}, undone {pk in ledger.undone}")
        if not is_withdrawn and choice != "skip":
            standing.update([("pair", pair), ("slot", comparison), ("person", pair, person)])
            if labelled is None or not is_theirs:
                wrong.append(f"{lease}: stands, and its comparison is open")
    most = {"pair": labels_per_pair, "slot": 1, "person": 1}
    many = [(what, count) for what, count in standing.items() if count > most[what[0]]]
    return wrong + [f"{what}: {count} labels" for what, count in many]
