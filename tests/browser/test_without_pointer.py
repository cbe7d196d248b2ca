"""The comparison page without a pointer, and as a screen reader has it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from annotate.forms.answers import criterion_field
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Judgement
from pairselect.pools.models import Completion
from tests.annotate.giving import answer_next
from tests.browser.conftest import Desk
from tests.browser.stages import at_work, everything_asked
from tests.conftest import People, make_campaign

Sit = Callable[..., Desk]
LAPTOP: ViewportSize = {"width": 1366, "height": 768}


@pytest.fixture
def full(people: People) -> Campaign:
    return everything_asked(people)


# What has the focus, in words: an id, a name, an action, a class.
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "nothing";
  return one.dataset.action || one.id || one.name || one.getAttribute("aria-label") || one.className
    || one.textContent.trim();
}"""
# Whether the focus can be seen: an outline of its own, or one on what is drawn in its place.
LEVEL = "one => Number(one.ariaLevel ?? one.localName.slice(1))"
SEEN = """() => {
  const outlined = (one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const one = document.activeElement;
  return outlined(one) || (one.nextElementSibling !== null && outlined(one.nextElementSibling));
}"""


def name_of(one: Locator) -> str:
    """As Chromium gives it to a screen reader."""
    snapshot = one.aria_snapshot()
    found = re.match(r'- \w+ "([^"]*)"', snapshot)
    return found.group(1) if found else snapshot


def focus(desk: Desk) -> str:
    desk.page.wait_for_timeout(80)
    return str(desk.page.evaluate(FOCUS))


def tab_order(desk: Desk, most: int = 60) -> list[str]:
    """Tab from the top of the page to its end; each stop must be seen."""
    stops: list[str] = []
    for _ in range(most):
        desk.page.keyboard.press("Tab")
        stop = str(desk.page.evaluate(FOCUS))
        if stop == "nothing" or (stops and stop == stops[0]):
            return stops
        assert desk.page.evaluate(SEEN), f"the focus on “{stop}” is not seen"
        stops.append(stop)
    raise AssertionError(f"more than {most} stops: {stops}")


def test_from_the_login_to_ten_answers_without_a_pointer(
    people: People, browser: Browser, live_server: LiveServer
) -> None:
    campaign = make_campaign(people.anna, prompts=11)
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    page.goto(f"{live_server.url}/work/")

    def tab_to(name: str) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                return
        raise AssertionError(f"“{name}” is not among the first 20 stops")

    while page.evaluate("document.activeElement.name") != "username":
        page.keyboard.press("Tab")
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type("secret-enough")
    page.keyboard.press("Enter")
    page.locator("h1:has-text('Your work')").wait_for()
    tab_to("Start")
    page.keyboard.press("Enter")
    page.locator("html[data-ready]").wait_for(state="attached")
    for number, key in enumerate("1209121212", 2):
        page.locator("#desk:not([aria-busy=true])").wait_for()
        page.wait_for_timeout(300)
        page.keyboard.press(key)
        page.locator(f"#desk-number:text-is('{number}')").wait_for()
    page.wait_for_function(
        "() => !Object.keys(localStorage).some((key) => key.endsWith(':outbox'))"
    )
    assert Judgement.objects.filter(comparison__campaign=campaign).count() == 10
    context.close()


def test_the_stops_of_tab_are_in_the_order_of_the_page(
    people: People, full: Campaign, sit: Sit
) -> None:
    answer_next(full, people.anna, "left")
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    desk.page.evaluate("document.activeElement.blur()")
    stops = [one for one in tab_order(desk) if one != "Copy this code"]
    assert stops == [
        *("skip-link", "wordmark", "Work", "history", "help", "user-button"),
        *("difference", "raw", "together"),
        *("Conversation", "prompt", "Left completion", "link", "Right completion", "link"),
        *(criterion_field("Helpfulness"), criterion_field("Honesty"), "reason", "edit"),
        *("answer_1", "answer_2", "answer_3", "tie", "both_bad"),
        *("answer_4", "answer_5", "answer_6"),
        *("undo", "skip", "flag"),
    ]


@pytest.mark.parametrize("page", ["/settings/", "/people/", "/campaigns/new/", "/prompts/"])
def test_the_focus_is_seen_at_every_stop(people: People, sit: Sit, page: str) -> None:
    desk = sit(people.admin, viewport=LAPTOP)
    desk.open(page)
    assert len(tab_order(desk)) > 8


def test_the_focus_is_never_lost(people: People, full: Campaign, sit: Sit) -> None:
    change_guidelines(full, "Prefer the **shorter** one.")
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    press, page = desk.page.keyboard.press, desk.page
    assert focus(desk) == "side-body"
    desk.page.get_by_role("button", name="I have read them").press("Enter")
    page.locator("#guidelines").wait_for(state="hidden")
    assert focus(desk) == "Conversation"
    for key, opened in {"s": "skip_reason", "f": "kind", "e": "edit_of", "g": "side-body"}.items():
        press(key)
        assert focus(desk) == opened, key
        press("Escape")
        assert focus(desk) == "Conversation", key
    press("g")
    press("g")
    assert focus(desk) == "Conversation"
    press("?")
    press("Escape")
    assert focus(desk) == "Conversation"
    for name in ("skip", "flag", "edit", "guidelines", "help"):  # back to what opened it
        button = page.locator(f"button[data-action={name}]")
        button.press("Enter")
        page.wait_for_timeout(80)
        assert not button.evaluate("one => one === document.activeElement"), name
        press("Escape")
        page.wait_for_timeout(80)
        assert button.evaluate("one => one === document.activeElement"), name
    page.locator(".turns").focus()
    press("f")
    press("2")
    press("Enter")
    page.locator("#desk-notice:not([hidden])").wait_for()
    assert focus(desk) == "Conversation"
    desk.press("1")
    assert focus(desk) == "Conversation"
    desk.sent()
    desk.ready()
    desk.press("u")
    assert focus(desk) == "Conversation"
    desk.ready()
    page.locator("button[data-action=answer_6]").focus()
    press("Enter")
    desk.ready()
    assert focus(desk) == "Conversation"
    desk.sent()
    page.locator("button[data-action=undo]").focus()
    press("Enter")
    desk.ready()
    assert focus(desk) == "Conversation"
    desk.context.set_offline(True)
    press("1")
    page.locator("#desk-error:not(:empty)").wait_for()
    assert focus(desk) == "Conversation"


# --- what is told ---------------------------------------------------------------------------


def live(desk: Desk, said: str) -> None:
    """Wait until the screen reader has been told something that begins so."""
    desk.page.wait_for_function(
        "said => document.querySelector('#desk-live').textContent.match(`^${said}`)", arg=said
    )


def test_what_happens_is_said(people: People, full: Campaign, sit: Sit) -> None:
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    press = desk.page.keyboard.press
    press("d")
    live(desk, r"\d+% shared, \d+ places? differ")
    press("n")
    live(desk, r"Place 1 of \d+\. Left: .*\. Right: .*\.")
    press("d")
    live(desk, "Differences are no longer marked.")
    press("t")
    live(desk, "Texts as they were written.")
    press("l")
    live(desk, "Each side scrolls by itself.")
    desk.press("2")
    live(desk, "Comparison 2.")
    desk.sent()
    desk.ready()
    desk.press("u")
    live(desk, "Your last answer is taken back.")
    desk.ready()
    press("s")
    desk.page.locator("#skip-sheet button:has-text('Skip it')").press("Enter")
    live(desk, "Say why you skip it.")
    assert desk.page.locator("#desk-error[role=alert], #desk-live[role=status]").count() == 2


OUTLINE = """
- banner:
  - link "pairselect"
  - navigation "Main":
    - link "Work"
    - text: campaign
  - link "Your answers"
  - button "Keys"
  - 'button "Account: anna"'
- main:
  - heading "Comparison 1" [level=1]
  - group "View":
    - button "Differences"
    - button "As written"
    - button "Scroll together" [pressed]
"""


def test_the_page_as_a_screen_reader_has_it(people: People, full: Campaign, sit: Sit) -> None:
    desk = at_work(sit(people.anna, viewport=LAPTOP), full)
    page = desk.page
    headings = page.get_by_role("heading").all()
    named = [(one.evaluate(LEVEL), " ".join(one.inner_text().split())) for one in headings]
    assert named == [
        *((1, "Comparison 1"), (2, "System prompt"), (2, "User"), (2, "Assistant"), (2, "User")),
        *((2, "Left"), (3, "A heading"), (2, "Right"), (3, "A heading")),
    ]
    regions = page.get_by_role("region").all()
    assert [one.get_attribute("aria-label") for one in regions] == [
        "Conversation", "Left completion", "Right completion",
    ]  # fmt: skip
    expect(page.locator("body")).to_match_aria_snapshot(OUTLINE)
    answers = page.get_by_role("group", name="Answer").get_by_role("button")
    keyed = {name_of(one): one.get_attribute("aria-keyshortcuts") for one in answers.all()}
    assert keyed == {
        "Left much better": "1", "Left better": "2", "Left slightly better": "3",
        "Tie": "0", "Both bad": "9",
        "Right slightly better": "4", "Right better": "5", "Right much better": "6",
    }  # fmt: skip
    for criterion in ("Helpfulness", "Honesty"):
        group = page.get_by_role("group", name=criterion)
        assert [name_of(one) for one in group.get_by_role("radio").all()] == [
            "Left",
            "Same",
            "Right",
        ]
    assert page.get_by_role("textbox", name="Reason").get_attribute("aria-keyshortcuts") == "r"
    for key, name in {"s": "Skip", "f": "Flag", "e": "Edit", "?": "Keys"}.items():
        page.keyboard.press(key)
        assert page.get_by_role("dialog", name=re.compile(name)).count() == 1
        page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.get_by_role("button", name="As written", pressed=True).count() == 1


def test_the_language_and_the_direction_of_a_text(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    Completion.objects.filter(pool=campaign.design.pool).update(text="שלום עולם, hello")
    desk = at_work(sit(people.anna, locale="de-DE"), campaign)
    assert desk.page.evaluate("document.documentElement.lang") == "de"
    direction = "one => getComputedStyle(one).direction"
    for pane in desk.page.locator(".pane").all():
        assert pane.evaluate(direction) == "ltr"
        assert pane.locator(".prose").evaluate(direction) == "rtl"
        raw = "one => getComputedStyle(one).unicodeBidi"
        assert pane.locator(".raw-text").evaluate(raw) == "plaintext"  # each line by itself
    assert desk.page.locator(".turn-text").evaluate(direction) == "ltr"


def test_reduced_motion_is_honoured(people: People, full: Campaign, sit: Sit) -> None:
    desk = at_work(sit(people.anna, viewport=LAPTOP, reduced_motion="reduce"), full)
    moving = """() => [...document.querySelectorAll("*")].filter((one) => {
      const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one);
      return parseFloat(transitionDuration) > 0 || animationName !== "none"
        || scrollBehavior === "smooth";
    }).map((one) => one.outerHTML.slice(0, 80))"""
    assert desk.page.evaluate(moving) == []
    # Whatever a script scrolls, it scrolls at once.
    desk.page.evaluate(
        """() => {
          window.smooth = [];
          for (const name of ["scrollTo", "scrollBy", "scrollIntoView"]) {
            const before = Element.prototype[name];
            Element.prototype[name] = function (...rest) {
              if (rest[0]?.behavior === "smooth") window.smooth.push(name);
              return before.apply(this, rest);
            };
          }
        }"""
    )
    for key in "dnjkpo":
        desk.page.keyboard.press(key)
    assert desk.page.evaluate("window.smooth") == []


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.parametrize("width", [1366, 1024, 700, 390])
def test_every_answer_fits_its_button(
    people: People, full: Campaign, sit: Sit, width: int, locale: str
) -> None:
    answer_next(full, people.anna, "left")
    desk = at_work(sit(people.anna, viewport={"width": width, "height": 768}, locale=locale), full)
    wide = """() => [...document.querySelectorAll(".bar button")].filter((one) =>
      one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText)"""
    assert desk.page.evaluate(wide) == []
