"""PostgreSQL stopped and started under a running site: said clearly, waited for, nothing lost.

``PAIRSELECT_ROUNDS`` of any number leaves it away for 30 s; by default, for a few.
"""

import time
from collections.abc import Callable

import psutil
import pytest
import requests

from tests.trust.desk import Annotator, Ledger, losses
from tests.trust.jobs import enqueue, jobs, lines, two_at_once, wait_for_all
from tests.trust.serving import ROUNDS, Postgres, Site, wait_until

AWAY_SECONDS = 30.0 if ROUNDS else 4.0
SAID = "The database does not answer"


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site("postgres", TRUST_STEP_SECONDS="0.5")


@pytest.mark.timeout(900)
def test_pages_say_that_the_database_is_away_and_answers_wait_for_it(
    site: Site, postgres: Callable[[], Postgres]
) -> None:
    made = site.set_up(people=1, pairs=12, labels_per_pair=1)
    site.start_web()
    ledger, name = Ledger(), "annotator-00"
    anna = Annotator(site, name, made["sessions"][name], made["campaign"], ledger)
    anna.open()
    assert anna.say(anna.ahead[0], "left") == "stored"

    postgres().stop("immediate")
    page = anna.http.get(site.address + anna.home)
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "5"
    assert f"{SAID}" in page.text
    assert "Traceback" not in page.text
    stranger = requests.get(f"{site.address}/people/", cookies={"sessionid": "of-nobody"})
    assert stranger.status_code == 503  # and no login form, which would take a password
    assert requests.get(f"{site.address}/health/").status_code == 503
    token = {"Authorization": "Bearer pair_nobody"}
    api = requests.get(f"{site.address}/api/v1/campaigns", headers=token)
    assert api.status_code == 503
    assert api.json()["error"]["code"] == "busy"

    sheet = anna.ahead[0]
    began = time.monotonic()
    postgres_comes_back = time.monotonic() + AWAY_SECONDS
    with pytest.raises(Exception, match=SAID):
        anna.say(sheet, "right", repeat=False)
    while time.monotonic() < postgres_comes_back:
        time.sleep(0.1)
    postgres().start()
    assert anna.say(sheet, "right") == "stored"
    assert time.monotonic() - began < AWAY_SECONDS + 30
    anna.open()
    assert anna.say(anna.ahead[0], "tie") == "stored"
    assert losses(site, ledger, labels_per_pair=1) == []


@pytest.mark.timeout(900)
def test_workers_wait_for_the_database_and_go_on(
    site: Site, postgres: Callable[[], Postgres]
) -> None:
    """The same processes: one in the middle of a job, one that had none."""
    enqueue(site, ("rows", 1))
    site.start_sweep()
    workers = [site.start_worker() for _ in range(2)]
    wait_until(lambda: len(lines(site, "rows-1")) > 3, f"some steps: {site.said()}")
    postgres().stop("immediate")
    time.sleep(AWAY_SECONDS)
    postgres().start()
    assert wait_for_all(site)["rows-1"] == ("done", "", 1)
    assert two_at_once(site) == []
    for number in (2, 3):  # each has one
        enqueue(site, ("steps", number))
    wait_for_all(site)
    assert {one for one, _, _ in jobs(site).values()} == {"done"}
    assert all(worker.poll() is None for worker in workers), site.said()
    took = {line.pid for number in (2, 3) for line in lines(site, f"steps-{number}")}
    assert took <= {worker.pid for worker in workers}


@pytest.mark.timeout(900)
def test_a_site_whose_database_was_away_comes_back_by_itself(
    site: Site, postgres: Callable[[], Postgres]
) -> None:
    enqueue(site, ("rows", 1))
    served = site.start_serve()
    wait_until(lambda: len(lines(site, "rows-1")) > 2, f"some steps: {site.said()}")
    children = {child.pid for child in psutil.Process(served.pid).children()}
    postgres().stop("immediate")
    time.sleep(AWAY_SECONDS)
    wait_until(lambda: SAID in site.log.read_text(), "what `serve` says of it")
    postgres().start()
    assert wait_for_all(site)["rows-1"][:2] == ("done", "")
    assert two_at_once(site) == []
    site.wait_for_web()
    assert served.poll() is None
    assert {child.pid for child in psutil.Process(served.pid).children()} == children
