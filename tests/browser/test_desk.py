"""What only a browser shows: keys, swaps, focus, two tabs, the network gone, hostile text."""

from collections.abc import Callable

import pytest

from annotate.models import Judgement
from pairselect.pools.models import Completion
from tests.browser.conftest import Desk
from tests.conftest import People, make_campaign

Sit = Callable[..., Desk]


def choices() -> list[str]:
    rows = Judgement.objects.filter(withdrawn_at=None).order_by("pk")
    return list(rows.values_list("choice", flat=True))


def test_a_round_by_keyboard_alone(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=11)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    seen = []
    for key in "1209b12112":
        desk.ready()
        seen.append(desk.text(".turn-text"))
        desk.press(key)
    expected = ["left", "right", "tie", "both_bad", "both_bad", "left", "right", "left", "left"]
    assert choices() == [*expected, "right"]
    assert len(set(seen)) == 10
    desk.ready()
    assert desk.text("#desk-title") == "Comparison 11"
    assert desk.console == []  # no error, and nothing that the policy refused


def test_undo_by_key_brings_the_pair_back(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    first = desk.text(".pane[data-side=left] .prose")
    desk.press("1")
    desk.ready()
    desk.press("u")
    desk.ready()
    assert desk.text(".pane[data-side=left] .prose") == first
    assert choices() == []
    desk.press("2")
    assert choices() == ["right"]


def test_a_key_held_down_or_hit_twice_answers_once(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=5)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    for _ in range(6):
        desk.page.keyboard.down("1")  # the first press, then the repeats of a held key
    desk.page.keyboard.up("1")
    desk.ready()
    assert choices() == ["left"]


def test_a_double_click_answers_once(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=5)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.page.dblclick("button[value=right]")
    desk.ready()
    assert choices() == ["right"]


def test_keys_do_not_fire_with_modifiers_or_under_the_help(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("Control+1")
    desk.page.keyboard.press("?")
    assert desk.page.locator("#keys").is_visible()
    desk.page.keyboard.press("1")
    desk.page.keyboard.press("Escape")
    assert not desk.page.locator("#keys").is_visible()
    desk.page.wait_for_timeout(300)
    assert choices() == []


def test_the_page_works_without_javascript(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna, java_script_enabled=False)
    desk.open(f"/work/{campaign.pk}/")
    desk.page.click("button[value=tie]")
    desk.page.click("button[value=skip]")
    desk.page.click("button[name=undo]")
    assert choices() == ["tie"]
    assert desk.text(".turn-text").strip() == "Question number 1?"


def test_two_people_at_once_never_see_the_same_pair(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=6)
    desks = [sit(people.anna), sit(people.ben)]
    seen: list[str] = []
    for desk in desks:
        desk.open(f"/work/{campaign.pk}/")
    for _ in range(3):
        for desk in desks:
            desk.ready()
            seen.append(desk.text(".turn-text"))
        for desk in desks:
            desk.page.keyboard.press("1")
            desk.page.wait_for_timeout(400)
    assert len(set(seen)) == 6
    assert choices() == ["left"] * 6
    for desk in desks:
        assert desk.text("#desk-title") == "Nothing left for you here"


def test_two_tabs_of_one_person_store_one_label(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    first, second = sit(people.anna), sit(people.anna)
    for desk in (first, second):
        desk.open(f"/work/{campaign.pk}/")
        desk.ready()
    assert first.text(".turn-text") == second.text(".turn-text")
    first.press("1")
    second.press("2")
    second.page.locator(".desk-notice").wait_for()
    assert "first answer had been stored" in second.text(".desk-notice")
    assert choices() == ["left"]


def test_reload_and_the_back_button_send_nothing_again(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open("/work/")
    desk.page.click("a:has-text('Start')")
    desk.ready()
    desk.press("1")
    desk.ready()
    shown = desk.text(".turn-text")
    desk.page.reload()
    desk.ready()
    assert desk.text(".turn-text") == shown
    desk.page.go_back()
    desk.page.go_forward()
    desk.ready()
    assert desk.text(".turn-text") == shown
    assert choices() == ["left"]
    assert campaign.comparisons.filter(annotator=people.anna, labelled_at=None).count() == 1


def test_with_the_network_gone_the_pair_stays_and_the_answer_can_be_given_again(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    shown = desk.text(".turn-text")
    desk.context.set_offline(True)
    desk.page.keyboard.press("1")
    desk.page.locator("#desk-error:not(:empty)").wait_for()
    assert "may not have been stored" in desk.text("#desk-error")
    assert desk.text(".turn-text") == shown
    assert choices() == []
    desk.context.set_offline(False)
    desk.ready()
    desk.press("1")
    assert choices() == ["left"]


def test_a_session_that_ended_leads_to_the_login_and_back(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.context.clear_cookies(name="sessionid")
    desk.page.keyboard.press("1")
    desk.page.wait_for_url("**/login/?next=*")
    desk.page.fill("[name=username]", "anna")
    desk.page.fill("[name=password]", "secret-enough")
    desk.page.click("main button[type=submit]")
    desk.page.wait_for_url(f"**/work/{campaign.pk}/")
    assert choices() == []


def test_focus_is_on_the_desk_after_a_swap_and_the_next_pair_is_announced(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.press("1")
    desk.ready()
    assert desk.page.evaluate("document.activeElement.closest('#desk') !== null")
    desk.page.wait_for_function(
        "document.querySelector('#desk-live').textContent.startsWith('Comparison 2.')"
    )


HOSTILE = (
    """<script>window.hit = 1</script><img src=x onerror="window.hit = 1">
<a href="javascript:window.hit = 1">x</a> [y](javascript:window.hit=1)
<div style="position:fixed;inset:0" hx-get="/logout/" hx-trigger="load">z</div>
"""
    + "W" * 10_000
)


@pytest.mark.parametrize("width", [1366, 390])
def test_hostile_text_runs_nothing_and_stays_in_its_pane(
    people: People, sit: Sit, width: int
) -> None:
    campaign = make_campaign(people.anna)
    Completion.objects.update(text=HOSTILE)
    desk = sit(people.anna, viewport={"width": width, "height": 768})
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    assert desk.page.evaluate("window.hit") is None
    assert desk.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for side in ("left", "right"):
        box = desk.page.locator(f".pane[data-side={side}]").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert desk.page.locator(".pane script, .pane img, .pane [style], .pane [hx-get]").count() == 0
    assert desk.console == []


def test_the_text_has_two_thirds_of_a_small_laptops_height(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna, viewport={"width": 1366, "height": 768})
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    height = desk.page.evaluate(
        """() => document.querySelector('.turns').getBoundingClientRect().height
              + document.querySelector('.pane-body').getBoundingClientRect().height"""
    )
    assert height >= 768 * 2 / 3
    assert desk.page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
