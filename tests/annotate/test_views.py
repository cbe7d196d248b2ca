"""The comparison page as a browser without JavaScript sees it, and as htmx does."""

import re
import uuid

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotate.models import Campaign, Comparison, Judgement
from pairselect.pools.models import Completion
from tests.conftest import People, make_campaign

HTMX = {"HX-Request": "true"}


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"no {name} in the page"
    return found.group(1)


def action(page: str) -> str:
    found = re.search(r'action="(/work/\d+/\d+/answer/)"', page)
    assert found
    return found.group(1)


def post(client: Client, page: str, choice: str, **headers: str):  # type: ignore[no-untyped-def]
    return client.post(
        action(page), {"choice": choice, "token": hidden(page, "token")}, headers=headers
    )


@pytest.fixture
def anna(people: People, campaign: Campaign) -> Client:
    return people.client(people.anna)


def test_the_page_is_a_plain_form(anna: Client, campaign: Campaign) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    buttons = re.findall(r'<button[^>]*type="submit"[^>]*name="choice" value="(\w+)"', page)
    assert sorted(buttons) == ["both_bad", "left", "right", "skip", "tie"]
    assert "Question number 0?" in page
    assert "Answer 0 to question 0" in page
    assert "Answer 1 to question 0" in page


def test_the_shown_order_is_the_stored_one(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    client = people.client(people.anna)
    orders = set()
    for _ in range(12):
        page = client.get(f"/work/{campaign.pk}/").content.decode()
        comparison = Comparison.objects.get(lease=hidden(page, "token"))
        assert (page.index("Answer 0 to") < page.index("Answer 1 to")) == comparison.first_on_left
        orders.add(comparison.first_on_left)
        post(client, page, "left")
    assert orders == {True, False}


def test_models_are_not_named(anna: Client, campaign: Campaign) -> None:
    Completion.objects.update(model="another-secret-model")
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    assert "a-model-that-nobody-sees" not in page
    assert "another-secret-model" not in page


def test_system_prompts_and_turns_are_shown_as_such(anna: Client, campaign: Campaign) -> None:
    prompt = campaign.design.pool.prompt_set.prompts.get(position=0)
    prompt.messages = [
        {"role": "system", "content": "Answer in rhymes."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Why?"},
    ]
    prompt.save()
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    roles = re.findall(r'data-role="(\w+)"', page)
    assert roles == ["system", "user", "assistant", "user"]
    assert page.index("Answer in rhymes.") < page.index("Why?")


@pytest.mark.parametrize("choice", Judgement.Choice.values)
def test_an_answer_is_stored_and_leads_on(
    anna: Client, campaign: Campaign, people: People, choice: str
) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    comparison = Comparison.objects.get(lease=hidden(page, "token"))
    response = post(anna, page, choice)
    assert response.headers["Location"] == f"/work/{campaign.pk}/"
    judgement = Judgement.objects.get()
    assert (judgement.choice, judgement.annotator) == (choice, people.anna)
    assert judgement.first_on_left == comparison.first_on_left
    assert "Question number 1?" in anna.get(f"/work/{campaign.pk}/").content.decode()


def test_htmx_gets_the_next_pair_alone(anna: Client, campaign: Campaign) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    part = post(anna, page, "left", **HTMX).content.decode()
    assert part.strip().startswith('<div class="desk"')
    assert "<html" not in part
    assert "Question number 1?" in part


def test_a_double_submit_leads_on_with_one_label(anna: Client, campaign: Campaign) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    first = post(anna, page, "left", **HTMX).content.decode()
    second = post(anna, page, "left", **HTMX).content.decode()
    assert hidden(first, "token") == hidden(second, "token")
    assert Judgement.objects.count() == 1


def test_another_choice_for_an_answered_pair_says_that_the_first_stands(
    anna: Client, campaign: Campaign
) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    post(anna, page, "left")
    post(anna, page, "right")
    assert "first answer had been stored" in anna.get(f"/work/{campaign.pk}/").content.decode()
    assert Judgement.objects.get().choice == "left"


def test_an_answer_to_a_pair_that_was_passed_on_is_refused_in_words(
    anna: Client, campaign: Campaign
) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    Comparison.objects.update(annotator=None, lease=None, leased_until=None)
    part = post(anna, page, "left", **HTMX).content.decode()
    assert "this answer was not stored" in part
    assert Judgement.objects.count() == 0


@pytest.mark.parametrize(
    "data", [{}, {"choice": "left"}, {"choice": "best", "token": str(uuid.uuid4())}]
)
def test_nonsense_is_not_an_answer(anna: Client, campaign: Campaign, data: dict[str, str]) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    response = anna.post(action(page), data, headers=HTMX)
    assert "That was not an answer" in response.content.decode()
    assert Judgement.objects.count() == 0


def test_undo_by_page(anna: Client, campaign: Campaign) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    post(anna, page, "left")
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    undo = {"judgement": hidden(page, "judgement")}
    part = anna.post(f"/work/{campaign.pk}/undo/", undo, headers=HTMX).content.decode()
    assert "Question number 0?" in part
    assert Judgement.objects.get().withdrawn_at is not None


def test_the_end_is_said(anna: Client, campaign: Campaign) -> None:
    for _ in range(3):
        post(anna, anna.get(f"/work/{campaign.pk}/").content.decode(), "tie")
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    assert "Nothing left for you here" in page
    assert "3 of 3" in page


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_answer_in_hand_counts_when_the_campaign_is_closed_meanwhile(
    anna: Client, campaign: Campaign, headers: dict[str, str]
) -> None:
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    Campaign.objects.update(closed_at=timezone.now())
    response = post(anna, page, "left", **headers)
    assert Judgement.objects.get().choice == "left"
    if headers:
        assert response.headers["HX-Redirect"] == "/work/"
    else:
        assert response.headers["Location"] == f"/work/{campaign.pk}/"
        assert anna.get(f"/work/{campaign.pk}/").headers["Location"] == "/work/"
    assert "is closed to you now. Your answers are kept." in anna.get("/work/").content.decode()


def test_an_undo_after_the_campaign_was_closed_changes_nothing_and_says_so(
    anna: Client, campaign: Campaign
) -> None:
    post(anna, anna.get(f"/work/{campaign.pk}/").content.decode(), "left")
    page = anna.get(f"/work/{campaign.pk}/").content.decode()
    Campaign.objects.update(closed_at=timezone.now())
    undo = {"judgement": hidden(page, "judgement")}
    response = anna.post(f"/work/{campaign.pk}/undo/", undo, headers=HTMX)
    assert response.headers["HX-Redirect"] == "/work/"
    assert Judgement.objects.get().withdrawn_at is None


def test_a_closed_campaign_gives_out_nothing_more(campaign: Campaign, people: People) -> None:
    Campaign.objects.update(closed_at=timezone.now())
    client = people.client(people.ben)
    assert client.get(f"/work/{campaign.pk}/").headers["Location"] == "/work/"
    assert campaign.comparisons.filter(annotator=people.ben).count() == 0


def test_a_comparison_of_another_campaign_is_not_found(
    anna: Client, campaign: Campaign, people: People
) -> None:
    other = make_campaign(people.stranger, name="other")
    comparison = other.comparisons.first()
    assert comparison is not None
    response = anna.post(f"/work/{campaign.pk}/{comparison.pk}/answer/", {"choice": "left"})
    assert response.status_code == 404
    assert anna.get(f"/work/{other.pk}/").status_code == 404


@pytest.mark.parametrize("prompts", [1, 30])
def test_the_page_costs_the_same_however_long_the_queue(
    people: People, prompts: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = make_campaign(people.anna, prompts=prompts)
    client = people.client(people.anna)
    client.get(f"/work/{campaign.pk}/")
    with django_assert_num_queries(10):
        client.get(f"/work/{campaign.pk}/")


def test_work_costs_the_same_however_many_campaigns(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = people.client(people.anna)
    for name in ("one", "two", "three"):
        make_campaign(people.anna, name=name)
        with django_assert_num_queries(6):
            client.get("/work/")
