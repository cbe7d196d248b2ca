"""The page and the list of the API: who did what, found by person, subject, action and day."""

import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotate.actions import pause_campaign
from annotate.models import Campaign
from pairselect.history import PER_PAGE
from pairselect.trail.actions import record
from pairselect.trail.models import Entry
from tests.api.conftest import program
from tests.conftest import People, make_campaign


def sentences(people: People, query: str = "") -> list[str]:
    response = people.client(people.admin).get(f"/history/{query}")
    assert response.status_code == 200
    return [row.entry.sentence for row in response.context["rows"]]


def test_the_newest_come_first_and_lead_to_their_pages(campaign: Campaign, people: People) -> None:
    pause_campaign(campaign)
    response = people.client(people.admin).get("/history/")
    first = response.context["rows"][0]
    assert first.entry.action == "campaign.paused"
    assert first.url == f"/campaigns/{campaign.pk}/"
    assert f'href="{first.url}"' in response.content.decode()


def test_what_is_gone_has_no_link(campaign: Campaign, people: People) -> None:
    record("archived", campaign)
    Entry(action="deleted", via="web", subject_kind="annotate.campaign", subject_id=10**6).save()
    rows = people.client(people.admin).get("/history/").context["rows"]
    assert [bool(row.url) for row in rows[:2]] == [False, True]


def test_filters_leave_what_fits_and_nothing_else(people: People) -> None:
    one, other = make_campaign(people.anna), make_campaign(people.anna, name="other")
    Entry.objects.all()._raw_delete("default")
    record("campaign.paused", one, person=people.admin)
    record("campaign.closed", one, person=people.ben)
    record("token.made", None, person=people.ben, of="ben")
    record("campaign.paused", other, person=people.ben)
    paused, closed = "Paused the campaign “{}”", "Closed the campaign “{}”"
    assert sentences(people, "?person=ben&action=campaign") == [
        paused.format("other"), closed.format("campaign")
    ]  # fmt: skip
    assert sentences(people, "?person=be") == []
    assert sentences(people, f"?kind=campaign&id={one.pk}") == [
        closed.format("campaign"), paused.format("campaign")
    ]  # fmt: skip
    assert sentences(people, "?action=token") == ["Made an API token of ben"]
    today = timezone.localdate()
    tomorrow = today + timedelta(days=1)
    assert len(sentences(people, f"?since={today}&until={today}")) == 4
    assert sentences(people, f"?since={tomorrow}") == []
    assert sentences(people, "?id=x&since=never") == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_a_day_at_the_end_of_time_is_an_answer(zone: str, people: People) -> None:
    record("archived", None)
    client = people.client(people.admin)
    client.cookies["tz"] = zone
    for query, number in (
        ("until=9999-12-31", 1),
        ("since=0001-01-01", 1),
        ("since=9999-12-31", 0),
        ("until=0001-01-01", 0),
    ):
        page = client.get(f"/history/?action=archived&{query}")
        assert (page.status_code, len(page.context["rows"])) == (200, number), query
    caller = program(people.admin, "read")
    assert caller.get("history?until=0001-01-01T00:00:00%2B14:00")["items"] == []
    assert caller.get("history?since=9999-12-31T23:59:59-14:00")["items"] == []


def test_older_ones_are_a_page_further_and_none_is_left_out(people: People) -> None:
    for place in range(PER_PAGE + 3):
        record("archived", None, place=place)
    client = people.client(people.admin)
    first = client.get("/history/?action=archived")
    assert len(first.context["rows"]) == PER_PAGE
    record("archived", None, place=-1)  # comes in meanwhile, and shifts nothing
    second = client.get(f"/history/?{first.context['older']}")
    found = [row.entry.details["place"] for row in second.context["rows"]]
    assert found == [2, 1, 0]
    assert second.context["older"] == ""
    assert "before" not in second.context["newest"]


def test_settings_show_before_and_after(campaign: Campaign, people: People) -> None:
    facts = {"price": {"before": None, "after": "<b>0.5</b>"}, "scopes": ["read", "judge"]}
    record("campaign.price_changed", campaign, **facts)
    page = people.client(people.admin).get("/history/").content.decode()
    assert "<del>–</del> → <ins>&lt;b&gt;0.5&lt;/b&gt;</ins>" in page
    assert '<dd dir="auto">read, judge</dd>' in page


def test_the_page_asks_as_often_however_much_it_shows(
    campaign: Campaign, people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = people.client(people.admin)
    asked = []
    for number in (1, 30):
        for _ in range(number):
            record("campaign.paused", campaign)
            record("archived", campaign.design)
        with django_assert_num_queries(6) as found:  # session, person, role, entries, 2 subjects
            client.get("/history/?action=archived&since=2020-01-01")
        asked.append(len(found))
    assert asked[0] == asked[1]


def test_each_page_leads_to_its_own_history(campaign: Campaign, people: People) -> None:
    client, design = people.client(people.admin), campaign.design
    for what, row, page in (
        ("campaign", campaign, f"/campaigns/{campaign.pk}/"),
        ("design", design, f"/designs/{design.pk}/"),
        ("pool", design.pool, f"/pools/{design.pool_id}/"),
        ("prompt-set", design.pool.prompt_set, f"/prompts/{design.pool.prompt_set_id}/"),
    ):
        record("archived", row)
        link = f"/history/?kind={what}&amp;id={row.pk}"
        assert f'href="{link}"' in client.get(page).content.decode(), page
        assert (
            "Archived" in sentences(people, link.removeprefix("/history/").replace("&amp;", "&"))[0]
        )


def test_a_number_alone_is_no_object(campaign: Campaign, people: People) -> None:
    """Rows of several kinds have it."""
    record("archived", campaign)
    page = people.client(people.admin).get(f"/history/?id={campaign.pk}")
    assert page.context["one"] is None
    assert "<h1>History</h1>" in page.content.decode()


def test_the_api_lists_the_same_for_admins_alone(campaign: Campaign, people: People) -> None:
    record("campaign.paused", campaign, person=people.ben, price={"before": 1, "after": 2})
    caller = program(people.admin, "read")
    found = caller.get(
        f"history?person=ben&subject_kind=annotate.campaign&subject_id={campaign.pk}"
    )
    assert [one["action"] for one in found["items"]] == ["campaign.paused"]
    assert found["items"][0]["person"] == {"id": people.ben.pk, "name": "ben"}
    assert found["items"][0]["details"] == {"price": {"before": 1, "after": 2}}
    assert caller.get("history?since=2100-01-01T00:00:00Z")["items"] == []
    assert program(people.anna, "read").refused("GET", "history")[0] == 403


def test_the_command_writes_all_of_it_as_json_lines(campaign: Campaign) -> None:
    pause_campaign(campaign)
    out = io.StringIO()
    call_command("trail", "--json", "--subject", f"annotate.campaign:{campaign.pk}", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["action"] for one in lines][-1] == "campaign.paused"
    assert [one["id"] for one in lines] == sorted(one["id"] for one in lines)
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None
    words = io.StringIO()
    call_command("trail", "--last", "1", stdout=words)
    assert words.getvalue().strip().endswith(f"Paused the campaign “{campaign.name}”")
    for wrong in (["--since", "never"], ["--subject", "a:b"], ["--last", "0"]):
        with pytest.raises(CommandError, match=wrong[0]):
            call_command("trail", *wrong)
