"""An invitation as its person opens it: in a real browser, from a real web server."""

from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser

from tests.accounts.knocking import gunicorn, manage, settings_of

pytestmark = pytest.mark.browser


def test_the_secret_of_a_link_reaches_no_log(browser: Browser, migrated: Path) -> None:
    log = migrated / "access.log"
    settings = settings_of(migrated, PAIRSELECT_LOG_FORMAT="json")
    with gunicorn(log, settings) as server:
        told = orjson.loads(manage(settings, "invite_person", "--address", server, "--json"))
        secret = told["link"].rpartition("#")[2]
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(f"{request.url} {request.headers}"))
        page.goto(told["link"])
        page.wait_for_url("**/join/account/")
        assert page.evaluate("history.length") <= 3
        page.fill("[name=username]", "maria")
        page.fill("[name=password1]", "good-1-good-2")
        page.fill("[name=password2]", "good-1-good-2")
        page.click("text=Make the account")
        page.wait_for_url("**/work/")
        page.goto(told["link"])  # whoever has it afterwards, from the history say
        assert "You are logged in as maria." in page.inner_text("main")
        page.context.clear_cookies()
        page.goto(f"{server}/login/")
        page.goto(told["link"])
        page.wait_for_selector(".errors")
        assert "This link has been used." in page.inner_text(".errors")
        assert page.url == f"{server}/join/"
        page.close()
    text = log.read_text()
    assert "POST /join/ " in text
    for part in secret.split("."):
        assert part not in text
        assert not [one for one in asked if part in one.replace(told["link"], "")]


@pytest.mark.parametrize("how", ["clipboard", "selection", "none"])
def test_the_link_is_copied_by_keyboard(how: str, browser: Browser, migrated: Path) -> None:
    """By the browser's clipboard; where there is none, as on http, by a selection; or not."""
    settings = settings_of(migrated)
    with gunicorn(migrated / "access.log", settings) as server:
        told = orjson.loads(manage(settings, "create_person", "ada", "--role", "admin", "--json"))
        page = browser.new_page()
        if how == "clipboard":
            page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
        else:
            page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: null})")
        if how == "none":
            page.add_init_script("document.execCommand = () => false")
        page.goto(f"{server}/login/?next=/people/")
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", told["password"])
        page.click("main form:has([name=password]) button")
        page.click("text=Make the link")
        link = page.input_value("#link")
        page.wait_for_selector("#copy-link")  # which its script shows
        page.focus("#link")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        said = "Copying did not work" if how == "none" else "Copied"
        page.wait_for_function(
            "said => document.getElementById('copy-link').textContent.startsWith(said)", arg=said
        )
        if how == "none":
            assert page.evaluate("getSelection().toString()") == link
        else:
            page.fill("[name=note]", "")
            page.focus("[name=note]")
            page.keyboard.press("Control+V")
            assert page.input_value("[name=note]") == link[:100]
        page.context.close()
