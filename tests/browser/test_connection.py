"""The network gone, the session lost, a reply cut off: each answer is stored once, as given."""

from playwright.sync_api import Page, Route

from annotate.actions import close_campaign
from annotate.guidelines import change_guidelines
from annotate.models import Judgement
from tests.browser.conftest import Desk, stocked, until
from tests.browser.test_desk import Sit, choices
from tests.conftest import People, make_campaign

SHOW = "document.dispatchEvent(new Event('visibilitychange'))"


def log_in(page: Page, name: str) -> None:
    page.fill("[name=username]", name)
    page.fill("[name=password]", "secret-enough")
    page.click("main button[type=submit]")


def log_in_elsewhere(desk: Desk) -> None:
    """In another tab, after the session was lost: every page's proof of itself is old then."""
    desk.context.clear_cookies()
    other = desk.context.new_page()
    other.goto(f"{desk.address}/login/")
    log_in(other, "anna")
    other.wait_for_url(lambda url: "login" not in url)
    other.close()


def test_a_draft_survives_a_reload_and_a_lost_session(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12, criteria=["Honesty"], edits=True)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    shown = desk.text(".turn-text")
    desk.page.fill("[name=reason]", "A long thought")
    desk.page.locator(".criterion [value=left]").check()
    desk.page.reload()
    desk.ready()
    assert desk.text(".turn-text") == shown
    assert desk.page.input_value("[name=reason]") == "A long thought"
    desk.page.keyboard.press("e")
    desk.page.keyboard.press("1")
    desk.page.keyboard.type("Mine: ")
    desk.page.keyboard.press("Escape")
    kept = "() => Object.values(localStorage).some((text) => text.includes('Mine: '))"
    desk.page.wait_for_function(kept)
    desk.context.clear_cookies(name="sessionid")
    desk.page.reload()
    log_in(desk.page, "anna")
    desk.page.wait_for_url(f"**/work/{campaign.pk}/")
    desk.ready()
    assert desk.page.input_value("[name=reason]") == "A long thought"
    assert desk.page.locator(".criterion [value=left]").is_checked()
    assert desk.page.locator("[data-action=edit][data-edited]").count() == 1
    desk.press("1")
    desk.sent()
    assert Judgement.objects.select_related("edit").get().edit.text.startswith("Mine: ")


def test_answers_given_offline_are_sent_later_once_and_in_order(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    stocked(desk.page)
    desk.context.set_offline(True)
    for key in "120":
        desk.ready()
        desk.page.keyboard.press(key)
    said = "3 answers are kept here and sent later"
    desk.page.locator(f"#desk-error:has-text('{said}')").wait_for()
    assert choices() == []
    desk.context.set_offline(False)
    desk.sent()
    desk.ready()
    assert choices() == ["left", "right", "tie"]
    assert desk.text("#desk-error") == ""
    assert desk.text(".turn-text").strip() == "Question number 3?"


def test_an_answer_given_offline_outlives_the_page(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.context.set_offline(True)
    desk.page.keyboard.press("2")
    desk.page.locator("#desk-error:not(:empty)").wait_for()
    desk.page.close()
    desk.context.set_offline(False)
    desk.page = desk.context.new_page()
    desk.open(f"/work/{campaign.pk}/")
    desk.sent()
    desk.ready()
    assert choices() == ["right"]
    assert desk.text(".turn-text").strip() == "Question number 1?"


def test_a_session_that_ended_in_mid_answer_loses_nothing(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.context.clear_cookies(name="sessionid")
    desk.page.keyboard.press("1")
    desk.page.locator("#desk-error a").wait_for()
    assert "You are logged out. 1 answer is kept here" in desk.text("#desk-error")
    assert choices() == []
    desk.page.click("#desk-error a")
    log_in(desk.page, "anna")
    desk.page.wait_for_url(f"**/work/{campaign.pk}/")
    desk.sent()
    assert choices() == ["left"]


def test_after_a_login_in_another_tab_the_page_goes_on(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    log_in_elsewhere(desk)
    desk.press("1")
    desk.sent()
    assert choices() == ["left"]


def test_what_one_person_left_is_never_sent_by_another(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.fill("[name=reason]", "of anna")
    desk.page.keyboard.press("Escape")
    desk.context.clear_cookies(name="sessionid")
    desk.page.keyboard.press("1")
    desk.page.click("#desk-error a")
    log_in(desk.page, "ben")
    desk.page.wait_for_url(f"**/work/{campaign.pk}/")
    desk.ready()
    assert desk.page.input_value("[name=reason]") == ""
    assert choices() == []
    desk.press("2")
    until(desk.page, Judgement.objects.exists)
    assert list(Judgement.objects.values_list("annotator__username", "choice")) == [
        ("ben", "right")
    ]


def test_an_answer_sent_late_keeps_the_guidelines_that_it_was_given_under(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    change_guidelines(campaign, "Prefer the shorter one.")
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.click("button:has-text('I have read them')")
    stocked(desk.page)
    desk.context.set_offline(True)
    for _ in range(2):
        desk.ready()
        desk.page.keyboard.press("1")
    change_guidelines(campaign, "Prefer the longer one.")
    desk.context.set_offline(False)
    desk.sent()
    desk.page.locator("#guidelines .changed").wait_for()
    numbers = Judgement.objects.order_by("pk").values_list("guideline__number", flat=True)
    assert list(numbers) == [1, 1]


def test_an_answer_whose_reply_is_cut_off_is_sent_again(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    cut: list[str] = []

    def reply(route: Route) -> None:
        if cut:
            route.continue_()
        else:
            cut.append(route.request.url)
            route.fetch()
            route.fulfill(status=200, content_type="application/json", body='{"outcome": "sto')

    desk.page.route("**/answer/", reply)
    desk.press("1")
    desk.sent()
    assert cut
    assert choices() == ["left"]
    assert desk.console == []


def test_the_page_goes_on_after_a_second_login_in_another_tab(people: People, sit: Sit) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    for given in (["left"], ["left", "left"]):
        desk.ready()
        log_in_elsewhere(desk)
        desk.press("1")
        desk.sent()
        assert choices() == given
    desk.ready()
    log_in_elsewhere(desk)
    desk.press("u")
    assert choices() == ["left"]


def test_what_waits_for_a_login_is_sent_when_its_reader_comes_back(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.context.clear_cookies(name="sessionid")
    desk.page.keyboard.press("1")  # nothing comes after it: the page waits
    desk.page.locator("#desk-error a").wait_for()
    log_in_elsewhere(desk)
    desk.page.evaluate(SHOW)
    desk.page.locator(".desk-done").wait_for()
    assert choices() == ["left"]


def test_what_was_written_outlives_a_refusal_on_a_page_without_the_comparison(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    desk.page.fill("[name=reason]", "A long thought")
    desk.page.keyboard.press("Escape")
    desk.context.set_offline(True)
    desk.page.keyboard.press("0")
    desk.page.locator("#desk-error:not(:empty)").wait_for()
    campaign.ties = False
    campaign.save()
    desk.page.close()
    desk.context.set_offline(False)
    desk.page = desk.context.new_page()
    desk.open("/work/")
    desk.page.locator("#desk-notice:not([hidden])").wait_for()
    assert "not an answer here" in desk.text("#desk-notice")
    assert choices() == []
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    assert desk.page.input_value("[name=reason]") == "A long thought"


def test_answers_given_offline_count_though_the_campaign_was_closed_meanwhile(
    people: People, sit: Sit
) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    stocked(desk.page)
    desk.context.set_offline(True)
    for _ in range(2):
        desk.ready()
        desk.page.keyboard.press("1")
    close_campaign(campaign)
    desk.context.set_offline(False)
    desk.page.wait_for_url("**/work/")
    assert choices() == ["left", "left"]
    desk.page.locator("#desk-notice:not([hidden])").wait_for()
    assert "is closed to you now" in desk.text("#desk-notice")
