"""A policy from labels, by TRL's DPOTrainer, and what it writes."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.proof.sentiment.reviews import as_read
from benchmarks.proof.sentiment.reward import Reward
from benchmarks.proof.sentiment.scales import Learning
from benchmarks.proof.sentiment.tuning import common, silence
from pairselect.core.arrays import FloatArray
from pairselect.pools.engine.contract import Request, Sampler
from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.generation import InProcessGenerator
from pairselect.pools.engine.hardware import choose_device
from pairselect.pools.engine.loading import LanguageModel, load_model


@dataclass(frozen=True, eq=False)
class Written:
    """What a policy wrote after the evaluation prompts, one completion each.

    Attributes
    ----------
    reward : (prompts,) array
    log_ratio : (prompts,) array
        log π(y|x) − log π_ref(y|x), nats, with the end of sequence where the policy wrote it; its
        mean estimates the sequence-level KL.
    tokens : (prompts,) array
    ended : (prompts,) array
        1 where the policy ended the text, 0 where it was cut.
    """

    reward: FloatArray
    log_ratio: FloatArray
    tokens: FloatArray
    ended: FloatArray


class Studio:
    """The reference, a policy that is trained from it again and again, and who writes with it.

    The policy is trained in float32 (bfloat16 products where the hardware has them). On CUDA it
    writes in float32 too; on a CPU with the product's choice of number format, reference alike.
    """

    def __init__(self, model: Path, *, data: Path) -> None:
        import datasets

        datasets.disable_progress_bars()
        device = choose_device()
        written = torch.float32 if device.type == "cuda" else None
        self.reference = load_model(str(model), data_dir=data, dtype=written)
        self._writer = load_model(str(model), data_dir=data, dtype=written)
        self._generator = InProcessGenerator(self._writer)
        self._anchor = load_model(str(model), data_dir=data, dtype=torch.float32).model
        self._policy = load_model(str(model), data_dir=data, dtype=torch.float32).model
        self._tokenizer = self.reference.tokenizer

    def restart(self) -> None:
        """Policy and writer are the reference again."""
        _copy(self._anchor, self._policy)
        _copy(self._anchor, self._writer.model)

    def train(
        self, rows: Sequence[Mapping[str, Any]], learning: Learning, *, beta: float, seed: int
    ) -> None:
        """DPO from the reference."""
        import datasets
        import trl

        _copy(self._anchor, self._policy)
        with tempfile.TemporaryDirectory() as folder:
            trainer = trl.DPOTrainer(
                model=self._policy,
                ref_model=self._anchor,
                args=trl.DPOConfig(
                    beta=beta,
                    learning_rate=learning.rate,
                    num_train_epochs=learning.epochs,
                    per_device_train_batch_size=learning.batch,
                    max_length=None,
                    **common(Path(folder), seed=seed),
                ),
                train_dataset=datasets.Dataset.from_list([dict(row) for row in rows]),
                processing_class=self._tokenizer,
            )
            if len(trainer.train_dataset) != len(rows):
                raise SystemExit("TRL has dropped rows: look at their lengths.")
            silence(trainer)
            trainer.train()
        del trainer
        for model in (self._policy, self._anchor):
            # A trainer wraps the forward pass, for its number format among others, and leaves a
            # mark by which the next one would not.
            for name in ("forward", "_original_forward", "_is_accelerate_prepared"):
                model.__dict__.pop(name, None)
            model.zero_grad(set_to_none=True)
        gc.collect()
        _copy(self._policy, self._writer.model)

    def write(
        self, beginnings: Sequence[str], reward: Reward, *, seed: int, most_tokens: int
    ) -> Written:
        """One completion of each prompt at temperature 1.

        The seeds of the draws are those of prompt and seed alone, so policies are compared on
        the same random numbers.
        """
        asked = [({"role": "user", "content": text},) for text in beginnings]
        requests = [
            Request(k, messages, int(np.random.SeedSequence((7, seed, k)).generate_state(1)[0]))
            for k, messages in enumerate(asked)
        ]
        done = list(self._generator.generate(requests, Sampler(max_new_tokens=most_tokens)))
        done.sort(key=lambda one: int(str(one.key)))
        items = [
            Item(messages, one.text, one.finish_reason == "stop")
            for messages, one in zip(asked, done, strict=True)
        ]
        ratio = _log_probs(self._writer, items) - _log_probs(self.reference, items)
        texts = [as_read(text, one.text) for text, one in zip(beginnings, done, strict=True)]
        return Written(
            reward=reward.of(texts),
            log_ratio=ratio,
            tokens=np.array([one.token_count for one in done], dtype=np.float64),
            ended=np.array([one.finish_reason == "stop" for one in done], dtype=np.float64),
        )


def _log_probs(lm: LanguageModel, items: Sequence[Item]) -> FloatArray:
    size = 16_384 if lm.device.type == "cuda" else 2048
    return encode(lm, items, (), batch_tokens=size).log_probs


@torch.no_grad()
def _copy(source: Any, target: Any) -> None:
    """Weights from one model into another of the same shape, in the other's number format."""
    pairs = zip(source.parameters(), target.parameters(), strict=True)
    for one, other in pairs:
        other.copy_(one)
