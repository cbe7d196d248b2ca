"""What the jobs of `tests.trust.kinds` wrote down, and what the database says of them."""

from dataclasses import dataclass

from tests.trust.serving import Site, wait_until

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Line:
    pid: int
    at: int  # ns of a clock that all processes share
    word: str


def lines(site: Site, job: str) -> list[Line]:
    """In the order in which the kernel took them."""
    path = site.folder / f"{job}.lines"
    whole = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [Line(int(pid), int(at), " ".join(words)) for pid, at, *words in whole]


def last_line(site: Site, *, after: int) -> Line | None:
    """The newest line of any job, if it is newer than that."""
    found = [
        written[-1]
        for path in site.folder.glob("*.lines")
        if (written := lines(site, path.stem)) and written[-1].at > after
    ]
    return max(found, key=lambda line: line.at, default=None)


def two_at_once(site: Site) -> list[str]:
    """Jobs of which a process wrote on after another one had begun."""
    wrong = []
    for path in site.folder.glob("*.lines"):
        replaced: set[int] = set()
        before = 0
        for line in lines(site, path.stem):
            if line.pid in replaced:
                wrong.append(f"{path.stem}: {line} after another process had begun")
            if before not in (0, line.pid):
                replaced.add(before)
            before = line.pid
    return wrong


def enqueue(site: Site, *jobs: tuple[str, int]) -> None:
    site.python(
        "from pairselect.jobs.actions import enqueue_job\n"
        f"for kind, subject in {list(jobs)!r}: enqueue_job(kind, subject)"
    )


def jobs(site: Site) -> dict[str, tuple[str, str, int]]:
    """By kind and subject: status, error, attempts."""
    rows = site.rows("select kind, subject_id, status, error, attempt from jobs_job")
    return {f"{kind}-{subject}": tuple(rest) for kind, subject, *rest in rows}


def active(site: Site) -> int:
    return sum(status not in ENDED for status, _, _ in jobs(site).values())


def wait_for_all(site: Site, *, seconds: float = 240) -> dict[str, tuple[str, str, int]]:
    """Until no job is active; in so many seconds one of them ends."""
    while left := active(site):
        wait_until(
            lambda left=left: active(site) < left,  # type: ignore[misc]
            f"one of {left} jobs to end: {jobs(site)}\n{site.said()}",
            seconds=seconds,
        )
    return jobs(site)
