"""What the output layer says of tokens: log-probabilities, and its gradient, sketched.

The logits are made in blocks of the vocabulary and are gone before the next block is made: on a
CPU a block stays in its caches, and the whole costs hardly more than the matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from pairselect.pools.engine.kinds import SKETCH_SEED, SKETCH_SHAPE

# Tokens at once, and their logits: half a million float32 numbers, 2 MB, stay in a CPU's cache.
# 512 tokens of SmolLM2-135M, one thread: product alone 86 ms, with blocks of 1,024 words 91 ms,
# of 8,192 words 123 ms, whole rows in float32 177 ms.
_TOKENS = 512
_LOGITS = 1 << 19
# a CUDA device wants fewer and larger products
_LOGITS_CUDA = 1 << 25


@dataclass(frozen=True)
class Projections:
    """Two matrices of random signs, scaled, that shrink a vocabulary × hidden-size gradient.

    Parameters
    ----------
    words
        R₁, shape (vocabulary, 32), entries ±1/√32, float32.
    states
        R₂, shape (hidden size, 64), entries ±1/√64, float32.
    """

    words: torch.Tensor
    states: torch.Tensor


@lru_cache(maxsize=2)
def projections(vocabulary: int, hidden_size: int, device: torch.device) -> Projections:
    """Return the projections for a model's sizes, the same on every machine.

    The signs are raw bits of a counter-based generator, whose stream NumPy keeps from version to
    version: `words` first, then `states`, row by row.
    """
    bits = np.random.Philox(SKETCH_SEED)

    def signs(rows: int, columns: int) -> torch.Tensor:
        raw = bits.random_raw(-(-rows * columns // 64)).astype("<u8").view(np.uint8)
        zeros_and_ones = np.unpackbits(raw, bitorder="little")[: rows * columns]
        entries = (zeros_and_ones.astype(np.float32) * 2 - 1) / np.sqrt(np.float32(columns))
        return torch.from_numpy(entries.reshape(rows, columns)).to(device)

    return Projections(signs(vocabulary, SKETCH_SHAPE[0]), signs(hidden_size, SKETCH_SHAPE[1]))


def vocabulary_size(model: Any) -> int:
    """Return how many logits the output layer gives."""
    return int(model.get_output_embeddings().weight.shape[0])


@torch.inference_mode()
def read_tokens(
    model: Any,
    states: torch.Tensor,
    targets: torch.Tensor,
    words: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the log-probabilities of tokens, and where `words` is given their residuals.

    A token y with the output layer's values z and the probabilities p has the residual
    R₁ᵀ ∂ log p_y/∂z, which is R₁ᵀ(onehot(y) − p) where the logits are z itself. (Some
    architectures scale or cap z; then it is the derivative through that.)

    Parameters
    ----------
    model
        The causal language model.
    states
        Shape (m, d): the final states that predict the targets.
    targets
        Shape (m,): token ids.
    words
        R₁, shape (vocabulary, r), float32.

    Returns
    -------
    log_probs, residuals
        Float32: shape (m,), in nats, and (m, r) or None.
    """
    count = -(-len(targets) // _TOKENS)  # as equal as can be: a small block costs a whole read
    parts = [
        _read_block(model, block, wanted, words)
        for block, wanted in zip(
            states.tensor_split(max(1, count)), targets.tensor_split(max(1, count)), strict=True
        )
        if len(wanted)
    ]
    if not parts:
        none = states.new_zeros(0, dtype=torch.float32)
        return none, None if words is None else none.reshape(0, words.shape[1])
    log_probs = torch.cat([log_prob for log_prob, _ in parts])
    residuals = [residual for _, residual in parts if residual is not None]
    return log_probs, torch.cat(residuals) if residuals else None


def _read_block(
    model: Any, states: torch.Tensor, targets: torch.Tensor, words: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Read up to `_TOKENS` tokens, keeping a running log-sum-exp over the vocabulary's blocks."""
    count = len(targets)
    total = states.new_full((count,), -torch.inf, dtype=torch.float32)  # log Σ exp so far
    chosen = torch.zeros_like(total)  # the target's logit
    mean: Any = 0.0  # R₁ᵀ(p ∘ slope) so far, (m, r), normalised by `total`
    own: Any = 0.0  # the target's slope
    for start, values in _values(model, states):
        logits, slope = _logits(model, values)  # (m, block), and their derivative by the values
        place = targets - start  # (m,)
        here = (place >= 0) & (place < logits.shape[1])
        place = place.clamp(0, logits.shape[1] - 1).unsqueeze(1)
        chosen = torch.where(here, logits.gather(1, place).squeeze(1), chosen)
        within = torch.log_softmax(logits, dim=1)  # (m, block)
        block_total = logits[:, 0] - within[:, 0]
        grown = torch.logaddexp(total, block_total)
        if words is not None:
            weights = within.exp_()
            if isinstance(slope, torch.Tensor):
                weights *= slope
                own = torch.where(here, slope.gather(1, place).squeeze(1), own)
            else:
                weights, own = weights * slope if slope != 1 else weights, slope
            block = weights @ words[start : start + logits.shape[1]]  # (m, r)
            mean = mean * (total - grown).exp().unsqueeze(1) + block * (
                block_total - grown
            ).exp().unsqueeze(1)
        total = grown
    if words is None:
        return chosen - total, None
    if isinstance(own, torch.Tensor):
        own = own.unsqueeze(1)
    return chosen - total, words[targets] * own - mean


def _values(model: Any, states: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the output layer's float32 values, (m, block), with the block's first word."""
    head = model.get_output_embeddings()
    room = _LOGITS if states.device.type == "cpu" else _LOGITS_CUDA
    if type(head) is not nn.Linear:  # quantised, or wrapped by an adapter
        yield 0, head(states).float()
        return
    width = max(1, room // len(states))
    for start in range(0, head.out_features, width):
        bias = None if head.bias is None else head.bias[start : start + width]
        values = nn.functional.linear(states, head.weight[start : start + width], bias)
        yield start, values.float()


def _logits(model: Any, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Return what an architecture makes of its head's values, and the derivative."""
    config = model.config.get_text_config()
    slope: torch.Tensor | float = 1.0
    # Cohere, Granite, Gemma 2
    if scale := getattr(config, "logit_scale", None):
        values, slope = values * scale, slope * scale
    if scaling := getattr(config, "logits_scaling", None):
        values, slope = values / scaling, slope / scaling
    if cap := getattr(config, "final_logit_softcapping", None):
        values = torch.tanh(values / cap) * cap
        slope = slope * (1 - (values / cap) ** 2)
    return values, slope
