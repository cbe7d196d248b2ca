"""The comparison page with two texts of a test's own, and what the reading modules do to it."""

from collections.abc import Callable
from typing import Any

from annotate.rendering import render_markdown
from tests.browser.conftest import Desk
from tests.conftest import People, make_campaign

Sit = Callable[..., Desk]

LAPTOP = {"width": 1366, "height": 768}

FILL = """([left, right]) => {
  const desk = document.querySelector("#desk");
  for (const [side, [html, text]] of Object.entries({ left, right })) {
    const body = desk.querySelector(`.pane[data-side="${side}"] .pane-body`);
    const prose = document.createElement("div");
    prose.className = "prose";
    prose.dir = "auto";
    prose.innerHTML = html;
    const raw = document.createElement("pre");
    raw.className = "raw-text";
    raw.hidden = true;
    raw.textContent = text;
    body.replaceChildren(prose, raw);
    body.scrollTop = 0;
  }
}"""

CALL = """async ([file, name, rest]) => {
  const module = await import(`/static/js/desk/${file}.js`);
  return module[name](document.querySelector("#desk"), ...rest);
}"""

# The text under each mark, range by range, as a reader would select it.
MARKED = """() => Object.fromEntries([...CSS.highlights].map(([name, marks]) => [
  name, [...marks].map((range) => range.toString().replace(/\\s+/g, " "))]))"""

WRAPPED = """() => {
  const found = {};
  for (const mark of document.querySelectorAll("#desk mark")) {
    (found[mark.className] ??= []).push(mark.textContent);
  }
  return found;
}"""


def at_work(people: People, sit: Sit, **options: Any) -> Desk:
    campaign = make_campaign(people.anna, prompts=1)
    desk = sit(people.anna, **{"viewport": LAPTOP, **options})
    desk.open(f"/work/{campaign.pk}/")
    desk.page.locator(".pane[data-side=right] .prose").wait_for()
    return desk


def show(desk: Desk, left: str, right: str) -> None:
    """Put two Markdown texts into the panes, rendered as the product renders them."""
    texts = [[str(render_markdown(text)), text] for text in (left, right)]
    desk.page.evaluate(FILL, texts)


def call(desk: Desk, file: str, name: str, *rest: object) -> Any:
    """Call an exported function with the desk element; its result."""
    return desk.page.evaluate(CALL, [file, name, list(rest)])


def difference(desk: Desk, left: str, right: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Show two texts with their difference: what was counted, and the marked text by mark."""
    show(desk, left, right)
    counts = call(desk, "difference", "showDifference")
    return counts, desk.page.evaluate(MARKED)


def raw_view(desk: Desk, *, on: bool) -> None:
    desk.page.evaluate(
        """on => document.querySelectorAll("#desk .pane-body").forEach((body) => {
             body.querySelector(".prose").hidden = on;
             body.querySelector("pre.raw-text").hidden = !on;
           })""",
        on,
    )


NOUNS = ["tide", "hill", "lamp", "road", "bird", "coin", "rope", "seed", "wall", "farm", "boat"]


def paragraph(name: str, sentences: int) -> str:
    return " ".join(
        f"The {NOUNS[k % 11]} of {name}{k} was {name}{k + 1} before." for k in range(sentences)
    )


def long_texts(left: list[str], right: list[str]) -> tuple[str, str]:
    """Three sections with a word of their own each, among long paragraphs of both."""
    texts = []
    for words in (left, right):
        parts = []
        for k, word in enumerate(words):
            parts += [paragraph(f"s{k}p{i}", 8) for i in range(6)]
            parts.append(f"At {paragraph(f's{k}', 2)} {word} it ended.")
        parts += [paragraph(f"end{i}", 8) for i in range(4)]
        texts.append("\n\n".join(parts))
    return texts[0], texts[1]


def unequal_texts() -> tuple[str, str]:
    """Twelve sections; every second one is three times as long on the right, one is there only."""
    left, right = [], []
    for k in range(12):
        left.append(f"## Section {k}\n\n{paragraph(f's{k}', 6)}")
        extra = f"\n\n{paragraph(f'extra{k}', 14)}" if k % 2 else ""
        right.append(f"## Section {k}\n\n{paragraph(f's{k}', 6)}{extra}")
        if k == 7:
            right.append(f"## Only here\n\n{paragraph('lonely', 20)}")
    return "\n\n".join(left), "\n\n".join(right)
