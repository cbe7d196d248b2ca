"""Pools by the product's own commands: a file in, features out, in a data directory of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import orjson

from pairselect.core.arrays import FloatArray, IntArray

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = "embedded:smollm2-135m"


@dataclass(frozen=True)
class Question:
    """A prompt with its completions, as a file of this benchmark has them."""

    prompt: str
    completions: tuple[str, ...]


@dataclass(frozen=True)
class RawPool:
    """Features as the product extracted them, one row a completion, by prompt and index."""

    features: FloatArray  # (n, D)
    log_probs: FloatArray  # (n,), nats
    token_counts: IntArray  # (n,)
    prompt: IntArray  # (n,), the question's place in the file
    index: IntArray  # (n,), the completion's place in the question
    model: str


@dataclass(frozen=True)
class Workshop:
    """A data directory of the product, and the commands that fill it; all can be run again."""

    folder: Path
    questions: Sequence[Question]

    @property
    def name(self) -> str:
        """The pool's name: the same for the same texts."""
        text = orjson.dumps([[q.prompt, q.completions] for q in self.questions])
        return hashlib.sha256(text).hexdigest()[:12]

    def import_pool(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manage("migrate", "--verbosity=0")
        file = self.folder / f"{self.name}.jsonl"
        # A number in front keeps equal prompts apart, and their order that of the file.
        rows = [
            {"id": str(k), "prompt": q.prompt, "completions": list(q.completions)}
            for k, q in enumerate(self.questions)
        ]
        file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        if self.name not in self.pools():
            self.manage("import_pool", str(file), "--name", self.name, "--no-features")

    def extract(self, kinds: Sequence[str], model: str = EMBEDDED) -> None:
        """Every kind that is missing, from one pass of the model."""
        self.manage("extract_features", self.name, "--model", model, "--kind", *kinds)

    def read(self, kind: str, model: str = EMBEDDED) -> RawPool:
        """The features by the product's own reader."""
        setup(self.folder)
        from pairselect.pools.models import FeatureSet, Pool
        from pairselect.pools.queries import completions_in_order
        from pairselect.pools.storage import load_arrays

        pool = Pool.objects.get(name=self.name)
        found = FeatureSet.objects.get(
            pool=pool, kind=kind, model=model, completed_at__isnull=False
        )
        features, log_probs, counts = load_arrays(found)
        places = completions_in_order(pool).values_list("prompt__position", "index", "text")
        position, index, texts = zip(*places, strict=True)
        prompt = np.unique(np.array(position), return_inverse=True)[1]
        for k, i, text in zip(prompt, index, texts, strict=True):
            if self.questions[k].completions[i] != text:
                raise SystemExit(f"The pool in {self.folder} is of other texts; delete the folder.")
        return RawPool(
            np.asarray(features, dtype=np.float64),
            np.asarray(log_probs),
            np.asarray(counts, dtype=np.int64),
            prompt.astype(np.int64),
            np.array(index, dtype=np.int64),
            model,
        )

    def pools(self) -> list[str]:
        setup(self.folder)
        from pairselect.pools.models import Pool

        return list(Pool.objects.values_list("name", flat=True))

    def manage(self, *arguments: str) -> None:
        environment = os.environ | {"PAIRSELECT_DATA_DIR": str(self.folder.resolve())}
        environment.pop("DATABASE_URL", None)
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True
        )


@cache
def setup(folder: Path) -> None:
    """Django on this data directory; one a process."""
    os.environ["PAIRSELECT_DATA_DIR"] = str(folder.resolve())
    os.environ.pop("DATABASE_URL", None)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pairselect.settings")
    import django

    django.setup()
