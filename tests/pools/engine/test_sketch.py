"""The sketch of the output layer's gradient, against autograd; log-probabilities by blocks."""

import numpy as np
import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from pairselect.pools.engine import sketch
from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.kinds import feature_kind
from pairselect.pools.engine.loading import load_model
from pairselect.pools.engine.sketch import projections

from .conftest import save_tokenizer

CPU = torch.device("cpu")
SHAPE = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "tie_word_embeddings": False,
}
PROMPT = ({"role": "user", "content": "hi"},)
ITEMS = [
    Item(PROMPT, "ended", ended=True),
    Item(PROMPT, "a longer one that was cut", ended=False),
    Item(PROMPT, "", ended=True),
    Item(PROMPT, "", ended=False),
]


def gradient(lm, item):
    """Return log p(y|x) and its gradient by the output layer's weight, (vocabulary, d)."""
    prompt = lm.prompt_ids(item.messages)
    tokens = lm.tokenizer(item.completion, add_special_tokens=False)["input_ids"]
    targets = tokens + ([lm.tokenizer.eos_token_id] if item.ended else [])
    logits = lm.model(torch.tensor([prompt + targets])).logits[0].float().log_softmax(dim=-1)
    places = range(len(prompt) - 1, len(prompt) - 1 + len(targets))
    log_prob = logits[list(places), targets].sum()
    weight = lm.model.get_output_embeddings().weight
    if not targets:
        return 0.0, np.zeros(weight.shape)
    (slope,) = torch.autograd.grad(log_prob, weight)
    return log_prob.item(), slope.numpy()


def check(lm, **options):
    result = encode(lm, ITEMS, ["output_sketch"], **options)
    matrices = projections(259, 32, CPU)
    for row, item in enumerate(ITEMS):
        log_prob, slope = gradient(lm, item)
        expected = matrices.words.numpy().T @ slope @ matrices.states.numpy()  # (32, 64)
        np.testing.assert_allclose(
            result.features["output_sketch"][row], expected.ravel(), rtol=1e-4, atol=2e-4
        )
        assert result.log_probs[row] == pytest.approx(log_prob, rel=1e-5, abs=1e-4)
    assert np.abs(result.features["output_sketch"][:3]).max(axis=1).min() > 0.02
    assert not result.features["output_sketch"][3].any()


@pytest.fixture(params=["plain", "bias", "multiplied", "divided", "capped"])
def lm(request, tmp_path):
    """A model whose output layer is not tied to its embeddings, of one architecture each."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if request.param == "bias":
            shape = {k: v for k, v in SHAPE.items() if k != "num_key_value_heads"}
            model = PhiForCausalLM(PhiConfig(**shape, partial_rotary_factor=0.5))
            torch.nn.init.normal_(model.lm_head.bias)
        elif request.param == "multiplied":
            model = CohereForCausalLM(CohereConfig(**SHAPE, logit_scale=0.25))
        elif request.param == "capped":
            extra = {"head_dim": 8, "final_logit_softcapping": 3.0}
            model = Gemma2ForCausalLM(Gemma2Config(**SHAPE, **extra))
        else:
            scaling = 4.0 if request.param == "divided" else 1.0
            model = GraniteForCausalLM(GraniteConfig(**SHAPE, logits_scaling=scaling))
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    return load_model(str(tmp_path), data_dir=tmp_path, device="cpu", dtype=torch.float32)


@pytest.mark.parametrize("block", [1 << 19, 700, 1])
def test_sketch_is_the_projected_gradient(lm, monkeypatch, block):
    monkeypatch.setattr(sketch, "_LOGITS", block)
    if block == 700:
        monkeypatch.setattr(sketch, "_TOKENS", 7)
    check(lm)


def test_head_of_another_kind_gives_the_same(lm, monkeypatch):
    class Wrapped(torch.nn.Linear):
        pass

    whole = encode(lm, ITEMS, ["output_sketch"])
    monkeypatch.setattr(lm.model.get_output_embeddings(), "__class__", Wrapped)
    wrapped = encode(lm, ITEMS, ["output_sketch"])
    np.testing.assert_allclose(wrapped.log_probs, whole.log_probs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        *(r.features["output_sketch"] for r in (wrapped, whole)), rtol=1e-4, atol=1e-4
    )


def test_log_probabilities_of_far_apart_logits_stay_exact(tiny):
    head = torch.nn.Linear(1, 6, bias=False)
    head.weight.data = torch.tensor([[-3000.0], [0.0], [500.0], [-40.0], [500.0], [-3000.0]])

    class Model:
        config = tiny.model.config

        def get_output_embeddings(self):
            return head

    states, targets = torch.ones(6, 1), torch.arange(6)
    expected = torch.log_softmax(head(states).double(), dim=1).diagonal()
    for room in (1, 12, 1 << 19):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sketch, "_LOGITS", room)
            log_probs, residuals = sketch.read_tokens(Model(), states, targets, torch.eye(6))
        np.testing.assert_allclose(log_probs.numpy(), expected.detach().numpy(), atol=5e-5)
        softmax = torch.tensor([0.0, 0.0, 0.5, 0.0, 0.5, 0.0])
        np.testing.assert_allclose(residuals.numpy(), (torch.eye(6) - softmax).numpy(), atol=1e-6)


def test_projections_are_fixed_signs_of_the_stated_variance():
    projections.cache_clear()
    first = projections(1000, 100, CPU)
    assert projections(1000, 100, CPU) is first
    projections.cache_clear()
    again = projections(1000, 100, CPU)
    for matrix, other, columns in (
        (first.words, again.words, 32),
        (first.states, again.states, 64),
    ):
        np.testing.assert_array_equal(matrix, other)
        np.testing.assert_allclose(matrix.abs(), columns**-0.5, rtol=1e-6)
        assert abs(float(matrix.sign().mean())) < 4 / matrix.numel() ** 0.5
        # independent columns: products of two of them have mean 0
        products = (matrix.T @ matrix / len(matrix) * columns).fill_diagonal_(0)
        assert float(products.abs().max()) < 5 / len(matrix) ** 0.5
    # some of them, so that a change of the stream shows
    assert first.words[1, :8].sign().tolist() == [1, 1, -1, -1, 1, -1, 1, -1]
    assert first.states[0, :8].sign().tolist() == [1, -1, 1, 1, -1, -1, -1, 1]


def test_inner_products_survive_the_projection():
    rng = np.random.default_rng(0)
    left = rng.normal(size=(8, 1000, 100)).astype(np.float32)
    left[1] = left[0] + 0.5 * left[1]
    matrices = projections(1000, 100, CPU)
    flat = np.stack([matrices.words.numpy().T @ m @ matrices.states.numpy() for m in left])
    cosine = np.corrcoef(flat.reshape(8, -1))
    true = np.corrcoef(left.reshape(8, -1))
    assert np.abs(cosine - true).max() < 0.15


def test_a_kind_says_what_decides_it():
    assert feature_kind("mean_layer_12").facts == {"kind": "mean_layer_12"}
    assert feature_kind("output_sketch").facts == {
        "kind": "output_sketch",
        "projections": "signs, Philox(260619607), 32 x 64",
    }
