"""What only a browser shows: keys, swaps, focus. For losses: test_losses, test_connection."""

import time
from collections.abc import Callable

import pytest

from annotate.models import Comparison, Judgement
from tests.browser.conftest import Desk, stocked
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
    for key in "1209012112":
        desk.ready()
        seen.append(desk.text(".turn-text"))
        desk.press(key)
    desk.sent()
    expected = ["left", "right", "tie", "both_bad", "tie", "left", "right", "left", "left", "right"]
    assert choices() == expected
    assert len(set(seen)) == 10
    desk.ready()
    assert desk.text("#desk-title") == "Comparison 11"
    assert "10 today" in desk.text("#pace")
    desk.page.keyboard.press("1")
    desk.page.locator(".desk-done").wait_for()
    assert len(choices()) == 11
    assert desk.console == []  # no error, and nothing that the policy refused


def test_the_next_pair_is_there_before_the_answer_has_arrived(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    stocked(desk.page)
    desk.page.route("**/answer/", lambda route: None)  # the request never ends
    desk.press("1")
    assert desk.text(".turn-text").strip() == "Question number 1?"
    assert choices() == []


def test_undo_by_key_brings_the_pair_back_with_what_was_written(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, criteria=["Honesty"])
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    first = desk.text(".pane[data-side=left] .prose")
    desk.page.fill("[name=reason]", "Clearer.")
    desk.page.locator(".criterion [value=right]").check()
    desk.page.keyboard.press("Escape")
    desk.press("1")
    desk.sent()
    desk.ready()
    desk.press("u")
    assert desk.text(".pane[data-side=left] .prose") == first
    assert desk.page.input_value("[name=reason]") == "Clearer."
    assert desk.page.locator(".criterion [value=right]").is_checked()
    assert choices() == []
    assert desk.text("#desk-title") == "Comparison 1"
    desk.ready()
    desk.press("2")
    desk.sent()
    assert choices() == ["right"]
    assert Judgement.objects.get(withdrawn_at=None).reason == "Clearer."
    desk.ready()
    assert desk.text(".turn-text").strip() == "Question number 1?"


def test_a_key_held_down_or_hit_twice_answers_once(people: People, sit: Sit) -> None:
    """Tried again where the machine is busy: what comes 250 ms later is meant as an answer."""
    campaign = make_campaign(people.anna, prompts=20)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    for _ in range(10):
        desk.ready()
        before, began = len(choices()), time.monotonic()
        for _ in range(6):
            desk.page.keyboard.down("1")  # the first press, then the repeats of a held key
        desk.page.keyboard.up("1")
        desk.page.keyboard.press("1")
        took = time.monotonic() - began
        desk.ready()
        desk.sent()
        if took < 0.25:
            assert len(choices()) == before + 1
            return
    pytest.fail("too busy to press a key twice within 250 ms")


def test_a_double_click_answers_once(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=20)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.dblclick("button[value=right]")
    desk.ready()
    desk.sent()
    assert choices() == ["right"]


def test_keys_do_not_fire_while_typing_with_modifiers_or_under_the_help(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("r")
    desk.page.keyboard.type("1 2 0 9 skip? undo")
    assert desk.page.input_value("[name=reason]") == "1 2 0 9 skip? undo"
    desk.page.keyboard.press("Enter")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Control+1")
    desk.page.keyboard.press("?")
    assert desk.page.locator("#keys").is_visible()
    desk.page.keyboard.press("1")
    desk.page.keyboard.press("Escape")
    assert not desk.page.locator("#keys").is_visible()
    desk.page.wait_for_timeout(300)
    assert choices() == []


def test_enter_on_a_criterion_answers_nothing(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, criteria=["Honesty"])
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("c")
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_timeout(300)
    assert choices() == []
    desk.press("1")  # keys work from there: nobody types into a criterion
    desk.sent()
    assert Judgement.objects.get().criteria == {"Honesty": "same"}


def test_a_skip_takes_two_keys_and_gives_its_reason(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("s")
    desk.page.locator("#skip-sheet").wait_for()
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("1")
    desk.sent()
    desk.ready()
    desk.page.keyboard.press("s")
    desk.press("2")
    desk.sent()
    assert choices() == ["left", "skip"]
    assert Judgement.objects.get(choice="skip").skip_reason == "language"


def test_a_required_reason_is_asked_for_and_sent_with_the_answer(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, reason="required", reason_at=["tie"])
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("0")
    assert desk.page.evaluate("document.activeElement.name") == "reason"
    assert "needs a reason" in desk.text("#desk-notice")
    desk.page.keyboard.type("They say the same.")
    desk.press("Control+Enter")
    desk.sent()
    judgement = Judgement.objects.get()
    assert (judgement.choice, judgement.reason) == ("tie", "They say the same.")
    desk.ready()
    desk.press("1")
    desk.sent()
    assert choices() == ["tie", "left"]


def test_the_better_one_is_edited_by_key(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, edits=True, strengths=2)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("e")
    desk.page.keyboard.press("1")
    desk.page.keyboard.type("Better still: ")
    desk.page.keyboard.press("Escape")
    desk.page.locator("[data-action=edit][data-edited]").wait_for()
    desk.page.keyboard.press("4")  # the right one, but the left one was edited
    assert "of the other side" in desk.text("#desk-notice")
    desk.press("1")
    desk.sent()
    judgement = Judgement.objects.select_related("edit", "comparison").get()
    assert (judgement.choice, judgement.strength) == ("left", 2)
    assert judgement.edit.text == f"Better still: {judgement.comparison.left_text}"
    desk.ready()
    desk.page.keyboard.press("e")
    desk.page.keyboard.press("1")
    desk.page.keyboard.press("Escape")  # looked at and not changed: no edit
    desk.press("1")
    desk.sent()
    assert not hasattr(Judgement.objects.latest("pk"), "edit")


def test_a_flag_by_key_leaves_the_comparison_before_its_reader(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("f")
    desk.page.keyboard.press("2")
    desk.page.keyboard.type("A phone number")
    desk.page.keyboard.press("Enter")
    desk.page.locator("#desk-notice:not([hidden])").wait_for()
    assert "an admin will see it" in desk.text("#desk-notice")
    flag = Comparison.objects.get(flags__isnull=False).flags.get()
    assert (flag.kind, flag.note) == ("personal", "A phone number")
    assert choices() == []
    desk.press("1")


def test_the_page_works_without_javascript(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna)
    desk = sit(people.anna, java_script_enabled=False)
    desk.open(f"/work/{campaign.pk}/")
    desk.page.click("button[value=tie]")
    desk.page.click(".bar-others button[data-action=skip]")
    desk.page.locator("[name=skip_reason][value=language]").check()
    desk.page.click("button[value=skip]")
    desk.page.click("button[data-action=undo]")
    assert choices() == ["tie"]
    assert desk.text(".turn-text").strip() == "Question number 1?"


def test_two_people_at_once_never_see_the_same_pair(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=6)
    desks = [sit(people.anna), sit(people.ben)]
    seen: list[str] = []
    for desk in desks:
        desk.open(f"/work/{campaign.pk}/")
    for turn in range(3):
        for desk in desks:
            desk.ready()
            seen.append(desk.text(".turn-text"))
        for desk in desks:
            if turn == 2:
                desk.page.keyboard.press("1")
                desk.page.locator(".desk-done").wait_for()
            else:
                desk.press("1")
    assert len(set(seen)) == 6
    assert choices() == ["left"] * 6
    for desk in desks:
        assert desk.text("#desk-title") == "Nothing left for you here"


def test_focus_is_on_the_desk_after_a_swap_and_the_next_pair_is_announced(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.press("1")
    desk.ready()
    assert desk.page.evaluate("document.activeElement.closest('#desk') !== null")
    desk.page.wait_for_function(
        "() => document.querySelector('#desk-live').textContent.startsWith('Comparison 2.')"
    )


def test_an_answer_is_revised_and_the_earlier_one_kept(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    for key in "12":
        desk.ready()
        desk.press(key)
    desk.sent()
    desk.page.keyboard.press("h")
    desk.page.locator("a:has-text('Revise')").last.click()
    desk.ready()
    assert desk.text(".turn-text").strip() == "Question number 0?"
    assert desk.page.locator("[data-given]").first.get_attribute("value") == "left"
    desk.page.keyboard.press("0")
    desk.page.locator("#desk-number").wait_for()
    assert sorted(choices()) == ["right", "tie"]
    revised = Judgement.objects.get(choice="tie")
    assert revised.replaces is not None
    assert (revised.replaces.choice, revised.replaces.withdrawn_at is None) == ("left", False)


def test_active_seconds_leave_out_a_hidden_tab(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    hidden = """state => {
        Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    desk.page.evaluate(hidden, "hidden")
    desk.page.wait_for_timeout(1500)
    desk.page.evaluate(hidden, "visible")
    desk.press("1")
    desk.sent()
    judgement = Judgement.objects.get()
    assert judgement.active_seconds is not None
    assert judgement.seconds - judgement.active_seconds >= 1.4
    assert judgement.active_seconds < 1.4


def test_new_guidelines_arrive_with_what_changed_and_the_label_knows_them(
    people: People, sit: Sit
) -> None:
    from annotate.guidelines import change_guidelines

    campaign = make_campaign(people.anna, prompts=12)
    change_guidelines(campaign, "Prefer the shorter one.")
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.click("button:has-text('I have read them')")
    desk.page.locator("#guidelines").wait_for(state="hidden")
    desk.press("1")
    desk.sent()
    change_guidelines(campaign, "Prefer the longer one.")
    desk.ready()
    desk.press("1")
    desk.page.locator("#guidelines .changed").wait_for()
    assert desk.text("#guidelines .changed ins") == "longer"
    assert desk.text("#guidelines .changed del") == "shorter"
    desk.ready()
    desk.press("2")
    desk.sent()
    numbers = Judgement.objects.order_by("pk").values_list("guideline__number", flat=True)
    assert list(numbers) == [1, 1, 2]


def test_a_pause_is_proposed_after_long_work(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, pause_minutes=50)
    desk = sit(people.anna)
    desk.page.add_init_script("sessionStorage.setItem('sitting', String(51 * 60 * 1000))")
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    assert not desk.page.locator("#desk-pause").is_visible()
    desk.press("1")
    assert "comparing for 51 minutes" in desk.text("#desk-pause")
    desk.ready()
    desk.press("1")  # it is a proposal: work goes on
    desk.sent()
    assert len(choices()) == 2


def test_the_text_has_two_thirds_of_a_small_laptops_height(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, strengths=3, criteria=["A", "B", "C"], edits=True)
    desk = sit(people.anna, viewport={"width": 1366, "height": 768})
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    height = desk.page.evaluate(
        """() => document.querySelector('.turns').getBoundingClientRect().height
              + document.querySelector('.pane-body').getBoundingClientRect().height"""
    )
    assert height >= 768 * 2 / 3
    assert desk.page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
    assert desk.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("width", "height"), [(844, 390), (910, 512), (683, 384)])
def test_the_texts_can_be_read_at_little_height(
    people: People, sit: Sit, width: int, height: int
) -> None:
    campaign = make_campaign(people.anna, strengths=3, criteria=["A", "B", "C"], edits=True)
    desk = sit(people.anna, viewport={"width": width, "height": height})
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    for side in ("left", "right"):
        text = desk.page.locator(f".pane[data-side={side}] .prose")
        text.scroll_into_view_if_needed()
        box = text.bounding_box()
        assert box is not None
        assert box["height"] >= 20
    assert desk.page.locator(".answers-choice").is_visible()
