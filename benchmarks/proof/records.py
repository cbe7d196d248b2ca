"""What was measured, as JSON lines that a killed run goes on with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pairselect.core.arrays import FloatArray

# Raise it where the same key would mean something else than before.
VERSION = 1
GAINS = "gains"


@dataclass(frozen=True)
class Cell:
    """Everything that decides a measurement."""

    data: str  # the texts and their labels
    features: str
    plan: str  # its facts as JSON
    budget: int
    seed: int
    learner: str

    @property
    def key(self) -> str:
        facts = [VERSION, self.data, self.features, self.plan, self.budget, self.seed, self.learner]
        return hashlib.sha256(orjson.dumps(facts)).hexdigest()[:24]


@dataclass
class Results:
    """A file of records by key, appended to one at a time."""

    file: Path
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            return
        lines = self.file.read_bytes().split(b"\n")
        for line in lines[:-1]:
            record = orjson.loads(line)
            self.found[record["key"]] = record
        if lines[-1]:  # cut off by a kill
            whole = sum(len(line) + 1 for line in lines[:-1])
            with self.file.open("r+b") as stream:
                stream.truncate(whole)

    def __contains__(self, cell: Cell) -> bool:
        return cell.key in self.found

    def right(self, cell: Cell) -> FloatArray:
        """Decided pairs of each held-out prompt that the learner had right."""
        return np.array(self.found[cell.key]["right"])

    def gains(self, cell: Cell, kl: float) -> FloatArray:
        """What the policy of this KL gains on each held-out prompt."""
        return np.array(self.found[cell.key][GAINS][f"{kl:g}"])

    def lacks_gains(self, cell: Cell) -> bool:
        """Whether the cell was not measured, or before gains were."""
        return cell not in self or GAINS not in self.found[cell.key]

    def add(self, cell: Cell, right: FloatArray, facts: Mapping[str, Any]) -> None:
        record = {
            "key": cell.key,
            "plan": cell.plan,
            "features": cell.features,
            "budget": cell.budget,
            "seed": cell.seed,
            "learner": cell.learner,
            **facts,
            "right": [round(float(one), 3) for one in right],
        }
        with self.file.open("ab") as stream:
            stream.write(orjson.dumps(record) + b"\n")
        self.found[cell.key] = record
