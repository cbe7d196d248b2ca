"""Scores by a reward model against scoring row by row, and what is refused."""

import json
import re

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

from pairselect.pools.engine.contract import GenerationStopped, ModelUnavailable, PromptTooLong
from pairselect.pools.engine.rewards import Item, load_reward_model, score

from .conftest import save_tokenizer

SHAPE = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
}


def save(folder, *, kind="llama", pad=2, labels=1, template=True):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if kind == "llama":
            config = LlamaConfig(**SHAPE, pad_token_id=pad, num_labels=labels)
            model = LlamaForSequenceClassification(config)
        else:
            config = BertConfig(**SHAPE, pad_token_id=pad, num_labels=labels)
            model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    if template:
        save_tokenizer(folder)
    else:
        save_tokenizer(folder, template=None)


def load(folder):
    return load_reward_model(str(folder), data_dir=folder, device="cpu", dtype=torch.float32)


def say(text, completion, *, ended=True):
    return Item(({"role": "user", "content": text},), completion, ended=ended)


ITEMS = [
    say("hi", "short"),
    say("a longer prompt here", "and a longer completion"),
    say("hi", ""),
    say("why?", "because ☃", ended=False),
    say("hi", "another"),
]


def row_by_row(rm, texts):
    with torch.inference_mode():
        return [
            rm.model(torch.tensor([rm.tokenizer(text)["input_ids"]])).logits[0, 0].item()
            for text in texts
        ]


@pytest.mark.parametrize("batch_tokens", [1, 100, 10_000])
@pytest.mark.parametrize(("kind", "pad"), [("llama", 2), ("llama", None), ("bert", 2)])
def test_scores_equal_scoring_row_by_row(tmp_path, kind, pad, batch_tokens):
    save(tmp_path, kind=kind, pad=pad)
    rm = load(tmp_path)
    texts = [
        f"<s>user: {item.messages[0]['content']}\nassistant: {item.completion}\n" for item in ITEMS
    ]
    scores = score(rm, ITEMS, batch_tokens=batch_tokens)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, row_by_row(rm, texts), rtol=1e-4, atol=1e-5)
    assert np.ptp(scores) > 0.1
    assert rm.model.config.pad_token_id == pad


def test_without_a_template_the_texts_are_joined(tmp_path):
    save(tmp_path, template=False)
    rm = load(tmp_path)
    turns = ({"role": "system", "content": "be"}, {"role": "user", "content": "so"})
    scores = score(rm, [Item(turns, "good", ended=True)])
    np.testing.assert_allclose(scores, row_by_row(rm, ["be\n\nso\n\ngood"]), rtol=1e-4)


def test_no_items_have_no_scores(tmp_path):
    save(tmp_path)
    assert score(load(tmp_path), []).shape == (0,)


def test_what_exceeds_the_context_is_cut_and_counted(tmp_path):
    save(tmp_path)
    rm = load(tmp_path)
    frame = len(rm.token_ids(say("hi", "")))
    room = 64 - frame
    told = []
    fits = score(rm, [say("hi", "x" * room)], notice=told.append)
    assert told == []
    scores = score(
        rm,
        [say("hi", "x" * (room + 1)), say("hi", "x" * room), say("hi", "x" * 300)],
        notice=told.append,
    )
    assert told == [f"2 of 3 completions were cut to fit the context of 64 tokens of {tmp_path}."]
    np.testing.assert_allclose(scores[1], fits[0], rtol=1e-5)
    cut = rm.token_ids(say("hi", "x" * 300))[:64]
    with torch.inference_mode():
        expected = rm.model(torch.tensor([cut])).logits[0, 0].item()
    np.testing.assert_allclose(scores[2], expected, rtol=1e-4)


def test_prompt_without_room_for_a_completion_is_named(tmp_path):
    save(tmp_path)
    with pytest.raises(PromptTooLong, match="prompt of item 1 has .* context of 64") as caught:
        score(load(tmp_path), [ITEMS[0], say("x" * 64, "no")])
    assert caught.value.place == 1


def test_it_stops_between_batches_when_asked(tmp_path):
    save(tmp_path)
    rm = load(tmp_path)
    asked = []
    with pytest.raises(GenerationStopped):
        score(rm, ITEMS, batch_tokens=1, should_stop=lambda: asked.append(1) or len(asked) == 3)
    assert len(asked) == 3


def test_more_than_one_label_is_refused(tmp_path):
    save(tmp_path, labels=3)
    with pytest.raises(ModelUnavailable, match=r"gives 3 labels: name a reward model"):
        load(tmp_path)


def test_language_model_is_refused(tiny_folder):
    expected = re.escape(f"The model {tiny_folder} is no reward model: it is a LlamaForCausalLM")
    with pytest.raises(ModelUnavailable, match=expected):
        load(tiny_folder)


def test_missing_head_is_refused(tmp_path, tiny_folder, capfd):
    for file in tiny_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "r"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    capfd.readouterr()
    with pytest.raises(ModelUnavailable, match="lack score.weight, so its scores would be random"):
        load(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_weights_that_can_run_code_are_refused(tmp_path):
    save(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="no safetensors weights"):
        load(tmp_path)


def test_names_that_hold_no_model_are_explained(tmp_path):
    with pytest.raises(ModelUnavailable, match="There is no folder"):
        load_reward_model(str(tmp_path / "none"), data_dir=tmp_path)
    with pytest.raises(ModelUnavailable, match="no model 'embedded:other'"):
        load_reward_model("embedded:other", data_dir=tmp_path)


def test_fingerprint_tells_models_apart(tmp_path):
    folders = [tmp_path / name for name in ("one", "again", "other")]
    for folder, pad in zip(folders, (2, 2, None), strict=True):
        save(folder, pad=pad)
    one, again, other = (load(folder).fingerprint for folder in folders)
    assert one["weights"] == again["weights"] != other["weights"]
    assert set(one) == {
        *("name", "weights", "chat_template", "dtype", "device", "torch", "transformers")
    }
    assert one["dtype"] == "float32"
