"""Draws follow the softmax, and impossible tokens never come."""

import numpy as np
import pytest
import torch
from scipy import stats

from pairselect.pools.engine.contract import Sampler
from pairselect.pools.engine.sampling import (
    draw_tokens,
    invert_cdf,
    nucleus_sizes,
    row_uniforms,
)

DRAWS = 20_000


def draw_many(logits: torch.Tensor, sampler: Sampler) -> np.ndarray:
    """Draw DRAWS tokens from one row of logits; return how often each came."""
    uniforms = torch.from_numpy(row_uniforms(7, DRAWS))
    tokens, _ = draw_tokens(logits.expand(DRAWS, -1), uniforms, sampler=sampler)
    return np.bincount(tokens.numpy(), minlength=logits.shape[-1])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    logits = torch.linspace(-2, 2, 12)
    counts = draw_many(logits, Sampler(1, temperature))
    expected = torch.softmax(logits.double() / temperature, -1).numpy() * DRAWS
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-3


def test_temperature_zero_takes_the_likeliest():
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    uniforms = torch.tensor([0.999, 0.999])
    assert draw_tokens(logits, uniforms, sampler=Sampler(1, 0))[0].tolist() == [1, 0]


def test_small_temperature_does_not_overflow():
    logits = torch.tensor([[1e4, 1.1e4, -1e4]])
    tokens, _ = draw_tokens(logits, torch.tensor([0.5]), sampler=Sampler(1, 0.01))
    assert tokens.tolist() == [1]


def test_top_p_draws_from_the_smallest_set_that_reaches_it():
    logits = torch.tensor([0.1, 0.4, 0.3, 0.15, 0.05]).log()
    counts = draw_many(logits, Sampler(1, top_p=0.75))  # .4 + .3 < .75 <= .4 + .3 + .15
    assert (counts > 0).tolist() == [False, True, True, True, False]
    expected = np.array([0.4, 0.3, 0.15]) / 0.85 * DRAWS
    assert stats.chisquare(counts[1:4], expected).pvalue > 1e-3


def test_nucleus_is_the_smallest_set_at_its_edges():
    descending = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    sizes = [int(nucleus_sizes(descending, p)) for p in (0.1, 0.5, 0.51, 0.75, 0.9, 0.999)]
    assert sizes == [1, 1, 2, 2, 4, 4]


def test_wide_nucleus_is_sorted_in_full():
    # uniform over more tokens than are looked at first, beside a row with a small nucleus
    flat = torch.zeros(2, 5000)
    flat[1, 17] = 50.0
    uniforms = torch.from_numpy(row_uniforms(1, 2))
    seen = set()
    for shift in np.linspace(0, 0.999, 300):
        tokens, _ = draw_tokens(flat, (uniforms + shift) % 1, sampler=Sampler(1, top_p=0.9))
        seen.add(int(tokens[0]))
        assert int(tokens[1]) == 17
    assert len(seen) > 250


@pytest.mark.parametrize("seed", range(20))
def test_zero_probability_is_never_drawn(seed):
    rng = np.random.default_rng(seed)
    weights = torch.from_numpy(rng.dirichlet(np.full(5000, 0.05)).astype(np.float32))
    weights[rng.random(5000) < 0.5] = 0
    weights[-100:] = 0  # where a rounded-up draw would land
    edges = weights.double().cumsum(0) / weights.double().sum()
    uniforms = torch.cat(
        [torch.tensor([0.0, 1 - 2**-53, 1 - 2**-24, 1 - 2**-25]), edges[edges < 1], edges - 1e-9]
    ).clamp(0, 1 - 2**-53)
    index = invert_cdf(weights.expand(len(uniforms), -1), uniforms)
    assert bool((weights[index] > 0).all())


def test_single_possible_token_is_always_drawn():
    weights = torch.zeros(3, 10)
    weights[:, 4] = 1e-30
    assert invert_cdf(weights, torch.tensor([0.0, 0.5, 1 - 2**-53])).tolist() == [4, 4, 4]


@pytest.mark.parametrize("count", [259, 1733, 5000, 49152])
def test_two_levels_find_the_first_index_whose_cumulative_weight_exceeds_the_draw(count):
    rng = np.random.default_rng(count)
    weights = rng.dirichlet(np.full(count, 0.1), size=50).astype(np.float32)
    uniforms = rng.random(50)
    cumulative = weights.astype(np.float64).cumsum(axis=1)
    expected = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(axis=1)
    found = invert_cdf(torch.from_numpy(weights), torch.from_numpy(uniforms)).numpy()
    assert (found == expected).mean() > 0.95  # the rest fall on an edge, within rounding
    assert np.abs(found - expected).max() < 20


@pytest.mark.parametrize("sampler", [Sampler(1), Sampler(1, 0.7), Sampler(1, top_p=0.5)])
def test_log_probabilities_are_those_at_temperature_one(sampler):
    logits = torch.randn(5, 300, generator=torch.Generator().manual_seed(3)) * 3
    tokens, found = draw_tokens(logits, torch.full((5,), 0.4), sampler=sampler)
    expected = torch.log_softmax(logits.double(), -1).gather(-1, tokens[:, None])[:, 0]
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("sampler", [Sampler(1), Sampler(1, 0.7), Sampler(1, top_p=0.5)])
def test_a_draw_does_not_depend_on_the_other_rows(sampler):
    logits = torch.randn(70, 4096, generator=torch.Generator().manual_seed(4)).bfloat16()
    uniforms = torch.from_numpy(row_uniforms(2, 70))
    together, logs = draw_tokens(logits, uniforms, sampler=sampler)
    for row in (0, 1, 31, 32, 69):
        alone, log = draw_tokens(logits[row : row + 1], uniforms[row : row + 1], sampler=sampler)
        assert (alone, log) == (together[row], logs[row])


def test_uniforms_depend_on_the_seed_alone():
    assert np.array_equal(row_uniforms(3, 10)[:5], row_uniforms(3, 5))
    assert not np.array_equal(row_uniforms(3, 5), row_uniforms(4, 5))


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_new_tokens": 0},
        {"max_new_tokens": 1, "temperature": -1.0},
        {"max_new_tokens": 1, "temperature": float("nan")},
        {"max_new_tokens": 1, "temperature": 1e-9},
        {"max_new_tokens": 1, "top_p": 0.0},
        {"max_new_tokens": 1, "top_p": 1.5},
        {"max_new_tokens": 1, "top_p": float("nan")},
    ],
)
def test_sampler_refuses_bad_values(arguments):
    with pytest.raises(ValueError, match="must"):
        Sampler(**arguments)
