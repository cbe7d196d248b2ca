"""Optimality gap by design and budget where the gap is known exactly; tables and figures."""

import argparse
import multiprocessing
import time
from pathlib import Path

from benchmarks.synthetic.experiments import EXPERIMENTS, Record, run
from benchmarks.synthetic.report import REPORTS
from benchmarks.synthetic.settings import SETTINGS
from benchmarks.synthetic.statistics import curves

SEEDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic", description=__doc__)
    parser.add_argument("--only", choices=list(EXPERIMENTS), help="one experiment")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, default=Path("docs/synthetic"))
    parser.add_argument("--processes", type=int, default=2)
    o = parser.parse_args()
    o.output.mkdir(parents=True, exist_ok=True)
    names = (o.only,) if o.only else tuple(EXPERIMENTS)
    settings = [s for s in SETTINGS if any(s in EXPERIMENTS[name][1] for name in names)]
    tasks = [(names, setting, seed) for setting in settings for seed in range(o.seeds)]
    records: dict[str, list[Record]] = {name: [] for name in names}
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(o.processes) as workers:
        for done, part in enumerate(workers.imap_unordered(run, tasks), 1):
            for name, found in part.items():
                records[name] += found
            seconds = time.perf_counter() - started
            print(f"\r{done} of {len(tasks)}, {seconds:.0f} s", end="", flush=True)
    print()
    for name in names:
        write(name, records[name], o.output, o.seeds)


def write(name: str, records: list[Record], output: Path, seeds: int) -> None:
    title, report = REPORTS[name]
    body = report(curves(records), output / f"{name}.svg")
    option = "" if seeds == SEEDS else f" --seeds {seeds}"
    (output / f"{name}.md").write_text(
        f"# {title}\n\n"
        f"`python -m benchmarks.synthetic --only {name}{option}`: {seeds} seeds; in brackets and "
        "as bands 95% intervals (bootstrap over seeds, which are paired).\n\n"
        f"![{title}]({name}.svg)\n\n{body}"
    )


if __name__ == "__main__":
    main()
