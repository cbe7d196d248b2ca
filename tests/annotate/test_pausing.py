"""A paused campaign: nobody gets a comparison, and nothing that was given is lost."""

import html

import pytest
from django.test import Client

from annotate.actions import pause_campaign, resume_campaign
from annotate.models import Campaign, Judgement
from tests.annotate.desk import address, ask, hidden, page_of, post
from tests.conftest import People, give, make_campaign


@pytest.fixture
def anna(people: People) -> Client:
    return people.client(people.anna)


def text(client: Client, where: str) -> str:
    return html.unescape(client.get(where, follow=True).content.decode())


def test_an_admin_pauses_and_goes_on(campaign: Campaign, people: People) -> None:
    admin = people.client(people.admin)
    where = f"/campaigns/{campaign.pk}/pause/"
    admin.post(where, {"on": "1"})
    campaign.refresh_from_db()
    paused_at = campaign.paused_at
    assert paused_at is not None
    assert "Paused</span>" in text(admin, f"/campaigns/{campaign.pk}/")
    assert "Paused</span>" in text(admin, "/campaigns/")
    admin.post(where, {"on": "1"})
    campaign.refresh_from_db()
    assert campaign.paused_at == paused_at  # as it was: twice is once
    assert "Nothing was changed." in admin.post(where, {}, follow=True).content.decode()
    admin.post(where, {"on": "0"})
    campaign.refresh_from_db()
    assert campaign.paused_at is None
    assert campaign.opened_at is not None


def test_work_shows_it_without_a_button(campaign: Campaign, people: People, anna: Client) -> None:
    pause_campaign(campaign)
    page = text(anna, "/work/")
    assert "Paused</span>" in page
    assert "An admin has paused it." in page
    assert f"/work/{campaign.pk}/" not in page
    assert f"/work/{campaign.pk}/" not in text(people.client(people.stranger), "/work/")
    resume_campaign(campaign)
    assert f'href="/work/{campaign.pk}/"' in text(anna, "/work/")


def test_what_can_be_worked_at_comes_first(people: People, anna: Client) -> None:
    pause_campaign(make_campaign(people.anna, name="resting"))
    make_campaign(people.anna, name="going")
    page = text(anna, "/work/")
    assert page.index("going") < page.index("resting")


def test_the_comparison_page_says_so_and_gives_nothing(
    campaign: Campaign, people: People, anna: Client
) -> None:
    pause_campaign(campaign)
    page = text(anna, f"/work/{campaign.pk}/")
    assert "“campaign” is paused. Your answers are kept; it goes on later." in page
    assert not campaign.comparisons.exclude(annotator=None).exists()


def test_the_answer_in_hand_counts_and_the_open_page_is_told(
    campaign: Campaign, people: People, anna: Client
) -> None:
    page = page_of(anna, campaign)
    pause_campaign(campaign)
    token = hidden(page, "token")
    held = ask(anna, f"/work/{campaign.pk}/upcoming/", have=token)
    assert held == {"held": [token], "sheets": []}  # it is not taken away while they think
    state = ask(anna, address(page), choice="left", token=token)
    assert state["outcome"] == "stored"
    assert state["leave"] == "/work/"
    assert "is paused" in state["notice"]
    assert Judgement.objects.get().choice == "left"
    assert "sheets" not in state


def test_without_the_script_too(campaign: Campaign, anna: Client) -> None:
    page = page_of(anna, campaign)
    pause_campaign(campaign)
    post(anna, page, "right")
    assert Judgement.objects.get().choice == "right"
    assert "is paused" in text(anna, f"/work/{campaign.pk}/")


def test_nothing_is_undone_or_revised_meanwhile(
    campaign: Campaign, people: People, anna: Client
) -> None:
    given = give(campaign, people.anna, "left")
    pause_campaign(campaign)
    state = ask(anna, f"/work/{campaign.pk}/undo/", judgement=given.pk)
    assert state["outcome"] == "refused"
    given.refresh_from_db()
    assert given.withdrawn_at is None
    history = text(anna, f"/work/{campaign.pk}/history/")
    assert "Revise</a>" not in history
    resume_campaign(campaign)
    assert "Revise</a>" in text(anna, f"/work/{campaign.pk}/history/")


def test_a_paused_and_closed_one_is_closed(campaign: Campaign, anna: Client) -> None:
    pause_campaign(campaign)
    Campaign.objects.update(closed_at=campaign.opened_at)
    assert "is closed to you now" in text(anna, f"/work/{campaign.pk}/")
    assert "No campaign" not in text(anna, "/work/")
    assert "Nothing to compare at present" in text(anna, "/work/")


def test_adjudicators_pause_too(people: People) -> None:
    campaign = make_campaign(
        people.anna, people.ben, prompts=1, labels_per_pair=2, adjudicate="any"
    )
    campaign.adjudicators.add(people.stranger)
    give(campaign, people.anna, "tie")
    give(campaign, people.ben, "both_bad")
    client = people.client(people.stranger)
    assert f"/work/{campaign.pk}/disagreements/" in text(client, "/work/")
    pause_campaign(campaign)
    page = text(client, "/work/")
    assert "Paused</span>" in page
    assert f"/work/{campaign.pk}/disagreements/" not in page
    assert "is paused" in text(client, f"/work/{campaign.pk}/disagreements/")


def test_an_archived_campaign_is_no_work(campaign: Campaign, people: People, anna: Client) -> None:
    Campaign.objects.update(archived_at=campaign.opened_at)
    assert "Nothing to compare at present" in text(anna, "/work/")
    where = f'href="/campaigns/{campaign.pk}/"'
    assert where not in text(people.client(people.admin), "/campaigns/")
    assert where in text(people.client(people.admin), "/campaigns/?archived")


# A login that ended


def test_who_was_logged_out_is_told_that_nothing_was_stored(
    campaign: Campaign, people: People, anna: Client
) -> None:
    page = page_of(anna, campaign)
    anna.logout()
    response = anna.post(address(page), {"choice": "left", "token": hidden(page, "token")})
    assert response.status_code == 302
    assert response.headers["Location"] == "/login/?next=/work/"
    login = html.unescape(anna.get("/login/?next=/work/").content.decode())
    assert "You were logged out, so what you sent was not stored." in login
    assert not Judgement.objects.exists()


def test_the_script_is_told_by_the_status_alone(campaign: Campaign, anna: Client) -> None:
    page = page_of(anna, campaign)
    anna.logout()
    sent = {"choice": "left", "token": hidden(page, "token")}
    response = anna.post(address(page), sent, headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert "You were logged out" not in anna.get("/login/").content.decode()
