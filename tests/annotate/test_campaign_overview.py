"""The campaign's page by its questions: pace, costs, rounds; and the form of the next round."""

import html
import re

import pytest
from django.test import Client
from django.utils import timezone

from annotate.answering import Details
from annotate.chain import lacks_control, rounds_of
from annotate.models import Campaign
from annotate.overview import warnings
from pairselect.designs.models import Design
from tests.conftest import People, give, make_campaign


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, where: str) -> str:
    page = html.unescape(client.get(where, follow=True).content.decode())
    return re.sub(r"\s+", " ", page)


def after(design: Design, name: str, **fields: object) -> Design:
    return Design.objects.create(
        name=name, pool=design.pool, feature_kind="mean_middle", strategy="trace", budget=3,
        after=design, **fields,
    )  # fmt: skip


# Pace


def test_a_fresh_campaign_says_that_nothing_can_be_said(campaign: Campaign, admin: Client) -> None:
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert "nothing can be said yet" in page
    assert "No label yet." in page
    assert '<svg class="chart days"' not in page
    assert "Nothing is decided yet" in page


def test_the_questions_come_in_order(campaign: Campaign, people: People, admin: Client) -> None:
    give(campaign, people.anna, "left")
    page = text(admin, f"/campaigns/{campaign.pk}/")
    heads = re.findall(r"<h2>([^<]+)</h2>", page)
    assert heads == [
        "How it goes",
        "What it costs",
        "How people answer",
        "Dataset",
        "Rounds",
        "Guidelines",
        "What is asked",
        "Annotators",
    ]
    assert "1 decided label is ready for a trainer." in page
    assert page.count('<rect class="bar') == 8


# Price


def test_a_price_is_set_and_taken_away(campaign: Campaign, people: People, admin: Client) -> None:
    give(campaign, people.anna, "left", Details(seconds=30.0, active_seconds=30.0))
    where = f"/campaigns/{campaign.pk}/price/"
    assert "Set a price" in text(admin, f"/campaigns/{campaign.pk}/")
    admin.post(where, {"price": "0.25", "priced_by": "label", "currency": "eur"})
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert "<dd>0.25 <small>EUR</small></dd>" in page
    assert "<dd>0.75 <small>EUR</small></dd>" in page  # of three labels
    admin.post(where, {"price": "12", "priced_by": "hour", "currency": "USD"})
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert "<dd>0.10 <small>USD</small></dd>" in page
    assert re.search(r'name="price" value="12"', page)  # as it was typed, without its zeros
    admin.post(where, {"price": "", "priced_by": "hour", "currency": ""})
    assert "Set a price" in text(admin, f"/campaigns/{campaign.pk}/")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"price": "-1", "priced_by": "label", "currency": "EUR"}, "greater than or equal to 0"),
        ({"price": "1", "priced_by": "label", "currency": ""}, "Say in which currency."),
        ({"price": "1", "priced_by": "label", "currency": "euro"}, "A currency is three letters"),
        ({"price": "1", "priced_by": "day", "currency": "EUR"}, "Select a valid choice"),
        ({"price": "NaN", "priced_by": "label", "currency": "EUR"}, "Enter a number"),
    ],
)
def test_a_price_that_is_none_is_refused(
    campaign: Campaign, admin: Client, sent: dict[str, str], said: str
) -> None:
    page = html.unescape(admin.post(f"/campaigns/{campaign.pk}/price/", sent).content.decode())
    assert said in page
    assert "Nothing was saved." in page
    campaign.refresh_from_db()
    assert (campaign.price, campaign.currency) == (None, "")


# Rounds


def test_rounds_stand_in_their_order_with_what_they_brought(
    campaign: Campaign, people: People, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    first = campaign.design
    second = after(first, "second", random_share=0.1)
    third, branch = after(second, "third"), after(first, "branch")
    make_campaign(people.anna, name="of another pool")
    later = Campaign.objects.create(name="later", design=second, opened_at=timezone.now())
    found = rounds_of(later)
    assert [(one.number, one.design, one.is_here) for one in found] == [
        (1, first, False),
        (2, second, True),
        (3, third, False),
    ]
    assert [one.random_percent for one in found] == [0, 10, 0]
    assert [[(one.labelled, one.total) for one in row.campaigns] for row in found] == [  # type: ignore[attr-defined]
        [(1, 3)],
        [(0, 0)],
        [],
    ]
    assert [one.design for one in rounds_of(campaign)] == [first, second, branch, third]
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert "1 of 3" in page
    assert f"/campaigns/new/?design={third.pk}" in page


def test_a_control_is_proposed_where_no_round_has_one(
    campaign: Campaign, people: People, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    where = f"/campaigns/{campaign.pk}/next-round/"
    page = text(admin, where)
    assert "No round so far has pairs drawn at random" in page
    assert re.search(r'name="random_share" value="10"', page)
    Design.objects.filter(pk=campaign.design_id).update(random_share=0.2)
    campaign.refresh_from_db()
    assert not lacks_control(campaign)
    page = text(admin, where)
    assert "No round so far" not in page
    assert re.search(r'name="random_share" value="0"', page)


# Warnings


def test_decisions_that_cannot_be_had_are_warned_of(people: People) -> None:
    single = make_campaign(people.anna, adjudicate="any", name="single")
    assert [one[:45] for one in warnings(single)] == [
        "Disagreements are to be decided, but each pai"
    ]
    campaign = make_campaign(people.anna, people.ben, labels_per_pair=2, adjudicate="split")
    assert warnings(campaign) == ["Disagreements wait for an adjudicator: choose who decides them."]
    campaign.adjudicators.add(people.admin)
    assert warnings(campaign) == []
    people.admin.is_active = False
    people.admin.save()
    assert len(warnings(campaign)) == 1
