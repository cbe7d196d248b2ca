"""A task, its plans and budgets: every cell measured once and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import orjson

from benchmarks.proof.learner import Learner, RewardLearner
from benchmarks.proof.plans import DEFAULT, Plan, choose
from benchmarks.proof.records import GAINS, Cell, Results
from benchmarks.proof.statistics import Curve
from benchmarks.proof.task import Split, Task, gained, relabelled
from pairselect.core.arrays import FloatArray

# The receipt's prediction is the same for every draw and nearly so for every seed.
RECEIPTS = 3  # seeds
# At which policies are compared, in nats.
KLS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
WITH_RECEIPT = (DEFAULT, Plan())
SECONDS_BETWEEN = 30  # of what is said about the progress


@dataclass
class Bench:
    """One task with one kind of features and one learner.

    With ``labels``, of `relabelled`, what is learnt from is those, and what it is judged by the
    data's own.
    """

    task: Task
    data: str
    features: str
    results: Results
    seeds: int
    learner: RewardLearner = field(default_factory=Learner)
    labels: str = ""
    _splits: dict[int, Split] = field(default_factory=dict)

    def split(self, seed: int) -> Split:
        if seed not in self._splits:
            task = relabelled(self.task, self.labels, seed) if self.labels else self.task
            self._splits[seed] = Split.of(task, seed)
        return self._splits[seed]

    def budgets(self, wanted: Iterable[int]) -> list[int]:
        """Those that every split has pairs for, and all its pairs."""
        return [*self.below(wanted), self.most]

    def below(self, wanted: Iterable[int]) -> list[int]:
        """Those that every split has more pairs than."""
        return sorted({n for n in wanted if n < self.most})

    @cached_property
    def most(self) -> int:
        """Pairs that every split has."""
        return min(self.split(seed).pool(self.learner.dimension).n_pairs for seed in range(2))

    def cell(self, plan: Plan, budget: int, seed: int) -> Cell:
        facts = orjson.dumps(plan.facts(), option=orjson.OPT_SORT_KEYS).decode()
        data = f"{self.data}:{self.labels}" if self.labels else self.data
        return Cell(data, self.features, facts, budget, seed, self.learner.name)

    def measure(self, plans: Mapping[str, Plan], budgets: Mapping[str, Sequence[int]]) -> None:
        """What is missing, seed by seed, so that a run cut short has some of everything."""
        missing = [
            (seed, name, n)
            for seed in range(self.seeds)
            for name in plans
            for n in budgets[name]
            if self.results.lacks_gains(self.cell(plans[name], n, seed))
        ]
        started = said = time.perf_counter()
        for done, (seed, name, n) in enumerate(missing, 1):
            self._one(plans[name], n, seed)
            now = time.perf_counter()
            if now - said > SECONDS_BETWEEN:
                left = (now - started) / done * (len(missing) - done) / 60
                print(f"{self.features}: {done} of {len(missing)}, {left:.0f} min left", flush=True)
                said = now

    def _one(self, plan: Plan, budget: int, seed: int) -> None:
        split = self.split(seed)
        pool = split.pool(self.learner.dimension)
        n = min(budget, pool.n_pairs)
        receipt = seed < RECEIPTS and plan in WITH_RECEIPT
        right, ties, seconds = np.zeros(split.test.size), 0.0, 0.0
        gains = dict.fromkeys(KLS, np.zeros(split.test.size))
        draws = 1 if n == pool.n_pairs else plan.draws
        for draw in range(draws):
            began = time.process_time()
            chosen = choose(split, plan, n, draw, receipt=receipt)
            seconds += time.process_time() - began
            reward = self.learner.rewards(split, chosen.pairs)
            right += self.task.right(reward, split.test) / draws
            for kl in KLS:
                gains[kl] = gains[kl] + self.task.gains(reward, split.test, kl) / draws
            ties += float(np.mean(split.labels(chosen.pairs) == 0.5)) / draws
        facts: dict[str, Any] = {"ties": round(ties, 4), "seconds": round(seconds / draws, 3)}
        facts[GAINS] = {f"{kl:g}": np.round(one, 4).tolist() for kl, one in gains.items()}
        if chosen.worth is not None and np.isfinite(chosen.worth):
            facts["worth"] = round(chosen.worth, 1)
        if chosen.gap is not None and np.isfinite(chosen.gap):
            facts["gap"] = round(chosen.gap, 5)
        self.results.add(self.cell(plan, budget, seed), right, facts)

    def curve(self, plan: Plan, budgets: Sequence[int]) -> Curve:
        """What was measured, as a curve over the budgets."""
        found = self._held_out(
            len(budgets),
            lambda b, seed: self.results.right(self.cell(plan, budgets[b], seed)),
        )
        return Curve(np.array(budgets), found, self.judged())

    def gains(self, plan: Plan, budgets: Sequence[int], kl: float) -> Curve:
        """What policies of this KL gain in score over the reference, over the budgets."""
        found = self._held_out(
            len(budgets),
            lambda b, seed: self.results.gains(self.cell(plan, budgets[b], seed), kl),
        )
        return Curve(np.array(budgets), found, self._held(), nothing=0.0)

    def best_gains(self, kl: float) -> Curve:
        """The same of a policy that follows the true score itself."""
        scores = self.task.score.reshape(self.task.n_prompts, -1)

        def of_seed(_: int, seed: int) -> FloatArray:
            score = scores[self.split(seed).test]
            return gained(score, score, kl)

        return Curve(np.zeros(1), self._held_out(1, of_seed), self._held(), nothing=0.0)

    def _held_out(self, budgets: int, quantity: Callable[[int, int], FloatArray]) -> FloatArray:
        """A quantity of each held-out prompt by budget's place and seed: (b, seeds, prompts)."""
        found = np.zeros((budgets, self.seeds, self.task.n_prompts))
        for b, seed in product(range(budgets), range(self.seeds)):
            found[b, seed, self.split(seed).test] = quantity(b, seed)
        return found

    def _held(self) -> FloatArray:
        """1 where the seed holds the prompt out, (seeds, prompts)."""
        return self._held_out(1, lambda _, seed: np.ones(self.split(seed).test.size))[0]

    def judged(self) -> FloatArray:
        """Decided pairs of each prompt, 0 where the seed does not hold it out, (seeds, prompts)."""
        return self._held_out(1, lambda _, seed: self.task.judged[self.split(seed).test])[0]

    def fact(self, plan: Plan, budget: int, name: str) -> list[float]:
        """This fact of each seed that has it."""
        cells = [self.cell(plan, budget, seed) for seed in range(self.seeds)]
        records = [self.results.found[cell.key] for cell in cells]
        return [record[name] for record in records if name in record]
