"""Asking for the comparison page, as a browser and as its script do."""

import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from annotate.models import Campaign

JSON = {"Accept": "application/json"}


def page_of(client: Client, campaign: Campaign) -> str:
    return client.get(f"/work/{campaign.pk}/").content.decode()


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"no {name} in the page"
    return found.group(1)


def address(page: str, what: str = "answer") -> str:
    found = re.search(rf'action="(/work/\d+/\w+/{what}/)"', page)
    assert found
    return found.group(1)


def post(client: Client, page: str, choice: str, **sent: Any) -> HttpResponse:
    sent = {"choice": choice, "token": hidden(page, "token"), "skip_reason": "other"} | sent
    return client.post(address(page), sent)


def ask(client: Client, where: str, **sent: Any) -> dict[str, Any]:
    """What the script is told."""
    response = client.post(where, sent, headers=JSON)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def token_in(sheet: str) -> str:
    found = re.search(r'data-token="([^"]+)"', sheet)
    assert found
    return found.group(1)
