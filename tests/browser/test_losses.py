"""Two tabs, no storage, a page that waits: no answer is lost, doubled or given to another pair."""

from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Dialog, Route

from annotate.models import Comparison, Judgement
from tests.annotate.giving import answer_next
from tests.browser.conftest import SETTLED, Desk, stocked, until
from tests.browser.test_desk import Sit, choices
from tests.conftest import People, make_campaign

NO_STORAGE = """for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, {
        get() { throw new DOMException('forbidden', 'SecurityError'); }
    });
"""
SHOW = "document.dispatchEvent(new Event('visibilitychange'))"


def pass_on(desk: Desk, people: People) -> None:
    """Let the lease of the comparison in view lapse, and Ben answer it."""
    Comparison.objects.filter(lease=desk.token()).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )
    answer_next(Comparison.objects.get(lease=desk.token()).campaign, people.ben, "right")


def test_two_tabs_of_one_person_store_one_label(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    first, second = sit(people.anna), sit(people.anna)
    for desk in (first, second):
        desk.open(f"/work/{campaign.pk}/")
        desk.ready()
    assert first.text(".turn-text") == second.text(".turn-text")
    first.press("1")
    first.sent()
    second.press("2")
    second.page.locator("#desk-notice:not([hidden])").wait_for()
    assert "first answer had been stored" in second.text("#desk-notice")
    assert choices() == ["left"]


def test_reload_and_the_back_button_send_nothing_again(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open("/work/")
    desk.page.click("a:has-text('Start')")
    desk.ready()
    desk.press("1")
    desk.sent()
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
    assert campaign.comparisons.filter(annotator=people.anna, labelled_at=None).count() <= 3


def test_the_page_works_where_the_browser_stores_nothing(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.page.add_init_script(NO_STORAGE)
    desk.open(f"/work/{campaign.pk}/")
    for key, given in (("1", ["left"]), ("0", ["left", "tie"])):
        desk.ready()
        with desk.page.expect_response("**/answer/"):
            desk.press(key)
        assert choices() == given
    desk.ready()
    desk.page.keyboard.press("d")
    assert desk.console == []


def test_an_answer_that_cannot_be_stored_here_asks_before_the_page_goes(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.page.add_init_script(NO_STORAGE)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    desk.page.on("dialog", leave)
    desk.page.route("**/answer/", lambda route: route.abort())
    desk.press("1")
    desk.page.goto(f"{desk.address}/work/")
    assert asked == ["beforeunload"]


def test_who_had_the_last_comparison_taken_from_them_is_told(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=1)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    pass_on(desk, people)
    desk.page.keyboard.press("1")
    desk.page.locator(".desk-done").wait_for()
    assert "this answer was not stored" in desk.text("#desk-notice")
    assert choices() == ["right"]


def test_an_answer_that_another_tab_sends_does_not_leave_this_one_waiting(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    judgement = answer_next(campaign, people.anna, "left")
    assert judgement is not None
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/history/")
    desk.page.click("a:has-text('Revise')")
    desk.ready()
    other = desk.context.new_page()
    other.goto(f"{desk.address}/work/{campaign.pk}/")
    other.locator("html[data-ready]").wait_for(state="attached")
    stocked(other)
    other.wait_for_timeout(SETTLED)
    held: list[Route] = []
    other.route("**/answer/", lambda route: held.append(route) if not held else route.continue_())
    other.keyboard.press("1")
    until(other, lambda: held)
    desk.page.keyboard.press("2")  # waits for its turn behind the other tab's
    desk.page.wait_for_timeout(300)
    held[0].continue_()
    desk.page.locator("#desk-number").wait_for()
    assert sorted(choices()) == ["left", "right"]


def test_a_comparison_is_not_taken_away_under_writing_hands(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    stocked(desk.page)
    shown = desk.text(".turn-text")
    desk.page.keyboard.press("r")
    desk.page.keyboard.type("The first ")
    pass_on(desk, people)
    with desk.page.expect_response("**/upcoming/"):
        desk.page.evaluate(SHOW)
    desk.page.wait_for_timeout(400)
    desk.page.keyboard.type("1 is better")
    assert desk.page.input_value("[name=reason]") == "The first 1 is better"
    assert desk.text(".turn-text") == shown
    desk.page.keyboard.press("Escape")
    desk.press("1")
    desk.sent()
    assert "this answer was not stored" in desk.text("#desk-notice")
    assert choices() == ["right"]


def test_undo_pressed_twice_takes_back_one_and_takes_no_answer_meanwhile(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    for _ in range(2):
        desk.ready()
        desk.press("1")
    desk.sent()
    desk.ready()
    posted: list[str] = []
    desk.page.on("request", lambda request: posted.append(request.url.rsplit("/", 2)[1]))
    held: list[Route] = []
    desk.page.route("**/undo/", lambda route: held.append(route))
    token = desk.token()
    desk.page.keyboard.press("u")
    desk.page.keyboard.press("u")
    desk.page.keyboard.press("2")
    until(desk.page, lambda: held)
    desk.page.wait_for_timeout(SETTLED)
    assert len(held) == 1
    held[0].continue_()
    desk.next(token)
    assert posted.count("answer") == 0
    assert choices() == ["left"]
    assert not desk.page.locator("#desk-notice").is_visible()


def test_a_page_that_waits_takes_no_skip_and_no_flag_for_the_comparison_to_come(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    stocked(desk.page)
    held: list[Route] = []
    desk.page.route("**/answer/", lambda route: route.continue_() if held else held.append(route))
    for key in "12":
        desk.press(key)
        desk.page.wait_for_timeout(SETTLED)
    desk.page.keyboard.press("0")  # of the last one that was ready
    desk.page.locator("#desk[aria-busy=true]").wait_for()
    for key, sheet in (("s", "#skip-sheet"), ("f", "#flag-sheet")):
        desk.page.keyboard.press(key)
        desk.page.wait_for_timeout(100)
        assert not desk.page.locator(sheet).is_visible()
    held[0].continue_()
    desk.sent()
    desk.ready()
    assert choices() == ["left", "right", "tie"]
    desk.page.keyboard.press("s")
    desk.page.locator("#skip-sheet").wait_for()


def test_an_answer_by_mouse_closes_the_editor(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, edits=True)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.keyboard.press("e")
    desk.page.keyboard.press("1")
    desk.page.keyboard.type("Better still: ")
    desk.page.click("button[value=left]", timeout=3000)
    desk.sent()
    desk.ready()
    assert not desk.page.locator("#edit-sheet").is_visible()
    assert desk.page.input_value("[name=edit]") == ""
    assert Judgement.objects.get().edit.text.startswith("Better still: ")
