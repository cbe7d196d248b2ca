"""A person's answers, listed and revised."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotate.addresses import word_of
from annotate.models import Campaign, Judgement
from annotate.views.work import PER_PAGE
from tests.annotate.giving import answer_next, gold_for, onboard, repeat, revise
from tests.conftest import People, give, make_campaign


@pytest.fixture
def anna(people: People) -> Client:
    return people.client(people.anna)


def listed(client: Client, campaign: Campaign, page: int = 1) -> list[int]:
    response = client.get(f"/work/{campaign.pk}/history/", {"page": page})
    return [judgement.pk for judgement in response.context["page"]]


def revise_address(judgement: Judgement) -> str:
    return f"/work/{judgement.comparison.campaign_id}/{word_of(judgement.comparison_id)}/"


def test_the_last_answer_comes_first(campaign: Campaign, people: People, anna: Client) -> None:
    first, second = (give(campaign, people.anna, "left") for _ in range(2))
    give(campaign, people.ben, "left")
    assert listed(anna, campaign) == [second.pk, first.pk]


def test_only_what_stands_is_listed(campaign: Campaign, people: People, anna: Client) -> None:
    given = give(campaign, people.anna, "left")
    later = revise(given, "right")
    onboard(campaign, people.anna, "left")
    assert listed(anna, campaign) == [later.pk]


def test_checks_are_listed_as_any_other(campaign: Campaign, people: People, anna: Client) -> None:
    given = give(campaign, people.anna, "left")
    repeat(given)
    again = give(campaign, people.anna, "left")
    gold_for(campaign, people.anna)
    gold = give(campaign, people.anna, "left")
    assert {again.comparison.kind, gold.comparison.kind} == {"repeat", "gold"}
    assert listed(anna, campaign) == [gold.pk, again.pk, given.pk]
    page = anna.get(f"/work/{campaign.pk}/history/").content.decode()
    for judgement in (given, again, gold):
        assert page.count(f'href="{revise_address(judgement)}"') == 1
        assert anna.get(revise_address(judgement)).status_code == 200
        by_id = f"/work/{campaign.pk}/{judgement.comparison_id}/"
        assert by_id not in page  # ids tell checks, which are made later


def test_a_skip_is_listed_and_not_to_be_revised(
    campaign: Campaign, people: People, anna: Client
) -> None:
    skipped = answer_next(campaign, people.anna, "skip", skip_reason="language")
    page = anna.get(f"/work/{campaign.pk}/history/").content.decode()
    assert "I do not know the language" in page
    assert revise_address(skipped) not in page
    assert anna.get(revise_address(skipped)).status_code == 404


def test_an_answer_is_shown_as_it_was_given(people: People, anna: Client) -> None:
    campaign = make_campaign(people.anna, strengths=3, edits=True, criteria=["Truth"])
    given = answer_next(
        campaign,
        people.anna,
        "right",
        strength=2,
        reason="So.",
        criteria={"Truth": "left"},
        edit="Better.",
        edit_of="right",
    )
    page = anna.get(revise_address(given))
    sheet = page.context["sheet"]
    assert sheet.replaces == given.pk
    assert sheet.earlier == {
        "choice": "right",
        "strength": 2,
        "criteria": {"Truth": "left"},
        "reason": "So.",
        "skip_reason": "",
        "edit": "Better.",
        "edit_of": "right",
    }
    first = "left" if given.first_on_left else "right"
    assert given.comparison.designed.first.text in getattr(sheet, first).html


def test_revising_by_the_page(campaign: Campaign, people: People, anna: Client) -> None:
    given = give(campaign, people.anna, "left")
    sheet = anna.get(revise_address(given)).context["sheet"]
    sent = {"choice": "tie", "token": sheet.token, "replaces": sheet.replaces}
    for _ in range(2):  # sent twice
        response = anna.post(sheet.answer_url, sent)
        assert response.headers["Location"] == f"/work/{campaign.pk}/"
    assert list(Judgement.objects.values_list("choice", "replaces")) == [
        ("left", None),
        ("tie", given.pk),
    ]
    given.refresh_from_db()
    assert given.withdrawn_at is not None


def test_a_revision_leaves_the_comparison_in_view(
    campaign: Campaign, people: People, anna: Client
) -> None:
    given = give(campaign, people.anna, "left")
    before = anna.get(f"/work/{campaign.pk}/").context["sheet"].token
    sheet = anna.get(revise_address(given)).context["sheet"]
    anna.post(sheet.answer_url, {"choice": "tie", "token": sheet.token, "replaces": sheet.replaces})
    assert anna.get(f"/work/{campaign.pk}/").context["sheet"].token == before


@pytest.mark.parametrize("replaces", ["1000000", "x", "-1"])
def test_an_answer_that_is_not_theirs_is_not_replaced(
    campaign: Campaign, people: People, anna: Client, replaces: str
) -> None:
    given = give(campaign, people.anna, "left")
    anna.post(
        f"{revise_address(given)}answer/",
        {"choice": "tie", "token": uuid.uuid4(), "replaces": replaces},
    )
    assert Judgement.objects.get().withdrawn_at is None


def test_a_closed_campaign_is_listed_and_not_revised(
    campaign: Campaign, people: People, anna: Client
) -> None:
    given = give(campaign, people.anna, "left")
    Campaign.objects.update(closed_at=timezone.now())
    assert listed(anna, campaign) == [given.pk]
    page = anna.get(f"/work/{campaign.pk}/history/").content.decode()
    assert revise_address(given) not in page


def test_a_long_list_has_pages(people: People, anna: Client) -> None:
    campaign = make_campaign(people.anna, prompts=PER_PAGE + 2)
    given = [give(campaign, people.anna, "left").pk for _ in range(PER_PAGE + 2)][::-1]
    assert listed(anna, campaign) == given[:PER_PAGE]
    assert listed(anna, campaign, page=2) == given[PER_PAGE:]


def test_the_list_costs_the_same_however_long(
    people: People, anna: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = make_campaign(people.anna, prompts=10, edits=True)
    for number in (1, 3, 5):
        for _ in range(number):
            answer_next(campaign, people.anna, "left", edit="x", edit_of="left")
        with django_assert_num_queries(7):
            anna.get(f"/work/{campaign.pk}/history/")
