"""From hidden states to features."""

import json

import numpy as np
import pytest

from pairselect.core import DesignError, reduce_features, reduction


def centre_within(x, prompt):
    """Rows less the mean of their prompt, by the definition."""
    return x - np.stack([x[prompt == p].mean(axis=0) for p in prompt])


PLAIN = {"clip": None, "standardise": False}


@pytest.fixture
def raw(rng):
    prompt = rng.permutation(np.repeat(np.arange(12), 5))
    x = (
        rng.standard_normal((60, 8)) * np.linspace(1, 9, 8)
        + 30 * rng.standard_normal((12, 8))[prompt]
    )
    return x, prompt


def gram_of_differences(x, prompt):
    i, j = np.triu_indices(len(x), 1)
    same = prompt[i] == prompt[j]
    g = x[i[same]] - x[j[same]]
    return g @ g.T


def test_full_dimension_keeps_all_differences(raw):
    x, prompt = raw
    out = reduce_features(x, prompt, **PLAIN)
    np.testing.assert_allclose(
        gram_of_differences(out.features, prompt), gram_of_differences(x, prompt), atol=1e-8
    )
    assert out.explained_variance == pytest.approx(1)
    assert out.settings.dimension == out.settings.rank == 8


def test_kept_axes_are_the_principal_ones(raw):
    x, prompt = raw
    centred = centre_within(x, prompt)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    out = reduce_features(x, prompt, dimension=3, **PLAIN)
    assert out.features.shape == (60, 3)
    np.testing.assert_allclose(np.sum(out.features**2, axis=0), variance[:3], rtol=1e-9)
    assert out.explained_variance == pytest.approx(variance[:3].sum() / variance.sum())


def test_standardised_coordinates_have_unit_variance_within_prompts(raw):
    x, prompt = raw
    out = reduce_features(x, prompt, clip=None)
    assert np.mean(out.features**2) * out.features.shape[1] == pytest.approx(8)
    rescaled = reduce_features(x * np.logspace(-3, 3, 8), prompt, clip=None)
    np.testing.assert_allclose(np.abs(rescaled.features), np.abs(out.features), atol=1e-8)


@pytest.mark.parametrize(("clip", "quantile"), [("median", 0.5), (0.8, 0.8), (1, 1.0)])
def test_norms_are_cut_at_the_quantile_and_directions_kept(raw, clip, quantile):
    x, prompt = raw
    free = reduce_features(x, prompt, clip=None)
    cut = reduce_features(x, prompt, clip=clip)
    before, after = (np.linalg.norm(r.features, axis=1) for r in (free, cut))
    limit = np.quantile(before, quantile)
    assert cut.settings.clip_norm == pytest.approx(limit)
    np.testing.assert_allclose(after, np.minimum(before, limit), rtol=1e-9)


def test_features_are_centred_within_prompts_unless_clipped(raw):
    x, prompt = raw
    out = reduce_features(x, prompt, clip=None)
    np.testing.assert_allclose(centre_within(out.features, prompt), out.features, atol=1e-9)


def test_axes_are_principal_for_the_differences_after_clipping(raw):
    """Clipping moves the prompts' means, which no difference sees and no axis may follow."""
    x, prompt = raw
    out = reduce_features(x, prompt, clip=0.3, dimension=4)
    centred = centre_within(out.features, prompt)
    scatter = centred.T @ centred
    np.testing.assert_allclose(scatter, np.diag(np.diag(scatter)), atol=1e-9 * scatter[0, 0])
    assert np.all(np.diff(np.diag(scatter)) < 0)


def test_lower_rank_gives_fewer_coordinates(rng):
    prompt = np.repeat(np.arange(10), 4)
    x = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 9))
    out = reduce_features(x, prompt, **PLAIN)
    assert out.features.shape == (40, 3)
    assert out.settings.rank == 3


def test_more_coordinates_than_rows_gives_the_same_geometry(rng):
    prompt = np.repeat(np.arange(4), 3)
    x = rng.standard_normal((12, 50))
    out = reduce_features(x, prompt, **PLAIN)
    assert out.settings.rank == 12 - 4
    np.testing.assert_allclose(
        gram_of_differences(out.features, prompt), gram_of_differences(x, prompt), atol=1e-8
    )


def test_singletons_become_zero_and_count_nowhere(raw):
    x, prompt = raw
    out = reduce_features(x, prompt, dimension=4)
    more = reduce_features(
        np.vstack([x, 1e3 + np.zeros((2, 8))]), np.append(prompt, [97, 98]), dimension=4
    )
    np.testing.assert_array_equal(more.features[60:], 0)
    np.testing.assert_allclose(more.features[:60], out.features, atol=1e-9)
    assert more.settings.clip_norm == pytest.approx(out.settings.clip_norm)


def test_constant_coordinates_stay_out(raw):
    x, prompt = raw
    wide = np.column_stack([np.full(60, 0.1), x, 1e6 / 3 + 7.0 * prompt])
    out = reduce_features(wide, prompt)
    assert out.settings.rank == 8
    np.testing.assert_allclose(out.features, reduce_features(x, prompt).features, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_input_is_worked_in_float64(raw, dtype):
    x, prompt = raw
    out = reduce_features(x.astype(dtype), prompt)
    assert out.features.dtype == np.float64
    expected = reduce_features(x.astype(dtype).astype(np.float64), prompt)
    np.testing.assert_array_equal(out.features, expected.features)


def test_result_follows_the_rows_and_leaves_the_input_alone(raw, rng):
    x, prompt = raw
    before, order = x.copy(), rng.permutation(60)
    out = reduce_features(x, prompt)
    np.testing.assert_array_equal(x, before)
    moved = reduce_features(x[order], prompt[order])
    np.testing.assert_allclose(moved.features, out.features[order], atol=1e-8)


def test_settings_are_json(raw):
    settings = reduce_features(*raw, dimension=3, clip=0.9).settings
    assert json.loads(json.dumps(settings.as_dict())) == {
        "centred": True,
        "standardised": True,
        "clip": 0.9,
        "clip_norm": settings.clip_norm,
        "dimension": 3,
        "raw_dimension": 8,
        "rank": 8,
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (([[1.0], [np.nan]], [0, 0]), {}, "not finite"),
        (([1.0, 2.0], [0, 0]), {}, "shape"),
        (([[1.0], [2.0]], [0]), {}, "one entry a row"),
        (([[1.0], [2.0]], [0, 1]), {}, "one completion"),
        (([[0.1], [0.1]], [0, 0]), {}, "same features"),
        (([[1.0], [2.0]], [0, 0]), {"dimension": 0}, "dimension"),
        (([[1.0], [2.0]], [0, 0]), {"clip": 0.0}, "clip"),
        (([[1.0], [2.0]], [0, 0]), {"clip": "mean"}, "clip"),
    ],
)
def test_bad_input_is_refused(args, kwargs, message):
    with pytest.raises(DesignError, match=message):
        reduce_features(*args, **kwargs)


def test_chunks_change_nothing(raw, monkeypatch):
    x, prompt = raw
    whole = reduce_features(x, prompt, clip=0.7)
    monkeypatch.setattr(reduction, "CHUNK_ENTRIES", 70)  # a prompt and a half
    parts = reduce_features(x, prompt, clip=0.7)
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-12)
    assert parts.settings.clip_norm == pytest.approx(whole.settings.clip_norm, rel=1e-12)
