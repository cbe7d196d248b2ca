"""Completions from a real server: llama.cpp's, with the embedded model."""

import pytest

from pairselect.pools.engine import endpoint as endpoint_module
from pairselect.pools.engine.contract import (
    Request,
    Sampler,
)
from pairselect.pools.engine.server import (
    ServerGenerator,
    ServerUnavailable,
)
from tests.pools.engine.servers import llama_server
from tests.pools.engine.test_generation import say
from tests.pools.engine.test_server import EMPTY, ask, finish


@pytest.fixture(scope="module")
def llama():
    with llama_server() as (address, _):
        yield address


def test_llama_completes_each_request_by_its_seed(llama):
    asked = [Request(k, say("Tell me a story."), seed) for k, seed in enumerate([5, 6, 7, 5])]
    done = finish(ServerGenerator(llama, "smollm2", concurrency=1), asked)
    assert done.keys() == {0, 1, 2, 3}
    assert done[0] == done[3]
    assert len({text for text, _, _ in done.values()}) > 1
    assert all(count == 8 for _, count, reason in done.values() if reason == "length")


def test_llama_at_temperature_zero_says_the_same_in_any_batch(llama):
    sampler = Sampler(8, temperature=0)
    asked = [Request(k, say("What is the capital of France?"), k) for k in range(4)]
    done = finish(ServerGenerator(llama, "smollm2", concurrency=4), asked, sampler)
    assert len({text for text, _, _ in done.values()}) == 1


def test_llama_fingerprint_says_what_answers(llama):
    fingerprint = ServerGenerator(llama, "smollm2").fingerprint
    assert fingerprint["engine"] == "server"
    assert fingerprint["owned_by"] == "llamacpp"
    assert fingerprint["sampling"] == "plain"
    assert fingerprint["server"] == llama.removeprefix("http://").removesuffix("/v1")
    assert all(isinstance(value, str) for value in fingerprint.values())


def test_llama_would_answer_as_any_model_and_is_not_let(llama):
    with pytest.raises(ServerUnavailable, match="no model 'gpt-9': it offers smollm2"):
        finish(ServerGenerator(llama, "gpt-9"), ask())


def test_llama_refuses_a_prompt_beyond_its_context(llama):
    asked = [ask()[0], Request("far", say("word " * 400), 0)]
    notices = []
    done = finish(ServerGenerator(llama, "smollm2", notice=notices.append), asked)
    assert done["far"] == EMPTY
    assert done[0][2] in ("stop", "length")
    assert "'far' (“word" in notices[0]


def test_a_killed_llama_is_told_and_what_it_finished_stands(monkeypatch):
    monkeypatch.setattr(endpoint_module, "_FIRST_WAIT", 0.01)
    with llama_server() as (address, process):
        made = ServerGenerator(address, "smollm2", concurrency=1, attempts=2)
        stream = made.generate(ask(50), Sampler(8))
        kept = [next(stream), next(stream)]
        process.kill()
        with pytest.raises(ServerUnavailable, match="cannot be reached .* 2 times in a row"):
            kept += stream
        assert 2 <= len(kept) < 50
        assert len({done.key for done in kept}) == len(kept)
