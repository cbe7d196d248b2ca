"""People before a real Chromium."""

import time
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

SETTLED = 300  # ms: the desk takes nothing within its first 250
AHEAD = 3  # comparisons that a page has, with the one in view, where there are as many
# By the page's own module, whatever the name that its file is served by.
HAS = r"""async (number) => {
  const links = [...document.querySelectorAll("link[rel=modulepreload]")];
  const { leases } = await import(links.find(({ href }) => /\/queue[.\w]*\.js$/.test(href)).href);
  return leases().length >= number;
}"""


def until(page: Page, true: Callable[[], object], *, seconds: float = 30) -> None:
    """Wait for what the test itself sees, while the page goes on."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s"
        page.wait_for_timeout(20)


def stocked(page: Page, number: int = AHEAD) -> None:
    """Wait until the page has the comparisons that come after the one in view."""
    until(page, lambda: page.evaluate(HAS, number))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


VIOLATIONS: list[str] = []  # of the Content-Security-Policy, as Chromium's console tells them


def note_violation(text: str) -> None:
    if "Content Security Policy" in text:
        VIOLATIONS.append(text)


@pytest.fixture(autouse=True)
def nothing_violates_the_policy() -> Iterator[None]:
    """Markup that the policy has to stop has come too far already."""
    VIOLATIONS.clear()
    yield
    assert VIOLATIONS == []


class Desk:
    """One person at a browser of their own."""

    def __init__(self, browser: Browser, address: str, user: User, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
        client = Client()
        client.force_login(user)
        self.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}]
        )
        self.page: Page = self.context.new_page()
        self.address = address
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.context.on("console", lambda message: note_violation(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def ready(self) -> None:
        """Wait until the desk takes an answer, by key too."""
        self.page.locator("html[data-ready]").wait_for(state="attached")
        self.page.locator("#desk:not([aria-busy=true])").wait_for()
        self.page.wait_for_timeout(SETTLED)

    def press(self, key: str) -> None:
        """Answer by key, and wait until the next desk is there."""
        token = self.token()
        self.page.keyboard.press(key)
        self.next(token)

    def token(self) -> str:
        return self.page.locator("#answer [name=token]").input_value()

    def next(self, token: str) -> None:
        """Wait for another comparison than the one that had the token."""
        self.page.wait_for_function(
            "token => document.querySelector('#answer [name=token]')?.value !== token", arg=token
        )

    def sent(self) -> None:
        """Wait until every answer is stored: none waits in the browser."""
        self.page.wait_for_function(
            "() => Object.keys(localStorage).every(key => !key.endsWith(':outbox'))"
        )

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


@pytest.fixture
def sit(browser: Browser, live_server: LiveServer) -> Iterator[type[Desk]]:
    """Sit a person down: ``sit(user, **browser options)``."""
    desks: list[Desk] = []

    def at(user: User, **options: object) -> Desk:
        desk = Desk(browser, live_server.url, user, **options)
        desks.append(desk)
        return desk

    yield at  # type: ignore[misc]
    for desk in desks:
        desk.context.close()
