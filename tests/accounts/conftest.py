"""Real servers: an OpenID Connect server, and what the product under gunicorn stands on."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from pairselect.env import Oidc
from tests.accounts.knocking import free_port, running


@dataclass(frozen=True)
class Issuer:
    address: str
    settings: Settings

    def knows(self, subject: str, **claims: object) -> str:
        """Somebody has an account there."""
        answer = requests.put(f"{self.address}/users/{subject}", json=claims, timeout=10)
        assert answer.status_code == 204
        return subject

    def allow(self, *domains: str) -> None:
        self.settings.OIDC = replace(self.settings.OIDC, domains=domains)

    def visit(self, subject: str, *, client: Client | None = None, page: str = "") -> HttpResponse:
        """Go there from the login page, log in there, and come back."""
        client = client or Client()
        begun = client.get("/login/with/", {"next": page} if page else {})
        assert begun.status_code == 302, begun.content
        answer = requests.post(
            begun.headers["Location"], data={"sub": subject}, allow_redirects=False, timeout=10
        )
        back = answer.headers["Location"]
        assert back.startswith("http://testserver/login/with/callback/?")
        answered: HttpResponse = client.get(back.removeprefix("http://testserver"))
        return answered


@pytest.fixture
def migrated(migrated_file: Path, tmp_path: Path) -> Path:
    """The data folder of a server of one's own."""
    shutil.copy(migrated_file, tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def oidc_server() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with running(command, f"{address}/.well-known/openid-configuration"):
        yield address


@pytest.fixture
def issuer(oidc_server: str, settings: Settings) -> Issuer:
    settings.OIDC = Oidc(oidc_server, "pairselect", "a-secret", "Example ID", ())
    app = {
        "provider_id": "oidc",
        "name": "Example ID",
        "client_id": "pairselect",
        "secret": "a-secret",
        "settings": {"server_url": oidc_server},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}
    }
    return Issuer(oidc_server, settings)
