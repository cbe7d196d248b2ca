"""Deciding disagreements by keyboard, and the end of a queue that does not stay the end."""

from datetime import timedelta

from django.utils import timezone

from annotate.actions import pause_campaign
from annotate.leasing import next_comparison
from annotate.models import Comparison, Judgement
from tests.browser.conftest import Desk
from tests.browser.test_accessibility import OPEN_ALL, check
from tests.conftest import People, give, make_campaign


def test_disagreements_are_decided_by_keyboard(sit: type[Desk], people: People) -> None:
    campaign = make_campaign(
        people.anna, people.ben, prompts=2, labels_per_pair=2, adjudicate="any"
    )
    campaign.adjudicators.add(people.admin)
    for _ in range(2):
        give(campaign, people.anna, "tie")
        give(campaign, people.ben, "both_bad")
    desk = sit(people.admin)
    desk.open(f"/work/{campaign.pk}/disagreements/")
    desk.ready()
    given = desk.page.locator(".given")
    assert given.get_attribute("open") is None
    desk.page.locator(".given > summary").focus()
    desk.page.keyboard.press("Enter")
    assert "Both bad" in given.inner_text()
    check(desk.page, "a disagreement")
    desk.press("1")
    desk.ready()
    assert desk.text("#desk-title") == "Disagreement 2"
    assert given.get_attribute("open") is None
    desk.page.keyboard.press("0")
    desk.page.get_by_text("Every disagreement that you can decide is decided.").wait_for()
    decided = Judgement.objects.filter(annotator=people.admin).order_by("pk")
    assert list(decided.values_list("choice", "comparison__kind")) == [
        ("left", "adjudication"),
        ("tie", "adjudication"),
    ]
    assert [line for line in desk.console if "rror" in line] == []
    for page in ("disagreements/", ""):
        desk.open(f"/campaigns/{campaign.pk}/{page}")
        desk.page.evaluate(OPEN_ALL)
        check(desk.page, page or "campaign")


def test_the_end_looks_again(sit: type[Desk], people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=1)
    next_comparison(campaign, people.ben)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.page.get_by_text("Nothing left for you here").wait_for()
    Comparison.objects.update(leased_until=timezone.now() - timedelta(minutes=1))
    desk.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    desk.page.locator("#desk").wait_for()
    desk.ready()
    assert Comparison.objects.get().annotator == people.anna


def test_an_open_page_is_told_of_the_pause(sit: type[Desk], people: People) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    desk = sit(people.anna)
    desk.open(f"/work/{campaign.pk}/")
    desk.ready()
    pause_campaign(campaign)
    desk.page.keyboard.press("1")
    desk.page.locator("#desk-notice", has_text="“campaign” is paused.").wait_for()
    assert desk.page.url.endswith("/work/")
    assert Judgement.objects.get().choice == "left"
