"""Synchronised scrolling, in the browser that scrolls."""

from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import Desk, until
from tests.browser.reading_page import Sit, at_work, call, paragraph, show, unequal_texts
from tests.conftest import People


@pytest.fixture
def desk(people: People, sit: Sit) -> Desk:
    return at_work(people, sit)


SCROLL = """async ([side, tops]) => {
  const next = () => new Promise(requestAnimationFrame);
  const frame = async () => { await next(); await next(); };
  const bodies = Object.fromEntries(["left", "right"].map((each) =>
    [each, document.querySelector(`.pane[data-side="${each}"] .pane-body`)]));
  const height = bodies[side].clientHeight;
  const most = bodies[side].scrollHeight - height;
  const seen = [];
  for (const part of tops) {
    bodies[side].scrollTop = part * most;
    await frame();
    const heads = {};
    for (const [name, body] of Object.entries(bodies)) {
      for (const each of body.querySelectorAll("h3, h4")) {
        heads[each.textContent] ??= {};
        const top = body.getBoundingClientRect().top;
        heads[each.textContent][name] = each.getBoundingClientRect().top - top;
      }
    }
    seen.push({ left: bodies.left.scrollTop, right: bodies.right.scrollTop, heads, height });
  }
  return seen;
}"""
SLOWLY = [k / 150 for k in range(151)]


def scroll(desk: Desk, side: str, parts: list[float]) -> list[dict[str, Any]]:
    return desk.page.evaluate(SCROLL, [side, parts])  # type: ignore[no-any-return]


@pytest.mark.parametrize("side", ["left", "right"])
def test_paired_sections_stand_side_by_side(desk: Desk, side: str) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    seen = scroll(desk, side, SLOWLY)
    nearest: dict[str, float] = {}
    for now in seen:
        for name, tops in now["heads"].items():
            if len(tops) < 2 or not 0 <= tops[side] <= now["height"]:
                continue
            nearest[name] = min(nearest.get(name, 1e9), abs(tops["left"] - tops["right"]))
    assert len(nearest) == 12
    assert max(nearest.values()) <= 30  # pixels: about a line


@pytest.mark.parametrize("side", ["left", "right"])
def test_neither_pane_turns_back_and_both_reach_their_ends(desk: Desk, side: str) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    seen = scroll(desk, side, SLOWLY)
    for each in ("left", "right"):
        tops = [now[each] for now in seen]
        assert all(after >= before for before, after in pairwise(tops))
        most = desk.page.evaluate(
            """side => { const b = document.querySelector(`.pane[data-side="${side}"] .pane-body`);
                         return b.scrollHeight - b.clientHeight; }""",
            each,
        )
        assert tops[0] == 0
        assert tops[-1] == pytest.approx(most, abs=1.5)
    back = scroll(desk, side, SLOWLY[::-1])
    assert (back[-1]["left"], back[-1]["right"]) == (0, 0)


def test_a_pane_that_is_put_somewhere_does_not_lead_back(desk: Desk) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    left = scroll(desk, "left", [0.37])[0]
    desk.page.wait_for_timeout(300)
    tops = desk.page.evaluate(
        "[...document.querySelectorAll('.pane-body')].map((body) => body.scrollTop)"
    )
    assert tops == [left["left"], left["right"]]


def test_the_wheel_leads_with_the_pane_under_it(desk: Desk) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    for side, other in (("left", "right"), ("right", "left")):
        box = desk.page.locator(f".pane[data-side={side}] .pane-body").bounding_box()
        assert box is not None
        desk.page.mouse.move(box["x"] + 50, box["y"] + 50)
        before = tops_of(desk)
        for _ in range(5):
            desk.page.mouse.wheel(0, 60)
            desk.page.wait_for_timeout(40)
        until(desk.page, lambda: tops_of(desk)[side] > before[side] + 290)  # noqa: B023
        desk.page.wait_for_timeout(200)
        after = tops_of(desk)
        assert after[side] == pytest.approx(before[side] + 300, abs=2)
        assert after[other] > before[other]


def tops_of(desk: Desk) -> dict[str, float]:
    return desk.page.evaluate(  # type: ignore[no-any-return]
        """() => Object.fromEntries([...document.querySelectorAll("#desk .pane")].map((pane) =>
             [pane.dataset.side, pane.querySelector(".pane-body").scrollTop]))"""
    )


def test_a_key_that_scrolls_both_panes_keeps_them_tied(desk: Desk) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    expected = scroll(desk, "left", [0.0, 0.5])[1]
    scroll(desk, "left", [0.0])
    desk.page.wait_for_timeout(200)
    for _ in range(10):
        desk.page.evaluate(
            """by => document.querySelectorAll("#desk .pane-body")
                 .forEach((body) => body.scrollBy({ top: by }))""",
            expected["left"] / 10,
        )
        desk.page.wait_for_timeout(50)
    tops = tops_of(desk)
    assert tops["left"] == pytest.approx(expected["left"], abs=8)
    assert tops["right"] == pytest.approx(expected["right"], abs=60)


def test_off_means_off(desk: Desk) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    scroll(desk, "left", [0.2])
    call(desk, "together", "scrollTogether", {"on": False})
    before = tops_of(desk)
    scroll(desk, "left", [0.8])
    assert tops_of(desk)["right"] == before["right"]
    assert before["right"] > 0


def test_texts_with_nothing_in_common_move_in_proportion(desk: Desk) -> None:
    show(
        desk,
        "\n\n".join(paragraph(f"a{k}", 6) for k in range(12)),
        "\n\n".join("und " * 150 for k in range(20)),
    )
    call(desk, "together", "scrollTogether", {"on": True})
    seen = scroll(desk, "left", [0.25, 0.5, 1.0])
    whole = seen[-1]["right"]
    assert [now["right"] / whole for now in seen] == pytest.approx([0.25, 0.5, 1.0], abs=0.01)


def test_a_text_that_fits_stays_where_it_is(desk: Desk) -> None:
    show(desk, unequal_texts()[0], "Short.")
    call(desk, "together", "scrollTogether", {"on": True})
    assert [now["right"] for now in scroll(desk, "left", [0.3, 1.0])] == [0, 0]
    assert tops_of(desk)["left"] > 0


def test_what_grows_later_is_measured_again(desk: Desk) -> None:
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    before = scroll(desk, "left", [0.49])
    desk.page.set_viewport_size({"width": 900, "height": 620})
    desk.page.wait_for_timeout(200)
    kept = scroll(desk, "left", [0.49, 0.5, 0.6])
    call(desk, "together", "scrollTogether", {"on": False})
    call(desk, "together", "scrollTogether", {"on": True})
    anew = scroll(desk, "left", [0.49, 0.5, 0.6])
    assert [now["right"] for now in kept] == [now["right"] for now in anew]
    assert kept[0]["height"] < before[0]["height"]
    wrong = before[0]["right"] / before[0]["left"]
    assert kept[0]["right"] / kept[0]["left"] != pytest.approx(wrong, rel=0.01)


def test_on_a_phone_the_page_scrolls_and_nothing_else(people: People, sit: Sit) -> None:
    desk = at_work(people, sit, viewport={"width": 390, "height": 780})
    show(desk, *unequal_texts())
    call(desk, "together", "scrollTogether", {"on": True})
    desk.page.evaluate("window.scrollTo(0, 900)")
    desk.page.wait_for_timeout(200)
    assert desk.page.evaluate("window.scrollY") == 900
    assert tops_of(desk) == {"left": 0, "right": 0}
    place = call(desk, "difference", "nextDifference", 1)
    top = desk.page.evaluate(
        "[...CSS.highlights.get('place-here')].map((each) => each.getBoundingClientRect().top)"
    )[0]
    assert place["right"].startswith("The tide of extra1")
    assert 0 <= top < 780
