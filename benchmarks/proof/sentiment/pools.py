"""The pools, by the product's own commands, and what a run needs to know of their completions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.proof.plans import Plan, dimension_for, scored, settings_of
from benchmarks.proof.pools import Workshop, setup
from benchmarks.proof.sentiment.reviews import as_read
from benchmarks.proof.sentiment.scales import Part, Scale
from pairselect.core import CandidatePool, choose_pairs
from pairselect.core.arrays import FloatArray, IntArray

FEATURES = "mean_middle"


def make_pool(
    data: Path, name: str, beginnings: Sequence[str], part: Part, model: Path, scale: Scale
) -> None:
    """Prompts in, completions at temperature 1 and their features out; goes on where it was."""
    workshop = Workshop(data, ())
    data.mkdir(parents=True, exist_ok=True)
    file = data / f"{name}.jsonl"
    rows = [{"id": str(k), "prompt": text} for k, text in enumerate(beginnings)]
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    workshop.manage("migrate", "--verbosity=0")
    setup(data)
    from pairselect.pools.models import PromptSet

    if not PromptSet.objects.filter(name=name, imported_at__isnull=False).exists():
        workshop.manage("import_prompts", str(file), "--name", name)
    workshop.manage(
        *("generate_pool", name, "--name", name, "--model", str(model.resolve())),
        *("--temperature", "1", "--completions", str(part.completions)),
        *("--max-new-tokens", str(scale.most_tokens)),
    )


@dataclass(frozen=True, eq=False)
class Material:
    """A pool's completions, row by row as the product orders them.

    Attributes
    ----------
    prompts : (n,) sequence of messages
    reward : (n,) array
        Of each completion, read as a review with its beginning.
    """

    name: str
    part: Part
    feature_set: Any
    prompts: Sequence[list[dict[str, str]]]
    texts: Sequence[str]
    ended: FloatArray  # (n,), 1 where the policy ended the text, 0 where it was cut
    reward: FloatArray
    prompt: IntArray  # (n,), 0 to prompts − 1
    _pools: dict[int, CandidatePool] = field(default_factory=dict)

    @cached_property
    def mark(self) -> str:
        """The same for the same texts."""
        whole = orjson.dumps([self.name, self.part.max_per_prompt, list(self.texts)])
        return hashlib.sha256(whole).hexdigest()[:12]

    def pool(self, dimension: int) -> CandidatePool:
        """As the product hands it to a design."""
        if dimension not in self._pools:
            from pairselect.designs.bridge import pool_arrays

            self._pools[dimension] = pool_arrays(self.feature_set, dimension=dimension).candidates
        return self._pools[dimension]

    def scores(self, name: str, seed: int) -> FloatArray:
        """``true``, or ``noisy:CORRELATION`` of its differences within prompts with the truth's."""
        if name == "true":
            return self.reward
        correlation = float(name.removeprefix("noisy:"))
        variance = float(np.mean(self.within()))
        noise = np.random.default_rng([2, seed]).standard_normal(self.reward.size)
        return np.asarray(self.reward + noise * np.sqrt(variance * (correlation**-2 - 1)))

    def within(self) -> FloatArray:
        """Variance of the reward in each prompt, (prompts,)."""
        return np.array([np.var(self.reward[rows], ddof=1) for rows in self.rows_of()])

    def rows_of(self) -> list[IntArray]:
        return [np.flatnonzero(self.prompt == p) for p in range(int(self.prompt.max()) + 1)]

    def choose(self, plan: Plan, budget: int, seed: int) -> IntArray:
        """Pairs (n, 2), rows, as `design_pairs` would choose them; the labels are not asked."""
        pool = self.pool(dimension_for(budget))
        if plan.scores:
            pool = scored(pool, self.scores(plan.scores, seed))
        rng = np.random.default_rng([3, seed, budget, 0])
        cap = self.part.max_per_prompt
        # Near-duplicates may leave a prompt without a pair.
        most = pool.n_pairs if cap is None else pool.reachable(cap)
        settings = settings_of(plan, rng) | {"max_per_prompt": cap}
        chosen = choose_pairs(pool, strategy=plan.strategy, budget=min(budget, most), **settings)
        return chosen.pairs


def read_pool(data: Path, name: str, part: Part, reward: Any) -> Material:
    """What `make_pool` made, with the reward of each completion."""
    setup(data)
    from pairselect.pools.models import Pool
    from pairselect.pools.queries import completions_in_order, finished_features

    pool = Pool.objects.get(name=name)
    found = finished_features(pool, FEATURES)
    if found is None:
        raise SystemExit(f"The pool “{name}” has no features yet: run the stage `pools`.")
    fields = ("prompt__messages", "text", "finish_reason", "prompt__position")
    columns = zip(*completions_in_order(pool).values_list(*fields), strict=True)
    prompts, texts, reasons, positions = (list(column) for column in columns)
    reviews = [as_read(m[-1]["content"], t) for m, t in zip(prompts, texts, strict=True)]
    return Material(
        name=name,
        part=part,
        feature_set=found,
        prompts=prompts,
        texts=texts,
        ended=np.array([reason == "stop" for reason in reasons], dtype=np.float64),
        reward=reward.of(reviews),
        prompt=np.unique(np.array(positions), return_inverse=True)[1].astype(np.int64),
    )


def write_rewards(material: Material, file: Path) -> None:
    """The pool as JSON lines: each prompt with its completions and their rewards."""
    with file.open("wb") as out:
        for rows in material.rows_of():
            row = {
                "prompt": material.prompts[rows[0]][-1]["content"],
                "completions": [
                    {"text": material.texts[k], "reward": round(float(material.reward[k]), 4)}
                    for k in rows
                ],
            }
            out.write(orjson.dumps(row) + b"\n")


def preference_rows(
    material: Material, pairs: IntArray, first_wins: Sequence[bool] | Any
) -> list[Mapping[str, Any]]:
    """Rows of the product's export ``trl``; those that it leaves out are left out."""
    from annotate.exporting.checking import two_texts
    from annotate.exporting.formats import FORMATS

    made = []
    for (a, b), first in zip(pairs, first_wins, strict=True):
        better, worse = (a, b) if first else (b, a)
        chosen, rejected = material.texts[better], material.texts[worse]
        if not two_texts(chosen, rejected):
            made.append(FORMATS["trl"].row(material.prompts[a], chosen, rejected, None))
    return made
