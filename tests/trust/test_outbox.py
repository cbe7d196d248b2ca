"""What the comparison page keeps: while the database is away, behind a proxy, in two tabs at once.

In a real Chromium, before a real server.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import SETTLED
from tests.trust.serving import Postgres, Site, wait_until

pytestmark = pytest.mark.browser
CHOICES = "select choice from annotate_judgement where withdrawn_at is null order by id"
AT_ONCE = 60  # answers that each of two tabs keeps
# As fast as it can: keep one's own, and forget those of the other that are seen.
KEEP_AND_FORGET = """async ([name, count]) => {
  const store = await STORE;
  for (let number = 0; number < count; number++) {
    store.keepAnswer({ id: `${name}-${number}`, at: number });
    const passing = { id: `${name}-passing-${number}`, at: 0 };
    store.keepAnswer(passing);
    store.outbox();
    await new Promise((done) => setTimeout(done, 1));
    store.forgetAnswer(passing);
  }
}"""
KEPT = "async () => (await STORE).outbox().map(({ id }) => id).sort()"
# The page's own module, by whatever name its file is served.
STORE = r"""import([...document.querySelectorAll("link[rel=modulepreload]")]
  .find(({ href }) => /\/store[.\w]*\.js$/.test(href)).href)"""


@pytest.fixture
def seat(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    made: list[BrowserContext] = []

    def sit(site: Site, session: str) -> BrowserContext:
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": session, "url": site.address}])
        made.append(context)
        return context

    yield sit
    for context in made:
        context.close()


def desk(context: BrowserContext, site: Site, campaign: int) -> Page:
    page = context.new_page()
    page.goto(f"{site.address}/work/{campaign}/")
    ready(page)
    return page


def ready(page: Page) -> None:
    page.locator("html[data-ready]").wait_for(state="attached")
    page.locator("#desk:not([aria-busy=true])").wait_for()
    page.wait_for_timeout(SETTLED)


def stored(site: Site) -> list[str]:
    return [choice for (choice,) in site.rows(CHOICES)]


def set_up(site: Site) -> tuple[int, str]:
    made: dict[str, Any] = site.set_up(people=1, pairs=12, labels_per_pair=1)
    site.start_web()
    return made["campaign"], made["sessions"]["annotator-00"]


@pytest.mark.timeout(900)
def test_answers_given_while_the_database_is_away_are_stored_when_it_is_back(
    make_site: Callable[..., Site],
    postgres: Callable[[], Postgres],
    seat: Callable[..., BrowserContext],
) -> None:
    site = make_site("postgres")
    campaign, session = set_up(site)
    page = desk(seat(site, session), site, campaign)
    page.keyboard.press("1")
    wait_until(lambda: stored(site) == ["left"], "the first answer")
    ready(page)
    postgres().stop("immediate")
    page.keyboard.press("2")
    page.locator("#desk-error:not(:empty)").wait_for()
    said = "The server cannot store anything at present. 1 answer is kept here and sent later."
    assert page.inner_text("#desk-error") == said
    ready(page)
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    postgres().start()
    wait_until(lambda: stored(site) == ["left", "right", "tie"], f"what was kept: {stored(site)}")
    page.locator("#desk-error:empty").wait_for(state="attached")


@pytest.mark.timeout(900)
def test_what_the_page_keeps_outlives_proxies_tabs_and_updates(
    make_site: Callable[..., Site], seat: Callable[..., BrowserContext]
) -> None:
    """One site for three claims, since a site takes seconds to set up."""
    site = make_site("sqlite")
    campaign, session = set_up(site)
    context = seat(site, session)
    page = desk(context, site, campaign)

    # The 404 of a proxy whose server is away is no word of the server's.
    page.route("**/answer/", lambda route: route.fulfill(status=404, body="404 page not found"))
    page.keyboard.press("1")
    page.locator("#desk-error:not(:empty)").wait_for()
    assert "1 answer is kept here and sent later" in page.inner_text("#desk-error")
    assert stored(site) == []
    page.unroute("**/answer/")
    wait_until(lambda: stored(site) == ["left"], "the answer after the proxy's 404")

    # Of two tabs that write at the same time, neither undoes what the other kept.
    ready(page)
    other = desk(context, site, campaign)
    for tab in (page, other):
        tab.route("**/answer/", lambda route: route.abort())
    names = {page: "one", other: "two"}
    for tab, name in names.items():  # both run until both are done
        work = KEEP_AND_FORGET.replace("STORE", STORE)
        tab.evaluate(f"window.done = ({work})({json.dumps([name, AT_ONCE])}); null")
    for tab in names:
        tab.evaluate("window.done")
    kept = page.evaluate(KEPT.replace("STORE", STORE))
    assert kept == sorted(f"{name}-{n}" for name in names.values() for n in range(AT_ONCE))
    page.evaluate("localStorage.clear()")
    other.close()

    # What an earlier version of the page kept as one list is sent as well.
    page.unroute("**/answer/")
    page.reload()
    ready(page)
    entry = page.evaluate(
        """() => {
          const { token, answerUrl } = document.querySelector("#desk").dataset;
          const fields = [["choice", "right"], ["token", token]];
          return { address: answerUrl, token, fields, campaign: "", id: "from-before" };
        }"""
    )
    person = page.locator("#desk-data").get_attribute("data-person")
    page.evaluate(
        "([name, list]) => localStorage.setItem(name, JSON.stringify(list))",
        [f"pairselect:{person}:outbox", [entry]],
    )
    page.reload()
    wait_until(lambda: stored(site) == ["left", "right"], "the answer of the list")
    wait_until(lambda: page.evaluate("localStorage.length") == 0, "an empty outbox")
