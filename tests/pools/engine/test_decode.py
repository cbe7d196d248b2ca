"""The lean forward pass against transformers' own, and its independence of the batch."""

from pathlib import Path

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pairselect.pools.engine.decode import LeanDecoder, lean_decoder
from pairselect.pools.engine.generation import InProcessGenerator, Request, Sampler
from pairselect.pools.engine.loading import LanguageModel, load_model
from tests.pools.engine.conftest import save_tokenizer
from tests.pools.engine.test_generation import requests, texts

SHAPE = {
    "vocab_size": 259,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1200,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
FAMILIES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True)),
    "untied-head-size": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, head_dim=32)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=True)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=16)),
}


def saved(model, folder: Path, dtype: torch.dtype) -> LanguageModel:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # else all 0, or all 1
                parameter += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return load_model(str(folder), data_dir=folder, device="cpu", dtype=dtype)


def tiny_of(family: str, folder: Path, dtype: torch.dtype = torch.float32) -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return saved(FAMILIES[family](), folder, dtype)


@torch.inference_mode()
def states_of(decoder: LeanDecoder, prompt, tokens):
    """Final states after the prompt and after each token, (1 + tokens, d), by decode steps."""
    prefix = decoder.read_prompts([prompt])[0]
    cache = decoder.cache(2, len(prompt) + len(tokens))
    for slot in range(2):
        cache.fill(slot, prefix.keys, prefix.values)
    states = [prefix.state]
    for place, token in enumerate(tokens):
        lengths = torch.tensor([len(prompt) + place] * 2)
        states.append(decoder.read_tokens(torch.tensor([token] * 2), lengths, cache).states[0])
    return torch.stack(states)


@pytest.mark.parametrize("family", FAMILIES)
def test_lean_states_are_those_of_transformers(family, tmp_path):
    lm = tiny_of(family, tmp_path)
    prompt, tokens = [5, 9, 77, 130], [3, 200, 41, 8, 8]
    with torch.inference_mode():
        expected = lm.model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 :]
    decoder = lean_decoder(lm)
    assert decoder is not None
    with torch.inference_mode():
        found = decoder.logits(states_of(decoder, prompt, tokens))
        # the joined weights are still the model's
        again = lm.model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 :]
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(again, expected, atol=2e-3, rtol=1e-4)


def test_a_sliding_window_model_has_no_lean_pass(sliding):
    assert lean_decoder(sliding) is None


def test_a_pass_that_disagrees_is_not_used(tmp_path, monkeypatch):
    lm = tiny_of("llama", tmp_path)
    monkeypatch.setattr(lm.model.base_model.layers[1].self_attn, "scaling", 3.0)
    assert lean_decoder(lm) is not None  # both passes read it
    decoder = LeanDecoder.read_tokens

    def wrong(self, tokens, lengths, cache, **options):
        return decoder(self, tokens, lengths + 1, cache, **options)

    monkeypatch.setattr(LeanDecoder, "read_tokens", wrong)
    assert lean_decoder(lm) is None


def test_an_adapted_layer_has_no_lean_pass(tmp_path):
    class Adapted(torch.nn.Linear):
        pass

    lm = tiny_of("llama", tmp_path)
    attention = lm.model.base_model.layers[0].self_attn
    attention.q_proj = Adapted(64, 64)
    assert lean_decoder(lm) is None


@pytest.mark.skipif(
    not torch.cpu.get_capabilities().get("avx512_bf16", False),
    reason="holds where bfloat16 products run on AVX-512",
)
@pytest.mark.parametrize("family", FAMILIES)
def test_in_bfloat16_no_bit_depends_on_the_batch(family, tmp_path):
    lm = tiny_of(family, tmp_path, torch.bfloat16)
    asked = [
        Request((place, k), ({"role": "user", "content": "word " * place},), seed=10 * place + k)
        for place in (0, 1, 5, 20, 118)  # the last one is over 512 tokens
        for k in range(3)
    ]
    sampler = Sampler(24)
    together = texts(lm, asked, sampler, capture=("mean_middle", "last_token"))
    assert texts(lm, asked[::-1], sampler, rows=7) == together
    assert texts(lm, asked[::4], sampler, rows=3) == {r.key: together[r.key] for r in asked[::4]}
    for request in asked[::6]:
        assert texts(lm, [request], sampler) == {request.key: together[request.key]}


def test_captured_numbers_do_not_depend_on_the_batch_either(tmp_path):
    lm = tiny_of("qwen2", tmp_path)
    asked = requests(each=6)
    kinds = ("mean_middle", "last_token")
    runs = [
        {
            one.key: one
            for one in InProcessGenerator(lm, rows=rows, capture=kinds).generate(asked, Sampler(24))
        }
        for rows in (64, 4)
    ]
    for key, one in runs[0].items():
        other = runs[1][key]
        assert (one.features is None) == (other.features is None)
        if one.features is not None:
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-3)
            for kind in kinds:
                torch.testing.assert_close(
                    torch.from_numpy(one.features[kind]),
                    torch.from_numpy(other.features[kind]),
                    atol=1e-3,
                    rtol=1e-3,
                )
