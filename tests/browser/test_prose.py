"""Rendered completions in a browser: nothing runs, nothing leaves its pane, formulas appear."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from annotate.rendering import render_markdown
from tests.annotate.hostile import HOSTILE

# The frame of a comparison, made here: these tests are about what stands in its panes.
FRAME = """sheets => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    refused.push(`${event.violatedDirective} ${event.sample}`);
  });
  document.body.className = "at-desk";
  document.body.innerHTML = `<main class="page"></main>
    <p class="visually-hidden" id="desk-live" role="status"></p>`;
  return Promise.all(sheets.map((href) => new Promise((onload) => {
    const link = document.createElement("link");
    document.head.append(Object.assign(link, { rel: "stylesheet", href, onload }));
  })));
}"""
SHEETS = ["/static/css/code.css", "/static/css/desk.css", "/static/css/prose.css"]
# As the page does: made and finished while detached, then swapped in, then what needs layout.
SHOW = """async ([left, right]) => {
  const { finish, openScrollers } = await import("/static/js/desk/prose.js");
  const desk = document.createElement("div");
  desk.className = "desk";
  desk.id = "desk";
  const pane = (side, html) => `<section class="pane" data-side="${side}">
    <h2 class="pane-head">${side}</h2>
    <div class="pane-body" tabindex="0"><div class="prose" dir="auto">${html}</div></div>
    </section>`;
  desk.innerHTML = pane("left", left) + pane("right", right);
  const started = performance.now();
  await finish(desk);
  const took = performance.now() - started;
  document.querySelector("main").replaceChildren(desk);
  openScrollers(desk);
  return took;
}"""
# What is wrong with the page as it stands; an empty list if nothing.
WRONG = """() => {
  const wrong = [...window.refused];
  if (window.hit !== undefined) wrong.push("ran");
  if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("scrolls sideways");
  const bad = "script, style, link, img, iframe, object, embed, form, input, base, [id], [name]";
  const found = [...document.querySelectorAll(".prose *")].filter((each) => each.matches(bad)
    || (each.hasAttribute("style") && !each.closest(".katex"))
    || each.getAttributeNames().some((name) => /^(on|hx-|data-hx-)/.test(name))
    || (each.hasAttribute("href") && !/^(https?|mailto):/.test(each.getAttribute("href"))));
  found.forEach((each) => wrong.push(`element: ${each.outerHTML.slice(0, 99)}`));
  for (const pane of document.querySelectorAll(".pane")) {
    const box = pane.getBoundingClientRect();
    if (box.left < 0 || box.right > window.innerWidth + 1) wrong.push("a pane outside the window");
    const body = pane.querySelector(".pane-body");
    for (const each of [pane, body]) {
      if (getComputedStyle(each).overflowX === "visible") wrong.push("a pane that does not clip");
    }
    const prose = pane.querySelector(".prose");
    if (prose.scrollWidth > prose.clientWidth + 8) wrong.push(`text cut off: ${prose.scrollWidth}`);
  }
  return wrong;
}"""


class Panes:
    """A page with the frame of a comparison, and what it logged and fetched."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.console: list[str] = []
        self.fetched: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.fetched.append(request.url))
        page.goto(f"{address}/login/")
        page.evaluate(FRAME, SHEETS)

    def show(self, left: str, right: str = "other") -> float:
        """Put two completions into the panes; how long they took to finish, in milliseconds."""
        took: float = self.page.evaluate(SHOW, [render_markdown(left), render_markdown(right)])
        return took

    def wrong(self) -> list[str]:
        found: list[str] = self.page.evaluate(WRONG)
        return found + self.console


@pytest.fixture
def panes(browser: Browser, live_server: LiveServer) -> Iterator[Panes]:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    yield Panes(context.new_page(), live_server.url)
    context.close()


@pytest.mark.parametrize("width", [1366, 390])
def test_hostile_text_runs_nothing_and_stays_in_its_pane(panes: Panes, width: int) -> None:
    panes.page.set_viewport_size({"width": width, "height": 768})
    found = {}
    for kind, text in HOSTILE.items():
        panes.show(text, text)
        if wrong := panes.wrong():
            found[kind] = wrong
            panes.console.clear()
            panes.page.evaluate("() => { window.refused = []; delete window.hit; }")
    assert found == {}
    own = panes.page.url.removesuffix("/login/")
    assert [url for url in panes.fetched if not url.startswith(own)] == []


def test_formulas_are_typeset_and_read_aloud(panes: Panes) -> None:
    panes.show("Let $x^2$ be.\n\n$$\\frac{a}{b}$$\n\n\\begin{align}a &= b \\\\ c &= d\\end{align}")
    page = panes.page
    assert page.locator(".math .katex-html[aria-hidden=true]").count() == 3
    assert page.locator(".math math msup").count() == 1
    assert page.locator(".math.display math mfrac").count() == 1
    assert page.locator(".math").first.get_attribute("data-tex") == "x^2"
    page.wait_for_function("() => document.fonts.check('16px KaTeX_Main')")
    assert (
        page.evaluate("document.querySelector('.katex-mathml').getBoundingClientRect().width") <= 1
    )
    assert panes.wrong() == []


@pytest.mark.parametrize(
    "tex", [r"\frac{a", r"\nonsense{x}", r"\def\a{\a\a}\a", "x\u200by", r"\htmlData{a=b}{x}y}"]
)
def test_tex_that_is_wrong_stays_as_it_was_written(panes: Panes, tex: str) -> None:
    panes.show(f"${tex}$ and $y$")
    assert panes.page.locator(".math").nth(0).inner_text() == tex.replace("\u200b", "U+200B")
    assert panes.page.locator(".math").nth(1).locator(".katex").count() == 1
    assert panes.wrong() == []


def test_katex_is_fetched_only_where_there_is_a_formula(panes: Panes) -> None:
    panes.show("no formula, $5 and $10")
    assert [url for url in panes.fetched if "katex" in url] == []
    panes.show("one: $x$")
    panes.show("two: $y$")
    assert sum(url.endswith("katex.min.js") for url in panes.fetched) == 1


def test_without_katex_the_source_is_there(panes: Panes) -> None:
    panes.page.route("**/katex.min.js", lambda route: route.abort())
    panes.show("Let $x^2$ be")
    assert panes.page.locator(".math").inner_text() == "x^2"
    panes.page.unroute("**/katex.min.js")
    panes.show("Let $x^2$ be")
    assert panes.page.locator(".math .katex").count() == 1


def test_fifty_formulas_are_no_wait(panes: Panes) -> None:
    panes.show("$x$")  # KaTeX is there
    text = "\n\n".join(
        rf"Let $\sum_{{i={n}}}^\infty \frac{{x_i^2}}{{\sqrt{{{n}}}}}$." for n in range(50)
    )
    took = min(panes.show(text) for _ in range(3))
    assert panes.page.locator(".math .katex").count() == 50
    assert took < 1000  # 40 ms on an idle core


@pytest.mark.parametrize("secure", [True, False])
def test_code_is_copied_by_key_and_said(panes: Panes, secure: bool) -> None:
    page = panes.page
    if secure:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:  # http on a local network has none
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    panes.show("```python\nif x < 1:\n    pass\n```\n\nand `y`")
    button = page.locator(".code-copy")
    assert button.count() == 1
    assert button.get_attribute("aria-label") == "Copy this code"
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#desk-live').textContent === 'Copied'")
    assert page.evaluate("document.activeElement.className") == "code-copy"
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("textarea").input_value() == "if x < 1:\n    pass\n"


def test_the_words_around_code_are_not_in_the_completions_text(panes: Panes) -> None:
    panes.show("```python\nx = 1\n```")
    page = panes.page
    assert page.evaluate("document.querySelector('.prose').textContent.trim()") == "x = 1"
    shown = page.evaluate(
        "getComputedStyle(document.querySelector('.code-frame'), '::before').content"
    )
    assert shown == '"Python"'


def test_only_what_scrolls_sideways_is_in_the_order_of_tab(panes: Panes) -> None:
    wide = "x = 1 " * 100
    cells = "|" + " a cell |" * 60 + "\n|" + "-|" * 60
    panes.show(
        f"```\n{wide}\n```\n\n```\nshort\n```\n\n{cells}\n\n|a|\n|-|\n\n$x$ and $"
        + r"\underbrace{"
        + "y+" * 150
        + "1}$"
    )
    selector = ".pane[data-side=left] .prose :is(pre, table, .math)"
    tabs = panes.page.eval_on_selector_all(selector, "all => all.map((each) => each.tabIndex)")
    assert tabs == [0, -1, 0, -1, -1, 0]
    assert panes.wrong() == []


def test_each_paragraph_has_its_own_direction(panes: Panes) -> None:
    panes.show("English text\n\nשלום עולם\n\n- עוד דבר")
    sides = panes.page.evaluate("""() => [...document.querySelectorAll('.pane p')]
      .slice(0, 2).map((p) => {
      const range = document.createRange();
      range.selectNodeContents(p);
      const text = range.getBoundingClientRect(), box = p.getBoundingClientRect();
      return [Math.round(text.left - box.left) <= 1, Math.round(box.right - text.right) <= 1];
    })""")
    assert sides == [[True, False], [False, True]]


def test_a_short_formula_stays_in_its_line(panes: Panes) -> None:
    panes.show(r"- two with $\alpha_i$, $f$ and $\int_0^1 f$")
    page = panes.page
    assert page.locator(".math.wide").count() == 0
    assert (
        page.eval_on_selector_all(".pane li .math", "all => all.map((e) => e.tabIndex)") == [-1] * 3
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_rendered_text(panes: Panes, scheme: Literal["light", "dark"]) -> None:
    panes.page.emulate_media(color_scheme=scheme)
    panes.show(
        "# One\n\n```python\nx = 1  # "
        + "wide " * 99
        + "\n```\n\n$x$ $$y^2$$\n\na\u202eb, I am ▮▮▮\n\n"
        "|" + "a|" * 99 + "\n|" + "-|" * 99 + "\n\n> [link](https://a.example) `code`\n\n- one"
    )
    found = Axe().run(panes.page, context="#desk .prose").response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_a_masked_name_is_read_as_such(panes: Panes) -> None:
    panes.show("I am ▮▮▮.")
    assert panes.page.get_by_role("img", name="name hidden").inner_text() == "▮▮▮"


def test_finishing_twice_changes_nothing(panes: Panes) -> None:
    panes.show("```python\nx\n```\n\n$y$")
    html = "document.querySelector('#desk').innerHTML"
    before = panes.page.evaluate(html)
    panes.page.evaluate(
        """() => import("/static/js/desk/prose.js")
        .then(({ finish }) => finish(document.querySelector("#desk")))"""
    )
    assert panes.page.evaluate(html) == before
