"""The decode loop: seeds, sharing, padding, compaction, stopping."""

import itertools

import pytest
import torch

from pairselect.pools.engine import decode, generation, slots, whole
from pairselect.pools.engine.generation import (
    GenerationStopped,
    InProcessGenerator,
    PromptTooLong,
    Request,
    Sampler,
)

PROMPTS = ("hi", "a longer prompt, to be padded against", "middling one")


def say(text):
    return ({"role": "user", "content": text},)


def requests(*, each=4, prompts=PROMPTS):
    return [
        Request((place, k), say(prompt), seed=100 * place + k)
        for place, prompt in enumerate(prompts)
        for k in range(each)
    ]


def texts(lm, asked, sampler=None, **switches):
    generator = InProcessGenerator(lm, **switches)
    return {
        done.key: (done.text, done.token_count, done.finish_reason)
        for done in generator.generate(asked, sampler or Sampler(24))
    }


def naive_text(lm, request, steps):
    """Greedy completion, one prompt alone, no cache."""
    ids = lm.prompt_ids(request.messages)
    new = []
    with torch.inference_mode():
        while len(new) < steps:
            token = int(lm.model(torch.tensor([ids + new])).logits[0, -1].argmax())
            if token in lm.eos_ids:
                break
            new.append(token)
    text = lm.tokenizer.decode(new, skip_special_tokens=True)
    return text.rstrip("\ufffd") if len(new) == steps else text


def test_greedy_batch_equals_each_prompt_alone_without_a_cache(tiny):
    asked = requests(each=2)
    done = texts(tiny, asked, Sampler(24, temperature=0))
    assert {key: text for key, (text, _, _) in done.items()} == {
        request.key: naive_text(tiny, request, 24) for request in asked
    }


def test_a_sliding_window_model_generates_the_same_as_alone(sliding):
    asked = requests(each=2)
    done = texts(sliding, asked, Sampler(24, temperature=0))
    assert {key: text for key, (text, _, _) in done.items()} == {
        request.key: naive_text(sliding, request, 24) for request in asked
    }


@pytest.mark.parametrize("model", ["tiny", "sliding"])
@pytest.mark.parametrize("rows", [1, 3, 5])
def test_rows_in_flight_change_no_text(model, rows, request):
    lm = request.getfixturevalue(model)
    done = texts(lm, requests())
    assert texts(lm, requests(), rows=rows) == done
    reasons = [reason for _, _, reason in done.values()]
    assert set(reasons) == {"stop", "length"}  # so that rows did leave early


@pytest.mark.parametrize("module", [slots, whole])
def test_prefill_in_parts_changes_no_text(tiny, module, monkeypatch):
    if module is whole:
        monkeypatch.setattr(generation, "lean_decoder", lambda lm: None)
    done = texts(tiny, requests())
    monkeypatch.setattr(module, "_PREFILL_TOKENS", 1)
    assert texts(tiny, requests()) == done


def test_each_prompt_is_read_once(tiny, monkeypatch):
    read = []
    original = decode.LeanDecoder.read_prompts

    def reading(self, prompts, **options):
        read.extend(prompts)
        return original(self, prompts, **options)

    generator = InProcessGenerator(tiny, rows=3)
    monkeypatch.setattr(decode.LeanDecoder, "read_prompts", reading)
    list(generator.generate(requests(each=5), Sampler(24)))
    asked = {tuple(tiny.prompt_ids(request.messages)) for request in requests()}
    assert sorted(read) == sorted(asked)


def test_rows_that_end_make_room_at_once(tiny, monkeypatch):
    sizes = []
    original = decode.LeanDecoder.read_tokens

    def reading(self, tokens, *args, **options):
        sizes.append(len(tokens))
        return original(self, tokens, *args, **options)

    monkeypatch.setattr(slots, "_FEWEST", 1)  # rows in flight only
    generator = InProcessGenerator(tiny, rows=4)
    monkeypatch.setattr(decode.LeanDecoder, "read_tokens", reading)
    done = list(generator.generate(requests(each=8), Sampler(24)))
    ends = {one.finish_reason for one in done}
    assert ends == {"stop", "length"}
    last = max(place for place, size in enumerate(sizes) if size == 4)
    assert set(sizes[: last + 1]) == {4}  # full until nothing waits
    assert sizes[last:] == sorted(sizes[last:], reverse=True)


def test_both_forward_passes_give_the_same_texts(tiny, monkeypatch):
    lean = texts(tiny, requests())
    assert InProcessGenerator(tiny).fingerprint["forward"] == "lean"
    monkeypatch.setattr(generation, "lean_decoder", lambda lm: None)
    assert InProcessGenerator(tiny).fingerprint["forward"] == "transformers"
    assert texts(tiny, requests()) == lean


@pytest.mark.parametrize("words", ["out of memory", "DefaultCPUAllocator: can't allocate memory"])
@pytest.mark.parametrize("step", ["read_tokens", "read_prompts"])
def test_out_of_memory_halves_the_rows_and_goes_on(tiny, words, step, monkeypatch):
    expected = texts(tiny, requests(each=6))
    original = getattr(decode.LeanDecoder, step)
    calls = itertools.count()

    def failing(self, *args, **options):
        if next(calls) in (2, 4):
            raise RuntimeError(words)
        return original(self, *args, **options)

    notices = []
    generator = InProcessGenerator(tiny, rows=8, notice=notices.append)
    monkeypatch.setattr(decode.LeanDecoder, step, failing)
    monkeypatch.setattr(slots, "_PREFILL_TOKENS", 1)
    done = [
        (one.key, (one.text, one.token_count, one.finish_reason))
        for one in generator.generate(requests(each=6), Sampler(24))
    ]
    assert len(done) == len(expected)  # none twice
    assert dict(done) == expected
    assert notices == [
        "Out of memory with 8 rows at once: going on with 4.",
        "Out of memory with 4 rows at once: going on with 2.",
    ]


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("out of memory")])
def test_out_of_memory_with_one_row_is_raised(tiny, problem, monkeypatch):
    def failing(self, *args, **options):
        raise problem

    notices = []
    generator = InProcessGenerator(tiny, rows=2, notice=notices.append)
    monkeypatch.setattr(decode.LeanDecoder, "read_tokens", failing)
    with pytest.raises(type(problem)):
        list(generator.generate(requests(), Sampler(24)))
    assert notices == ["Out of memory with 2 rows at once: going on with 1."]


def test_other_errors_are_raised_at_once(tiny, monkeypatch):
    def failing(self, *args, **options):
        raise RuntimeError("shapes differ")

    notices = []
    generator = InProcessGenerator(tiny, rows=8, notice=notices.append)
    monkeypatch.setattr(decode.LeanDecoder, "read_tokens", failing)
    with pytest.raises(RuntimeError, match="shapes differ"):
        list(generator.generate(requests(), Sampler(24)))
    assert notices == []


def test_little_memory_admits_fewer_rows(tiny, monkeypatch):
    expected = texts(tiny, requests())
    sizes = []
    original = decode.LeanDecoder.read_tokens

    def reading(self, tokens, *args, **options):
        sizes.append(len(tokens))
        return original(self, tokens, *args, **options)

    generator = InProcessGenerator(tiny)
    longest = max(len(tiny.prompt_ids(request.messages)) for request in requests())
    row_bytes = (longest + 24) * generator._decoder.token_bytes
    monkeypatch.setattr(slots, "_FEWEST", 1)  # rows in flight only
    monkeypatch.setattr(generation, "available_bytes", lambda device: 2 * 3 * row_bytes)
    monkeypatch.setattr(decode.LeanDecoder, "read_tokens", reading)
    done = {
        one.key: (one.text, one.token_count, one.finish_reason)
        for one in generator.generate(requests(), Sampler(24))
    }
    assert done == expected
    assert sizes[0] == 3
    assert max(sizes) > 3  # shorter prompts leave room for more


def test_ignored_ends_force_the_length(tiny):
    done = texts(tiny, requests(), Sampler(24, ignore_end=True))
    assert {(count, reason) for _, count, reason in done.values()} == {(24, "length")}


def test_rows_must_be_positive(tiny):
    with pytest.raises(ValueError, match="at least 1"):
        InProcessGenerator(tiny, rows=0)


def test_same_requests_give_the_same_texts(tiny):
    assert texts(tiny, requests()) == texts(tiny, requests())


def test_a_rows_draws_do_not_depend_on_its_batch(tiny):
    together = texts(tiny, requests())
    alone = [texts(tiny, [request]) for request in requests()]
    assert {key: done for one in alone for key, done in one.items()} == together


def test_another_seed_gives_another_text(tiny):
    asked = [Request(seed, say("hi"), seed=seed) for seed in range(8)]
    assert len({text for text, _, _ in texts(tiny, asked).values()}) > 4


def test_top_p_rows_follow_their_seed_too(tiny):
    sampler = Sampler(12, temperature=0.8, top_p=0.7)
    assert texts(tiny, requests(), sampler) == texts(tiny, requests()[::-1], sampler)


def test_end_of_sequence_is_not_counted_and_not_shown(tiny):
    asked = requests(each=8)
    done = texts(tiny, asked)
    stopped = [value for value in done.values() if value[2] == "stop"]
    assert stopped
    for text, count, _ in stopped:
        assert "</s>" not in text
        assert count < 24
    assert all(count == 24 for _, count, reason in done.values() if reason == "length")


def test_every_configured_end_token_ends(tiny, monkeypatch):
    settings = tiny.model.generation_config
    first = int(tiny.model(torch.tensor([tiny.prompt_ids(say("hi"))])).logits[0, -1].argmax())
    monkeypatch.setattr(settings, "eos_token_id", [1, first])
    monkeypatch.delitem(tiny.__dict__, "eos_ids", raising=False)
    try:
        assert tiny.eos_ids == (1, first)
        done = texts(tiny, [Request("k", say("hi"), 0)], Sampler(5, temperature=0))
        assert done == {"k": ("", 0, "stop")}
    finally:
        del tiny.__dict__["eos_ids"]


def test_completions_come_as_they_end(tiny):
    counts = [
        done.token_count + (done.finish_reason == "stop")
        for done in InProcessGenerator(tiny).generate(requests(each=8), Sampler(24))
    ]
    assert counts == sorted(counts)


def test_it_stops_between_steps_when_asked(tiny, monkeypatch):
    monkeypatch.setattr(generation, "_ASK_SECONDS", 0.0)
    asked = itertools.count()
    stream = InProcessGenerator(tiny).generate(
        requests(), Sampler(24, temperature=0), should_stop=lambda: next(asked) >= 3
    )
    with pytest.raises(GenerationStopped):
        list(stream)
    assert next(asked) == 4


def test_it_asks_at_most_twice_a_second(tiny):
    asked = []
    generator = InProcessGenerator(tiny)
    list(generator.generate(requests(), Sampler(8), should_stop=lambda: bool(asked.append(1))))
    assert len(asked) < 5


def test_inference_mode_does_not_leak_to_the_caller(tiny):
    for _ in InProcessGenerator(tiny).generate(requests(), Sampler(4)):
        assert not torch.is_inference_mode_enabled()


def test_global_random_state_is_left_alone(tiny):
    before = torch.get_rng_state()
    texts(tiny, requests())
    assert torch.equal(torch.get_rng_state(), before)


def test_prompt_beyond_the_context_is_named(tiny):
    asked = [Request("near", say("hi"), 0), Request("far", say("x" * 101), 0)]
    told = r"request 'far' has 116 tokens; with 13 new .* 128"
    with pytest.raises(PromptTooLong, match=told) as caught:
        texts(tiny, asked, Sampler(13))
    assert caught.value.place == 1


def test_text_holds_no_nul(tiny, monkeypatch):
    monkeypatch.setattr(type(tiny.tokenizer), "decode", lambda *args, **kwargs: "a\x00b\x00")
    ((text, _, _),) = texts(tiny, [Request("k", say("hi"), 0)], Sampler(5)).values()
    assert text == "ab"


def test_prompt_that_just_fits_is_generated(tiny):
    assert texts(tiny, [Request("far", say("x" * 101), 0)], Sampler(12)).keys() == {"far"}


def test_no_requests_give_nothing(tiny):
    assert texts(tiny, []) == {}


def test_generator_fingerprint_names_engine_and_weights(tiny):
    print_of = InProcessGenerator(tiny).fingerprint
    assert print_of["engine"] == "in-process"
    assert print_of["weights"] == tiny.fingerprint["weights"]


def test_request_refuses_a_negative_seed():
    with pytest.raises(ValueError, match="negative"):
        Request("k", say("hi"), -1)
