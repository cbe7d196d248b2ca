"""The comparison page as a browser without JavaScript has it, and what its script is told."""

import json
import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from annotate.addresses import word_of
from annotate.forms.answers import criterion_field
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Comparison, Flag, Judgement
from pairselect.pools.models import Completion
from tests.annotate.desk import JSON, address, ask, hidden, page_of, post, token_in
from tests.conftest import People, make_campaign


@pytest.fixture
def anna(people: People, campaign: Campaign) -> Client:
    return people.client(people.anna)


@pytest.fixture
def long(people: People) -> Campaign:
    """Plenty for two."""
    return make_campaign(people.anna, people.ben, prompts=20, name="long")


def test_the_page_is_a_plain_form(anna: Client, campaign: Campaign) -> None:
    page = page_of(anna, campaign)
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
        page = page_of(client, campaign)
        comparison = Comparison.objects.get(lease=hidden(page, "token"))
        assert (page.index("Answer 0 to") < page.index("Answer 1 to")) == comparison.first_on_left
        orders.add(comparison.first_on_left)
        post(client, page, "left")
        assert Judgement.objects.latest("pk").first_on_left == comparison.first_on_left
    assert orders == {True, False}


def test_models_are_not_named(anna: Client, campaign: Campaign) -> None:
    Completion.objects.update(model="another-secret-model")
    page = page_of(anna, campaign)
    assert "a-model-that-nobody-sees" not in page
    assert "another-secret-model" not in page


def test_names_in_the_texts_are_masked_where_the_campaign_says(people: People) -> None:
    campaign = make_campaign(people.anna, edits=True, mask_identities=True)
    Completion.objects.update(text="I am a-model-that-nobody-sees. Ask.")
    client = people.client(people.anna)
    state = json.dumps(ask(client, f"/work/{campaign.pk}/upcoming/"))
    for found in (page_of(client, campaign), state):
        assert "I am " in found
        assert "a-model-that-nobody-sees" not in found


def test_system_prompts_and_turns_are_shown_as_such(anna: Client, campaign: Campaign) -> None:
    prompt = campaign.design.pool.prompt_set.prompts.get(position=0)
    prompt.messages = [
        {"role": "system", "content": "Answer in rhymes."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Why?"},
    ]
    prompt.save()
    page = page_of(anna, campaign)
    roles = re.findall(r'data-role="(\w+)"', page)
    assert roles == ["system", "user", "assistant", "user"]
    assert page.index("Answer in rhymes.") < page.index("Why?")


@pytest.mark.parametrize("choice", Judgement.Choice.values)
def test_an_answer_is_stored_and_leads_on(
    anna: Client, campaign: Campaign, people: People, choice: str
) -> None:
    response = post(anna, page_of(anna, campaign), choice, reason="So.")
    assert response.headers["Location"] == f"/work/{campaign.pk}/"
    judgement = Judgement.objects.get()
    assert (judgement.choice, judgement.annotator) == (choice, people.anna)
    assert (judgement.reason, judgement.strength) == ("So.", None)
    assert "Question number 1?" in page_of(anna, campaign)


def test_nobody_is_paid_for_more_time_than_there_was(people: People) -> None:
    campaign = make_campaign(people.anna)
    client = people.client(people.anna)
    page = page_of(client, campaign)
    Comparison.objects.update(claimed_at=timezone.now() - timedelta(minutes=1))
    assert post(client, page, "left", seconds="90000", active_seconds="90000").status_code == 302
    stored = Judgement.objects.get()
    assert 60 <= stored.seconds < 120
    assert stored.active_seconds == stored.seconds


def test_all_that_is_asked_is_stored(people: People) -> None:
    campaign = make_campaign(people.anna, strengths=3, criteria=["Truth", "Tone"], edits=True)
    change_guidelines(campaign, "Be kind.")
    client = people.client(people.anna)
    page = page_of(client, campaign)
    Comparison.objects.update(claimed_at=timezone.now() - timedelta(minutes=1))
    sent = {
        criterion_field("Truth"): "left",
        criterion_field("Tone"): "same",
        "reason": "a\r\nb",
        "edit": "Better.",
        "edit_of": "right",
        "guideline": hidden(page, "guideline"),
        "seconds": "20.5",
        "active_seconds": "30",
    }
    assert post(client, page, "right:3", **sent).status_code == 302
    stored = Judgement.objects.get()
    assert (stored.choice, stored.strength, stored.reason) == ("right", 3, "a\nb")
    assert stored.criteria == {"Truth": "left", "Tone": "same"}
    assert (stored.seconds, stored.active_seconds) == (20.5, 20.5)
    assert stored.guideline == campaign.guidelines.get()
    assert (stored.edit.text, stored.edit.of_first) == ("Better.", not stored.first_on_left)


# What the script is told


def test_the_script_gets_what_it_does_not_have(anna: Client, long: Campaign) -> None:
    first = hidden(page_of(anna, long), "token")
    state = ask(anna, f"/work/{long.pk}/upcoming/", have=[first])
    assert len(state["held"]) == 3
    assert state["held"][0] == first
    assert [token_in(sheet) for sheet in state["sheets"]] == state["held"][1:]
    assert [sheet.strip()[:16] for sheet in state["sheets"]] == ['<div class="desk'] * 2
    again = ask(anna, f"/work/{long.pk}/upcoming/", have=state["held"])
    assert (again["held"], again["sheets"]) == (state["held"], [])
    fresh = ask(anna, f"/work/{long.pk}/upcoming/")
    assert [token_in(sheet) for sheet in fresh["sheets"]] == state["held"]


def test_an_answer_brings_the_one_after_the_next(anna: Client, long: Campaign) -> None:
    page = page_of(anna, long)
    held = ask(anna, f"/work/{long.pk}/upcoming/", have=[hidden(page, "token")])["held"]
    state = ask(anna, address(page), choice="left", token=held[0], have=held[1:])
    assert state["outcome"] == "stored"
    assert state["held"][:2] == held[1:]
    assert [token_in(sheet) for sheet in state["sheets"]] == state["held"][2:]
    assert state["last"] == Judgement.objects.get().pk
    shown = Comparison.objects.get(lease=held[1])
    assert shown.shown_at is not None  # the page shows it by now
    assert Comparison.objects.get(lease=held[2]).shown_at is None


@pytest.mark.parametrize("have", [["x" * 10_000], [""], ["\0"], ["not-a-lease"] * 5_00])
def test_nonsense_among_the_leases_does_no_harm(
    anna: Client, long: Campaign, have: list[str]
) -> None:
    assert len(ask(anna, f"/work/{long.pk}/upcoming/", have=have)["sheets"]) == 3


def test_a_double_submit_leads_on_with_one_label(anna: Client, campaign: Campaign) -> None:
    page = page_of(anna, campaign)
    sent = {"choice": "left", "token": hidden(page, "token")}
    first, second = ask(anna, address(page), **sent), ask(anna, address(page), **sent)
    assert (first["outcome"], second["outcome"]) == ("stored", "repeated")
    assert first["held"] == second["held"]
    assert Judgement.objects.count() == 1


def test_another_choice_for_an_answered_pair_says_that_the_first_stands(
    anna: Client, campaign: Campaign
) -> None:
    page = page_of(anna, campaign)
    post(anna, page, "left")
    post(anna, page, "right")
    assert "first answer had been stored" in page_of(anna, campaign)
    assert "first answer had been stored" not in page_of(anna, campaign)  # said once
    assert Judgement.objects.get().choice == "left"


def test_an_answer_to_a_pair_that_was_passed_on_is_refused_in_words(
    anna: Client, campaign: Campaign
) -> None:
    page = page_of(anna, campaign)
    Comparison.objects.update(annotator=None, lease=None, leased_until=None)
    state = ask(anna, address(page), choice="left", token=hidden(page, "token"))
    assert state["outcome"] == "passed on"
    assert "this answer was not stored" in state["notice"]
    assert Judgement.objects.count() == 0


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"choice": "left"},
        {"choice": "best", "token": str(uuid.uuid4())},
        {"choice": "skip", "token": str(uuid.uuid4())},
        {"choice": "left", "token": str(uuid.uuid4()), "reason": "a\0b"},
    ],
)
def test_nonsense_is_refused_in_words(
    anna: Client, campaign: Campaign, data: dict[str, str]
) -> None:
    page = page_of(anna, campaign)
    response = anna.post(address(page), data, headers=JSON)
    assert response.status_code == 422
    notice = response.json()["notice"]
    assert response.json() == {"outcome": "refused", "notice": notice}
    assert anna.post(address(page), data).headers["Location"] == f"/work/{campaign.pk}/"
    assert notice in unescape(page_of(anna, campaign))
    assert Judgement.objects.count() == 0


def test_new_guidelines_come_with_the_next_answer(anna: Client, campaign: Campaign) -> None:
    change_guidelines(campaign, "Be kind.")
    page = page_of(anna, campaign)
    known = hidden(page, "guideline")
    where = f"/work/{campaign.pk}/upcoming/"
    assert "guidelines" not in ask(anna, where, guideline=known)
    change_guidelines(campaign, "Be brief.")
    assert "Be brief." in ask(anna, where, guideline=known)["guidelines"]


def test_undo_by_page(anna: Client, campaign: Campaign) -> None:
    post(anna, page_of(anna, campaign), "left", reason="So.")
    undo = {"judgement": hidden(page_of(anna, campaign), "judgement")}
    assert anna.post(f"/work/{campaign.pk}/undo/", undo).headers["Location"] == (
        f"/work/{campaign.pk}/"
    )
    assert "Question number 0?" in page_of(anna, campaign)
    assert Judgement.objects.get().withdrawn_at is not None


def test_undo_by_the_script_brings_the_answer_along(anna: Client, campaign: Campaign) -> None:
    post(anna, page_of(anna, campaign), "tie", reason="A < B & C")
    page = page_of(anna, campaign)
    where = f"/work/{campaign.pk}/undo/"
    state = ask(anna, where, judgement=hidden(page, "judgement"), have=[hidden(page, "token")])
    assert (state["outcome"], state["last"]) == ("undone", None)
    [sheet] = state["sheets"]
    assert token_in(sheet) == state["held"][0]
    earlier = re.search(r'data-earlier="([^"]+)"', sheet)
    assert earlier
    assert json.loads(unescape(earlier.group(1)))["reason"] == "A < B & C"
    again = ask(anna, where, judgement=hidden(page, "judgement"))
    assert again["outcome"] == "refused"
    assert "cannot be taken back" in again["notice"]
    for number in ("", "x", "0", "9" * 30):
        assert ask(anna, where, judgement=number)["outcome"] == "refused"


def test_the_end_is_said(anna: Client, campaign: Campaign) -> None:
    for _ in range(3):
        post(anna, page_of(anna, campaign), "tie")
    response = anna.get(f"/work/{campaign.pk}/")
    assert response.context["sheet"] is None
    assert response.context["is_complete"]
    state = ask(anna, f"/work/{campaign.pk}/upcoming/")
    assert (state["held"], state["sheets"]) == ([], [])


def test_a_lost_login_is_told_by_the_status(anna: Client, campaign: Campaign) -> None:
    page = page_of(anna, campaign)
    anna.logout()
    sent = {"choice": "left", "token": hidden(page, "token")}
    for where in (address(page), f"/work/{campaign.pk}/upcoming/", f"/work/{campaign.pk}/undo/"):
        response = anna.post(where, sent, headers=JSON)
        assert (response.status_code, response.json()) == (401, {"outcome": "login"})
        assert anna.post(where, sent).status_code == 302
    assert not Judgement.objects.exists()


# Flags


def test_a_flag_is_stored_and_the_pair_stays(
    anna: Client, campaign: Campaign, people: People
) -> None:
    page = page_of(anna, campaign)
    state = ask(anna, address(page, "flag"), kind="broken", note="cut off")
    assert state["outcome"] == "flagged"
    assert state["held"][0] == hidden(page, "token")
    stored = Flag.objects.get()
    assert (stored.kind, stored.note, stored.annotator) == ("broken", "cut off", people.anna)
    assert not Judgement.objects.exists()
    assert anna.post(address(page, "flag"), {}, headers=JSON).status_code == 422
    Campaign.objects.update(flags=False)
    response = anna.post(address(page, "flag"), {"kind": "other"}, headers=JSON)
    assert response.status_code == 422
    assert "takes no flags" in response.json()["notice"]
    assert Flag.objects.count() == 1


# A campaign that is closed


@pytest.mark.parametrize("headers", [{}, JSON])
def test_an_answer_in_hand_counts_when_the_campaign_is_closed_meanwhile(
    anna: Client, campaign: Campaign, headers: dict[str, str]
) -> None:
    page = page_of(anna, campaign)
    Campaign.objects.update(closed_at=timezone.now())
    sent = {"choice": "left", "token": hidden(page, "token")}
    response = anna.post(address(page), sent, headers=headers)
    assert Judgement.objects.get().choice == "left"
    if headers:
        state = response.json()
        assert (state["outcome"], state["leave"]) == ("stored", "/work/")
        said = state["notice"]
    else:
        assert response.headers["Location"] == f"/work/{campaign.pk}/"
        assert anna.get(f"/work/{campaign.pk}/").headers["Location"] == "/work/"
        said = anna.get("/work/").content.decode()
    assert "is closed to you now. Your answers are kept." in said


def test_a_sign_of_life_takes_nobody_off_what_they_are_thinking_about(
    anna: Client, campaign: Campaign
) -> None:
    page = page_of(anna, campaign)
    Campaign.objects.update(closed_at=timezone.now())
    held = [hidden(page, "token")]
    assert ask(anna, f"/work/{campaign.pk}/upcoming/", have=held) == {"held": held, "sheets": []}


def test_the_first_guidelines_of_a_campaign_reach_an_open_page(
    anna: Client, campaign: Campaign
) -> None:
    page = page_of(anna, campaign)
    sent = {"have": [hidden(page, "token")], "guideline": ""}
    assert "guideline" not in ask(anna, f"/work/{campaign.pk}/upcoming/", **sent)
    version = change_guidelines(campaign, "Be kind.")
    assert version is not None
    state = ask(anna, f"/work/{campaign.pk}/upcoming/", **sent)
    assert state["guideline"] == version.pk
    assert "Be kind." in state["guidelines"]


def test_an_answer_of_nothing_is_said_to_be_empty(anna: Client, campaign: Campaign) -> None:
    Completion.objects.filter(index=0).update(text=" \n")
    assert page_of(anna, campaign).count("This answer is empty.") == 1


def test_nothing_is_undone_or_revised_after_the_campaign_was_closed(
    anna: Client, campaign: Campaign
) -> None:
    post(anna, page_of(anna, campaign), "left")
    given = Judgement.objects.get()
    undo = hidden(page_of(anna, campaign), "judgement")
    Campaign.objects.update(closed_at=timezone.now())
    state = ask(anna, f"/work/{campaign.pk}/undo/", judgement=undo)
    assert state["leave"] == "/work/"
    where = f"/work/{campaign.pk}/{word_of(given.comparison_id)}/"
    assert anna.get(where).status_code == 404
    sent = {"choice": "right", "token": uuid.uuid4(), "replaces": given.pk}
    state = ask(anna, f"{where}answer/", **sent)
    assert (state["outcome"], state["leave"]) == ("passed on", "/work/")
    assert [(one.choice, one.withdrawn_at) for one in Judgement.objects.all()] == [("left", None)]


def test_a_closed_campaign_gives_out_nothing_more(campaign: Campaign, people: People) -> None:
    Campaign.objects.update(closed_at=timezone.now())
    client = people.client(people.ben)
    assert client.get(f"/work/{campaign.pk}/").headers["Location"] == "/work/"
    assert campaign.comparisons.filter(annotator=people.ben).count() == 0
