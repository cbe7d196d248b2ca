"""The runs of a scale: what decides each, and their results by key."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.proof.records import Cell, Results
from benchmarks.proof.sentiment.labels import label_pairs
from benchmarks.proof.sentiment.pools import FEATURES, Material, preference_rows
from benchmarks.proof.sentiment.reward import Reward
from benchmarks.proof.sentiment.scales import PLANS, Learning, Scale
from benchmarks.proof.sentiment.training import Studio, Written
from pairselect.core.arrays import FloatArray

REFERENCE = "reference"  # the plan without labels


@dataclass(frozen=True, order=True)
class Run:
    """One policy: the labels it learns from, and β. The seed is first: a run of the command that
    is cut short has some of everything."""

    seed: int
    part: str
    budget: int
    plan: str
    labels: str
    beta: float


def runs_of(scale: Scale) -> list[Run]:
    """All of them; those of the same pairs are neighbours."""
    found = {
        Run(seed, sweep.part, budget, plan, labels, beta)
        for sweep in scale.sweeps
        for seed in range(scale.seeds)
        for budget in sweep.budgets
        for plan in sweep.plans
        for labels in sweep.labels
        for beta in sweep.betas
    }
    return sorted(found)


def share_of(runs: Sequence[Run], place: int, workers: int) -> list[Run]:
    """A worker's: whole groups of the same pairs, so that none is chosen twice."""
    groups = list(dict.fromkeys((run.seed, run.part, run.budget, run.plan) for run in runs))
    mine = set(groups[place::workers])
    return [run for run in runs if (run.seed, run.part, run.budget, run.plan) in mine]


@dataclass(frozen=True)
class Measured:
    """Rewards and log-ratios of the evaluation prompts, (prompts,) each."""

    reward: FloatArray
    log_ratio: FloatArray
    facts: Mapping[str, Any]


class Archive(Results):
    """`Results` whose quantity is the reward of each evaluation prompt, its log-ratio beside it."""

    def keep(self, cell: Cell, written: Written, facts: Mapping[str, Any]) -> None:
        ratio = [round(float(one), 3) for one in written.log_ratio]
        more = {
            "tokens": round(float(written.tokens.mean()), 2),
            "ended": round(float(written.ended.mean()), 4),
            "log_ratio": ratio,
        }
        self.add(cell, written.reward, {**facts, **more})

    def measured(self, cell: Cell) -> Measured | None:
        if cell not in self:
            return None
        record = self.found[cell.key]
        return Measured(self.right(cell), np.array(record["log_ratio"]), record)

    def merge(self, other: Path) -> None:
        """Take over what a worker has written, and remove its file."""
        if not other.exists():
            return
        lines = []
        for key, record in Results(other).found.items():
            if key not in self.found:
                self.found[key] = record
                lines.append(orjson.dumps(record) + b"\n")
        with self.file.open("ab") as stream:
            stream.writelines(lines)
        other.unlink()


@dataclass
class Bench:
    """Everything that runs share."""

    scale: Scale
    materials: Mapping[str, Material]
    reward: Reward
    beginnings: Sequence[str]  # of the evaluation prompts
    archive: Archive
    device: str

    def data(self, part: str) -> str:
        asked = orjson.dumps([list(self.beginnings), self.scale.most_tokens])
        prompts = hashlib.sha256(asked).hexdigest()[:12]
        return f"{self.materials[part].mark}:{self.reward.mark}:{prompts}"

    def cell(self, run: Run, learning: Learning) -> Cell:
        plan = PLANS[run.plan][1].facts() | {"cap": self.materials[run.part].part.max_per_prompt}
        return Cell(
            self.data(run.part),
            FEATURES,
            orjson.dumps(plan, option=orjson.OPT_SORT_KEYS).decode(),
            run.budget,
            run.seed,
            f"dpo:{run.labels}:{run.beta:g}:{learning.name}:{self.device}",
        )

    def reference_cell(self, seed: int) -> Cell:
        """The reference's own texts; the first pool, which it wrote, stands for it."""
        return Cell(self.data(next(iter(self.materials))), "", REFERENCE, 0, seed, self.device)

    def missing(self, learning: Learning) -> list[Run]:
        return [run for run in runs_of(self.scale) if self.cell(run, learning) not in self.archive]

    def measure(self, studio: Studio, runs: Sequence[Run], learning: Learning) -> None:
        began = time.perf_counter()
        for done, (run, pairs) in enumerate(self._with_pairs(runs), 1):
            self._reference(studio, run.seed)
            self.one(studio, run, pairs, learning)
            seconds = time.perf_counter() - began
            left = seconds / done * (len(runs) - done)
            text = f"{done} of {len(runs)} runs, {left / 60:.0f} min left: {run}"
            print(text, file=sys.stderr, flush=True)

    def one(self, studio: Studio, run: Run, pairs: Any, learning: Learning) -> None:
        material = self.materials[run.part]
        first_wins = label_pairs(pairs, material.reward, kind=run.labels, seed=run.seed)
        rows = preference_rows(material, pairs, first_wins)
        higher = material.reward[pairs[:, 0]] > material.reward[pairs[:, 1]]
        began = time.perf_counter()
        studio.train(rows, learning, beta=run.beta, seed=run.seed)
        trained = time.perf_counter() - began
        written = self._write(studio, run.seed)
        facts = {
            "rows": len(rows),
            "agreement": round(float(np.mean(higher == first_wins)), 4),
            "gap": round(float(np.mean(np.abs(np.diff(material.reward[pairs])))), 3),
            "train_seconds": round(trained, 2),
            "seconds": round(time.perf_counter() - began, 2),
        }
        self.archive.keep(self.cell(run, learning), written, facts)

    def _reference(self, studio: Studio, seed: int) -> None:
        cell = self.reference_cell(seed)
        if cell not in self.archive:
            studio.restart()
            self.archive.keep(cell, self._write(studio, seed), {})

    def _write(self, studio: Studio, seed: int) -> Written:
        most = self.scale.most_tokens
        return studio.write(self.beginnings, self.reward, seed=seed, most_tokens=most)

    def _with_pairs(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Any]]:
        group, pairs = None, None
        for run in runs:
            if (run.seed, run.part, run.budget, run.plan) != group:
                group = (run.seed, run.part, run.budget, run.plan)
                material = self.materials[run.part]
                pairs = material.choose(PLANS[run.plan][1], run.budget, run.seed)
            yield run, pairs


Tried = tuple[Learning, float, float]  # with the mean reward and the KL that it came to


def search(bench: Bench, studio: Studio) -> None:
    """Try each candidate of the scale's `Search` that has not been tried."""
    run = search_run(bench.scale)
    pairs = None
    for learning in bench.scale.search.candidates:
        if bench.cell(run, learning) not in bench.archive:
            if pairs is None:
                pairs = bench.materials[run.part].choose(PLANS[run.plan][1], run.budget, run.seed)
            bench.one(studio, run, pairs, learning)


def search_run(scale: Scale) -> Run:
    asked = scale.search
    return Run(asked.seed, asked.part, asked.budget, "uniform", "bradley-terry", asked.beta)


def tried(bench: Bench) -> list[Tried]:
    """The candidates that have been tried."""
    run, found = search_run(bench.scale), []
    for learning in bench.scale.search.candidates:
        measured = bench.archive.measured(bench.cell(run, learning))
        if measured is not None:
            reward, kl = float(measured.reward.mean()), float(measured.log_ratio.mean())
            found.append((learning, reward, kl))
    return found


def best_learning(found: Sequence[Tried], beta: float) -> Learning:
    """The largest mean reward − β·KL: what DPO is after."""
    return max(found, key=lambda one: one[1] - beta * one[2])[0]
