"""Comparing by the API: leased, answered once, taken back; as blind as the page."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotate.addresses import id_of, word_of
from annotate.leasing import next_comparison
from annotate.machines.actions import assign, create_machine
from annotate.models import Campaign, Comparison, Gold, Judgement
from annotate.pacing import pace_and_cost
from annotate.queries import current_labels
from pairselect.pools.models import Completion
from tests.annotate.giving import gold_for, repeat
from tests.api.conftest import Program, program
from tests.conftest import People, make_campaign


def next_of(caller: Program, campaign: Campaign) -> dict[str, Any]:
    sheet: dict[str, Any] = caller.post(f"campaigns/{campaign.pk}/next")["comparison"]
    return sheet


def say(sheet: dict[str, Any], choice: str, **more: Any) -> dict[str, Any]:
    return {"comparison": sheet["id"], "lease": sheet["lease"], "choice": choice} | more


def test_an_answer_is_stored_as_the_page_would(campaign: Campaign, anna: Program) -> None:
    told = anna.post(f"campaigns/{campaign.pk}/next")
    sheet = told["comparison"]
    Comparison.objects.update(claimed_at=timezone.now() - timedelta(minutes=1))
    comparison = Comparison.objects.get(pk=id_of(sheet["id"]))
    assert (sheet["left"], sheet["right"]) == (comparison.left_text, comparison.right_text)
    assert sheet["messages"] == comparison.messages
    assert told["choices"] == ["left", "right", "tie", "both_bad", "skip"]
    body = say(sheet, "left", reason="Clearer.", seconds=4.5, active_seconds=3.0)
    answered = anna.post(f"campaigns/{campaign.pk}/answers", body)
    assert answered["outcome"] == "stored"
    stored = Judgement.objects.get()
    assert (stored.choice, stored.reason, stored.seconds, stored.active_seconds) == (
        "left", "Clearer.", 4.5, 3.0,
    )  # fmt: skip
    assert (stored.annotator.username, stored.comparison_id) == ("anna", comparison.pk)
    assert answered["answer"]["id"] == stored.pk
    assert next_of(anna, campaign)["id"] != sheet["id"]


def test_nobody_worked_longer_than_the_comparison_was_theirs(
    campaign: Campaign, anna: Program
) -> None:
    Campaign.objects.update(price=30, priced_by="hour")
    for more in ({"seconds": 90_000, "active_seconds": 90_000}, {"active_seconds": 90_000}):
        sheet = next_of(anna, campaign)
        anna.post(f"campaigns/{campaign.pk}/answers", say(sheet, "left", **more))
    campaign.refresh_from_db()
    cost = pace_and_cost(campaign).cost
    assert cost is not None
    assert cost.so_far < 1


def test_the_same_comparison_comes_until_it_is_answered(campaign: Campaign, anna: Program) -> None:
    first, again = next_of(anna, campaign), next_of(anna, campaign)
    assert (first["id"], first["lease"]) == (again["id"], again["lease"])
    assert first["leased_until"] <= again["leased_until"]


def test_an_answer_sent_twice_is_stored_once(campaign: Campaign, anna: Program) -> None:
    sheet, path = next_of(anna, campaign), f"campaigns/{campaign.pk}/answers"
    assert anna.post(path, say(sheet, "left"))["outcome"] == "stored"
    assert anna.post(path, say(sheet, "left"))["outcome"] == "repeated"
    status, error = anna.refused("POST", path, say(sheet, "right"))
    assert (status, error["code"]) == (409, "differed")
    assert list(current_labels().values_list("choice", flat=True)) == ["left"]


def test_a_lease_that_is_another_s_stores_nothing(
    campaign: Campaign, anna: Program, people: People
) -> None:
    sheet = next_of(anna, campaign)
    Comparison.objects.filter(pk=id_of(sheet["id"])).update(leased_until=timezone.now())
    assert next_comparison(campaign, people.ben) is not None
    status, error = anna.refused("POST", f"campaigns/{campaign.pk}/answers", say(sheet, "left"))
    assert (status, error["code"]) == (409, "passed_on")
    assert not Judgement.objects.exists()


def test_the_last_answer_can_be_taken_back_once(campaign: Campaign, anna: Program) -> None:
    sheet = next_of(anna, campaign)
    body = say(sheet, "tie", reason="Alike.")
    given = anna.post(f"campaigns/{campaign.pk}/answers", body)["answer"]["id"]
    path = f"campaigns/{campaign.pk}/undo"
    back = anna.post(path, {"answer": given})["comparison"]
    assert back["id"] == sheet["id"]
    assert back["lease"] != sheet["lease"]
    assert (back["earlier"]["choice"], back["earlier"]["reason"]) == ("tie", "Alike.")
    assert not current_labels().exists()
    assert anna.refused("POST", path, {"answer": given})[0] == 409


def test_what_the_campaign_asks_is_checked(people: People) -> None:
    campaign = make_campaign(
        people.anna, strengths=2, ties=False, criteria=["Honesty"], criteria_required=True,
        reason="required", reason_at=["left"],
    )  # fmt: skip
    anna = program(people.anna)
    sheet, path = next_of(anna, campaign), f"campaigns/{campaign.pk}/answers"

    def refusal(choice: str, **more: Any) -> str:
        status, error = anna.refused("POST", path, say(sheet, choice, **more))
        assert status == 422
        return error["field"] if "field" in error else error["message"]

    honest = {"Honesty": "left"}
    assert refusal("tie", criteria=honest) == "choice"
    assert refusal("left", criteria=honest, reason="x") == "choice"  # without a strength
    assert refusal("left", strength=3, criteria=honest, reason="x") == "choice"
    assert refusal("left", strength=2, criteria=honest) == "reason"
    assert refusal("right", strength=2) == "Answer every criterion first."
    assert refusal("right", strength=2, criteria={"Wit": "left"}) == "criteria"
    assert refusal("skip") == "skip_reason"
    assert refusal("right", strength=1, criteria=honest, edit="x", edit_of="right") == "edit"
    assert refusal("right", strength=1, criteria=honest, confidence=0.5) == "confidence"
    assert not Judgement.objects.exists()
    anna.post(path, say(sheet, "right", strength=2, criteria=honest))
    stored = Judgement.objects.get()
    assert (stored.strength, stored.criteria) == (2, honest)


def test_no_answer_tells_a_check_from_a_label(campaign: Campaign, people: People) -> None:
    """The same fields for each kind, and ids that say nothing of when a comparison was made."""
    anna, path = program(people.anna), f"campaigns/{campaign.pk}/answers"
    label = next_of(anna, campaign)
    first = anna.post(path, say(label, "left"))
    given = Judgement.objects.get()
    repeat(given)
    shown = next_of(anna, campaign)
    assert Comparison.objects.get(pk=id_of(shown["id"])).kind == Comparison.Kind.REPEAT
    again = anna.post(path, say(shown, "right"))
    gold_for(campaign, people.anna)
    known = next_of(anna, campaign)
    assert Comparison.objects.get(pk=id_of(known["id"])).kind == Comparison.Kind.GOLD
    third = anna.post(path, say(known, "left"))
    assert label.keys() == shown.keys() == known.keys()
    for one in (again, third):
        assert one.keys() == first.keys()
        assert one["explained"] is None
    told = anna.get(path)["items"]
    assert len(told) == 3
    assert len({frozenset(one) for one in told}) == 1
    assert "kind" not in told[0]


def test_texts_are_masked_where_the_campaign_masks(people: People) -> None:
    campaign = make_campaign(people.anna, mask_identities=True)
    Completion.objects.update(text="I am ChatGPT, made by OpenAI. The answer is 4.")
    sheet = next_of(program(people.anna), campaign)
    assert "ChatGPT" not in sheet["left"] + sheet["right"]
    assert "The answer is 4." in sheet["left"]


def test_the_onboarding_is_explained(people: People) -> None:
    campaign = make_campaign(people.anna, passing_mark=1.0)
    Gold.objects.create(
        campaign=campaign, use="onboarding", messages=[{"role": "user", "content": "2 + 2?"}],
        better="4", worse="5", explanation="It can be counted.",
    )  # fmt: skip
    anna, path = program(people.anna), f"campaigns/{campaign.pk}"
    sheet = next_of(anna, campaign)
    wrong = "right" if sheet["left"] == "4" else "left"
    explained = anna.post(f"{path}/answers", say(sheet, wrong))["explained"]
    better = {"left": "right", "right": "left"}[wrong]
    assert explained == {"right": False, "better": better, "explanation": "It can be counted."}
    told = anna.post(f"{path}/next")
    assert told["comparison"] is None
    assert told["onboarding"] == {"right": 0, "asked": 1, "needed": 1, "passed": False}
    anna.post(f"{path}/onboarding")
    sheet = next_of(anna, campaign)
    right = "left" if sheet["left"] == "4" else "right"
    assert anna.post(f"{path}/answers", say(sheet, right))["explained"]["right"] is True
    assert next_of(anna, campaign)["messages"] != sheet["messages"]  # the work has begun


def test_nothing_comes_of_a_campaign_that_is_closed_or_paused(
    campaign: Campaign, anna: Program, admin: Program
) -> None:
    sheet = next_of(anna, campaign)
    for stop, go in (("pause", "resume"), ("close", "reopen")):
        admin.post(f"campaigns/{campaign.pk}/{stop}")
        status, error = anna.refused("POST", f"campaigns/{campaign.pk}/next")
        assert (status, error["code"]) == (409, "not_open")
        assert anna.get("work") == []
        admin.post(f"campaigns/{campaign.pk}/{go}")
        assert next_of(anna, campaign)["id"] == sheet["id"]
    assert [one["id"] for one in anna.get("work")] == [campaign.pk]


def test_the_end_is_told(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    anna = program(people.anna)
    anna.post(f"campaigns/{campaign.pk}/answers", say(next_of(anna, campaign), "left"))
    told = anna.post(f"campaigns/{campaign.pk}/next")
    assert (told["comparison"], told["complete"]) == (None, True)


def test_a_machine_of_one_s_own_judges(campaign: Campaign, people: People) -> None:
    machine = create_machine("own")
    caller = program(machine.user, "judge")
    assert caller.refused("POST", f"campaigns/{campaign.pk}/next")[0] == 404
    assign(campaign, machine)
    answered = []
    while sheet := next_of(caller, campaign):
        body = say(sheet, "left", confidence=0.75, seconds=0.2)
        assert caller.post(f"campaigns/{campaign.pk}/answers", body)["outcome"] == "stored"
        answered.append(sheet["id"])
    assert len(set(answered)) == 6  # of three pairs in both orders
    stored = Judgement.objects.all()
    assert {one.confidence for one in stored} == {0.75}
    assert {one.comparison.kind for one in stored} == {Comparison.Kind.MACHINE}
    assert not current_labels().exists()
    known = next_comparison(campaign, people.anna)
    assert known is not None
    body = {"comparison": word_of(known.pk), "lease": str(known.lease), "choice": "left"}
    assert caller.refused("POST", f"campaigns/{campaign.pk}/answers", body)[0] == 422


def test_what_a_machine_has_in_hand_counts_and_no_more_comes(campaign: Campaign) -> None:
    machine = create_machine("own")
    assign(campaign, machine)
    caller = program(machine.user, "judge")
    sheet = next_of(caller, campaign)
    Campaign.objects.update(archived_at=timezone.now())
    assert caller.refused("POST", f"campaigns/{campaign.pk}/next")[0] == 404
    path = f"campaigns/{campaign.pk}/answers"
    assert caller.post(path, say(sheet, "left"))["outcome"] == "stored"


@pytest.mark.parametrize("word", ["", "nothing", "aaaaaaaaaaaaa", "1"])
def test_an_id_that_is_none_is_said_to_be(word: str, campaign: Campaign, anna: Program) -> None:
    sheet = next_of(anna, campaign) | {"id": word}
    status, error = anna.refused("POST", f"campaigns/{campaign.pk}/answers", say(sheet, "left"))
    assert (status, error.get("field")) in ((422, "comparison"), (404, None))
