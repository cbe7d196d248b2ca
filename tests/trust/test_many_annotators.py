"""Many annotators at once: no pair goes to more people than it should, and nobody waits in vain.

``PAIRSELECT_ROUNDS`` of any number asks for the whole size: 50 annotators, 2,000 pairs.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.trust.desk import LABELS, Annotator, Ledger, losses
from tests.trust.serving import ROUNDS, Site

PEOPLE, PAIRS = (50, 2000) if ROUNDS else (12, 60)
VANISH = PEOPLE // 6  # of them leave without a word, with comparisons in their hands
PATIENCE = 900.0

# A slot is one that a person may have if nobody has labelled it, nobody's lease on it runs, and
# they have no slot of its pair, by a label or a lease that runs.
FREE = """
    select count(*) from annotate_comparison c
    where c.kind = 'label' and c.labelled_at is null
      and (c.annotator_id is null or c.leased_until < '{now}')
      and not exists (
        select 1 from annotate_comparison mine join auth_user u on u.id = mine.annotator_id
        where mine.kind = 'label' and mine.pair_id = c.pair_id and u.username = '{name}'
      )
"""
OPEN = "select count(*) from annotate_comparison where kind = 'label' and labelled_at is null"
LAPSE = "update annotate_comparison set leased_until = '2026-01-01' where labelled_at is null"
HELD = """
    select u.username, count(*) from annotate_comparison c join auth_user u on u.id = c.annotator_id
    where c.labelled_at is null group by u.username
"""


class Room:
    """Everybody labels until all is labelled; some leave in the middle of it."""

    def __init__(self, site: Site, made: dict[str, Any], seed: int, labels_per_pair: int) -> None:
        self.site, self.ledger, self.k = site, Ledger(), labels_per_pair
        self.made, self.seed = made, seed
        self.idle: list[str] = []  # who was told that nothing was left, while something was
        self.told = Counter[str]()
        self.vanished: list[str] = []
        self.is_over = threading.Event()
        self.all_have_some = threading.Barrier(len(made["sessions"]))
        self.lapses = 0

    def sit(self, number: int, name: str) -> None:
        chance = random.Random(f"{self.seed}-{number}")
        tab = Annotator(
            self.site, name, self.made["sessions"][name], self.made["campaign"], self.ledger
        )
        leaves_after = chance.randrange(3)
        given = 0
        tab.open()
        self.all_have_some.wait(PATIENCE)  # else the first leave nothing to who is to leave
        while not self.is_over.is_set():
            if not tab.ahead:
                self._ask_anew(tab)
                if not tab.ahead:
                    time.sleep(0.3)
                    continue
            # With the last one in their hands, for there may be no other.
            if number < VANISH and (given == leaves_after or len(tab.ahead) == 1):
                self.vanished.append(name)
                return
            tab.say(tab.ahead[0], chance.choice(["left", "right", "tie"]))
            given += 1

    def _ask_anew(self, tab: Annotator) -> None:
        """Load the page; where it has nothing, see whether there was something all the while."""
        lapses, before = self.lapses, self._free(tab.name)
        tab.open()
        if not tab.ahead and not self.is_over.is_set():
            self.told[tab.name] += 1
            # What somebody passed on meanwhile was not there to be had: free before and after.
            if before and self._free(tab.name) >= before and lapses == self.lapses:
                self.idle.append(tab.name)

    def _free(self, name: str) -> int:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return int(self.site.rows(FREE.format(now=now, name=name))[0][0])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("labels_per_pair", [1, 3])
def test_each_pair_gets_its_labels_and_nobody_is_idle(
    database: str, labels_per_pair: int, make_site: Callable[..., Site]
) -> None:
    seed = random.randrange(10**6)
    site = make_site(database)
    made = site.set_up(people=PEOPLE, pairs=PAIRS, labels_per_pair=labels_per_pair)
    site.start_web()
    room = Room(site, made, seed, labels_per_pair)
    began = time.monotonic()
    lapsed = 0
    with ThreadPoolExecutor(PEOPLE) as pool:
        sat = [pool.submit(room.sit, place, name) for place, name in enumerate(made["sessions"])]
        try:
            while site.rows(OPEN)[0][0]:
                for one in sat:
                    if one.done():
                        one.result()
                assert time.monotonic() < began + PATIENCE, f"seed {seed}: {site.rows(HELD)}"
                time.sleep(0.3)
                held = dict(site.rows(HELD))
                if set(held) and set(held) <= set(room.vanished):
                    room.lapses += 1
                    lapsed += site.change(LAPSE)  # a quarter of an hour goes by
        finally:
            room.is_over.set()
            room.all_have_some.abort()
    seconds = time.monotonic() - began
    wanted = PAIRS * labels_per_pair
    summary = (
        f"{database}, k = {labels_per_pair}, seed {seed}: {PEOPLE} annotators, {wanted} labels in "
        f"{seconds:.0f} s ({wanted / seconds:.0f}/s), {len(room.vanished)} vanished, {lapsed} "
        f"leases lapsed, {room.told.total()} times nothing left, {room.idle} idle in vain"
    )
    print(summary)
    assert losses(site, room.ledger, labels_per_pair=labels_per_pair) == [], summary
    assert room.idle == [], summary
    assert len(room.vanished) == VANISH, summary
    assert lapsed > 0, summary
    assert room.ledger.acknowledged == wanted, summary
    counts = Counter(row[7] for row in site.rows(LABELS) if row[4] is None)
    assert set(counts.values()) == {labels_per_pair}, summary
