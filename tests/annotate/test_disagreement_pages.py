"""The adjudicators' queue on the comparison page, and the admin's page of disagreements."""

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotate.answering import Details
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Comparison, Judgement
from annotate.overview import onboarding_of
from pairselect.pools.models import Completion
from tests.annotate.desk import JSON, address, ask, hidden
from tests.browser.stages import gold
from tests.conftest import People, give, make_campaign

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def campaign(people: People) -> Campaign:
    """Three pairs in dispute; the admin decides."""
    campaign = make_campaign(
        people.anna, people.ben, prompts=3, labels_per_pair=2, adjudicate="any"
    )
    campaign.adjudicators.add(people.admin)
    for _ in range(3):
        give(campaign, people.anna, "tie", Details(reason=f"Both fine {HOSTILE}"))
        give(campaign, people.ben, "both_bad")
    return campaign


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, where: str) -> str:
    return html.unescape(client.get(where).content.decode())


def decide(client: Client, campaign: Campaign, choice: str) -> None:
    page = client.get(f"/work/{campaign.pk}/disagreements/").content.decode()
    sent = {"choice": choice, "token": hidden(page, "token"), "skip_reason": "other"}
    response = client.post(address(page), sent)
    assert response.headers["Location"] == f"/work/{campaign.pk}/disagreements/"


def test_an_adjudicator_works_through_a_queue_of_their_own(
    campaign: Campaign, admin: Client
) -> None:
    work = text(admin, "/work/")
    assert "Disagreements</span>" in work
    assert f"/work/{campaign.pk}/disagreements/" in work
    assert f'href="/work/{campaign.pk}/"' not in work
    for number in range(1, 4):
        page = text(admin, f"/work/{campaign.pk}/disagreements/")
        assert f'Disagreement <span id="desk-number">{number}</span>' in page
        decide(admin, campaign, "left")
    page = text(admin, f"/work/{campaign.pk}/disagreements/")
    assert "Every disagreement that you can decide is decided." in page
    kinds = Judgement.objects.filter(annotator__username="ada").values_list(
        "comparison__kind", flat=True
    )
    assert list(kinds) == ["adjudication"] * 3
    history = text(admin, f"/work/{campaign.pk}/disagreements/history/")
    assert history.count(">Revise</a>") == 3


def test_an_admin_who_decides_has_a_way_to_it_on_every_page(
    campaign: Campaign, admin: Client, people: People
) -> None:
    link = '<a href="/work/">Work</a>'
    with CaptureQueriesContext(connection) as with_it:
        assert link in text(admin, "/people/")
    assert '<a href="/work/" aria-current="page">Work</a>' in text(admin, "/work/")
    Campaign.objects.update(closed_at=timezone.now())
    with CaptureQueriesContext(connection) as without:
        assert link not in text(admin, "/people/")
    assert len(with_it) == len(without)
    assert text(people.client(people.anna), "/work/").count(">Work</a>") == 1


def test_everybody_finds_tokens_and_the_reference(people: People) -> None:
    for person in (people.admin, people.anna):
        page = text(people.client(person), "/settings/")
        assert 'href="/people/tokens/">Your tokens</a>' in page
        assert 'href="/api/">API reference</a>' in page


def test_the_labels_given_are_folded_and_without_names(campaign: Campaign, admin: Client) -> None:
    page = admin.get(f"/work/{campaign.pk}/disagreements/").content.decode()
    given = page.split('<details class="given">')[1].split("</details>")[0]
    assert "The 2 labels given" in given
    assert "<b>Tie</b>" in given
    assert "<b>Both bad</b>" in given
    assert html.escape(HOSTILE) in given
    assert HOSTILE not in page
    assert "anna" not in page
    assert "ben" not in page.split("<main")[1].split("desk-data")[0].replace("bench", "")


def test_a_label_is_asked_for_without_them(campaign: Campaign, people: People) -> None:
    campaign.annotators.add(people.stranger)
    campaign.comparisons.create(pair=campaign.comparisons.all()[0].pair, position=0, slot=2)
    page = text(people.client(people.stranger), f"/work/{campaign.pk}/")
    assert "labels given" not in page
    assert 'class="desk"' in page


def test_the_script_is_told_of_its_own_queue(campaign: Campaign, admin: Client) -> None:
    base = f"/work/{campaign.pk}/disagreements/"
    page = admin.get(base).content.decode()
    assert f'data-upcoming-url="{base}upcoming/"' in page
    assert f'data-campaign="{campaign.pk}:disagreements"' in page
    token = hidden(page, "token")
    state = ask(admin, address(page), choice="right", token=token)
    assert state["outcome"] == "stored"
    assert "labels given" in state["sheets"][0]
    last = Judgement.objects.latest("pk")
    assert state["last"] == last.pk
    back = ask(admin, f"{base}undo/", judgement=last.pk)
    assert back["outcome"] == "undone"
    assert back["last"] is None
    assert ask(admin, f"{base}upcoming/")["held"] == back["held"]


def test_a_decision_is_revised(campaign: Campaign, admin: Client) -> None:
    decide(admin, campaign, "left")
    history = text(admin, f"/work/{campaign.pk}/disagreements/history/")
    where = re.search(r'href="(/work/\d+/\w+/)">Revise', history)
    assert where
    page = admin.get(where.group(1)).content.decode()
    assert "Revising an answer" in page
    assert "labels given" in page
    sent = {"choice": "tie", "token": hidden(page, "token"), "replaces": hidden(page, "replaces")}
    response = admin.post(address(page), sent)
    assert response.headers["Location"] == f"/work/{campaign.pk}/disagreements/"
    standing = Judgement.objects.filter(withdrawn_at=None, comparison__kind="adjudication")
    assert standing.get().choice == "tie"


def test_an_adjudicator_reads_the_guidelines_and_needs_no_onboarding(
    campaign: Campaign, admin: Client
) -> None:
    Campaign.objects.update(passing_mark=1.0)
    gold(campaign, 1, use="onboarding")
    version = change_guidelines(campaign, "Be strict.")
    assert version is not None
    where = f"/work/{campaign.pk}/disagreements/"
    assert "Disagreement <span" in text(admin, where)
    read = admin.post(f"/work/{campaign.pk}/guidelines/", {"guideline": version.pk})
    assert read.headers["Location"] == where
    assert [one.name for one in onboarding_of(campaign)] == ["anna", "ben"]


@pytest.mark.parametrize("who", ["anna", "stranger"])
def test_who_does_not_adjudicate_is_not_let_in(
    campaign: Campaign, people: People, who: str
) -> None:
    client = people.client(getattr(people, who))
    base = f"/work/{campaign.pk}/disagreements/"
    assert client.get(base).status_code == 404
    assert client.get(f"{base}history/").status_code == 404
    for what in ("upcoming", "undo"):
        assert client.post(f"{base}{what}/").status_code == 404
    row = campaign.comparisons.filter(kind=Comparison.Kind.ADJUDICATION)[0]
    for name in ("answer", "flag"):
        where = reverse(f"annotate:{name}", args=[campaign.pk, row.pk])
        assert client.post(where, {"choice": "left"}, headers=JSON).status_code == 404


def test_the_admins_page_lists_them(campaign: Campaign, admin: Client) -> None:
    Completion.objects.update(text=f"Text {HOSTILE}")
    where = f"/campaigns/{campaign.pk}/disagreements/"
    page = admin.get(where).content.decode()
    assert HOSTILE not in page
    assert "On 3 of 3 pairs with all their labels these differ." in page
    assert page.count("Waits</span>") == 3
    assert "Decide them" in page
    decide(admin, campaign, "left")
    page = text(admin, where)
    assert page.count("Waits</span>") == 2
    assert "Decided by ada (1)" in re.sub(r"\s+", " ", page)


def test_the_list_costs_the_same_with_three(people: People, admin: Client) -> None:
    campaign = make_campaign(
        people.anna, people.ben, prompts=3, labels_per_pair=2, adjudicate="any"
    )
    where, costs = f"/campaigns/{campaign.pk}/disagreements/", []
    for _ in range(3):
        give(campaign, people.anna, "tie")
        give(campaign, people.ben, "both_bad")
        admin.get(where)
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(where).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[2]


def test_who_decides_what_is_set_on_the_page(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=2, labels_per_pair=2)
    for person, choice in ((people.anna, "tie"), (people.ben, "both_bad")):
        give(campaign, person, choice)
    where = f"/campaigns/{campaign.pk}/disagreements/"
    assert "Nobody is asked to decide them" in text(admin, where)
    response = admin.post(where, {"adjudicate": "any"}, follow=True)
    assert "choose who decides them" in response.content.decode()
    admin.post(where, {"adjudicate": "any", "adjudicators": [people.stranger.pk]})
    campaign.refresh_from_db()
    assert campaign.adjudicate == "any"
    assert campaign.adjudicators.get() == people.stranger
    assert campaign.comparisons.filter(kind="adjudication").count() == 1
    people.stranger.is_active = False
    people.stranger.save()
    page = admin.post(where, {"adjudicate": "split", "adjudicators": [people.stranger.pk]})
    assert "One of these people has no account any more." in page.content.decode()
    campaign.refresh_from_db()
    assert campaign.adjudicate == "any"


def test_a_single_label_disagrees_with_nothing(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, adjudicate="any")
    page = text(admin, f"/campaigns/{campaign.pk}/disagreements/")
    assert "Each pair gets a single label here" in page
    assert "No two labels differ" in page
