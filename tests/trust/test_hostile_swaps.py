"""Ids of somebody else's rows, in addresses and in what is sent: nothing moves by them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Flag, Gold, Guideline, Judgement, Participation
from pairselect.api.models import Token
from tests import permissions
from tests.conftest import give
from tests.permissions import House, outcome
from tests.trust.watching import everything, writes

house = permissions.house


@dataclass
class Rows:
    """Somebody's rows in the same campaign, and in another one."""

    mine: Judgement  # the annotator's
    bens: Comparison  # in a colleague's hands
    bens_answer: Judgement
    dispute: Comparison  # for the adjudicator
    theirs: Judgement  # the outsider's, in the other campaign
    guideline: Guideline  # of the other campaign


@pytest.fixture
def rows(house: House) -> Rows:
    campaign, other = house.campaign, house.other
    ben, sam = campaign.annotators.get(username="ben"), house.users["outsider"]
    bens_answer = give(campaign, ben, "left")
    bens = next_comparison(campaign, ben)
    assert bens is not None
    assert bens.lease is not None
    dispute = Comparison.objects.create(
        campaign=campaign, kind=Comparison.Kind.ADJUDICATION, pair=bens.pair, position=0,
        annotator=house.users["adjudicator"], lease=uuid4(), claimed_at=timezone.now(),
        leased_until=timezone.now() + timedelta(minutes=9), shown_at=timezone.now(),
    )  # fmt: skip
    change_guidelines(other, "Of the other.", created_by=house.users["admin"])
    return Rows(
        mine=Judgement.objects.get(annotator=house.users["annotator"]),
        bens=bens,
        bens_answer=bens_answer,
        dispute=dispute,
        theirs=give(other, sam, "left"),
        guideline=other.guidelines.get(),
    )


def at(name: str, campaign: Campaign, *more: int) -> str:
    return reverse(f"annotate:{name}", args=[campaign.pk, *more])


# Who asks, where, with what: each is answered as if there were nothing.
NOT_THERE: dict[str, Callable[[House, Rows], tuple[str, str, str, dict[str, Any]]]] = {
    "an answer to a comparison of another campaign, in one's own": lambda h, r: (
        "outsider", "POST", at("answer", h.other, r.bens.pk), {"token": r.bens.lease}),
    "an answer in another campaign": lambda h, r: (
        "outsider", "POST", at("answer", h.campaign, r.bens.pk), {"token": r.bens.lease}),
    "an adjudicator's comparison, for an annotator": lambda h, r: (
        "annotator", "POST", at("answer", h.campaign, r.dispute.pk), {"token": r.dispute.lease}),
    "an annotator's comparison, for an adjudicator": lambda h, r: (
        "adjudicator", "POST", at("answer", h.campaign, r.bens.pk), {"token": r.bens.lease}),
    "an annotator's comparison, for an admin": lambda h, r: (
        "admin", "POST", at("answer", h.campaign, r.bens.pk), {"token": r.bens.lease}),
    "a colleague's comparison, to look at": lambda h, r: (
        "annotator", "GET", at("revise", h.campaign, r.bens.pk), {}),
    "a colleague's answer, to look at": lambda h, r: (
        "annotator", "GET", at("revise", h.campaign, r.bens_answer.comparison_id), {}),
    "an answer of another campaign, to look at": lambda h, r: (
        "annotator", "GET", at("revise", h.campaign, r.theirs.comparison_id), {}),
    "an answer of another campaign, there": lambda h, r: (
        "annotator", "GET", at("revise", h.other, r.theirs.comparison_id), {}),
    "a flag on a colleague's comparison": lambda h, r: (
        "annotator", "POST", at("flag", h.campaign, r.bens.pk), {"kind": "other"}),
    "a flag on one of another campaign": lambda h, r: (
        "annotator", "POST", at("flag", h.campaign, r.theirs.comparison_id), {"kind": "other"}),
    "gold by the address of another campaign": lambda h, r: (
        "admin", "POST", at("gold_retire", h.other, Gold.objects.get().pk), {"on": "1"}),
    "a flag by the address of another campaign": lambda h, r: (
        "admin", "POST", at("flag_resolve", h.other, Flag.objects.get().pk), {"on": "1"}),
    "a machine by the address of another campaign": lambda h, r: (
        "admin", "POST", at("machine_ask", h.other, h.campaign.assignments.get().pk), {}),
    "a machine's removal by it": lambda h, r: (
        "admin", "POST", at("machine_remove", h.other, h.campaign.assignments.get().pk), {}),
    "a person by the page that deletes pools": lambda h, r: (
        "admin", "POST", f"/manage/user/{h.users['annotator'].pk}/delete/", {}),
    "the operator's role, for an admin": lambda h, r: (
        "admin", "POST", reverse("accounts:role", args=[h.users["operator"].pk]),
        {"role": "annotator"}),
    "one's own role": lambda h, r: (
        "admin", "POST", reverse("accounts:role", args=[h.users["admin"].pk]),
        {"role": "annotator"}),
    "the operator's account": lambda h, r: (
        "admin", "POST", reverse("accounts:deactivate", args=[h.users["operator"].pk]), {}),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_THERE)
def test_what_is_not_theirs_is_not_there(what: str, house: House, rows: Rows) -> None:
    column, method, address, data = NOT_THERE[what](house, rows)
    if "answer" in address:
        data = {"choice": "left"} | data
    with writes() as changed:
        response = house.send(column, method, address, data)
    assert response.status_code == 404
    assert changed == []


# What is sent to one's own address with a number of somebody else's in it: refused, not stored.
NOT_TAKEN: dict[str, Callable[[House, Rows], tuple[str, str, dict[str, Any]]]] = {
    "a colleague's lease": lambda h, r: (
        "annotator", at("answer", h.campaign, r.bens.pk), {"token": r.bens.lease}),
    "a colleague's lease, for one's own comparison": lambda h, r: (
        "annotator", at("answer", h.campaign, r.mine.comparison_id), {"token": r.bens.lease}),
    "a colleague's answer, to be replaced": lambda h, r: (
        "annotator", at("answer", h.campaign, r.mine.comparison_id),
        {"token": uuid4(), "replaces": r.bens_answer.pk}),
    "a colleague's answer, to be replaced where it is": lambda h, r: (
        "annotator", at("answer", h.campaign, r.bens_answer.comparison_id),
        {"token": uuid4(), "replaces": r.bens_answer.pk}),
    "an answer of another campaign, to be replaced": lambda h, r: (
        "annotator", at("answer", h.campaign, r.mine.comparison_id),
        {"token": uuid4(), "replaces": r.theirs.pk}),
    "a colleague's answer, to be taken back": lambda h, r: (
        "annotator", at("undo", h.campaign), {"judgement": r.bens_answer.pk}),
    "an answer of another campaign, to be taken back": lambda h, r: (
        "annotator", at("undo", h.campaign), {"judgement": r.theirs.pk}),
    "guidelines of another campaign, as read": lambda h, r: (
        "annotator", at("read_guidelines", h.campaign), {"guideline": r.guideline.pk}),
    "annotators who are none": lambda h, r: (
        "admin", at("campaign_annotators", h.campaign),
        {"annotators": [h.users["inactive"].pk, h.users["admin"].pk]}),
    "an adjudicator who has no account any more": lambda h, r: (
        "admin", at("campaign_disagreements", h.campaign),
        {"adjudicate": "any", "adjudicators": [h.users["inactive"].pk]}),
    "a token for somebody else": lambda h, r: (
        "admin", reverse("tokens:tokens"),
        {"name": "x", "scopes": ["read"], "user": h.users["annotator"].pk}),
    "a token good for more than the person": lambda h, r: (
        "annotator", reverse("tokens:tokens"), {"name": "x", "scopes": ["read", "prepare"]}),
    "a role that there is not": lambda h, r: (
        "admin", reverse("accounts:role", args=[h.users["annotator"].pk]), {"role": "operator"}),
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_TAKEN)
def test_what_is_not_theirs_is_not_taken(what: str, house: House, rows: Rows) -> None:
    column, address, data = NOT_TAKEN[what](house, rows)
    if "/answer/" in address:
        data = {"choice": "right"} | data
    before = everything()
    response = house.send(column, "POST", address, data)
    assert outcome(response) == "in"  # the page says so
    assert everything() == before


def test_a_token_of_ones_own_names_nobody_else(house: House) -> None:
    """An annotator's form has no such field; sent all the same, it is not read."""
    data = {"name": "x", "scopes": ["read"], "user": house.users["admin"].pk}
    house.send("annotator", "POST", reverse("tokens:tokens"), data)
    assert Token.objects.get(name="x").user == house.users["annotator"]


def test_anothers_lease_among_those_that_the_page_has_moves_nothing(
    house: House, rows: Rows
) -> None:
    ahead = house.campaign.comparisons.filter(annotator__username="ben", shown_at=None)
    Comparison.objects.filter(pk=rows.bens.pk).update(shown_at=None)
    before = Comparison.objects.filter(pk=rows.bens.pk).values().get()
    address = at("upcoming", house.campaign)
    response = house.send("annotator", "POST", address, {"have": [str(rows.bens.lease)]})
    assert response.status_code == 200
    assert Comparison.objects.filter(pk=rows.bens.pk).values().get() == before
    assert str(rows.bens.lease) not in response.content.decode()
    assert ahead.filter(pk=rows.bens.pk).exists()


def test_an_answer_names_no_guidelines_of_another_campaign(house: House, rows: Rows) -> None:
    anna = house.users["annotator"]
    found = next_comparison(house.campaign, anna)
    assert found is not None
    data = {"choice": "left", "token": found.lease, "guideline": rows.guideline.pk}
    house.send("annotator", "POST", at("answer", house.campaign, found.pk), data)
    stored = Judgement.objects.get(lease=found.lease)
    assert stored.guideline is None
    assert not Participation.objects.filter(guideline=rows.guideline, annotator=anna).exists()


def pause(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(paused_at=timezone.now())


def close(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(closed_at=timezone.now())


def put_away(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(archived_at=timezone.now())


def take_off(campaign: Campaign) -> None:
    campaign.annotators.clear()


STATES = {"paused": pause, "closed": close, "archived": put_away, "taken off": take_off}
# For whoever has worked there: led away, their own answers to look at, nothing else.
WHEN_NOT_AT_WORK = {
    ("GET", "compare"): "/work/",
    ("POST", "upcoming"): 200,
    ("POST", "undo"): "/work/{}/",
    ("GET", "history"): 200,
    ("GET", "revise"): 404,
    ("POST", "read_guidelines"): 404,
    ("POST", "onboarding_again"): 404,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("method", "name"), WHEN_NOT_AT_WORK)
def test_a_campaign_that_is_not_open_to_them(
    method: str, name: str, state: str, house: House, rows: Rows
) -> None:
    STATES[state](house.campaign)
    more = [rows.mine.comparison_id] if name == "revise" else []
    with writes() as changed:
        data = {"judgement": rows.mine.pk, "guideline": 1}
        response = house.send("annotator", method, at(name, house.campaign, *more), data)
    wanted = WHEN_NOT_AT_WORK[method, name]
    found: object = response.status_code
    if isinstance(wanted, str):
        assert found == 302
        found, wanted = response.headers["Location"], wanted.format(house.campaign.pk)
    assert found == wanted
    assert changed == []
    if name == "upcoming":
        assert response.json()["sheets"] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["compare", "history", "upcoming", "undo"])
def test_a_campaign_that_never_opened_is_not_there(name: str, house: House, rows: Rows) -> None:
    Campaign.objects.filter(pk=house.campaign.pk).update(opened_at=None)
    method = "GET" if name in ("compare", "history") else "POST"
    response: HttpResponse = house.send("annotator", method, at(name, house.campaign))
    assert response.status_code == 404


@pytest.mark.parametrize("state", STATES)
def test_an_answer_in_hand_still_counts(state: str, house: House, rows: Rows) -> None:
    """Else a label would be lost that somebody was giving."""
    found = next_comparison(house.campaign, house.users["annotator"])
    assert found is not None
    STATES[state](house.campaign)
    data = {"choice": "left", "token": found.lease}
    house.send("annotator", "POST", at("answer", house.campaign, found.pk), data)
    assert Judgement.objects.filter(lease=found.lease, choice="left").exists()
