"""The command: each stage makes what the next ones need, and what is there is not made again."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from benchmarks.proof.pools import EMBEDDED
from benchmarks.proof.sentiment import ON_REQUEST, STAGES
from benchmarks.proof.sentiment.reviews import Review, read_reviews, shuffled, slices
from benchmarks.proof.sentiment.scales import SCALES, Learning, Scale

# Seconds in which a stage finds that all is there.
NOTHING = 2.0


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proof.sentiment")
    parser.add_argument(
        "--train", type=Path, required=True, help="reviews, JSON lines, gzip or not"
    )
    parser.add_argument("--test", type=Path, required=True, help="other reviews")
    parser.add_argument("--folder", type=Path, default=Path("data/proof/sentiment"))
    parser.add_argument("--scale", choices=tuple(SCALES), default="full")
    parser.add_argument(
        "--reduced",
        action="store_const",
        dest="scale",
        const="reduced",
        help="what two CPU cores can do",
    )
    usual = [stage for stage in STAGES if stage not in ON_REQUEST]
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=usual)
    parser.add_argument("--base", default=EMBEDDED, help="the model to fine-tune")
    parser.add_argument("--workers", type=int, default=1, help="processes that train at once")
    parser.add_argument("--share", help="K/N: the share of the runs of one of N workers")
    parser.add_argument("--machine", default="", help="its name for the page")
    parser.add_argument("--output", type=Path, default=Path("docs/proof"))
    return parser


class Command:
    """One call of the command, on a folder of its scale."""

    def __init__(self, o: argparse.Namespace, scale: Scale) -> None:
        self.o, self.scale = o, scale
        self.folder: Path = o.folder / scale.name
        self.data, self.model = self.folder / "data", self.folder / "sft"
        self.folder.mkdir(parents=True, exist_ok=True)

    # --- what stages share ------------------------------------------------------------------

    @cached_property
    def train(self) -> list[Review]:
        return read_reviews(self.o.train)

    @cached_property
    def test(self) -> list[Review]:
        return read_reviews(self.o.test)

    @cached_property
    def beginnings(self) -> dict[str, list[str]]:
        """Prompts of each part, of the evaluation and of the search: no review is in two."""
        sizes = {name: part.prompts for name, part in self.scale.parts.items()}
        sizes |= {"evaluation": self.scale.evaluation, "search": self.scale.search.prompts}
        sizes |= {name: part.prompts for name, part in self.scale.curves.items()}
        words = self.scale.words
        found = slices(shuffled(self.test, words, seed=0), sizes)
        return {name: [one.beginning(words) for one in part] for name, part in found.items()}

    def bench(self, prompts: str) -> Any:
        from benchmarks.proof.sentiment.pools import read_pool
        from benchmarks.proof.sentiment.reward import load_reward
        from benchmarks.proof.sentiment.runs import Archive, Bench
        from pairselect.pools.engine.hardware import choose_device

        reward = load_reward(self.folder / "reward.joblib")
        parts = self.scale.parts.items()
        return Bench(
            self.scale,
            {name: read_pool(self.data, name, part, reward) for name, part in parts},
            reward,
            self.beginnings[prompts],
            Archive(self.folder / "results.jsonl"),
            choose_device().type,
        )

    def studio(self) -> Any:
        from benchmarks.proof.sentiment.training import Studio

        return Studio(self.model, data=self.data)

    def learning(self) -> Learning:
        return Learning(**orjson.loads((self.folder / "learning.json").read_bytes()))

    def carry_out(self, stage: str) -> None:
        """Run a stage; note what it took, where it had something to do."""
        began = time.perf_counter()
        getattr(self, stage)()
        seconds = time.perf_counter() - began
        file = self.folder / "seconds.json"
        known = orjson.loads(file.read_bytes()) if file.exists() else {}
        if stage != "page" and not self.o.share and seconds > NOTHING:
            known[stage] = round(known.get(stage, 0) + seconds)
            file.write_bytes(orjson.dumps(known))
        print(f"{stage}: {seconds:.0f} s", file=sys.stderr, flush=True)

    # --- stages -----------------------------------------------------------------------------

    def sft(self) -> None:
        from benchmarks.proof.sentiment.tuning import tune
        from pairselect.pools.engine.loading import resolve_name

        if not self.model.exists():
            base = resolve_name(self.o.base, self.data)
            tune(base, shuffled(self.train, self.scale.words, seed=1), self.model, self.scale)

    def reward(self) -> None:
        from benchmarks.proof.sentiment.reward import save_reward, train_reward

        file = self.folder / "reward.joblib"
        if not file.exists():
            # As much of a review as a policy writes: a token is about three quarters of a word.
            words = self.scale.words + round(0.75 * self.scale.tokens)
            save_reward(train_reward(self.train, self.test, words=words), file)

    def pools(self) -> None:
        from benchmarks.proof.sentiment.pools import make_pool

        for name, part in self.scale.parts.items():
            make_pool(self.data, name, self.beginnings[name], part, self.model, self.scale)

    def curves(self) -> None:
        from benchmarks.proof.sentiment.pools import make_pool, read_pool, write_rewards
        from benchmarks.proof.sentiment.reward import load_reward

        reward = load_reward(self.folder / "reward.joblib")
        for name, part in self.scale.curves.items():
            make_pool(self.data, name, self.beginnings[name], part, self.model, self.scale)
            pool = read_pool(self.data, name, part, reward)
            write_rewards(pool, self.folder / f"{name}.jsonl")

    def search(self) -> None:
        from dataclasses import asdict

        from benchmarks.proof.sentiment.runs import best_learning, search, tried

        file = self.folder / "learning.json"
        if not file.exists():
            bench = self.bench("search")
            search(bench, self.studio())
            best = best_learning(tried(bench), self.scale.search.beta)
            file.write_bytes(orjson.dumps(asdict(best)))

    def runs(self) -> None:
        from benchmarks.proof.sentiment.runs import share_of

        learning, bench = self.learning(), self.bench("evaluation")
        if self.o.share:
            place, workers = (int(one) for one in self.o.share.split("/"))
            bench.archive.file = self.folder / f"results-{place}.jsonl"
            runs = share_of(bench.missing(learning), place, workers)
            bench.measure(self.studio(), runs, learning)
            return
        self.merge(bench.archive)  # of workers that were killed
        missing = bench.missing(learning)
        if missing and self.o.workers > 1:
            self.in_workers()
            self.merge(bench.archive)
        elif missing:
            bench.measure(self.studio(), missing, learning)

    def merge(self, archive: Any) -> None:
        for file in sorted(self.folder.glob("results-*.jsonl")):
            archive.merge(file)

    def in_workers(self) -> None:
        command = [sys.executable, "-m", "benchmarks.proof.sentiment", "--stages", "runs"]
        for name in ("train", "test", "folder"):
            command += [f"--{name}", str(getattr(self.o, name))]
        command += ["--scale", self.scale.name]
        count = self.o.workers
        processes = [subprocess.Popen([*command, "--share", f"{k}/{count}"]) for k in range(count)]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit("A worker has failed, see above; the same command goes on.")

    def page(self) -> None:
        from benchmarks.proof.sentiment.page import Page

        self.o.output.mkdir(parents=True, exist_ok=True)
        page = Page(self.bench("evaluation"), self.bench("search"), self.learning(), self.folder)
        command = "python -m benchmarks.proof.sentiment --train TRAIN --test TEST"
        command += "" if self.scale.name == "full" else f" --scale {self.scale.name}"
        command += f" --workers {self.o.workers}" if self.o.workers > 1 else ""
        page.write(self.o.output, command=command, machine=self.o.machine)


def main(arguments: list[str] | None = None) -> None:
    o = options().parse_args(arguments)
    command = Command(o, SCALES[o.scale])
    for stage in STAGES:
        if stage in o.stages:
            command.carry_out(stage)


if __name__ == "__main__":
    main()
