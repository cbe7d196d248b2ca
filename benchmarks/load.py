"""Fifty annotators on a campaign of 100,000 pairs: how long each request takes, and what it costs.

Real sessions over HTTP against `manage.py serve --no-workers` with its own settings; people come
one after the other, answer at their pace (2 s: ten times a human's 20), now and then load the page
anew, and give signs of life, all as the page's script does. At the end every answer that was
acknowledged must be in the database, once. The client runs on the same processors.
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import psutil

from benchmarks.load_people import Person, Record
from benchmarks.load_site import Site, Watch, site

WARM_UP = 30.0  # seconds, until everybody has come and what is made once is made
TITLES = {
    "page": "page",
    "next": "next: a sign of life",
    "submit": "submit: an answer and what comes next",
}
STORED = """
from annotate.models import Judgement
rows = Judgement.objects.filter(withdrawn_at=None).order_by("pk")[{given}:]
for row in rows.values_list("lease", "choice", "annotator__username", "comparison"):
    print(*row)
"""


def main() -> None:
    options = read_options()
    asked = {name: getattr(options, name) for name in ("pairs", "people", "k", "given")}
    with site(options.folder, options.database, asked) as found:
        words = options.serve.split()
        with found.served(*words) as server:
            roots = {"server": server.pid, "client": psutil.Process().pid}
            if found.postgres:
                roots["PostgreSQL"] = found.postgres.pid
            record = run(found, options, roots)
        wrong = losses(found, record)
    print(f"{'acknowledged answers':<40}{len(record.acknowledged):10,}")
    print(f"{'of them lost or stored otherwise':<40}{len(wrong):10,}")
    for line in wrong[:20]:
        print(line)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/pairselect-load"))
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--k", type=int, default=1, help="labels a pair")
    parser.add_argument("--given", type=int, help="labels there before; half the pairs if not said")
    parser.add_argument("--pace", type=float, default=2.0, help="seconds an answer of a person")
    parser.add_argument("--seconds", type=float, default=120.0, help="measured")
    parser.add_argument("--serve", default="", help="more options of `manage.py serve`")
    options = parser.parse_args()
    if options.given is None:
        options.given = options.pairs // 2
    return options


def run(found: Site, options: argparse.Namespace, roots: dict[str, int]) -> Record:
    record, watch = Record(), Watch(roots)
    sessions = found.made["sessions"].items()
    people = [
        Person(number, found.port, name, session, found.made["campaign"], options.pace, record)
        for number, (name, session) in enumerate(sessions)
    ]
    wall = measured(record, watch, [person.sit for person in people], options.seconds)
    report(record, wall, TITLES)
    for name in roots:
        used = watch.processors(name)
        answers = max(1, len(record.times["submit"]))
        print(
            f"{name:<40}{used:10.2f} processors, {1000 * used * wall / answers:.1f} ms an "
            f"answer; {memory(watch.samples[name])}"
        )
    return record


def measured(
    record: Record, watch: Watch, sits: Sequence[Callable[[float], None]], seconds: float
) -> float:
    """Everybody works, come one after the other; how long was measured, once all were there."""
    began = time.monotonic()
    seats = [
        threading.Thread(target=sit, args=[began + WARM_UP / 2 * place / len(sits)])
        for place, sit in enumerate(sits)
    ]
    for seat in seats:
        seat.start()
    time.sleep(WARM_UP)
    watch.start()
    record.is_measuring.set()
    began = time.monotonic()
    time.sleep(seconds)
    record.is_measuring.clear()
    wall = time.monotonic() - began
    watch.stop()
    record.is_over.set()
    for seat in seats:
        seat.join()
    return wall


def report(record: Record, wall: float, titles: dict[str, str]) -> None:
    print(f"{'':<40}{'number':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'most ms':>10}")
    for kind, title in titles.items():
        times = sorted(1000 * one for one in record.times[kind])
        cells = "".join(f"{quantile(times, q):10.0f}" for q in (0.5, 0.95, 0.99, 1.0))
        print(f"{title:<40}{len(times):10,}{cells}")
    print(f"{'answers a second':<40}{len(record.times['submit']) / wall:10.1f}")
    errors = ", ".join(f"{what} ({count})" for what, count in record.errors.items())
    print(f"{'errors':<40}{record.errors.total():10,}  {errors}".rstrip())
    outcomes = ", ".join(f"{what} {count:,}" for what, count in record.outcomes.items())
    print(f"{'outcomes':<40}{outcomes:>10}; connections made anew {record.reconnected:,}")


def quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


def memory(samples: list[tuple[float, float, float]]) -> str:
    """At the beginning and at the end, and how fast it grows in the second half."""
    late = samples[len(samples) // 2 :]
    slope = "not known"
    if len(late) > 2:
        times, held = [one[0] for one in late], [one[1] for one in late]
        slope = f"{3600 * statistics.linear_regression(times, held).slope / 1e6:+.1f} MB an hour"
    return f"{samples[0][1] / 1e6:.0f} MB, then {samples[-1][1] / 1e6:.0f}; late {slope}"


def losses(found: Site, record: Record) -> list[str]:
    """What is not in the database as its giver knows it: each answer that was acknowledged, once;
    none that nobody gave; no comparison with two."""
    lines = found.python(STORED.format(given=found.asked["given"])).splitlines()
    rows = [line.split() for line in lines]
    stored = {str(UUID(lease)): (choice, name) for lease, choice, name, _ in rows}
    wrong = [
        f"{lease}: said {said}, stored {stored.get(lease)}"
        for lease, said in record.acknowledged.items()
        if stored.get(lease) != said
    ]
    wrong += [f"{lease}: nobody gave it" for lease in stored.keys() - record.sent]
    labels = Counter(comparison for _, choice, _, comparison in rows if choice != "skip")
    return wrong + [
        f"comparison {one}: {count} labels" for one, count in labels.items() if count > 1
    ]


if __name__ == "__main__":
    main()
