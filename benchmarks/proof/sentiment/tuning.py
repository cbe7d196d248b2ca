"""The reference policy: a short supervised fine-tuning on the training reviews, by TRL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import torch

from benchmarks.proof.sentiment.reviews import Review, continuations
from benchmarks.proof.sentiment.scales import Scale
from pairselect.pools.engine.hardware import choose_device, choose_dtype

# A message is its text and the end-of-sequence token: what stands around it would be most of a
# short text's tokens.
TEMPLATE = "{% for message in messages %}{{ message['content'] + eos_token }}{% endfor %}"


def tune(base: str, reviews: Sequence[Review], folder: Path, scale: Scale) -> None:
    """Train the model in the folder ``base``; save it with its tokenizer and ``sft.json``."""
    import datasets
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    rows = []
    held = scale.tuning_held_out
    wanted = scale.tuning_rows + held
    for row in continuations(reviews, words=scale.words, tokens=scale.tokens, tokenizer=tokenizer):
        rows.append(row)
        if len(rows) == wanted:
            break
    if len(rows) <= held:
        raise SystemExit(f"The training file has {len(rows)} reviews that can be gone on with.")
    held_out, rows = rows[:held], rows[held:]
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    for one in folder.parent.glob(f".{folder.name}-*"):  # of runs that were killed
        shutil.rmtree(one)
    # Next to the target, so that it can be renamed into place.
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            num_train_epochs=1,
            warmup_steps=0.1,  # a share of all steps
            learning_rate=scale.tuning_rate,
            per_device_train_batch_size=scale.tuning_batch,
            per_device_eval_batch_size=scale.tuning_batch,
            **common(partial / "run", seed=0),
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        eval_dataset=datasets.Dataset.from_list(held_out),
        processing_class=tokenizer,
    )
    silence(trainer)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    shutil.rmtree(partial / "run", ignore_errors=True)
    trainer.model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    facts = {"rows": len(rows), "held_out_loss_before": before, "held_out_loss": after}
    (partial / "sft.json").write_bytes(orjson.dumps(facts))
    partial.rename(folder)


def common(folder: Path, *, seed: int) -> dict[str, Any]:
    """What both trainers are told: nothing is saved, logged or reported, bfloat16 where it pays.

    Weights and the optimiser's state are float32 in any case.
    """
    device = choose_device()
    return {
        "output_dir": str(folder),
        "seed": seed,
        "data_seed": seed,
        "bf16": choose_dtype(device) == torch.bfloat16,
        "use_cpu": device.type == "cpu",
        "dataloader_pin_memory": device.type != "cpu",
        "activation_checkpointing": False,
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def silence(trainer: Any) -> None:
    """Without a progress bar a trainer prints what it would have shown."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
