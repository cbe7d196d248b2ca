"""Draw one token a row from logits, each row by a uniform number of its own."""

import numpy as np
import torch

from pairselect.pools.engine.contract import Sampler

_NUCLEUS_GUESS = 1024


def row_uniforms(seed: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the `count` uniforms in [0, 1) of the row with this seed."""
    return np.random.Generator(np.random.Philox(seed)).random(count)


def draw_tokens(logits: torch.Tensor, uniforms: torch.Tensor, *, sampler: Sampler) -> torch.Tensor:
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
    torch.Tensor
        Token ids, shape (rows,). A token of probability 0 is never drawn.
    """
    if sampler.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits.float()  # (rows, vocabulary)
    if sampler.temperature != 1:
        # the largest becomes 0 first, so that a small temperature cannot overflow
        scaled = (scaled - scaled.amax(dim=-1, keepdim=True)) / sampler.temperature
    probabilities = torch.softmax(scaled, dim=-1)
    if sampler.top_p < 1:
        return _draw_from_nucleus(probabilities, uniforms, sampler.top_p)
    return invert_cdf(probabilities, uniforms)


def invert_cdf(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Draw an index from each row of non-negative weights, proportionally to them.

    The first index whose cumulative weight exceeds u times the total. `torch.multinomial`
    draws from the same distribution and takes ten times as long over a whole vocabulary.

    Parameters
    ----------
    weights
        Shape (rows, n), float32, with a positive sum; it need not be 1.
    uniforms
        Shape (rows,), in [0, 1).
    """
    cumulative = weights.cumsum(dim=-1)  # (rows, n)
    total = cumulative[:, -1:]  # (rows, 1)
    # u · total may round up to the total, past the last positive weight: stay below it
    target = torch.minimum(
        uniforms.to(weights.dtype).unsqueeze(-1) * total,
        torch.nextafter(total, torch.zeros_like(total)),
    )
    index = torch.searchsorted(cumulative, target, right=True)  # (rows, 1)
    index = index.clamp_max(weights.shape[-1] - 1)
    # A parallel sum (CUDA) need not be monotone, and could step at a weight of 0.
    impossible = weights.gather(-1, index) == 0
    if impossible.any():
        index = torch.where(impossible, weights.argmax(dim=-1, keepdim=True), index)
    return index.squeeze(-1)


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
