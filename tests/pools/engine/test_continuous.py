"""Continuous batching, on the CPU: the same texts as in-process, whatever is in flight."""

import functools
import logging
import threading

import pytest
import torch
from transformers.generation import ContinuousBatchingConfig
from transformers.generation.continuous_batching.model_runner import ModelRunner

from pairselect.pools.engine import continuous
from pairselect.pools.engine.continuous import ContinuousGenerator
from pairselect.pools.engine.contract import (
    GenerationFailed,
    GenerationStopped,
    PromptTooLong,
    Request,
    Sampler,
)
from pairselect.pools.engine.generation import InProcessGenerator
from tests.pools.engine.test_generation import requests, say


@pytest.fixture(autouse=True)
def _small_and_quiet(monkeypatch):
    """A cache of a fixed size: this machine's free memory is no part of what is tested."""
    logging.getLogger("ContinuousBatchingLogger").setLevel(logging.CRITICAL)
    small = functools.partial(
        ContinuousBatchingConfig, num_blocks=128, page_size=16, max_batch_tokens=256
    )
    monkeypatch.setattr(continuous, "ContinuousBatchingConfig", small)


def results(generator, asked, sampler):
    return {
        done.key: (done.text, done.token_count, done.finish_reason)
        for done in generator.generate(asked, sampler)
    }


@pytest.mark.parametrize(
    "sampler", [Sampler(16), Sampler(8, temperature=0), Sampler(8, temperature=2, top_p=0.9)]
)
def test_texts_are_those_of_the_in_process_generator(tiny, sampler):
    expected = results(InProcessGenerator(tiny), requests(each=3), sampler)
    if sampler == Sampler(16):
        assert {reason for _, _, reason in expected.values()} == {"stop", "length"}
    assert results(ContinuousGenerator(tiny), requests(each=3), sampler) == expected


def test_a_text_does_not_depend_on_the_rows_in_flight(tiny):
    one_at_a_time = results(ContinuousGenerator(tiny, rows=1), requests(each=2), Sampler(4))
    assert one_at_a_time == results(ContinuousGenerator(tiny), requests(each=2), Sampler(4))


def test_it_goes_on_past_the_end_where_asked(tiny):
    done = results(ContinuousGenerator(tiny), requests(each=4), Sampler(8, ignore_end=True))
    assert {(count, reason) for _, count, reason in done.values()} == {(8, "length")}


def test_the_attention_is_as_before(tiny):
    before = tiny.model.config._attn_implementation
    results(ContinuousGenerator(tiny), requests(each=1), Sampler(2))
    assert tiny.model.config._attn_implementation == before


def test_it_stops_when_asked_and_leaves_no_thread(tiny, monkeypatch):
    monkeypatch.setattr(continuous, "_ASK_SECONDS", 0.001)  # or it may be done before
    threads = threading.active_count()
    asked = iter([False, True])
    stream = ContinuousGenerator(tiny).generate(
        requests(each=20), Sampler(60), should_stop=lambda: next(asked)
    )
    with pytest.raises(GenerationStopped):
        list(stream)
    assert threading.active_count() == threads


def test_prompt_beyond_the_context_is_named_before_any_work(tiny):
    asked = [Request("near", say("hi"), 0), Request("far", say("x" * 101), 0)]
    with pytest.raises(PromptTooLong, match="request 'far' has 116 tokens") as caught:
        results(ContinuousGenerator(tiny), asked, Sampler(13))
    assert caught.value.place == 1


def test_out_of_memory_halves_the_rows_and_changes_no_text(tiny, monkeypatch):
    expected = results(InProcessGenerator(tiny), requests(each=12), Sampler(6))
    whole, notices = ModelRunner.compute_batch, []

    def full(self, model, batch_data):
        if batch_data["logits_indices"].numel() > 10:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return whole(self, model, batch_data)

    monkeypatch.setattr(ModelRunner, "compute_batch", full)
    generator = ContinuousGenerator(tiny, rows=32, notice=notices.append)
    assert results(generator, requests(each=12), Sampler(6)) == expected
    assert [notice.split("going on with ")[1] for notice in notices] == ["16.", "8."]


def test_it_gives_up_below_eight_rows(tiny, monkeypatch):
    def full(self, model, batch_data):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(ModelRunner, "compute_batch", full)
    with pytest.raises(GenerationFailed, match="does not suffice for 8 completions"):
        results(ContinuousGenerator(tiny, rows=16), requests(), Sampler(6))


def test_too_little_memory_for_any_cache_is_told(tiny, monkeypatch):
    monkeypatch.setattr(continuous, "ContinuousBatchingConfig", ContinuousBatchingConfig)
    with pytest.raises(GenerationFailed, match="too little free memory"):
        results(ContinuousGenerator(tiny, memory_share=1e-6), requests(), Sampler(6))


def test_another_error_is_told_and_not_tried_again(tiny, monkeypatch):
    calls = []

    def broken(self, model, batch_data):
        calls.append(1)
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(ModelRunner, "compute_batch", broken)
    with pytest.raises(GenerationFailed, match="no kernel image"):
        results(ContinuousGenerator(tiny), requests(), Sampler(6))
    assert len(calls) == 1


def test_no_requests_give_nothing(tiny):
    assert results(ContinuousGenerator(tiny), [], Sampler(6)) == {}


def test_fingerprint_names_engine_and_weights(tiny):
    fingerprint = ContinuousGenerator(tiny).fingerprint
    assert fingerprint["engine"] == "continuous-batching"
    assert fingerprint["weights"] == tiny.fingerprint["weights"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_three_hundred_rows_at_once_on_cuda(tiny_folder):
    from pairselect.pools.engine.loading import load_model

    lm = load_model(str(tiny_folder), data_dir=tiny_folder, device="cuda", dtype=torch.float32)
    asked = requests(each=100)
    done = results(ContinuousGenerator(lm), asked, Sampler(24, temperature=0))
    assert done == results(InProcessGenerator(lm), asked, Sampler(24, temperature=0))
