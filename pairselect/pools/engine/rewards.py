"""Scores of completions by a reward model: a sequence classifier with one label."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pairselect.pools.engine import prompts
from pairselect.pools.engine.batching import Item, padded, runs
from pairselect.pools.engine.contract import (
    GenerationStopped,
    ModelUnavailable,
    PromptTooLong,
    ShouldStop,
)
from pairselect.pools.engine.loading import (
    context_length,
    explained,
    fingerprint,
    place,
    quiet,
    resolve_name,
)

__all__ = ["Item", "RewardModel", "load_reward_model", "score"]


@dataclass(frozen=True)
class RewardModel:
    """A reward model, ready to run.

    Parameters
    ----------
    name
        The name it was loaded by.
    model, tokenizer
        The transformers objects, the model in evaluation mode on `device`.
    device, dtype
        Where and in which number format it runs.
    context_length
        Tokens of prompt and completion together that the model can read.
    fingerprint
        What decides its scores, as plain strings; the keys are those of `LanguageModel`.
    """

    name: str
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    context_length: int
    fingerprint: Mapping[str, str]

    def token_ids(self, item: Item) -> list[int]:
        """Return the ids of prompt and completion, the completion as the assistant's turn.

        Without a chat template all contents, the completion last, are joined by blank lines, and
        the tokenizer adds its special tokens.
        """
        if not self.tokenizer.chat_template:
            text = "\n\n".join([*(turn["content"] for turn in item.messages), item.completion])
            return list(self.tokenizer(text)["input_ids"])
        turns = [*map(dict, item.messages), {"role": "assistant", "content": item.completion}]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def load_reward_model(
    name: str,
    *,
    data_dir: Path,
    device: str | None = None,
    dtype: torch.dtype | None = None,
) -> RewardModel:
    """Load a reward model: safetensors weights of a sequence classifier with one label.

    Parameters
    ----------
    name
        A local folder with safetensors weights, or a hub id.
    data_dir
        The data folder.
    device
        A torch device name. Default: CUDA where there is one, else the CPU.
    dtype
        The number format. Default: see `hardware.choose_dtype`.

    Raises
    ------
    ModelUnavailable
        With one sentence that says what to do.
    """
    source = resolve_name(name, data_dir)
    target, dtype = place(device, dtype)
    with quiet(), _silent(), explained(name):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        _check_architecture(name, config)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelUnavailable(
            f"The weights of {name} lack {missing[0]}, so its scores would be random: name a "
            "model that was trained as a reward model."
        )
    model.to(target).eval()
    return RewardModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        device=target,
        dtype=dtype,
        context_length=context_length(model.config.get_text_config(), tokenizer),
        fingerprint=fingerprint(name, source, model, tokenizer),
    )


def score(
    rm: RewardModel,
    items: Sequence[Item],
    *,
    batch_tokens: int = 2048,
    should_stop: ShouldStop | None = None,
    notice: Callable[[str], None] | None = None,
) -> NDArray[np.float64]:
    """Score completions by a reward model.

    What exceeds the model's context is cut at its end.

    Parameters
    ----------
    rm
        The reward model.
    items
        The completions; `ended` does not matter.
    batch_tokens
        Tokens in one forward pass, padding included; a longer item goes alone.
    should_stop
        Asked before each forward pass.
    notice
        Told in a sentence how many items were cut, where any was.

    Returns
    -------
    NDArray[np.float64]
        (n,), in the order of the items, in the model's own unit: higher is better.

    Raises
    ------
    PromptTooLong
        Before any work, when a prompt leaves no room in the model's context for a completion.
    GenerationStopped
        When ``should_stop()`` returns true.
    """
    rows = [(number, rm.token_ids(item)) for number, item in enumerate(items)]
    long = [number for number, ids in rows if len(ids) > rm.context_length]
    for row in long:
        _check_prompt(rm, items[row], row)
    if long and notice is not None:
        notice(
            f"{len(long):,} of {len(rows):,} completions were cut to fit the context of "
            f"{rm.context_length:,} tokens of {rm.name}."
        )
    scores = np.zeros(len(rows))
    fitting = [(place, ids[: rm.context_length]) for place, ids in rows]
    for batch in runs(fitting, lambda row: len(row[1]), batch_tokens):
        if should_stop is not None and should_stop():
            raise GenerationStopped
        scores[[place for place, _ in batch]] = _score_batch(rm, [ids for _, ids in batch])
    return scores


@torch.inference_mode()
def _score_batch(rm: RewardModel, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    config = rm.model.config.get_text_config()
    known = config.pad_token_id
    # A decoder's head reads the last token that is not padding, so padding must have an id. A
    # model without one reads the last token: any id that no row holds serves it.
    padding = _absent_id(rows) if known is None else known
    ids, mask = padded(rows)  # (rows, length)
    ids[mask == 0] = padding
    try:
        config.pad_token_id = padding
        output = rm.model(input_ids=ids.to(rm.device), attention_mask=mask.to(rm.device))
    finally:
        config.pad_token_id = known
    scores: NDArray[np.float64] = output.logits[:, 0].double().cpu().numpy()
    return scores


def _absent_id(rows: Sequence[Sequence[int]]) -> int:
    present = {token for row in rows for token in row}
    return next(token for token in range(len(present) + 1) if token not in present)


def _check_prompt(rm: RewardModel, item: Item, place: int) -> None:
    length = len(prompts.prompt_ids(rm.tokenizer, item.messages))
    if length >= rm.context_length:
        raise PromptTooLong(
            f"The prompt of item {place} has {length} tokens and leaves no room for a completion "
            f"in the reward model's context of {rm.context_length}.",
            place=place,
        )


def _check_architecture(name: str, config: Any) -> None:
    heads = config.architectures or ["an unnamed head"]
    if not any("SequenceClassification" in head for head in heads):
        raise ModelUnavailable(
            f"The model {name} is no reward model: it is a {heads[0]}, and a reward model is a "
            "sequence classifier with one label."
        )
    if config.num_labels != 1:
        raise ModelUnavailable(
            f"The model {name} gives {config.num_labels} labels: name a reward model, which "
            "gives one."
        )


@contextmanager
def _silent() -> Iterator[None]:
    """No warnings of missing weights in a worker's log: they become an error here."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
