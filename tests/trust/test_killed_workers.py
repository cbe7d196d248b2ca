"""Workers killed and stopped: every job ends for a reason, and none runs twice at a time."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.trust.jobs import (
    Line,
    active,
    enqueue,
    jobs,
    last_line,
    lines,
    two_at_once,
    wait_for_all,
)
from tests.trust.kinds.tasks import STEPS
from tests.trust.serving import PATIENTLY, ROUNDS, Site, kill_group, rounds, wait_until

WORKERS = 3
JOBS_A_ROUND = 3
KINDS = ["rows", "steps", "rows", "refused", "rows", "broken"]
STALE = "" if ROUNDS else "4"  # s; "": the product's own 45
SECONDS_TO_SEE = 60.0


@PATIENTLY
def test_every_job_ends_and_none_runs_twice_at_once(
    database: str, make_site: Callable[..., Site]
) -> None:
    seed, number = random.randrange(10**6), rounds(4)
    chance = random.Random(seed)
    site = make_site(database, TRUST_STEP_SECONDS="0.1")
    wanted: list[tuple[str, int]] = []
    more(site, wanted, JOBS_A_ROUND * number)
    cancelled = [f"{kind}-{n}" for kind, n in wanted[-2:]]
    site.start_sweep()
    workers = {one.pid: one for one in (site.start_worker() for _ in range(WORKERS))}
    killed, since = 0, 0
    while killed < number:
        line = wait_until(
            lambda: last_line(site, after=since) or not active(site),  # noqa: B023
            f"a step after {killed} kills, seed {seed}",
        )
        if not isinstance(line, Line):
            more(site, wanted, JOBS_A_ROUND * 2)
            continue
        time.sleep(chance.uniform(0, 0.2))
        if line.pid not in workers:
            continue
        kill_group(workers.pop(line.pid))  # in the middle of a job, or just after it
        since = time.monotonic_ns()
        killed += 1
        fresh = site.start_worker()
        workers[fresh.pid] = fresh
        if killed == 1:
            cancel(site, cancelled)
    found = wait_for_all(site)
    summary = f"{database}, seed {seed}: {number} kills, {len(found)} jobs, " + ", ".join(
        f"{sum(one[0] == status for one in found.values())} {status}"
        for status in ("done", "failed", "cancelled")
    )
    print(summary, max(attempts for _, _, attempts in found.values()), "attempts at most")
    assert two_at_once(site) == [], summary
    assert len(found) == len(wanted), summary
    for name, (status, error, _) in found.items():
        assert told_why(name, status, error, cancelled), f"{name}: {status}, {error}; {summary}"
        if status == "done":
            assert lines(site, name)[-1].word == "end", name
    kept = dict(site.rows("select name, count(*) from auth_group group by name"))
    for name in (one for one in found if one.startswith("rows") and found[one][0] == "done"):
        assert [kept[f"{name}-{step}"] for step in range(STEPS)] == [1] * STEPS
    assert max(attempts for _, _, attempts in found.values()) > 1, summary


def more(site: Site, wanted: list[tuple[str, int]], number: int) -> None:
    fresh = [(KINDS[n % len(KINDS)], n) for n in range(len(wanted), len(wanted) + number)]
    enqueue(site, *fresh)
    wanted += fresh


def told_why(name: str, status: str, error: str, cancelled: list[str]) -> bool:
    """Whether the job ended as such a job may."""
    if status == "cancelled":
        return name in cancelled and error.startswith("Cancelled.")
    if status == "done":
        return name.startswith(("rows", "steps"))
    died = error.startswith("Its worker died 5 times in a row.")
    refused = name.startswith("refused") and error == "There was nothing to do it with."
    broken = name.startswith("broken") and error.startswith("Unexpected ZeroDivisionError:")
    return died or refused or broken


def cancel(site: Site, names: list[str]) -> None:
    which = [tuple(name.split("-")) for name in names]
    site.python(
        "from pairselect.jobs.actions import cancel_job, last_job\n"
        f"for kind, subject in {which!r}: cancel_job(last_job(kind, int(subject)))"
    )


def stopped_in_mid_job(site: Site, job: str, *, step: str = "step 2") -> int:
    """Stop the process that runs the job between two steps; its number."""
    pid = wait_until(
        lambda: next((line.pid for line in lines(site, job) if line.word == step), 0),
        f"{job} at {step}: {site.said()}",
    )
    os.kill(pid, signal.SIGSTOP)
    return int(pid)


def begun_by_another(site: Site, job: str, pid: int) -> Line | None:
    return next((line for line in lines(site, job) if line.pid != pid), None)


@pytest.mark.timeout(900)
def test_a_stuck_worker_is_replaced_by_its_supervisor(make_site: Callable[..., Site]) -> None:
    site = make_site("sqlite", TRUST_STEP_SECONDS="0.3", TRUST_STALE_SECONDS=STALE)
    enqueue(site, ("rows", 1))
    site.start_serve()
    stuck = stopped_in_mid_job(site, "rows-1")
    began = time.monotonic()
    wait_until(lambda: jobs(site)["rows-1"][2] == 2, f"another attempt: {site.said()}", seconds=180)
    seconds = time.monotonic() - began
    print(f"a stopped worker's job was taken up {seconds:.0f} s later")
    assert seconds < SECONDS_TO_SEE
    assert wait_for_all(site)["rows-1"] == ("done", "", 2)
    assert "the cpu worker is stuck: killed" in site.log.read_text()
    assert two_at_once(site) == []
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)


@pytest.mark.timeout(900)
def test_a_worker_that_wakes_up_again_leaves_its_job_to_the_one_who_has_it(
    database: str, make_site: Callable[..., Site]
) -> None:
    """As a machine that slept: nobody kills its worker, and the job is somebody else's by now."""
    site = make_site(database, TRUST_STEP_SECONDS="0.4", TRUST_STALE_SECONDS=STALE)
    enqueue(site, ("rows", 1))
    site.start_sweep()
    site.start_worker()
    stopped = stopped_in_mid_job(site, "rows-1")
    other = site.start_worker()
    second: Line = wait_until(
        lambda: begun_by_another(site, "rows-1", stopped), site.said(), seconds=180
    )
    os.kill(stopped, signal.SIGCONT)
    assert wait_for_all(site)["rows-1"] == ("done", "", 2)
    assert all(line.at < second.at for line in lines(site, "rows-1") if line.pid == stopped)
    assert two_at_once(site) == []
    kept = site.rows(
        "select count(*), count(distinct name) from auth_group where name like 'rows-%'"
    )
    assert kept == [(STEPS, STEPS)]
    kill_group(other)
    enqueue(site, ("steps", 2))  # and the one that slept goes on working
    assert wait_for_all(site)["steps-2"] == ("done", "", 1)
    assert {line.pid for line in lines(site, "steps-2")} == {stopped}
