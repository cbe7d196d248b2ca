"""Features and log-probabilities against a plain computation that keeps everything."""

import numpy as np
import pytest
import torch

from pairselect.pools.engine.contract import GenerationStopped, PromptTooLong
from pairselect.pools.engine.features import FEATURE_KINDS, Item, encode

KINDS = tuple(FEATURE_KINDS)


def say(text):
    return ({"role": "user", "content": text},)


ITEMS = [
    Item(say("hi"), "short", ended=True),
    Item(say("a much longer prompt than the others"), "and a longer completion too", ended=False),
    Item(say("hi"), "", ended=False),
    Item(say("hi"), "", ended=True),
    Item(say("why?"), "because ☃", ended=True),
]


def naive(lm, item):
    """Return (mean_middle, last_token, log_prob) from all hidden states and all logits."""
    prompt = lm.prompt_ids(item.messages)
    completion = lm.tokenizer(item.completion, add_special_tokens=False)["input_ids"]
    ids = prompt + completion + ([lm.tokenizer.eos_token_id] if item.ended else [])
    with torch.inference_mode():
        output = lm.model(torch.tensor([ids]), output_hidden_states=True)
    log_softmax = output.logits[0].log_softmax(-1)
    log_prob = sum(float(log_softmax[at - 1, ids[at]]) for at in range(len(prompt), len(ids)))
    end = len(prompt) + len(completion)
    start = len(prompt) if completion else end - 1
    middle = output.hidden_states[lm.model.config.num_hidden_layers // 2]
    last = output.hidden_states[-1]
    return middle[0, start:end].mean(0).numpy(), last[0, end - 1].numpy(), log_prob


@pytest.mark.parametrize("model", ["tiny", "sliding"])
@pytest.mark.parametrize("batch_tokens", [1, 100, 10_000])
def test_encoding_equals_the_plain_computation(model, batch_tokens, request):
    lm = request.getfixturevalue(model)
    result = encode(lm, ITEMS, KINDS, batch_tokens=batch_tokens)
    middle, last, log_probs = (
        np.array(part) for part in zip(*[naive(lm, item) for item in ITEMS], strict=True)
    )
    np.testing.assert_allclose(result.features["mean_middle"], middle, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.features["last_token"], last, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.log_probs, log_probs, rtol=1e-5, atol=1e-4)
    assert result.token_counts.tolist() == [5, 27, 0, 0, 11]


def test_results_keep_the_order_of_the_items(tiny):
    forward = encode(tiny, ITEMS, KINDS)
    backward = encode(tiny, ITEMS[::-1], KINDS)
    np.testing.assert_allclose(backward.log_probs[::-1], forward.log_probs, atol=1e-4)
    for kind in KINDS:
        np.testing.assert_allclose(backward.features[kind][::-1], forward.features[kind], atol=1e-5)


def test_logits_in_small_blocks_change_nothing(tiny, monkeypatch):
    whole = encode(tiny, ITEMS)
    monkeypatch.setattr("pairselect.pools.engine.features._LOGIT_NUMBERS", 259 * 2)
    np.testing.assert_allclose(encode(tiny, ITEMS).log_probs, whole.log_probs, atol=1e-5)


def test_dtypes_and_shapes_are_as_promised(tiny):
    result = encode(tiny, ITEMS, KINDS)
    assert {k: (v.dtype, v.shape) for k, v in result.features.items()} == {
        kind: (np.dtype(np.float32), (5, 32)) for kind in KINDS
    }
    assert result.log_probs.dtype == np.float64
    assert result.token_counts.dtype == np.int64


def test_no_items_give_empty_arrays(tiny):
    result = encode(tiny, [], KINDS)
    assert result.features["mean_middle"].shape == (0, 32)
    assert result.log_probs.shape == result.token_counts.shape == (0,)


def test_an_empty_completion_that_did_not_end_has_log_probability_zero(tiny):
    assert encode(tiny, [Item(say("hi"), "", ended=False)]).log_probs.tolist() == [0.0]


def test_the_end_of_sequence_never_enters_the_features(tiny):
    ended, cut = (encode(tiny, [Item(say("hi"), "yes", ended=e)], KINDS) for e in (True, False))
    for kind in KINDS:
        np.testing.assert_array_equal(ended.features[kind], cut.features[kind])
    assert ended.log_probs[0] < cut.log_probs[0]


def test_item_beyond_the_context_is_named(tiny):
    with pytest.raises(PromptTooLong, match="Item 1 has 17 prompt tokens and 200 completion"):
        encode(tiny, [ITEMS[0], Item(say("hi"), "x" * 200, ended=True)])


def test_unknown_kind_is_refused(tiny):
    with pytest.raises(ValueError, match="no feature kind 'other': use mean_middle, last_token"):
        encode(tiny, ITEMS, ["other"])


def test_it_stops_between_batches_when_asked(tiny):
    answers = iter([False, True])
    with pytest.raises(GenerationStopped):
        encode(tiny, ITEMS, batch_tokens=1, should_stop=lambda: next(answers))


def test_hooks_are_removed_even_after_a_failure(tiny, monkeypatch):
    def fail(*args):
        raise RuntimeError("no")

    monkeypatch.setattr("pairselect.pools.engine.features._pool", fail)
    with pytest.raises(RuntimeError, match="no"):
        encode(tiny, ITEMS)
    assert not any(layer._forward_pre_hooks for layer in tiny.model.base_model.layers)
