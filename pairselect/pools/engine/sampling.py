"""Draw one token a row from logits, each row by a uniform number of its own."""

import math
from functools import cache

import numpy as np
import torch

from pairselect.pools.engine.contract import Sampler

_NUCLEUS_GUESS = 1024
# Rows drawn at once: 32 of 49,152 probabilities are 6 MB, which stays in the caches.
_ROWS = 32


def row_uniforms(seed: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the `count` uniforms in [0, 1) of the row with this seed."""
    return np.random.Generator(np.random.Philox(seed)).random(count)


def draw_tokens(
    logits: torch.Tensor, uniforms: torch.Tensor, *, sampler: Sampler
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a token for each row.

    Parameters
    ----------
    logits
        Shape (rows, vocabulary), any float dtype.
    uniforms
        Shape (rows,), in [0, 1).
    sampler
        Its temperature and top_p apply.

    Returns
    -------
    tokens
        Token ids, shape (rows,). A token of probability 0 is never drawn.
    log_probs
        Their log-probabilities in nats at temperature 1, float32, shape (rows,).
    """
    drawn = [
        _draw_block(logits[at : at + _ROWS], uniforms[at : at + _ROWS], sampler)
        for at in range(0, len(logits), _ROWS)
    ]
    return torch.cat([tokens for tokens, _ in drawn]), torch.cat([logs for _, logs in drawn])


def _draw_block(
    logits: torch.Tensor, uniforms: torch.Tensor, sampler: Sampler
) -> tuple[torch.Tensor, torch.Tensor]:
    plain = torch.softmax(logits, dim=-1, dtype=torch.float32)  # (rows, vocabulary), at T = 1
    if sampler.temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        probabilities = plain
        if sampler.temperature != 1:
            # the largest becomes 0 first, so that a small temperature cannot overflow
            scaled = logits.float() - logits.amax(dim=-1, keepdim=True).float()
            probabilities = torch.softmax(scaled.div_(sampler.temperature), dim=-1)
        if sampler.top_p < 1:
            tokens = _draw_from_nucleus(probabilities, uniforms, sampler.top_p)
        else:
            tokens = invert_cdf(probabilities, uniforms)
    chosen = plain.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return tokens, chosen.clamp_min(torch.finfo(torch.float32).tiny).log()


def invert_cdf(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Draw an index from each row of non-negative weights, proportionally to them.

    The first index whose cumulative weight exceeds u times the total, found in two levels:
    first among the sums of blocks, then inside one block, so that nothing of the vocabulary's
    length is accumulated in order. `torch.multinomial` draws from the same distribution and
    takes far longer over a whole vocabulary. A row's result does not depend on the others.

    Parameters
    ----------
    weights
        Shape (rows, n), float32, with a positive sum; it need not be 1.
    uniforms
        Shape (rows,), in [0, 1).
    """
    rows, count = weights.shape
    size = _block_size(count)
    blocked = weights.reshape(rows, count // size, size)
    block, rest = _invert(blocked.sum(dim=-1).double(), uniforms.double())
    inside = blocked[torch.arange(rows, device=weights.device), block].double()  # (rows, size)
    total = inside.sum(dim=-1)
    place, _ = _invert(inside, torch.where(total > 0, rest / total, 0.0))
    return block * size + place


def _invert(weights: torch.Tensor, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the index of one draw a row, float64, and what of u · total lies inside it."""
    cumulative = weights.cumsum(dim=-1)  # (rows, n)
    total = cumulative[:, -1:]  # (rows, 1)
    # u · total may round up to the total, past the last positive weight: stay below it
    below = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniforms.unsqueeze(-1) * total, below)
    index = torch.searchsorted(cumulative, target, right=True)  # (rows, 1)
    index = index.clamp_max(weights.shape[-1] - 1)
    chosen = weights.gather(-1, index)
    # A parallel sum (CUDA) need not be monotone, and could step at a weight of 0.
    impossible = chosen == 0
    if impossible.any():
        index = torch.where(impossible, weights.argmax(dim=-1, keepdim=True), index)
        chosen = weights.gather(-1, index)
    rest = target - (cumulative.gather(-1, index) - chosen)
    return index.squeeze(-1), rest.squeeze(-1).clamp_min(0.0)


@cache
def _block_size(count: int) -> int:
    """Return the divisor of `count` nearest to its square root: 49,152 gives 192 blocks of 256."""
    root = math.isqrt(count)
    return min(
        (size for size in range(1, count + 1) if count % size == 0),
        key=lambda size: abs(math.log(size / max(root, 1))),
    )


def nucleus_sizes(sorted_probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return how many of the likeliest tokens it takes to reach `top_p`, per row, at least 1.

    Parameters
    ----------
    sorted_probabilities
        Shape (rows, k), descending. A row that never reaches `top_p` gets k.
    """
    cumulative = sorted_probabilities.cumsum(dim=-1)  # (rows, k)
    before = cumulative - sorted_probabilities  # the mass that precedes each token
    return (before < top_p).sum(dim=-1).clamp_min(1)


def _draw_from_nucleus(
    probabilities: torch.Tensor, uniforms: torch.Tensor, top_p: float
) -> torch.Tensor:
    vocabulary = probabilities.shape[-1]
    # Mostly the nucleus is small. 64 rows of 49,152: topk 14 ms, a sort 110 ms.
    few = min(_NUCLEUS_GUESS, vocabulary)
    values, tokens = torch.topk(probabilities, few, dim=-1)  # (rows, few), descending
    drawn = _draw_sorted(values, tokens, uniforms, top_p)
    wide = values.sum(dim=-1) < top_p  # (rows,)
    if few < vocabulary and wide.any():
        values, tokens = torch.sort(probabilities[wide], dim=-1, descending=True)
        drawn[wide] = _draw_sorted(values, tokens, uniforms[wide], top_p)
    return drawn


def _draw_sorted(
    values: torch.Tensor, tokens: torch.Tensor, uniforms: torch.Tensor, top_p: float
) -> torch.Tensor:
    """Draw from the nucleus of descending `values`, shape (rows, k), which belong to `tokens`."""
    sizes = nucleus_sizes(values, top_p)  # (rows,)
    places = torch.arange(values.shape[-1], device=values.device)
    inside = torch.where(places < sizes.unsqueeze(-1), values, 0.0)
    index = invert_cdf(inside, uniforms)  # (rows,)
    return tokens.gather(-1, index.unsqueeze(-1)).squeeze(-1)
