"""Features and log-probabilities against a plain computation that keeps everything."""

import numpy as np
import pytest
import torch

from pairselect.pools.engine import features
from pairselect.pools.engine.contract import GenerationStopped, PromptTooLong
from pairselect.pools.engine.features import FEATURE_KINDS, Item, dimension, encode, feature_kind
from pairselect.pools.engine.loading import load_model

from .conftest import save_llama, save_tokenizer

KINDS = FEATURE_KINDS


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
    monkeypatch.setattr("pairselect.pools.engine.sketch._LOGITS", 2)
    monkeypatch.setattr("pairselect.pools.engine.sketch._TOKENS", 2)
    np.testing.assert_allclose(encode(tiny, ITEMS).log_probs, whole.log_probs, atol=1e-5)


def test_dtypes_and_shapes_are_as_promised(tiny):
    result = encode(tiny, ITEMS, KINDS)
    sizes = {"mean_middle": 32, "mean_quarters": 96, "last_token": 32, "output_sketch": 2048}
    assert {k: (v.dtype, v.shape) for k, v in result.features.items()} == {
        kind: (np.dtype(np.float32), (5, size)) for kind, size in sizes.items()
    }
    assert {kind: dimension(kind, tiny) for kind in KINDS} == sizes
    assert result.log_probs.dtype == np.float64
    assert result.token_counts.dtype == np.int64
    assert result.truncated.tolist() == [False] * 5


def test_no_items_give_empty_arrays(tiny):
    result = encode(tiny, [], KINDS)
    assert result.features["mean_middle"].shape == (0, 32)
    assert result.log_probs.shape == result.token_counts.shape == result.truncated.shape == (0,)


def test_an_empty_completion_that_did_not_end_has_log_probability_zero(tiny):
    assert encode(tiny, [Item(say("hi"), "", ended=False)]).log_probs.tolist() == [0.0]


def test_the_end_of_sequence_enters_the_sketch_alone(tiny):
    ended, cut = (encode(tiny, [Item(say("hi"), "yes", ended=e)], KINDS) for e in (True, False))
    for kind in ("mean_middle", "last_token"):
        np.testing.assert_array_equal(ended.features[kind], cut.features[kind])
    assert ended.log_probs[0] < cut.log_probs[0]
    assert not np.allclose(ended.features["output_sketch"], cut.features["output_sketch"])


def all_layers(lm, item):
    """Return the means over the completion's tokens of every hidden state, (layers + 1, d)."""
    prompt = lm.prompt_ids(item.messages)
    completion = lm.tokenizer(item.completion, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        output = lm.model(torch.tensor([prompt + completion]), output_hidden_states=True)
    return torch.stack(output.hidden_states)[:, 0, len(prompt) :].mean(dim=1).numpy()


@pytest.mark.parametrize("model", ["tiny", "sliding"])
@pytest.mark.parametrize("log_probs", [True, False])
def test_every_layer_can_be_chosen(model, log_probs, request):
    lm = request.getfixturevalue(model)
    items = [ITEMS[0], ITEMS[1], ITEMS[4]]
    kinds = [f"mean_layer_{layer}" for layer in (3, 0, 4, 2, 1)]
    result = encode(lm, items, kinds, log_probs=log_probs, batch_tokens=100)
    assert tuple(result.features) == tuple(kinds)
    for row, item in enumerate(items):
        expected = all_layers(lm, item)
        for kind in kinds:
            np.testing.assert_allclose(
                result.features[kind][row], expected[int(kind[-1])], rtol=1e-4, atol=1e-5
            )
    assert np.isnan(result.log_probs).tolist() == [not log_probs] * 3


@pytest.mark.parametrize("model", ["tiny", "sliding"])
@pytest.mark.parametrize(
    ("kind", "layers"), [("mean_layer_0", 0), ("mean_middle", 2), ("mean_quarters", 3)]
)
def test_inner_layers_alone_end_the_pass_there(model, kind, layers, request):
    lm = request.getfixturevalue(model)
    whole = encode(lm, ITEMS, [kind])
    run = set()
    handles = [
        layer.register_forward_hook(lambda *_, depth=depth: run.add(depth))
        for depth, layer in enumerate(lm.model.base_model.layers)
    ]
    try:
        short = encode(lm, ITEMS, [kind], log_probs=False)
    finally:
        for handle in handles:
            handle.remove()
    assert run == set(range(layers))
    np.testing.assert_array_equal(short.features[kind], whole.features[kind])
    np.testing.assert_array_equal(short.token_counts, whole.token_counts)
    assert np.isnan(short.log_probs).all()


@pytest.mark.parametrize("model", ["tiny", "sliding"])
def test_quarters_are_three_layers_side_by_side(model, request):
    lm = request.getfixturevalue(model)
    layers = ["mean_layer_1", "mean_layer_2", "mean_layer_3"]  # of four
    result = encode(lm, ITEMS, ["mean_quarters", *layers], batch_tokens=100)
    side_by_side = np.hstack([result.features[layer] for layer in layers])
    np.testing.assert_array_equal(result.features["mean_quarters"], side_by_side)


@pytest.mark.parametrize(("depth", "layers"), [(30, (7, 15, 22)), (5, (1, 2, 3)), (1, (0, 0, 0))])
def test_quarters_of_a_depth_are_rounded_down(depth, layers):
    assert feature_kind("mean_quarters").layers(depth) == layers


def test_a_kind_asked_for_twice_is_given_once(tiny):
    result = encode(tiny, ITEMS, ["mean_middle", "mean_layer_2", "mean_middle"])
    assert list(result.features) == ["mean_middle", "mean_layer_2"]
    np.testing.assert_array_equal(*result.features.values())


@pytest.mark.parametrize("kinds", [("mean_middle",), ("output_sketch",)])
def test_log_probabilities_do_not_depend_on_the_kinds(tiny, kinds):
    np.testing.assert_allclose(
        encode(tiny, ITEMS, kinds).log_probs, encode(tiny, ITEMS, KINDS).log_probs, atol=1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_do_not_depend_on_the_batch(tiny_folder, dtype):
    lm = load_model(str(tiny_folder), data_dir=tiny_folder, device="cpu", dtype=dtype)
    together = encode(lm, RAGGED, KINDS)
    tolerance = 1e-5 if dtype == torch.float32 else 0.05
    for place, item in enumerate(RAGGED):
        alone = encode(lm, [item], KINDS)
        for kind in KINDS:
            scale = np.abs(together.features[kind]).max()
            np.testing.assert_allclose(
                alone.features[kind][0], together.features[kind][place], atol=tolerance * scale
            )
        np.testing.assert_allclose(alone.log_probs[0], together.log_probs[place], rtol=tolerance)


RAGGED = [
    *ITEMS,
    Item(say("hi"), "the fourth completion of one prompt", ended=True),
    Item(say("a second prompt, alone"), "with one completion", ended=True),
    Item(say("why?"), "so", ended=False),
]


@pytest.mark.parametrize("batch_tokens", [1, 150, 10_000])
def test_sharing_prompts_changes_no_result(tiny, monkeypatch, batch_tokens):
    shared = encode(tiny, RAGGED, KINDS, batch_tokens=batch_tokens)
    monkeypatch.setattr(features, "grows_plainly", lambda config: False)
    alone = encode(tiny, RAGGED, KINDS, batch_tokens=batch_tokens)
    np.testing.assert_allclose(shared.log_probs, alone.log_probs, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(shared.token_counts, alone.token_counts)
    for kind in KINDS:
        np.testing.assert_allclose(
            shared.features[kind], alone.features[kind], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_each_distinct_prompt_is_read_once(tiny, batch_tokens):
    read = []
    handle = tiny.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(int(kwargs["input_ids"].ne(0).sum())),
        with_kwargs=True,
    )
    try:
        encode(tiny, RAGGED, batch_tokens=batch_tokens)
    finally:
        handle.remove()
    prompts = {tuple(tiny.prompt_ids(item.messages)) for item in RAGGED}
    counts = [len(tiny.tokenizer(item.completion)["input_ids"]) for item in RAGGED]
    # each prompt but its first token, which is the id 0, and but its last, which each row reads
    assert sum(read) == sum(len(prompt) - 2 for prompt in prompts) + len(RAGGED) + sum(counts)


def test_prompt_of_one_token_has_nothing_to_share(tmp_path):
    save_llama(tmp_path)
    save_tokenizer(tmp_path, template=None)
    lm = load_model(str(tmp_path), data_dir=tmp_path, device="cpu", dtype=torch.float32)
    items = [Item(say(""), "ab", ended=True), Item(say(""), "", ended=False), ITEMS[0]]
    result = encode(lm, items, KINDS)
    log_probs = [naive(lm, item)[2] for item in items]
    np.testing.assert_allclose(result.log_probs, log_probs, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("model", ["tiny", "sliding"])
def test_completion_beyond_the_context_is_cut(model, request):
    lm = request.getfixturevalue(model)
    room = lm.context_length - len(lm.prompt_ids(say("hi")))
    texts = ["x" * (room - 1), "x" * room, "x" * (room + 1), "x" * 200]
    result = encode(lm, [Item(say("hi"), text, ended=True) for text in texts], KINDS)
    assert result.truncated.dtype == np.bool_
    assert result.truncated.tolist() == [False, False, True, True]
    assert result.token_counts.tolist() == [room - 1, room, room, room]
    # without the end of sequence, as if the text had been cut before
    cut = encode(lm, [Item(say("hi"), "x" * room, ended=False)], KINDS)
    np.testing.assert_allclose(result.log_probs[2:], cut.log_probs.repeat(2), atol=1e-4)
    assert result.log_probs[1] < cut.log_probs[0] - 0.01
    for kind in KINDS:
        np.testing.assert_allclose(
            result.features[kind][2:], cut.features[kind].repeat(2, axis=0), rtol=1e-4, atol=1e-5
        )


def test_prompt_without_room_for_a_token_is_named(tiny):
    fixed = len(tiny.prompt_ids(say("")))
    full = say("x" * (tiny.context_length - fixed))
    with pytest.raises(PromptTooLong, match="prompt of item 1 has 128 tokens") as caught:
        encode(tiny, [ITEMS[0], Item(full, "no", ended=True)])
    assert caught.value.place == 1


def test_prompt_with_room_for_one_token_is_encoded(tiny):
    fixed = len(tiny.prompt_ids(say("")))
    nearly = say("x" * (tiny.context_length - fixed - 1))
    result = encode(tiny, [Item(nearly, "no", ended=True)])
    assert result.token_counts.tolist() == [1]
    assert result.truncated.tolist() == [True]


@pytest.mark.parametrize("name", ["other", "mean_layer_", "mean_layer_-1", "mean_layer_02", ""])
def test_unknown_kind_is_refused(tiny, name):
    expected = "no feature kind '.*': use mean_middle, .*, output_sketch, or mean_layer_N"
    with pytest.raises(ValueError, match=expected):
        encode(tiny, ITEMS, [name])


def test_layer_that_the_model_lacks_is_refused(tiny):
    for call in (lambda kind: encode(tiny, [], [kind]), lambda kind: dimension(kind, tiny)):
        with pytest.raises(ValueError, match="has 4 layers, so name mean_layer_0 to mean_layer_4"):
            call("mean_layer_5")


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
