"""Features and log-probabilities of completions: one forward pass over prompt + completion."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pairselect.pools.engine.contract import (
    GenerationStopped,
    Message,
    PromptTooLong,
    ShouldStop,
)
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.prompts import completion_ids

DEFAULT_KIND = "mean_middle"

# Logits held at once: this many float32 numbers, 32 MB. Larger blocks are slower on a CPU,
# which maps fresh pages for each.
_LOGIT_NUMBERS = 1 << 23


@dataclass(frozen=True)
class FeatureKind:
    """Which hidden state is taken, and how a completion's tokens become one vector.

    Parameters
    ----------
    depth
        The state's place as a share of the layers: 0 is the embeddings, 1/2 the input of layer
        n // 2 (``hidden_states[n // 2]``), 1 the final state after the final norm.
    pooling
        ``"mean"`` over the completion's tokens, or the ``"last"`` token.
    """

    depth: float
    pooling: Literal["mean", "last"]

    def layer(self, layer_count: int) -> int:
        """Return the index into ``hidden_states``, 0 to `layer_count`."""
        return int(self.depth * layer_count)


FEATURE_KINDS: Mapping[str, FeatureKind] = {
    # the default: far better than the last token on real features
    "mean_middle": FeatureKind(depth=0.5, pooling="mean"),
    # arXiv:2606.19607, the paper's own
    "last_token": FeatureKind(depth=1.0, pooling="last"),
}


@dataclass(frozen=True)
class Item:
    """A completion to encode.

    Parameters
    ----------
    messages
        The prompt, as turns.
    completion
        The text that follows it.
    ended
        Whether the model ended it: then the log-probability includes the end-of-sequence
        token. It never enters the features.
    """

    messages: tuple[Message, ...]
    completion: str
    ended: bool


@dataclass(frozen=True)
class Encoding:
    """What `encode` returns, in the order of its items.

    Parameters
    ----------
    features
        For each kind a float32 array (n, d), d the model's hidden size.
    log_probs
        (n,), nats: log-probability of the completion's tokens given the prompt, at
        temperature 1, with the end of sequence where the item ended.
    token_counts
        (n,), the completion's tokens, without the end of sequence.
    """

    features: Mapping[str, NDArray[np.float32]]
    log_probs: NDArray[np.float64]
    token_counts: NDArray[np.int64]


def encode(
    lm: LanguageModel,
    items: Sequence[Item],
    kinds: Sequence[str] = (DEFAULT_KIND,),
    *,
    batch_tokens: int = 2048,
    should_stop: ShouldStop | None = None,
) -> Encoding:
    """Compute features and log-probabilities of completions under a model.

    The token ids are those of the rendered prompt followed by those of the completion's text.
    (The ids that were sampled may have split the same text differently.) A completion
    without tokens has no mean: every kind then takes the state at the prompt's last token.

    Parameters
    ----------
    lm
        The reference model.
    items
        The completions; an empty sequence gives empty arrays.
    kinds
        Names in `FEATURE_KINDS`.
    batch_tokens
        Tokens in one forward pass, padding included; a longer item goes alone.
    should_stop
        Asked before each forward pass.

    Raises
    ------
    ValueError
        For an unknown kind.
    PromptTooLong
        Before any work, when an item exceeds the model's context.
    GenerationStopped
        When ``should_stop()`` returns true.
    """
    unknown = [kind for kind in kinds if kind not in FEATURE_KINDS]
    if unknown:
        raise ValueError(
            f"There is no feature kind {unknown[0]!r}: use {', '.join(FEATURE_KINDS)}."
        )
    sequences = [_sequence(lm, number, item) for number, item in enumerate(items)]
    width = lm.model.config.get_text_config().hidden_size
    features = {kind: np.zeros((len(items), width), dtype=np.float32) for kind in kinds}
    log_probs = np.zeros(len(items), dtype=np.float64)
    for batch in _batches(sequences, batch_tokens):
        if should_stop is not None and should_stop():
            raise GenerationStopped
        places = [sequence.place for sequence in batch]
        pooled, log_probs[places] = _encode_batch(lm, batch, kinds)
        for kind in kinds:
            features[kind][places] = pooled[kind]
    counts = np.array([len(s.ids) - s.prompt_length for s in sequences], dtype=np.int64)
    return Encoding(features, log_probs, counts)


@dataclass(frozen=True)
class _Sequence:
    """An item's token ids, prompt and completion; `targets` are what log_probs sums over."""

    place: int
    ids: list[int]
    prompt_length: int
    targets: list[int]


def _sequence(lm: LanguageModel, place: int, item: Item) -> _Sequence:
    prompt = lm.prompt_ids(item.messages)
    completion = completion_ids(lm.tokenizer, item.completion)
    if len(prompt) + len(completion) > lm.context_length:
        raise PromptTooLong(
            f"Item {place} has {len(prompt)} prompt tokens and {len(completion)} completion "
            f"tokens; together they exceed the model's context of {lm.context_length}."
        )
    end = list(lm.eos_ids[:1]) if item.ended else []
    return _Sequence(place, prompt + completion, len(prompt), completion + end)


def _batches(sequences: Sequence[_Sequence], batch_tokens: int) -> Iterator[list[_Sequence]]:
    """Yield batches of similar length, the longest first (so that memory peaks at once)."""
    batch: list[_Sequence] = []
    for sequence in sorted(sequences, key=lambda s: -len(s.ids)):
        if batch and len(batch[0].ids) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(sequence)
    if batch:
        yield batch


@torch.inference_mode()
def _encode_batch(
    lm: LanguageModel, batch: Sequence[_Sequence], kinds: Sequence[str]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64]]:
    ids, mask = _padded(batch, lm.device)
    layers = _decoder_layers(lm.model)
    wanted = {kind: FEATURE_KINDS[kind].layer(len(layers)) for kind in kinds}
    with _catch_inputs(layers, {k for k in wanted.values() if k < len(layers)}) as states:
        output = lm.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
    states[len(layers)] = output.last_hidden_state  # (rows, length, d), after the final norm
    pooled = {
        kind: _pool(states[wanted[kind]], batch, FEATURE_KINDS[kind].pooling) for kind in kinds
    }
    return pooled, _log_probs(lm, output.last_hidden_state, batch)


def _padded(
    batch: Sequence[_Sequence], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return right-padded ids (rows, length) and their mask, None when nothing is padded."""
    length = max(len(sequence.ids) for sequence in batch)
    ids = torch.zeros((len(batch), length), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(batch):
        ids[row, : len(sequence.ids)] = torch.tensor(sequence.ids)
        mask[row, : len(sequence.ids)] = 1
    return ids.to(device), None if bool(mask.all()) else mask.to(device)


def _decoder_layers(model: Any) -> nn.ModuleList:
    """Return the stack of decoder layers, whatever the architecture calls it."""
    count = model.config.get_text_config().num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ValueError(f"No stack of {count} layers was found in {type(model).__name__}.")


@contextmanager
def _catch_inputs(layers: nn.ModuleList, wanted: set[int]) -> Iterator[dict[int, torch.Tensor]]:
    """Keep the inputs of the wanted layers: layer k reads ``hidden_states[k]``."""
    caught: dict[int, torch.Tensor] = {}

    def hook_for(depth: int) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught[depth] = args[0] if args else kwargs["hidden_states"]

        return hook

    handles = [
        layers[depth].register_forward_pre_hook(hook_for(depth), with_kwargs=True)
        for depth in sorted(wanted)
    ]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


def _pool(states: torch.Tensor, batch: Sequence[_Sequence], pooling: str) -> NDArray[np.float32]:
    """Reduce states (rows, length, d) to (rows, d) in float32."""
    pooled = []
    for row, sequence in enumerate(batch):
        end = len(sequence.ids)
        start = end - 1 if pooling == "last" else min(sequence.prompt_length, end - 1)
        pooled.append(states[row, start:end].float().mean(dim=0))
    stacked: NDArray[np.float32] = torch.stack(pooled).cpu().numpy()
    return stacked


def _log_probs(
    lm: LanguageModel, states: torch.Tensor, batch: Sequence[_Sequence]
) -> NDArray[np.float64]:
    """Sum each row's target log-probabilities, shape (rows,), from final states."""
    rows: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    for row, sequence in enumerate(batch):
        count = len(sequence.targets)
        rows += [row] * count
        # the state before a token predicts it
        positions += range(sequence.prompt_length - 1, sequence.prompt_length - 1 + count)
        targets += sequence.targets
    chosen = states[rows, positions]  # (targets, d)
    wanted = torch.tensor(targets, dtype=torch.long, device=lm.device)
    step = max(1, _LOGIT_NUMBERS // lm.model.get_output_embeddings().weight.shape[0])
    parts = [
        _token_log_probs(lm.model, chosen[at : at + step], wanted[at : at + step])
        for at in range(0, len(targets), step)
    ]
    sums = np.zeros(len(batch), dtype=np.float64)
    if parts:
        np.add.at(sums, rows, torch.cat(parts).double().cpu().numpy())
    return sums


def _token_log_probs(model: Any, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return log p(target) for states (m, d) and targets (m,), in float32."""
    logits: torch.Tensor = model.get_output_embeddings()(states).float()  # (m, vocabulary)
    config = model.config.get_text_config()
    # what some architectures do to the head's output: Cohere, Granite, Gemma 2
    if scale := getattr(config, "logit_scale", None):
        logits *= scale
    if scaling := getattr(config, "logits_scaling", None):
        logits /= scaling
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / cap) * cap
    return -nn.functional.cross_entropy(logits, targets, reduction="none")
