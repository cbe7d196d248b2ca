"""The API as a program calls it: by its token alone."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from pairselect.api.models import Token
from pairselect.api.tokens import make_token
from tests.conftest import People

ALL = [str(one) for one in Token.Scope]


@dataclass
class Program:
    """Something that holds a token. Paths are below /api/v1/."""

    secret: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        client = Client(enforce_csrf_checks=True)
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        address = path if path.startswith("http") else f"/api/v1/{path}"
        return client.generic(
            method, address, b"" if body is None else _json(body),
            content_type="application/json", headers=headers,
        )  # fmt: skip

    def get(self, path: str, **headers: str) -> Any:
        return _told(self.ask("GET", path, **headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return _told(self.ask("POST", path, {} if body is None else body, **headers))

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str]]:
        """The status, and what is said."""
        response = self.ask(method, path, body)
        told = response.json()
        assert set(told) == {"error"}, told
        assert {"code", "message"} <= set(told["error"]), told
        assert told["error"]["message"].endswith((".", "…")), told
        return response.status_code, told["error"]


def _json(body: Any) -> bytes:

    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _told(response: HttpResponse) -> Any:
    assert response.status_code < 300, response.content.decode()
    return response.json() if response.content else None


def program(user: User, *scopes: str, name: str = "program") -> Program:
    _, secret = make_token(user, name=name, scopes=scopes or ALL)
    return Program(secret)


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


@pytest.fixture
def admin(people: People) -> Program:
    return program(people.admin)


@pytest.fixture
def anna(people: People) -> Program:
    return program(people.anna)
