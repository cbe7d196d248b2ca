"""Features and log-probabilities that come out of the sampling, against those of `encode`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pairselect.pools.engine import generation
from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.generation import InProcessGenerator, Request, Sampler
from pairselect.pools.engine.loading import LanguageModel, load_model
from tests.pools.engine.test_generation import requests, say, texts

KINDS = ("mean_middle", "mean_quarters", "last_token", "mean_layer_0", "mean_layer_4")


def legible(folder: Path, dtype: torch.dtype) -> LanguageModel:
    """Return the tiny model, made to write ASCII, whose bytes come back as the same tokens."""
    lm = load_model(str(folder), data_dir=folder, device="cpu", dtype=dtype)
    weight = lm.model.get_output_embeddings().weight
    plain = torch.tensor([lm.tokenizer.decode([t]).isascii() and t > 2 for t in range(len(weight))])
    with torch.no_grad():
        weight[plain] *= 3
        weight[~plain] = 0
    lm.__dict__["eos_ids"] = (int(plain.nonzero()[20]),)  # ends often enough
    return lm


@pytest.fixture(scope="module")
def written(tiny_folder) -> LanguageModel:
    return legible(tiny_folder, torch.float32)


def compared(lm, asked, sampler, **options):
    """Yield each captured completion with `encode`'s features and log-probability of it."""
    messages = {request.key: request.messages for request in asked}
    done = list(InProcessGenerator(lm, capture=KINDS, **options).generate(asked, sampler))
    kept = [one for one in done if one.features is not None]
    items = [Item(messages[one.key], one.text, one.finish_reason == "stop") for one in kept]
    encoding = encode(lm, items, KINDS)
    rows = [
        (one, {kind: encoding.features[kind][row] for kind in KINDS}, encoding.log_probs[row])
        for row, one in enumerate(kept)
    ]
    return rows, len(done)


@pytest.mark.parametrize("rows", [64, 5])
def test_captured_features_are_those_of_encode(written, rows):
    found, total = compared(written, requests(each=24), Sampler(24), rows=rows)
    assert len(found) > 0.8 * total  # a control character may come back otherwise
    assert {one.finish_reason for one, _, _ in found} == {"stop", "length"}
    for one, features, log_prob in found:
        assert one.log_prob == pytest.approx(log_prob, abs=2e-3)
        assert set(one.features) == set(KINDS)
        for kind in KINDS:
            assert one.features[kind].dtype == np.float32
            np.testing.assert_allclose(one.features[kind], features[kind], atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("sampler", [Sampler(12, 0.7), Sampler(12, 1.5), Sampler(12, 1.0, 0.8)])
def test_captured_log_probability_is_that_at_temperature_one(written, sampler):
    found, _ = compared(written, requests(each=24), sampler)
    assert found
    for one, _, log_prob in found:
        assert one.log_prob == pytest.approx(log_prob, abs=2e-3)


def test_captured_features_in_bfloat16_are_within_its_rounding(tiny_folder):
    lm = legible(tiny_folder, torch.bfloat16)
    found, _ = compared(lm, requests(each=24), Sampler(24))
    assert found
    for one, features, log_prob in found:
        assert one.log_prob == pytest.approx(log_prob, abs=0.15 * (1 + abs(log_prob)))
        for kind in KINDS:
            error = np.linalg.norm(one.features[kind] - features[kind])
            assert error < 0.1 * np.linalg.norm(features[kind])


def test_a_completion_without_tokens_has_the_state_at_the_prompts_last(written, monkeypatch):
    first = written.prompt_ids(say("hi"))
    with torch.inference_mode():
        token = int(written.model(torch.tensor([first])).logits[0, -1].argmax())
    monkeypatch.setitem(written.__dict__, "eos_ids", (token,))
    asked = [Request("k", say("hi"), 0)]
    ((one, features, log_prob),), _ = compared(written, asked, Sampler(9, temperature=0))
    assert (one.token_count, one.finish_reason) == (0, "stop")
    assert one.log_prob == pytest.approx(log_prob, abs=1e-3)
    for kind in KINDS:
        np.testing.assert_allclose(one.features[kind], features[kind], atol=1e-3, rtol=1e-3)


def test_another_end_of_sequence_is_left_to_the_later_pass(written, monkeypatch):
    monkeypatch.setitem(written.__dict__, "eos_ids", (1, *written.eos_ids))
    done = list(InProcessGenerator(written, capture=KINDS).generate(requests(each=24), Sampler(24)))
    stopped = [one for one in done if one.finish_reason == "stop"]
    assert stopped
    assert all(one.features is None for one in stopped)


def test_capturing_changes_no_text(written):
    assert texts(written, requests(), capture=KINDS) == texts(written, requests())


def test_a_text_that_splits_otherwise_is_left_to_the_later_pass(written, monkeypatch):
    monkeypatch.setattr(generation, "completion_ids", lambda tokenizer, text: [3])
    done = list(InProcessGenerator(written, capture=KINDS).generate(requests(), Sampler(24)))
    assert {(one.features, one.log_prob) for one in done} == {(None, None)}


def test_nothing_is_captured_unless_asked_for(written):
    done = list(InProcessGenerator(written).generate(requests(), Sampler(24)))
    assert {(one.features, one.log_prob) for one in done} == {(None, None)}


@pytest.mark.parametrize("model", ["tiny", "sliding"])
def test_what_cannot_be_captured_is_left_to_the_later_pass(model, request):
    lm = request.getfixturevalue(model)
    kinds = ("output_sketch",) if model == "tiny" else ("mean_middle",)
    (done,) = InProcessGenerator(lm, capture=kinds).generate([Request(0, say("hi"), 0)], Sampler(9))
    assert done.features is None


def test_kinds_that_cannot_be_kept_are_left_to_the_pass(tiny):
    """An unknown layer, which the pass refuses, and a sketch, which needs the whole softmax."""
    generator = InProcessGenerator(tiny, capture=("mean_layer_99", "output_sketch", "last_token"))
    done = list(generator.generate(requests(), Sampler(max_new_tokens=1)))
    kept = {frozenset(one.features) for one in done if one.features is not None}
    assert kept == {frozenset({"last_token"})}
