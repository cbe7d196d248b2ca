"""Features and log-probabilities of completions: prompts are read once, then completions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import DynamicCache

from pairselect.pools.engine.caches import branch, grows_plainly
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

_T = TypeVar("_T")


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
        (n,), the completion's tokens that were read, without the end of sequence.
    truncated
        (n,) bool: whether the completion was cut to fit the model's context. Then features and
        log-probability are those of the tokens that fit, without the end of sequence.
    """

    features: Mapping[str, NDArray[np.float32]]
    log_probs: NDArray[np.float64]
    token_counts: NDArray[np.int64]
    truncated: NDArray[np.bool_]


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
    (The ids that were sampled may have split the same text differently, and into fewer: a
    completion that exceeds the context is cut.) A completion without tokens has no mean: every
    kind then takes the state at the prompt's last token.

    Each distinct prompt is read once and its cache lent to its completions, unless the model
    keeps something else than all keys and values (a sliding window, say).

    Parameters
    ----------
    lm
        The reference model.
    items
        The completions; an empty sequence gives empty arrays.
    kinds
        Names in `FEATURE_KINDS`.
    batch_tokens
        Tokens in one forward pass, padding and the prompts' cached tokens included; a longer
        item goes alone.
    should_stop
        Asked before each forward pass.

    Raises
    ------
    ValueError
        For an unknown kind.
    PromptTooLong
        Before any work, when a prompt leaves no room in the model's context for a completion.
    GenerationStopped
        When ``should_stop()`` returns true.
    """
    unknown = [kind for kind in kinds if kind not in FEATURE_KINDS]
    if unknown:
        raise ValueError(
            f"There is no feature kind {unknown[0]!r}: use {', '.join(FEATURE_KINDS)}."
        )
    share = grows_plainly(lm.model.config)
    rows = [_row(lm, place, item, share=share) for place, item in enumerate(items)]
    by_prefix: dict[tuple[int, ...], list[_Row]] = {}
    for row in rows:
        by_prefix.setdefault(row.prefix, []).append(row)
    features = {kind: np.zeros((len(rows), lm.hidden_size), dtype=np.float32) for kind in kinds}
    log_probs = np.zeros(len(rows), dtype=np.float64)

    def ask() -> None:
        if should_stop is not None and should_stop():
            raise GenerationStopped

    for prefixes in _runs(by_prefix, len, batch_tokens):
        ask()
        shared = _read_prefixes(lm, prefixes)
        readers = [row for prefix in prefixes for row in by_prefix[prefix]]
        for batch in _runs(readers, lambda row: len(row.ids), batch_tokens, extra=shared.width):
            ask()
            places = [row.place for row in batch]
            pooled, log_probs[places] = _encode_batch(lm, batch, shared, kinds)
            for kind in kinds:
                features[kind][places] = pooled[kind]
    return Encoding(
        features,
        log_probs,
        token_counts=np.array([row.count for row in rows], dtype=np.int64),
        truncated=np.array([row.truncated for row in rows], dtype=np.bool_),
    )


@dataclass(frozen=True)
class _Row:
    """An item's token ids, as what it shares with others and what it reads itself.

    `prefix` is the prompt without its last token, or empty where the model cannot share it;
    `ids` is the rest of the prompt, whose last token is at `start`, and `count` tokens of the
    completion. `targets`, which log_probs sums over, follow `start`.
    """

    place: int
    prefix: tuple[int, ...]
    ids: list[int]
    start: int
    count: int
    targets: list[int]
    truncated: bool


def _row(lm: LanguageModel, place: int, item: Item, *, share: bool) -> _Row:
    prompt = lm.prompt_ids(item.messages)
    room = lm.context_length - len(prompt)
    if room < 1:
        raise PromptTooLong(
            f"The prompt of item {place} has {len(prompt)} tokens and leaves no room for a "
            f"completion in the model's context of {lm.context_length}.",
            place=place,
        )
    whole = completion_ids(lm.tokenizer, item.completion)
    kept = whole[:room]
    truncated = len(kept) < len(whole)
    end = list(lm.eos_ids[:1]) if item.ended and not truncated else []
    split = len(prompt) - 1 if share else 0
    return _Row(
        place=place,
        prefix=tuple(prompt[:split]),
        ids=prompt[split:] + kept,
        start=len(prompt) - 1 - split,
        count=len(kept),
        targets=kept + end,
        truncated=truncated,
    )


def _runs(
    things: Iterable[_T], size: Callable[[_T], int], tokens: int, *, extra: int = 0
) -> Iterator[list[_T]]:
    """Yield runs of at most `tokens`, padding and `extra` tokens for each thing included.

    Things are of similar size, the longest first (so that memory peaks at once).
    """
    run: list[_T] = []
    for thing in sorted(things, key=size, reverse=True):
        if run and (size(run[0]) + extra) * (len(run) + 1) > tokens:
            yield run
            run = []
        run.append(thing)
    if run:
        yield run


@dataclass(frozen=True)
class _Prefixes:
    """Token sequences that have been read: their cache, left padded to `width`.

    `places` tells each one's row in the cache and in `mask`, of shape (prefixes, width).
    """

    places: Mapping[tuple[int, ...], int]
    mask: torch.Tensor
    cache: DynamicCache

    @property
    def width(self) -> int:
        """The longest one's tokens."""
        return self.mask.shape[1]


@torch.inference_mode()
def _read_prefixes(lm: LanguageModel, prefixes: Sequence[tuple[int, ...]]) -> _Prefixes:
    ids, mask = _padded(prefixes, left=True)
    cache = DynamicCache(config=lm.model.config)
    if ids.shape[1]:
        lm.model.base_model(
            input_ids=ids.to(lm.device),
            attention_mask=mask.to(lm.device),
            position_ids=(mask.cumsum(1) - 1).clamp_min(0).to(lm.device),
            past_key_values=cache,
            use_cache=True,
        )
    return _Prefixes({prefix: place for place, prefix in enumerate(prefixes)}, mask, cache)


@torch.inference_mode()
def _encode_batch(
    lm: LanguageModel, batch: Sequence[_Row], shared: _Prefixes, kinds: Sequence[str]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64]]:
    places = torch.tensor([shared.places[row.prefix] for row in batch])
    before = shared.mask[places]  # (rows, width)
    ids, mask = _padded([row.ids for row in batch])  # (rows, length)
    positions = before.sum(dim=1, keepdim=True) + torch.arange(ids.shape[1])
    cache = branch(shared.cache, places.to(lm.device)) if shared.width else None
    layers = _decoder_layers(lm.model)
    wanted = {kind: FEATURE_KINDS[kind].layer(len(layers)) for kind in kinds}
    with _catch_inputs(layers, {k for k in wanted.values() if k < len(layers)}) as states:
        output = lm.model.base_model(
            input_ids=ids.to(lm.device),
            attention_mask=torch.cat([before, mask], dim=1).to(lm.device),
            position_ids=positions.to(lm.device),
            past_key_values=cache,
            use_cache=cache is not None,
        )
    states[len(layers)] = output.last_hidden_state  # (rows, length, d), after the final norm
    pooled = {
        kind: _pool(states[wanted[kind]], batch, FEATURE_KINDS[kind].pooling) for kind in kinds
    }
    return pooled, _log_probs(lm, output.last_hidden_state, batch)


def _padded(
    sequences: Sequence[Sequence[int]], *, left: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the padded ids and their mask, both (rows, length)."""
    length = max(map(len, sequences))
    ids = torch.zeros((len(sequences), length), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        start = length - len(sequence) if left else 0
        ids[row, start : start + len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, start : start + len(sequence)] = 1
    return ids, mask


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


def _pool(states: torch.Tensor, batch: Sequence[_Row], pooling: str) -> NDArray[np.float32]:
    """Reduce states (rows, length, d) to (rows, d) in float32."""
    pooled = []
    for place, row in enumerate(batch):
        count = 1 if pooling == "last" else max(1, row.count)
        end = len(row.ids)
        pooled.append(states[place, end - count : end].float().mean(dim=0))
    stacked: NDArray[np.float32] = torch.stack(pooled).cpu().numpy()
    return stacked


def _log_probs(
    lm: LanguageModel, states: torch.Tensor, batch: Sequence[_Row]
) -> NDArray[np.float64]:
    """Sum each row's target log-probabilities, shape (rows,), from final states."""
    rows: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    for place, row in enumerate(batch):
        count = len(row.targets)
        rows += [place] * count
        positions += range(row.start, row.start + count)  # the state before a token predicts it
        targets += row.targets
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
