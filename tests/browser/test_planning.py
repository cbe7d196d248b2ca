"""Predicting before choosing, in a real browser: by keyboard, and without JavaScript."""

import html
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from pairselect.designs.models import Design, Plan
from pairselect.designs.planning import planned_design
from pairselect.designs.words import verdict
from tests.browser.conftest import Desk
from tests.conftest import People, make_pool, run_queued_jobs
from tests.designs.conftest import give_features

Sit = Callable[..., Desk]


@pytest.fixture(autouse=True)
def pool(people: People) -> None:
    give_features(make_pool(prompts=10, completions=5))


def said() -> str:
    return verdict(planned_design(Plan.objects.get()))


def test_predict_by_keyboard_and_choose_what_was_predicted(people: People, sit: Sit) -> None:
    desk = sit(people.admin)
    desk.open("/designs/new/")
    page = desk.page
    page.select_option("[name=pool]", label="pool")
    page.focus("[name=unit][value=labels]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name=budget]")).to_be_hidden()
    page.fill("[name=money]", "16")
    page.fill("[name=price]", "0.8")
    expect(page.locator(".comes-to")).to_have_text("16 at 0.8 a label: that is 20 labels.")
    page.focus("#predict")
    page.keyboard.press("Enter")
    expect(page.locator("#plan-status")).to_have_text("Predicting …")
    assert page.evaluate("document.activeElement.id") == "predict"
    page.fill("[name=name]", "by keyboard")  # while it is made
    run_queued_jobs()
    expect(page.locator("#plan-status")).to_have_text(f"Predicted. {said()}")
    expect(page.locator(".rivals tr.own")).to_contain_text("trace")
    assert page.input_value("[name=name]") == "by keyboard"
    assert page.url.endswith(f"?plan={Plan.objects.get().pk}")
    page.click("#plan button:has-text('Choose')")
    page.wait_for_url("**/designs/*/")
    assert Design.objects.get().budget == 20


def test_what_is_wrong_stands_at_its_field(people: People, sit: Sit) -> None:
    desk = sit(people.admin)
    desk.open("/designs/new/")
    desk.page.select_option("[name=pool]", label="pool")
    desk.page.fill("[name=budget]", "500")
    desk.page.click("#predict")
    wrong = "The pool has 100 pairs; ask for no more."
    expect(desk.page.locator("[data-for=labels]")).to_contain_text(wrong)
    expect(desk.page.locator("#plan-status")).to_contain_text("Not predicted")
    assert Plan.objects.count() == 0


def test_predict_without_javascript(people: People, sit: Sit) -> None:
    desk = sit(people.admin, java_script_enabled=False)
    desk.open("/designs/new/")
    page = desk.page
    page.select_option("[name=pool]", label="pool")
    page.fill("[name=budget]", "20")
    page.click("#predict")
    run_queued_jobs()
    page.click("a:has-text('Look again')")
    assert said() in html.unescape(page.content())
    assert page.input_value("[name=budget]") == "20"


def test_a_plan_is_stale_while_the_form_says_otherwise(people: People, sit: Sit) -> None:
    desk = sit(people.admin)
    desk.open("/designs/new/")
    page = desk.page
    stale = page.locator("#plan .stale")
    words = "The settings above have changed: predict again."
    page.select_option("[name=pool]", label="pool")
    page.fill("[name=budget]", "20")
    page.click("#predict")
    expect(page.locator("#plan")).to_be_visible()
    page.fill("[name=budget]", "30")  # while it is made
    expect(stale).to_have_text(words)
    run_queued_jobs()
    expect(page.locator(".rivals tr.own")).to_be_visible()
    expect(stale).to_be_visible()  # also of the plan that has come since
    page.fill("[name=budget]", "20")
    expect(stale).to_be_hidden()
    page.fill("[name=name]", "of no matter")
    expect(stale).to_be_hidden()
    page.check("[name=strategy][value=uniform]")
    expect(stale).to_be_visible()
    expect(page.locator("#plan-status")).to_have_text(words)
    page.click("#predict")
    expect(page.locator("#plan .card").first).to_be_visible()
    expect(stale).to_be_hidden()
    assert Plan.objects.get(pk=int(page.url.rpartition("=")[2])).asked["settings"]["strategy"] == (
        "uniform"
    )


def test_a_plan_whose_form_was_refused_is_stale(people: People, sit: Sit) -> None:
    """The page that comes back has the settings that were sent, and the former plan."""
    desk = sit(people.admin)
    desk.open("/designs/new/")
    page = desk.page
    page.select_option("[name=pool]", label="pool")
    page.fill("[name=budget]", "20")
    page.click("#predict")
    expect(page.locator("#plan")).to_be_visible()
    run_queued_jobs()
    expect(page.locator(".rivals tr.own")).to_be_visible()
    page.fill("[name=name]", "refused")
    page.fill("[name=budget]", "500")
    page.click("#design-form .button.primary")
    expect(page.locator("[data-for=labels]")).to_contain_text("ask for no more")
    expect(page.locator("#plan .stale")).to_be_visible()
