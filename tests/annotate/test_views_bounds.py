"""What the comparison page gives nobody: what is not theirs, what a check is, and time."""

import json
import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from annotate.addresses import id_of, word_of
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Comparison, Flag, Gold, Judgement
from annotate.views import answers
from pairselect.pools.models import Completion, Prompt
from tests.annotate.desk import JSON, address, ask, hidden, page_of, post
from tests.annotate.giving import gold_for, repeat
from tests.conftest import People, give, make_campaign


@pytest.fixture
def anna(people: People, campaign: Campaign) -> Client:
    return people.client(people.anna)


@pytest.fixture
def long(people: People) -> Campaign:
    """Plenty for two."""
    return make_campaign(people.anna, people.ben, prompts=20, name="long")


# What is not theirs


def test_a_comparison_of_another_campaign_is_not_found(
    anna: Client, campaign: Campaign, people: People
) -> None:
    other = make_campaign(people.stranger, name="other")
    word = word_of(other.comparisons.all()[0].pk)
    for where in (f"/work/{campaign.pk}/{word}/", f"/work/{other.pk}/{word}/"):
        for what in ("answer/", "flag/"):
            sent = {"choice": "left", "token": uuid.uuid4(), "kind": "other"}
            assert anna.post(f"{where}{what}", sent).status_code == 404
        assert anna.get(where).status_code == 404
    for what in ("", "history/"):
        assert anna.get(f"/work/{other.pk}/{what}").status_code == 404


@pytest.mark.parametrize("what", ["answer", "flag"])
def test_a_comparison_deleted_in_that_moment_is_not_found(
    what: str, anna: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(anna, campaign)
    sent = {"choice": "left", "token": hidden(page, "token"), "kind": "other"}
    where, deleted = address(page, what), id_of(address(page).split("/")[3])
    usual = getattr(answers, f"store_{what}")

    def after_all_others(*args: Any, **kwargs: Any) -> Any:
        Comparison.objects.filter(pk=deleted).delete()
        return usual(*args, **kwargs)

    monkeypatch.setattr(answers, f"store_{what}", after_all_others)
    assert anna.post(where, sent).status_code == 404
    told = anna.post(where, sent, headers=JSON)
    assert (told.status_code, told.json()) == (404, {"outcome": "gone"})


def test_the_comparison_of_another_person_is_not_to_be_had(
    anna: Client, campaign: Campaign, people: People
) -> None:
    bens = give(campaign, people.ben, "left")
    held = people.client(people.ben).get(f"/work/{campaign.pk}/").context["sheet"]
    for where in (
        f"/work/{campaign.pk}/{word_of(bens.comparison_id)}/",
        held.answer_url.removesuffix("answer/"),
    ):
        assert anna.get(where).status_code == 404
        assert anna.post(f"{where}flag/", {"kind": "other"}).status_code == 404
        for lease in (held.token, bens.lease, uuid.uuid4()):
            for replaces in ("", bens.pk):
                sent = {"choice": "right", "token": lease, "replaces": replaces}
                state = ask(anna, f"{where}answer/", **sent)
                assert state["outcome"] == "passed on"
    assert list(Judgement.objects.values_list("pk", "withdrawn_at")) == [(bens.pk, None)]
    assert not Flag.objects.exists()


@pytest.mark.parametrize("word", ["1", "a" * 13, "7" * 13, "A" * 13, "0" * 13, "a" * 14])
def test_an_address_that_names_nothing_is_not_found(
    anna: Client, campaign: Campaign, word: str
) -> None:
    assert anna.get(f"/work/{campaign.pk}/{word}/").status_code == 404


def test_addresses_come_back_as_the_ids_they_were_made_of() -> None:
    ids = [*range(1, 200), 2**31, 2**32 - 1, 2**32, 2**63 - 1]
    words = [word_of(pk) for pk in ids]
    assert [id_of(word) for word in words] == ids
    assert len(set(words)) == len(ids)
    for letter in range(12):  # neighbours have nothing in common
        assert len({word[letter] for word in words}) > 16


# Checks


@pytest.mark.parametrize("kind", ["repeat", "gold"])
def test_nothing_tells_a_check_from_the_others(people: People, kind: str) -> None:
    """Page, JSON and addresses, with all texts the same, but for numbers and tokens."""
    seen = {}
    for name in ("label", kind):
        campaign = make_campaign(people.anna, prompts=20, name=f"campaign {len(seen)}")
        given = give(campaign, people.anna, "left")
        if name == "repeat":
            repeat(given)
        elif name == "gold":
            gold_for(campaign, people.anna)
        messages = [{"role": "user", "content": "2 + 2?"}]
        Prompt.objects.update(messages=messages)
        Completion.objects.update(text="4")
        Gold.objects.update(messages=messages, better="4", worse="4")
        client = people.client(people.anna)
        page = page_of(client, campaign)
        state = ask(client, f"/work/{campaign.pk}/upcoming/")
        found = Comparison.objects.get(lease=hidden(page, "token"))
        assert found.kind == name
        assert f"/{found.pk}/" not in page + json.dumps(state)
        post(client, page, "left")
        history = client.get(f"/work/{campaign.pk}/history/").content.decode()
        seen[name] = [_plain(text) for text in (page, json.dumps(state), history)]
    assert seen["label"] == seen[kind]


def _plain(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "TOKEN", text)
    text = re.sub(r"/[a-z2-7]{13}/", "/WORD/", text)
    text = re.sub(r"[A-Za-z0-9]{64}", "CSRF", text)
    text = re.sub(r">(now|a second ago|\d+ seconds ago)<", ">JUST NOW<", text)
    return re.sub(r"\d+", "N", text)


# What it costs


@pytest.mark.parametrize("prompts", [20, 60])
@pytest.mark.parametrize("k", [1, 3])
def test_page_and_answer_cost_the_same_however_long_the_queue(
    people: People, prompts: int, k: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=prompts, labels_per_pair=k)
    change_guidelines(campaign, "Be kind.")
    client = people.client(people.anna)
    page = page_of(client, campaign)
    held = ask(client, f"/work/{campaign.pk}/upcoming/", have=[hidden(page, "token")])["held"]
    lock = int(connection.features.has_select_for_update)  # of the person, before comparisons
    with django_assert_num_queries(14 + lock):
        client.get(f"/work/{campaign.pk}/")
    with django_assert_num_queries(13 + lock):
        ask(client, f"/work/{campaign.pk}/upcoming/", have=held)
    with django_assert_num_queries((23 if k == 1 else 26) + lock):  # whether others' labels differ
        ask(client, address(page), choice="left", token=held[0], have=held[1:])


def test_work_costs_the_same_for_each_campaign(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = people.client(people.anna)
    for number, name in enumerate(("one", "two", "three"), start=1):
        make_campaign(people.anna, name=name)
        with django_assert_num_queries(5 + 5 * number):
            client.get("/work/")
