"""Tokens: made and revoked on their page, kept as a digest, counted."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from annotate.machines.actions import create_machine
from pairselect.api.models import Token
from pairselect.api.tokens import make_token, revoke
from tests.api.conftest import Program, program
from tests.conftest import People

PAGE = "/people/tokens/"
ASKED = {"name": "my script", "scopes": ["read", "judge"], "lasts": "90"}


def make(client: Client, **fields: object) -> tuple[Token, str]:
    response = client.post(PAGE, ASKED | fields)
    found = re.search(rb"<code>(pair_[\w-]+)</code>", response.content)
    assert found, response.content.decode()
    return Token.objects.latest("pk"), found[1].decode()


def test_a_secret_is_shown_once_and_kept_as_its_digest(people: People) -> None:
    client = people.client(people.anna)
    token, secret = make(client)
    assert token.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.startswith(token.prefix)
    assert secret not in client.get(PAGE).content.decode()
    assert token.prefix in client.get(PAGE).content.decode()
    told = Program(secret).get("me")
    assert (told["username"], told["scopes"]) == ("anna", ["read", "judge"])
    assert token.expires_at is not None
    assert timedelta(days=89) < token.expires_at - timezone.now() < timedelta(days=91)


def test_the_page_may_not_be_kept_by_a_cache(people: People) -> None:
    response = people.client(people.anna).post(PAGE, ASKED)
    assert "no-store" in response.headers["Cache-Control"]


def test_an_annotator_cannot_have_what_admins_may(people: People) -> None:
    response = people.client(people.anna).post(PAGE, ASKED | {"scopes": ["read", "export"]})
    assert "errorlist" in response.content.decode()
    assert not Token.objects.exists()


def test_a_name_that_is_in_use_is_refused_until_its_token_is_revoked(people: People) -> None:
    client = people.client(people.anna)
    token, _ = make(client)
    assert "Revoke it" in client.post(PAGE, ASKED).content.decode()
    assert Token.objects.count() == 1
    revoke(token)
    assert make(client)[0] != token


def test_a_revoked_token_lets_nobody_in(people: People) -> None:
    client = people.client(people.anna)
    token, secret = make(client)
    assert client.post(f"{PAGE}{token.pk}/revoke/").status_code == 302
    assert Program(secret).refused("GET", "me")[0] == 401
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_everybody_sees_and_revokes_their_own_alone_and_admins_all(people: People) -> None:
    token, _ = make_token(people.anna, name="anna's own", scopes=["read"])
    stranger, admin = people.client(people.stranger), people.client(people.admin)
    assert "anna&#x27;s own" not in stranger.get(PAGE).content.decode()
    assert stranger.post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    assert Token.objects.get().is_valid
    assert "anna&#x27;s own" in admin.get(PAGE).content.decode()
    assert admin.post(f"{PAGE}{token.pk}/revoke/").status_code == 302
    assert not Token.objects.get().is_valid


def test_an_expired_token_lets_nobody_in(people: People) -> None:
    past = timezone.now() - timedelta(seconds=1)
    _, secret = make_token(people.anna, name="old", scopes=["read"], expires_at=past)
    assert Program(secret).refused("GET", "me")[0] == 401


def test_an_admin_makes_tokens_for_machines_that_judge(people: People) -> None:
    machine = create_machine("own")
    create_machine("other")
    client = people.client(people.admin)
    token, secret = make(client, user=machine.user.pk)
    assert (token.user, token.created_by) == (machine.user, people.admin)
    assert Program(secret).get("me")["username"] == machine.user.username
    refused = client.post(
        PAGE, ASKED | {"user": machine.user.pk, "scopes": ["prepare"], "name": "x"}
    )
    assert "may only read and judge" in refused.content.decode()
    other = client.post(PAGE, ASKED | {"user": people.anna.pk, "name": "x"})
    assert "errorlist" in other.content.decode()
    assert Token.objects.count() == 1


def test_use_is_written_once_a_minute(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    caller = program(people.anna)
    caller.get("me")
    first = Token.objects.get().last_used_at
    assert first is not None
    with django_assert_num_queries(2):  # the token with its person, and their groups
        caller.get("me")
    assert Token.objects.get().last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    caller.get("me")
    assert Token.objects.get().last_used_at > first - timedelta(minutes=1)


def test_too_many_requests_are_told_when_to_come_again(
    people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PAIRSELECT_API_RATE = 3
    monkeypatch.setattr("pairselect.api.limits.time.time", lambda: 6000.0 + 20)
    caller, other = program(people.anna), program(people.ben)
    assert [caller.ask("GET", "me").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = caller.ask("GET", "me")
    assert 40 <= int(response.headers["Retry-After"]) <= 41
    assert response.json()["error"]["code"] == "too_many_requests"
    assert other.ask("GET", "me").status_code == 200
    monkeypatch.setattr("pairselect.api.limits.time.time", lambda: 6000.0 + 61)
    assert caller.ask("GET", "me").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "pair_x", "Bearer  x"])
def test_what_is_no_token_is_401_with_one_sentence(header: str, people: People) -> None:
    response = Client().get("/api/v1/me", headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
