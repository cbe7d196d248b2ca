"""The decode loop: seeds, sharing, padding, compaction, stopping."""

import itertools

import pytest
import torch

from pairselect.pools.engine import generation
from pairselect.pools.engine.generation import (
    GenerationStopped,
    InProcessGenerator,
    PromptTooLong,
    Request,
    Sampler,
    plan_chunks,
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
@pytest.mark.parametrize("switch", ["share_prompts", "compact"])
def test_sharing_and_compaction_change_no_text(model, switch, request):
    lm = request.getfixturevalue(model)
    done = texts(lm, requests())
    assert texts(lm, requests(), **{switch: False}) == done
    reasons = [reason for _, _, reason in done.values()]
    assert set(reasons) == {"stop", "length"}  # so that rows did leave early


def test_prefill_in_parts_changes_no_text(tiny, monkeypatch):
    done = texts(tiny, requests())
    monkeypatch.setattr(generation, "_PREFILL_TOKENS", 1)
    assert texts(tiny, requests()) == done


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


def test_plan_keeps_prompts_together_and_sorts_by_length(tiny):
    plan = plan_chunks(requests(each=4), tiny, rows=8)
    assert [[request.key[0] for request in chunk] for chunk in plan] == [[0] * 4 + [2] * 4, [1] * 4]


def test_plan_splits_a_prompt_that_exceeds_a_batch(tiny):
    plan = plan_chunks(requests(each=5, prompts=("hi",)), tiny, rows=2)
    assert [len(chunk) for chunk in plan] == [2, 2, 1]


def test_plan_bounds_the_tokens_of_a_batch(tiny):
    asked = requests(each=4)
    plan = plan_chunks(asked, tiny, rows=64, prompt_tokens=120)
    for chunk in plan:
        longest = max(len(tiny.prompt_ids(request.messages)) for request in chunk)
        assert len(chunk) == 1 or len(chunk) * longest <= 120
    assert sorted(r.key for chunk in plan for r in chunk) == sorted(r.key for r in asked)


def test_plan_is_the_same_twice_and_loses_nothing(tiny):
    asked = requests(each=7)
    assert plan_chunks(asked, tiny, rows=5) == plan_chunks(asked, tiny, rows=5)
    assert {r.key for chunk in plan_chunks(asked, tiny, rows=5) for r in chunk} == {
        r.key for r in asked
    }
