"""A reward model as trainers make them: TRL's RewardTrainer with LoRA on the embedded model."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.proof.pools import Question
from benchmarks.proof.task import Split
from pairselect.core.arrays import FloatArray, IntArray

RANK = 16
BATCH_TOKENS = 4096  # that are scored at once
PROMPT_CHARACTERS = 200


@dataclass(frozen=True)
class LoraLearner:
    """Rewards from labels; the end of the prompt and the completion are read as one plain text.

    A tie is spent and teaches nothing: the trainer has no way to say one.

    Attributes
    ----------
    model : Path
        A folder that transformers reads, of a causal language model.
    questions : sequence
        The texts, in the order of the task's rows.
    dimension : int
        Of the features of the pool whose rows pairs are numbered by; it learns without them.
    rate, epochs, batch
        The trainer's learning rate, warmed up over a tenth and falling linearly, its passes over
        the labels, and pairs a step.
    """

    model: Path
    questions: Sequence[Question] = field(repr=False)
    rate: float = 3e-4
    epochs: int = 3
    batch: int = 8
    dimension: int = 128

    @property
    def name(self) -> str:
        return f"lora:{RANK}:{self.rate:g}:{self.epochs}:{self.batch}:{PROMPT_CHARACTERS}"

    def rewards(self, split: Split, pairs: IntArray) -> FloatArray:
        """Of held-out prompts' rows; NaN elsewhere."""
        held_out = np.flatnonzero(np.isin(split.task.prompt, split.test))
        found = np.full(len(split.task.prompt), np.nan)
        preferred = split.labels(pairs)
        decided = preferred != 0.5
        rows = split.rows[pairs[decided]]  # (k, 2), of the task
        if not len(rows):
            found[held_out] = 0.0
            return found
        winners = np.where(preferred[decided, None] == 1, rows, rows[:, ::-1])
        texts = [text for question in self.questions for text in read(question)]
        found[held_out] = self._learnt(
            [(texts[a], texts[b]) for a, b in winners.tolist()],
            [texts[k] for k in held_out],
            seed=split.seed,
        )
        return found

    def _learnt(
        self, preferences: Sequence[tuple[str, str]], texts: Sequence[str], *, seed: int
    ) -> FloatArray:
        """Rewards of texts, learnt from pairs of which the first was preferred."""
        import datasets
        import peft
        import torch
        import trl
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

        from benchmarks.proof.sentiment.tuning import common, silence

        datasets.disable_progress_bars()
        tokenizer = AutoTokenizer.from_pretrained(self.model)
        set_seed(seed)  # the new head's first weights
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            self.model, num_labels=1, dtype=torch.float32
        )
        model.config.pad_token_id = tokenizer.pad_token_id
        rows = [{"chosen": chosen, "rejected": rejected} for chosen, rejected in preferences]
        with tempfile.TemporaryDirectory() as folder:
            trainer = trl.RewardTrainer(
                model=model,
                args=trl.RewardConfig(
                    learning_rate=self.rate,
                    num_train_epochs=self.epochs,
                    per_device_train_batch_size=self.batch,
                    warmup_steps=0.1,  # a share of all steps
                    max_length=None,
                    **common(Path(folder), seed=seed),
                ),
                train_dataset=datasets.Dataset.from_list(rows),
                processing_class=tokenizer,
                peft_config=peft.LoraConfig(
                    task_type=peft.TaskType.SEQ_CLS,
                    r=RANK,
                    lora_alpha=2 * RANK,
                    target_modules="all-linear",
                    modules_to_save=["score"],
                ),
            )
            silence(trainer)
            trainer.train()
        found = _score(trainer.model, tokenizer, texts)
        del trainer, model
        gc.collect()
        return found


def read(question: Question) -> list[str]:
    """The end of the prompt, where the question stands, with each completion.

    Whole prompts, some with passages of a page, would be most of what a step costs.
    """
    asked = question.prompt[-PROMPT_CHARACTERS:]
    return [f"{asked.strip()} {text.strip()}" for text in question.completions]


def _score(model: Any, tokenizer: Any, texts: Sequence[str]) -> FloatArray:
    """The reward of each text, as long ones as possible at a time, each batch of alike lengths."""
    import torch

    ids = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    found = np.zeros(len(ids))
    model.eval()
    order = sorted(range(len(ids)), key=lambda k: len(ids[k]))
    while order:
        longest = len(ids[order[-1]])
        size = max(1, BATCH_TOKENS // longest)
        batch, order = order[-size:], order[:-size]
        padded = tokenizer.pad({"input_ids": [ids[k] for k in batch]}, return_tensors="pt")
        padded = padded.to(model.device)
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, dtype=torch.bfloat16),
        ):
            found[batch] = model(**padded).logits[:, 0].float().cpu().numpy()
    return found
