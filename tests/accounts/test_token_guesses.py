"""Who tries tokens of the API is heard no more for a while."""

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from pairselect.api.limits import MOST_GUESSES
from pairselect.api.tokens import make_token, revoke
from tests.conftest import People


@pytest.fixture(autouse=True)
def nobody_has_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr("pairselect.api.limits.time.time", lambda: 1_800_000_000.0)


def ask(secret: str, address: str = "127.0.0.1") -> HttpResponse:
    headers = {"authorization": f"Bearer {secret}"}
    answer: HttpResponse = Client().get("/api/v1/work", headers=headers, REMOTE_ADDR=address)
    return answer


def guess(times: int = MOST_GUESSES) -> list[int]:
    return [ask(f"pair_{number}").status_code for number in range(times)]


def test_an_address_that_guesses_is_refused_even_the_right_token(people: People) -> None:
    _token, secret = make_token(people.anna, name="t", scopes=["read"])
    assert guess(MOST_GUESSES + 1) == [401] * MOST_GUESSES + [429]
    answer = ask(secret)
    assert answer.status_code == 429
    assert answer.json()["error"]["message"] == (
        "From this address came too many tokens that are none. Wait 61 s."
    )
    assert answer.headers["Retry-After"] == "61"
    assert ask(secret, "203.0.113.9").status_code == 200


def test_a_token_that_was_good_lately_goes_on(people: People) -> None:
    """A script with an old token does not stop its neighbours behind one address."""
    token, secret = make_token(people.anna, name="t", scopes=["read"])
    assert ask(secret).status_code == 200
    guess(MOST_GUESSES + 5)
    assert ask(secret).status_code == 200
    revoke(token)
    assert ask(secret).status_code == 401


def test_the_next_minute_is_another(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    _token, secret = make_token(people.anna, name="t", scopes=["read"])
    guess()
    monkeypatch.setattr("pairselect.api.limits.time.time", lambda: 1_800_000_061.0)
    assert ask(secret).status_code == 200


def test_unknown_expired_and_closed_are_answered_alike(people: People) -> None:
    revoked, one = make_token(people.anna, name="t", scopes=["read"])
    revoke(revoked)
    _token, other = make_token(people.ben, name="t", scopes=["read"])
    people.ben.is_active = False
    people.ben.save()
    answers = [ask(secret) for secret in (one, other, "pair_x", "")]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (401, answers[0].content)
    }
