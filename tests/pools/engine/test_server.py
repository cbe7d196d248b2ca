"""Completions from a server that misbehaves."""

import itertools
import json
import socket
import threading
import time

import pytest

from pairselect.pools.engine import endpoint as endpoint_module
from pairselect.pools.engine.contract import (
    GenerationStopped,
    ModelUnavailable,
    Request,
    Sampler,
)
from pairselect.pools.engine.endpoint import Endpoint
from pairselect.pools.engine.server import (
    RequestRefused,
    ServerGenerator,
    ServerUnavailable,
    server_seed,
)
from tests.pools.engine.servers import completion, misbehaving_server
from tests.pools.engine.test_generation import say


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(endpoint_module, "_FIRST_WAIT", 0.01)
    with misbehaving_server() as (address, told):
        yield address, told


def generator(address, *, model="m", attempts=3, **options):
    return ServerGenerator(address, model, attempts=attempts, **options)


def ask(count=1, text="hi"):
    return [Request(number, say(f"{text} {number}"), number) for number in range(count)]


def finish(made, asked, sampler=None, **options):
    return {
        done.key: (done.text, done.token_count, done.finish_reason)
        for done in made.generate(asked, sampler or Sampler(8), **options)
    }


# what is sent


def test_a_request_carries_seed_and_sampling_and_no_n(server):
    address, told = server
    asked = [Request("k", say("hi"), 2**40 + 3)]
    done = finish(generator(address), asked, Sampler(8, temperature=0.5, top_p=0.9))
    assert done == {"k": ("fine", 2, "stop")}
    assert told.asked == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "seed": server_seed(2**40 + 3),
            "max_tokens": 8,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
    ]


def test_going_on_past_the_end_is_asked_for(server):
    address, told = server
    finish(generator(address), ask(), Sampler(8, ignore_end=True))
    assert told.asked[0]["ignore_eos"] is True


def test_seeds_fit_31_bits_and_stay_apart():
    assert server_seed(7) == 7
    seeds = {server_seed(2**62 + number) for number in range(1000)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**31


def test_a_server_that_takes_no_further_fields_keeps_its_own(server):
    address, told = server
    told.tries_well = False
    told.answer = lambda body: (
        (422, {}, {"detail": "Unexpected fields: top_k"})
        if "top_k" in body
        else (200, {}, completion())
    )
    notices = []
    made = generator(address, notice=notices.append)
    assert finish(made, ask()) == {0: ("fine", 2, "stop")}
    assert made.fingerprint["sampling"] == "the server's defaults"
    assert "top_k" not in told.asked[-1]
    assert [("does not take top_k" in notice) for notice in notices] == [True]


def test_the_key_is_sent_to_this_server_and_the_environments_to_none(server, monkeypatch):
    address, told = server
    monkeypatch.setenv("OPENAI_API_KEY", "of-another")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another")
    finish(generator(address, api_key="mine"), ask())
    finish(generator(address), ask())
    assert told.headers[0]["authorization"] == "Bearer mine"
    assert "of-another" not in json.dumps(told.headers)


def test_proxies_are_not_used_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert finish(generator(server[0]), ask())


def test_requests_in_flight_are_bounded_and_reached(server):
    address, told = server

    def slow(body):
        time.sleep(0.1)
        return 200, {}, completion()

    told.answer = slow
    assert len(finish(generator(address, concurrency=5), ask(20))) == 20
    assert 2 <= told.most_at_once <= 5


# what comes back


def test_text_holds_no_nul_and_no_cut_character(server):
    address, told = server
    told.answer = lambda body: (200, {}, completion("a\x00b\ufffd", finish_reason="length"))
    assert finish(generator(address), ask()) == {0: ("ab", 2, "length")}


def test_an_answer_without_text_or_usage_is_empty(server):
    address, told = server
    told.answer = lambda body: (200, {}, completion(None, usage=None))
    assert finish(generator(address), ask()) == {0: ("", 0, "stop")}


@pytest.mark.parametrize(
    "bad",
    [
        (500, {}, {"error": "boom"}),
        (503, {}, b"<html>loading</html>"),
        (409, {}, {}),
        (200, {}, b'{"choices": [{"mess'),
        (200, {"content-type": "text/html"}, b"<html>a login page</html>"),
        (200, {"content-length": "5000"}, b'{"choices": ['),
        (200, {}, {"choices": []}),
        (200, {}, {"choices": [{"message": {"content": 7}}]}),
        (200, {}, []),
    ],
)
def test_what_passes_is_tried_again(server, bad):
    address, told = server
    answers = iter([bad, (200, {}, completion("at last"))])
    told.answer = lambda body: next(answers)
    notices = []
    done = finish(generator(address, notice=notices.append), ask())
    assert done == {0: ("at last", 2, "stop")}
    assert "trying again" in notices[0]


def test_retry_after_is_honoured(server, monkeypatch):
    address, told = server
    times = []

    def answer(body):
        times.append(time.monotonic())
        if len(times) == 1:
            return 429, {"retry-after": "0.6"}, {}
        return 200, {}, completion()

    told.answer = answer
    assert finish(generator(address), ask())
    assert times[1] - times[0] >= 0.6


def test_a_request_that_hangs_meets_its_time_limit(server):
    address, told = server
    first = itertools.count()
    told.answer = lambda body: told.hang(body) if next(first) == 0 else (200, {}, completion())
    notices = []
    assert finish(generator(address, timeout_s=0.4, notice=notices.append), ask())
    assert "took over 0.4 s" in notices[0]


def test_it_gives_up_after_the_attempts_and_names_the_request(server):
    address, told = server
    told.answer = lambda body: (500, {}, {"error": {"message": "no memory " * 100}})
    with pytest.raises(ServerUnavailable, match="500 to the request 0 .*no memory") as caught:
        finish(generator(address), ask())
    assert len(told.asked) == 3
    assert len(str(caught.value)) < 450
    assert isinstance(caught.value, ModelUnavailable)


EMPTY = ("", 0, "refused")


def refuse(*numbers, words="maximum context length is 5"):
    """Answer all prompts but these."""
    return lambda body: (
        (400, {}, {"error": {"message": words}})
        if body["messages"][0]["content"] in {f"hi {number}" for number in numbers}
        else (200, {}, completion())
    )


def test_a_refused_request_is_an_empty_completion_and_the_others_are_made(server):
    address, told = server
    told.answer = refuse(0, 1, 3)
    notices = []
    done = finish(generator(address, concurrency=4, notice=notices.append), ask(12))
    assert {key for key, end in done.items() if end == EMPTY} == {0, 1, 3}
    assert sum(end == ("fine", 2, "stop") for end in done.values()) == 9
    contents = [body["messages"][0]["content"] for body in told.asked]
    assert contents.count("hi 3") == 1  # a refusal is not tried again
    shown, count = notices[:3], notices[3:]
    assert all("(400: maximum context length is 5)" in notice for notice in shown)
    assert {notice.split("“")[1].split("”")[0] for notice in shown} == {"hi 0", "hi 1", "hi 3"}
    host = address.removeprefix("http://").removesuffix("/v1")
    assert count == [f"The server at {host} refused 3 of 12 requests: their completions are empty."]


def test_few_refusals_are_shown_and_each_prompt_once(server):
    address, told = server
    told.answer = refuse(*range(1, 20))
    notices = []
    asked = [Request((n, k), say(f"hi {n}"), k) for n in range(20) for k in range(2)]
    done = finish(generator(address, concurrency=4, notice=notices.append), asked)
    assert sum(end == EMPTY for end in done.values()) == 38
    assert len(notices) == 4
    assert len({notice.split("“")[1] for notice in notices[:3]}) == 3
    assert "refused 38 of 40 requests" in notices[3]


def test_what_a_content_filter_ends_is_an_empty_completion(server):
    address, told = server
    told.answer = lambda body: (
        (200, {}, completion("half an", finish_reason="content_filter"))
        if body["messages"][0]["content"] == "hi 1"
        else (200, {}, completion())
    )
    notices = []
    done = finish(generator(address, concurrency=4, notice=notices.append), ask(2))
    assert done == {0: ("fine", 2, "stop"), 1: EMPTY}
    assert "“hi 1”) with 'content_filter'" in notices[0]


def test_many_completions_of_one_refused_prompt_do_not_end_the_run(server):
    address, told = server
    told.answer = refuse(0)
    asked = [Request((n, k), say(f"hi {n}"), k) for n in range(9) for k in range(16)]
    done = finish(generator(address, concurrency=1), asked)
    assert {key for key, end in done.items() if end == EMPTY} == {(0, k) for k in range(16)}
    # nor when a resumed run lacks nothing else: a greeting is answered
    assert set(finish(generator(address), asked[:16]).values()) == {EMPTY}


def test_refusals_that_overtake_slow_completions_do_not_end_the_run(server):
    address, told = server
    refused = threading.Semaphore(0)

    def answer(body):
        if body["messages"][0]["content"] != "hi 3":
            refused.release()
            return 400, {}, {"detail": "no"}
        for _ in range(19):
            assert refused.acquire(timeout=10)
        time.sleep(0.2)
        return 200, {}, completion()

    told.answer = answer
    done = finish(generator(address), ask(20))
    assert {key for key, end in done.items() if end != EMPTY} == {3}


def test_when_the_first_prompts_are_all_refused_it_is_not_the_prompts(server):
    address, told = server
    told.answer = lambda body: (400, {}, {"detail": "roles must\nalternate"})
    with pytest.raises(RequestRefused, match=r"\(400: roles must alternate\)") as caught:
        finish(generator(address, concurrency=1), ask(100))
    assert caught.value.place == 0
    assert len(told.asked) < 12


def test_refusals_after_an_answer_do_not_end_the_next_window(server):
    address, told = server
    made = generator(address)
    finish(made, ask())
    told.answer = lambda body: (400, {}, {"detail": "no"})
    assert set(finish(made, ask(20)).values()) == {EMPTY}


def test_an_option_that_is_refused_ends_a_small_run(server):
    address, told = server
    told.answer = lambda body: (400, {}, {"detail": "temperature must be below 2"})
    with pytest.raises(RequestRefused, match="temperature must be below 2"):
        finish(generator(address), ask(2))


@pytest.mark.parametrize(
    ("said", "kept"), [(-1, 0), (2**31, 2**31 - 1), (10**30, 2**31 - 1), (None, 0), (7, 7)]
)
def test_a_token_count_fits_the_database(server, said, kept):
    address, told = server
    usage = {"prompt_tokens": 3, "completion_tokens": said, "total_tokens": 5}
    told.answer = lambda body: (200, {}, completion(usage=usage))
    assert finish(generator(address), ask()) == {0: ("fine", kept, "stop")}


# servers that are not to be used


def test_a_refused_connection_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ServerUnavailable, match="cannot be reached"):
            finish(generator(address, attempts=1), ask())


def test_a_wrong_key_is_told_without_it(server):
    address, told = server
    told.models = (401, {"error": {"message": "Incorrect API key provided: s3cret"}})
    with pytest.raises(ServerUnavailable, match="refuses the key") as caught:
        finish(generator(address, api_key="s3cret"), ask())
    assert "s3cret" not in str(caught.value)


def test_the_key_is_cut_out_of_the_servers_words(server):
    address, told = server
    told.answer = lambda body: (400, {}, {"detail": "you sent s3cret"})
    with pytest.raises(RequestRefused, match=r"you sent \[key\]"):
        finish(generator(address, api_key="s3cret"), ask())


def test_an_unknown_model_is_told_with_those_there_are(server):
    with pytest.raises(ServerUnavailable, match="no model 'x': it offers m."):
        finish(generator(server[0], model="x"), ask())


def test_an_address_without_completions_is_told(server):
    address, told = server
    told.models = (404, {})
    told.tries_well = False
    told.answer = lambda body: (404, {}, {})
    with pytest.raises(ServerUnavailable, match="address ends in /v1"):
        finish(generator(address), ask())


def test_a_server_that_lists_no_models_is_used(server):
    address, told = server
    told.models = (404, {})
    made = generator(address)
    assert finish(made, ask())
    assert made.fingerprint["weights"] == "m"
    assert made.fingerprint["system_fingerprint"] == "fp"


def test_a_redirect_is_not_followed(server):
    address, told = server
    with misbehaving_server() as (elsewhere, other):
        location = f"{elsewhere}/chat/completions"
        told.answer = lambda body: (307, {"location": location}, {})
        host = elsewhere.removeprefix("http://").removesuffix("/v1")
        with pytest.raises(ServerUnavailable, match=f"redirects to {host}, which is not"):
            finish(generator(address, api_key="mine"), ask())
        assert other.asked == []


@pytest.mark.parametrize(
    "address", ["ftp://a/v1", "10.0.0.5:8000", "http:///v1", "http://u:p@a/v1", "http://a/v1?k=1"]
)
def test_an_address_that_cannot_be_meant_is_refused(address):
    with pytest.raises(ValueError, match="A server's address"):
        generator(address)


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"concurrency": 1001}, {"attempts": 0}, {"timeout_s": 0}]
)
def test_numbers_that_cannot_be_meant_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        Endpoint("http://a/v1", "m", **options)


# stopping


def test_it_stops_within_half_a_second_though_requests_hang(server):
    address, told = server
    threads = threading.active_count()
    made = generator(address)
    made.fingerprint  # noqa: B018  so that only the requests are timed
    told.answer = told.hang
    seconds = []
    for _ in range(3):  # the machine may be busy: the best of them tells
        begun = time.monotonic()
        with pytest.raises(GenerationStopped):
            finish(made, ask(8), should_stop=lambda begun=begun: time.monotonic() - begun > 0.5)
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < 1.2
    told.let_go.set()
    deadline = time.monotonic() + 30
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= threads


def test_leaving_the_loop_gives_up_the_rest(server):
    address, told = server

    def slow(body):
        time.sleep(0.05)
        return 200, {}, completion()

    told.answer = slow
    stream = generator(address, concurrency=2).generate(ask(100), Sampler(8))
    next(stream)
    stream.close()
    asked, before = len(told.asked), -1
    while asked != before:  # those that were under way arrive
        time.sleep(0.3)
        asked, before = len(told.asked), asked
    assert asked < 60  # of 100, on a machine that may be busy; a few on an idle one


def test_no_requests_ask_nothing():
    assert finish(generator("http://127.0.0.1:9/v1"), []) == {}
