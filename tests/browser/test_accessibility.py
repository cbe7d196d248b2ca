"""axe finds nothing before the login and at the comparison page, light and dark, wide and narrow.

`tests/browser/test_accessible_pages.py` has all other pages.
"""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from annotate.guidelines import change_guidelines
from annotate.models import Campaign
from tests.annotate.giving import answer_next
from tests.browser.conftest import Desk
from tests.browser.stages import at_work, everything_asked, gold
from tests.conftest import People, make_campaign

Sit = Callable[..., Desk]

# Every rule of axe that a standard or good practice asks for; each page meets all of them.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the theme changes and the width does not: looked at once in each theme.
COLOURS = ["color-contrast", "link-in-text-block"]
LAPTOP: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 390, "height": 844}
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def check(page: Page, where: str, *, phone: bool = True) -> None:
    """The page as it stands, light and dark at a laptop's width, then at a phone's."""
    page.evaluate(Axe().axe_script)
    found = []

    def look(name: str, **options: Any) -> None:
        options["resultTypes"] = ["violations"]
        for fault in page.evaluate("options => axe.run(options)", options)["violations"]:
            for node in fault["nodes"]:
                why = " ".join(node["failureSummary"].split())
                found.append(f"{where}, {name}: {fault['id']} {node['target']} {why}")

    page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colour half way
    look("light", runOnly=TAGS)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    look("dark", runOnly={"type": "rule", "values": COLOURS})
    if phone:
        page.set_viewport_size(PHONE)
        look("phone", runOnly=TAGS, rules={rule: {"enabled": False} for rule in COLOURS})
        if page.evaluate(WIDE):
            found.append(f"{where}: the page scrolls sideways on a phone")
    assert not found, "\n".join(found)


# --- before the login -----------------------------------------------------------------------


def test_pages_before_the_login(live_server: LiveServer, browser: Browser, people: People) -> None:
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    page.goto(f"{live_server.url}/login/")
    check(page, "login")
    page.set_viewport_size(LAPTOP)
    page.fill("[name=username]", "nobody")
    page.fill("[name=password]", "nothing")
    page.keyboard.press("Enter")
    page.locator("[role=alert]").wait_for()
    check(page, "login refused")
    page.goto(f"{live_server.url}/join/")
    check(page, "invitation")
    page.goto(f"{live_server.url}/nowhere/")
    check(page, "not found, nobody")
    context.close()


# --- the comparison page --------------------------------------------------------------------


LATE = '<div class="table-wrap" id="late"><table><tr><td>{}</td></tr></table></div>'


def test_a_wide_table_that_comes_later_scrolls_by_keyboard(people: People, sit: Sit) -> None:
    desk = sit(people.admin, viewport=PHONE)
    desk.open("/")
    for cell, stops in (("narrow", 0), ("w" * 300, 1)):
        swap = 'html => htmx.swap("main", html, {swapStyle: "innerHTML"})'
        desk.page.evaluate(swap, LATE.format(cell))
        expect(desk.page.locator("#late[tabindex]")).to_have_count(stops)


@pytest.fixture
def full(people: People) -> Campaign:
    return everything_asked(people)


def keys(*pressed: str) -> Callable[[Desk], None]:
    def press(desk: Desk) -> None:
        for key in pressed:
            desk.page.keyboard.press(key)
        desk.page.wait_for_timeout(50)

    return press


def offline(desk: Desk) -> None:
    desk.context.set_offline(True)
    desk.page.keyboard.press("1")
    desk.page.locator("#desk-error:not(:empty)").wait_for()


STATES: dict[str, Callable[[Desk], None]] = {
    "everything asked": keys(),
    "skip": keys("s"),
    "flag": keys("f"),
    "edit": keys("e"),
    "keys": keys("?"),
    "account": lambda desk: desk.page.click(".user-button"),
    "offline": offline,
}
READING = {
    "differences": ["d"],
    "a difference gone to": ["n"],
    "the whole prompt": ["o"],
    "as written, differences": ["t"],
    "as written": ["d"],
}


@pytest.mark.parametrize("state", STATES)
def test_the_comparison_page(people: People, full: Campaign, sit: Sit, state: str) -> None:
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    STATES[state](desk)
    check(desk.page, state)


def test_the_comparison_page_while_reading(people: People, full: Campaign, sit: Sit) -> None:
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    for state, pressed in READING.items():
        keys(*pressed)(desk)
        check(desk.page, state, phone=False)


def test_the_plain_comparison_page(people: People, sit: Sit) -> None:
    asked: dict[str, Any] = {"reason": "off", "skips": False, "flags": False, "ties": False}
    campaign = make_campaign(people.anna, both_bad=False, **asked)
    check(at_work(sit(people.anna, viewport=LAPTOP), campaign).page, "plain")


def test_the_guidelines_panel_and_the_end(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    change_guidelines(campaign, "Prefer the **shorter** one.")
    desk = at_work(sit(people.anna, viewport=LAPTOP), campaign)
    check(desk.page, "guidelines, unread")
    desk.page.set_viewport_size(LAPTOP)
    desk.page.click("button:has-text('I have read them')")
    change_guidelines(campaign, "Prefer the **longer** one.")
    at_work(desk, campaign)
    check(desk.page, "guidelines, changed")
    desk.page.click("button:has-text('I have read them')")
    desk.page.keyboard.press("1")
    desk.page.locator(".desk-done").wait_for()
    desk.page.set_viewport_size(LAPTOP)
    check(desk.page, "the end")


def test_revising(people: People, full: Campaign, sit: Sit) -> None:
    given = answer_next(full, people.anna, "left", strength=2, reason="Clearer.")
    desk = sit(people.anna, viewport=LAPTOP)
    desk.open(reverse("annotate:revise", args=[full.pk, given.comparison_id]))
    desk.ready()
    check(desk.page, "revise")


def test_the_onboarding(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, passing_mark=1.0)
    gold(campaign, 1, use="onboarding")
    desk = at_work(sit(people.anna, viewport=LAPTOP), campaign)
    check(desk.page, "practice")
    desk.page.set_viewport_size(LAPTOP)
    desk.page.keyboard.press("0")
    desk.page.locator(".explained").wait_for()
    check(desk.page, "explained")
    desk.page.set_viewport_size(LAPTOP)
    desk.page.click("#explained-go-on")
    desk.page.locator(".desk-done").wait_for()
    check(desk.page, "not passed")
