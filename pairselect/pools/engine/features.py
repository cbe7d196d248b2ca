"""Features and log-probabilities of completions: prompts are read once, then completions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from pairselect.pools.engine.batching import Item, Row, padded, read_row, runs
from pairselect.pools.engine.caches import branch, grows_plainly
from pairselect.pools.engine.contract import GenerationStopped, ShouldStop
from pairselect.pools.engine.kinds import DEFAULT_KIND, FEATURE_KINDS, FeatureKind, feature_kind
from pairselect.pools.engine.layers import layer_count, read_layers
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.sketch import projections, read_tokens, vocabulary_size

__all__ = [
    "DEFAULT_KIND",
    "FEATURE_KINDS",
    "Encoding",
    "FeatureKind",
    "Item",
    "dimension",
    "encode",
    "feature_kind",
]


@dataclass(frozen=True)
class Encoding:
    """What `encode` returns, in the order of its items.

    Parameters
    ----------
    features
        For each kind a float32 array (n, d), d the kind's `dimension`.
    log_probs
        (n,), nats: log-probability of the completion's tokens given the prompt, at
        temperature 1, with the end of sequence where the item ended. NaN where they were not
        asked for.
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


def dimension(kind: str, lm: LanguageModel) -> int:
    """Return how many numbers a completion's features of that kind have.

    Raises
    ------
    ValueError
        For an unknown kind, or one of a layer that the model lacks.
    """
    known = feature_kind(kind)
    known.layers(layer_count(lm.model))
    return known.size(lm.hidden_size)


def encode(
    lm: LanguageModel,
    items: Sequence[Item],
    kinds: Sequence[str] = (DEFAULT_KIND,),
    *,
    log_probs: bool = True,
    batch_tokens: int = 2048,
    should_stop: ShouldStop | None = None,
) -> Encoding:
    """Compute features and log-probabilities of completions under a model, in one pass.

    The token ids are those of the rendered prompt followed by those of the completion's text.
    (The ids that were sampled may have split the same text differently, and into fewer: a
    completion that exceeds the context is cut.) A completion without tokens has no mean: every
    kind but ``output_sketch`` then takes the state at the prompt's last token.

    Each distinct prompt is read once and its cache lent to its completions, unless the model
    keeps something else than all keys and values (a sliding window, say). An item's results do
    not depend on the items beside it, but for rounding.

    Parameters
    ----------
    lm
        The reference model.
    items
        The completions; an empty sequence gives empty arrays.
    kinds
        Names that `feature_kind` reads.
    log_probs
        Whether to compute the log-probabilities. Without them and with inner layers alone, the
        pass ends at the last of those layers.
    batch_tokens
        Tokens in one forward pass, padding and the prompts' cached tokens included; a longer
        item goes alone.
    should_stop
        Asked before each forward pass.

    Raises
    ------
    ValueError
        For an unknown kind, or one of a layer that the model lacks.
    PromptTooLong
        Before any work, when a prompt leaves no room in the model's context for a completion.
    GenerationStopped
        When ``should_stop()`` returns true.
    """
    plan = _plan(lm, kinds, log_probs=log_probs)
    share = grows_plainly(lm.model.config) and plan.depth > 0
    rows = [read_row(lm, place, item, share=share) for place, item in enumerate(items)]
    by_prefix: dict[tuple[int, ...], list[Row]] = {}
    for row in rows:
        by_prefix.setdefault(row.prefix, []).append(row)
    features = {
        kind.name: np.zeros((len(rows), kind.size(lm.hidden_size)), dtype=np.float32)
        for kind in plan.kinds
    }
    sums = np.full(len(rows), np.nan)

    def ask() -> None:
        if should_stop is not None and should_stop():
            raise GenerationStopped

    for prefixes in runs(by_prefix, len, batch_tokens):
        ask()
        shared = _read_prefixes(lm, prefixes, plan)
        readers = [row for prefix in prefixes for row in by_prefix[prefix]]
        for batch in runs(readers, lambda row: len(row.ids), batch_tokens, extra=shared.width):
            ask()
            places = [row.place for row in batch]
            pooled, sums[places] = _encode_batch(lm, batch, shared, plan)
            for name, vectors in pooled.items():
                features[name][places] = vectors
    return Encoding(
        features,
        sums,
        token_counts=np.array([row.count for row in rows], dtype=np.int64),
        truncated=np.array([row.truncated for row in rows], dtype=np.bool_),
    )


@dataclass(frozen=True)
class _Plan:
    """What is asked for, and how many layers it takes; all of them for what reads final states.

    `layers` tells each kind's indices into ``hidden_states``, by name.
    """

    kinds: tuple[FeatureKind, ...]
    layers: Mapping[str, tuple[int, ...]]
    depth: int
    log_probs: bool

    @property
    def sketches(self) -> bool:
        return any(kind.pooling == "sketch" for kind in self.kinds)


def _plan(lm: LanguageModel, names: Sequence[str], *, log_probs: bool) -> _Plan:
    kinds = tuple(feature_kind(name) for name in dict.fromkeys(names))
    count = layer_count(lm.model)
    layers = {kind.name: kind.layers(count) for kind in kinds}
    depth = count if log_probs else max(chain(*layers.values()), default=0)
    return _Plan(kinds, layers, depth, log_probs)


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
def _read_prefixes(
    lm: LanguageModel, prefixes: Sequence[tuple[int, ...]], plan: _Plan
) -> _Prefixes:
    ids, mask = padded(prefixes, left=True)
    cache = DynamicCache(config=lm.model.config)
    if ids.shape[1]:
        read_layers(
            lm.model,
            plan.depth,
            set(),
            input_ids=ids.to(lm.device),
            attention_mask=mask.to(lm.device),
            position_ids=(mask.cumsum(1) - 1).clamp_min(0).to(lm.device),
            past_key_values=cache,
            use_cache=True,
        )
    cache.layers = cache.layers[: plan.depth]  # the others have read nothing
    return _Prefixes({prefix: place for place, prefix in enumerate(prefixes)}, mask, cache)


@torch.inference_mode()
def _encode_batch(
    lm: LanguageModel, batch: Sequence[Row], shared: _Prefixes, plan: _Plan
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64]]:
    """Return each kind's vectors, (rows, dimension), and the log-probabilities, (rows,)."""
    places = torch.tensor([shared.places[row.prefix] for row in batch])
    before = shared.mask[places]  # (rows, width)
    ids, mask = padded([row.ids for row in batch])  # (rows, length)
    positions = before.sum(dim=1, keepdim=True) + torch.arange(ids.shape[1])
    cache = branch(shared.cache, places.to(lm.device)) if shared.width else None
    states = read_layers(
        lm.model,
        plan.depth,
        set(chain(*plan.layers.values())),
        input_ids=ids.to(lm.device),
        attention_mask=torch.cat([before, mask], dim=1).to(lm.device),
        position_ids=positions.to(lm.device),
        past_key_values=cache,
        use_cache=cache is not None,
    )
    pooled = {
        kind.name: np.hstack(
            [_pool(states[layer], batch, kind.pooling) for layer in plan.layers[kind.name]]
        )
        for kind in plan.kinds
        if kind.pooling != "sketch"
    }
    sums = np.full(len(batch), np.nan)
    if plan.log_probs or plan.sketches:
        read, sketches = _read_targets(lm, states[plan.depth], batch, sketch=plan.sketches)
        sums = read if plan.log_probs else sums
        pooled |= {kind.name: sketches for kind in plan.kinds if kind.pooling == "sketch"}
    return pooled, sums


def _pool(states: torch.Tensor, batch: Sequence[Row], pooling: str) -> NDArray[np.float32]:
    """Reduce states (rows, length, d) to (rows, d) in float32."""
    pooled = []
    for place, row in enumerate(batch):
        count = 1 if pooling == "last" else max(1, row.count)
        end = len(row.ids)
        pooled.append(states[place, end - count : end].float().mean(dim=0))
    stacked: NDArray[np.float32] = torch.stack(pooled).cpu().numpy()
    return stacked


def _read_targets(
    lm: LanguageModel, states: torch.Tensor, batch: Sequence[Row], *, sketch: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Sum over each row's targets, from final states (rows, length, d).

    Returns the log-probabilities, (rows,), and where `sketch` is true the gradients of those with
    respect to the output layer, projected: Σ_t (R₁ᵀ residual_t) ⊗ (R₂ᵀ h_t), (rows, 2048).
    """
    counts = [len(row.targets) for row in batch]
    # the state before a token predicts it
    chosen = torch.cat(
        [states[k, row.start : row.start + counts[k]] for k, row in enumerate(batch)]
    )  # (targets, d)
    targets = torch.tensor(
        [target for row in batch for target in row.targets], dtype=torch.long, device=lm.device
    )
    matrices = None
    if sketch:
        matrices = projections(vocabulary_size(lm.model), lm.hidden_size, lm.device)
    log_probs, residuals = read_tokens(
        lm.model, chosen, targets, None if matrices is None else matrices.words
    )
    ends = list(accumulate(counts))
    spans = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    nats = log_probs.double().cpu().numpy()
    sums = np.array([nats[span].sum() for span in spans])
    if matrices is None or residuals is None:
        return sums, np.zeros((len(batch), 0), dtype=np.float32)
    seen = chosen.float() @ matrices.states  # (targets, 64)
    products = [(residuals[span].T @ seen[span]).flatten() for span in spans]
    sketches: NDArray[np.float32] = torch.stack(products).cpu().numpy()
    return sums, sketches
