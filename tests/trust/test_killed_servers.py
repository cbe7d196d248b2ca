"""Web servers, workers and databases killed at any moment: a label acknowledged is there, once.

``PAIRSELECT_ROUNDS=200`` kills two hundred times on each database; by default, a few times.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import psutil

from tests.trust.desk import Annotator, Ledger, at_once, losses
from tests.trust.serving import PATIENTLY, Postgres, Site, kill_group, rounds, wait_until

PEOPLE = 8
IN_TWO_TABS = 2  # of them
LABELS_PER_PAIR = 3
PAIRS_A_ROUND = 25
PAUSE = 0.02  # s between a person's answers
MORE_LABELS = 3  # between two kills, at least

Kill = Callable[[], None]


class Crowd:
    """People who label, as a page does, until they are told to stop."""

    def __init__(self, site: Site, made: dict[str, Any], seed: int) -> None:
        self.ledger, self.stopped = Ledger(), threading.Event()
        self.tabs: list[tuple[Annotator, bool]] = []
        for number, (name, session) in enumerate(made["sessions"].items()):
            several = number < IN_TWO_TABS
            for _ in range(2 if several else 1):
                tab = Annotator(site, name, session, made["campaign"], self.ledger)
                self.tabs.append((tab, several))
        self.pool = ThreadPoolExecutor(len(self.tabs))
        self.at_work = [
            self.pool.submit(self._label, tab, random.Random(f"{seed}-{number}"), alone=not several)
            for number, (tab, several) in enumerate(self.tabs)
        ]

    def _label(self, tab: Annotator, chance: random.Random, *, alone: bool) -> None:
        """Until told to stop; every request that was begun is repeated until it is answered."""
        tab.open()
        while not self.stopped.is_set():
            if not tab.ahead:
                tab.open()
                if not tab.ahead:
                    time.sleep(0.2)
                    continue
            sheet = tab.ahead[0]
            choice, other = chance.sample(["left", "right", "tie", "both_bad"], 2)
            act = chance.random()
            if act < 0.10:  # pressed twice
                at_once(partial(tab.say, sheet, choice), partial(tab.say, sheet, choice))
            elif act < 0.20:  # the same comparison in two tabs, answered otherwise
                at_once(partial(tab.say, sheet, choice), partial(tab.say, sheet, other))
            elif act < 0.23:
                tab.say(sheet, "skip")
            else:
                tab.say(sheet, choice)
            if alone and act > 0.92 and tab.last is not None:
                tab.undo()
            elif act > 0.84:
                tab.revise(chance)
            time.sleep(PAUSE)

    def give_more(self, number: int) -> None:
        before = self.ledger.acknowledged
        wait_until(
            lambda: self.ledger.acknowledged >= before + number or self._problem(),
            f"{number} more labels after {before}",
        )

    def stop(self) -> None:
        self.stopped.set()
        for one in self.at_work:
            one.result()
        self.pool.shutdown()

    def _problem(self) -> bool:
        """Raise what ended one of them."""
        for one in self.at_work:
            if one.done():
                one.result()
        return False


class Killer:
    """What can be killed of a site, and how it comes back."""

    def __init__(self, site: Site, postgres: Postgres | None) -> None:
        self.site, self.postgres = site, postgres
        self.worker = site.start_worker()
        site.start_sweep()
        self.kills: list[Kill] = [self.web, self.web_process, self.a_worker]
        if postgres is not None:
            self.kills.insert(1, self.database)

    def web(self) -> None:
        """The master and its processes, in mid-write."""
        self.site.kill_web()
        self.site.start_web()

    def web_process(self) -> None:
        """One process; the master starts another."""
        assert self.site.web is not None
        with suppress(IndexError, psutil.NoSuchProcess):
            psutil.Process(self.site.web.pid).children()[0].kill()

    def a_worker(self) -> None:
        kill_group(self.worker)
        self.worker = self.site.start_worker()

    def database(self) -> None:
        assert self.postgres is not None
        self.postgres.stop("immediate")
        self.postgres.start()


@PATIENTLY
def test_what_was_acknowledged_is_stored_once(
    database: str, make_site: Callable[..., Site], postgres: Callable[[], Postgres]
) -> None:
    seed, number = random.randrange(10**6), rounds(4)
    chance = random.Random(seed)
    site = make_site(database)
    pairs = 40 + PAIRS_A_ROUND * number
    made = site.set_up(people=PEOPLE, pairs=pairs, labels_per_pair=LABELS_PER_PAIR)
    site.python("from pairselect.jobs.actions import enqueue_job; enqueue_job('busy', 1)")
    site.start_web()
    killer = Killer(site, postgres() if database == "postgres" else None)
    crowd = Crowd(site, made, seed)
    done: list[str] = []
    for place in range(number):
        crowd.give_more(MORE_LABELS)
        time.sleep(chance.uniform(0, 0.3))
        # Each kind of kill comes, however few the rounds are.
        kill = killer.kills[place] if place < len(killer.kills) else chance.choice(killer.kills)
        kill()
        done.append(kill.__name__)
    crowd.give_more(MORE_LABELS)
    crowd.stop()
    ledger = crowd.ledger
    wrong = losses(site, ledger, labels_per_pair=LABELS_PER_PAIR)
    summary = (
        f"{database}, seed {seed}: {number} kills ({done[:20]}), {len(ledger.given)} answers, "
        f"{ledger.acknowledged} acknowledged, {len(ledger.undone)} undone, "
        f"{ledger.repeats} requests repeated"
    )
    print(summary)
    assert wrong == [], f"{summary}\n" + "\n".join(wrong[:20])
    assert ledger.repeats > 0, summary  # else nothing was cut off
