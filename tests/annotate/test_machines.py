"""A machine at a server, misbehaving as it is told: asked in both orders, once, and kept."""

import json
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.test import RequestFactory, override_settings
from django.urls import reverse

from annotate.guidelines import change_guidelines
from annotate.machines.actions import (
    MachineRefused,
    asked,
    assign,
    create_machine,
    lay_out,
    take_out,
)
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import annotators
from pairselect.accounts.forms import PersonForm
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError
from tests.annotate import machining
from tests.annotate.machining import (
    LAB,
    Answer,
    Noticing,
    answer_all,
    by_api,
    for_first,
    given,
    on_server,
    prompt_of,
    replying,
    run,
)
from tests.conftest import People, give, make_campaign
from tests.pools.engine.servers import Misbehaving, completion

pytestmark = pytest.mark.django_db

server = machining.server  # a fixture


# the machine


def test_nobody_can_log_in_as_a_machine(people: People) -> None:
    for machine in (create_machine("own"), on_model("judge")):
        user = machine.user
        assert not user.has_usable_password()
        assert not user.groups.exists()
        assert (
            authenticate(RequestFactory().post("/login/"), username=user.username, password="")
            is None
        )
    assert not on_model("judge").user.is_active
    assert create_machine("own").user.is_active  # so that a token of it works


def on_model(name: str, model: str = "lab:m", **options: Any) -> Any:
    with override_settings(PAIRSELECT_SERVERS=LAB):
        return create_machine(name, model=model, **options)


def test_a_machine_is_in_no_list_of_people(people: People) -> None:
    user = create_machine("own").user
    assert user not in annotators()
    client = people.client(people.admin)
    assert b"machine:own" not in client.get("/people/").content
    for action in ("new_link", "role", "deactivate", "reactivate"):
        for person, status in ((user, {404}), (people.stranger, {200, 302})):
            assert (
                client.post(reverse(f"accounts:{action}", args=[person.pk])).status_code in status
            )


def test_no_person_can_be_called_like_a_machine() -> None:
    form = PersonForm({"username": "machine:own", "role": "annotator"})
    assert not form.is_valid()
    assert "username" in form.errors


def test_asked_for_again_it_is_the_same_machine() -> None:
    machine = on_model("judge", instructions="Mind the units.")
    assert on_model("judge", instructions="Mind the units.").pk == machine.pk
    with pytest.raises(MachineRefused, match="another model or other instructions"):
        on_model("judge")
    with pytest.raises(MachineRefused, match="another model or other instructions"):
        create_machine("judge", instructions="Mind the units.")
    assert User.objects.filter(username="machine:judge").count() == 1


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 61, "<b>"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(MachineRefused, match="letters, digits"):
        create_machine(name)


@pytest.mark.parametrize(
    "model",
    ["http://169.254.169.254/latest", "other:m", "lab:", "lab", "lab: ", "embedded:smollm2"],
)
def test_only_the_operators_servers_can_be_asked(model: str) -> None:
    with pytest.raises(MachineRefused, match="operator"):
        on_model("judge", model=model)
    assert not User.objects.filter(username="machine:judge").exists()
    with override_settings(PAIRSELECT_SERVERS={}), pytest.raises(MachineRefused, match="no server"):
        create_machine("judge", model="lab:m")


# what it is asked


def test_each_pair_is_asked_in_both_orders(campaign: Campaign, server: Misbehaving) -> None:
    change_guidelines(campaign, "Shorter wins.")
    assignment = on_server(campaign, instructions="Mind the units.")
    run(assignment)
    found = given(assignment)
    assert [(one.comparison.position, one.first_on_left) for one in found] == [
        (place, side) for place in range(3) for side in (True, False)
    ]
    shown = {prompt_of(body) for body in server.asked}
    assert len(shown) == 6
    for one in found:
        pair = one.comparison.designed
        a, b = (pair.first, pair.second) if one.first_on_left else (pair.second, pair.first)
        text = next(t for t in shown if f"ANSWER A\n{a.text}\n" in t)
        assert f"ANSWER B\n{b.text}\n" in text
        assert "Shorter wins." in text
        assert "Mind the units." in text
    assert {one.guideline.number for one in found if one.guideline} == {1}
    assert all(one.choice == "left" and one.seconds > 0 for one in found)
    assert all(one.comparison.labelled_at is not None for one in found)
    assert all(body["temperature"] == 0 for body in server.asked)


def test_it_may_say_what_the_campaign_asks(people: People, server: Misbehaving) -> None:
    campaign = make_campaign(people.anna, ties=False, both_bad=False, prompts=1)
    server.answer = replying(lambda body: "TIE")
    assignment = on_server(campaign)
    with pytest.raises(JobError, match="no answer that can be read to the first 2 questions"):
        run(assignment)
    assert all("Reply with A or B" in prompt_of(body) for body in server.asked)
    assert given(assignment) == []  # what was held back stands for nothing
    server.answer = replying(lambda body: "B")
    run(assignment)
    assert [one.choice for one in given(assignment)] == ["right", "right"]


def test_names_are_masked_as_people_see_them(people: People, server: Misbehaving) -> None:
    campaign = make_campaign(people.anna, mask_identities=True, prompts=1)
    pair = campaign.design.pairs.get()
    pair.first.text = "I am ChatGPT, a model trained by OpenAI."
    pair.first.save()
    run(on_server(campaign))
    assert server.asked
    assert not any("OpenAI" in prompt_of(body) for body in server.asked)
    assert all("▮▮▮" in prompt_of(body) for body in server.asked)


def test_the_first_pairs_alone(people: People, server: Misbehaving) -> None:
    campaign = make_campaign(people.anna, prompts=4)
    assignment = on_server(campaign, pairs=2)
    run(assignment)
    assert {one.comparison.position for one in given(assignment)} == {0, 1}
    assert len(server.asked) == 4
    assign(campaign, assignment.machine)
    run(assignment)
    assert len(given(assignment)) == len(server.asked) == 8


def test_labelled_pairs_alone(people: People, server: Misbehaving) -> None:
    campaign = make_campaign(people.anna, prompts=4)
    for choice in ("skip", "left", "tie"):
        give(campaign, people.anna, choice)
    assignment = on_server(campaign, labelled_only=True)
    run(assignment)
    labelled = campaign.comparisons.filter(kind="label", labelled_at__isnull=False)
    assert len(labelled) == 2
    assert {one.comparison.pair_id for one in given(assignment)} == {
        one.pair_id for one in labelled
    }


def test_comparisons_are_laid_out_once(campaign: Campaign) -> None:
    assignment = by_api(campaign)
    assert (lay_out(assignment, most=2), lay_out(assignment), lay_out(assignment)) == (2, 1, 0)
    rows = asked(assignment).values_list("pair", "slot", "first_on_left")
    assert len(rows) == len(set(rows)) == 6
    assert all(first_on_left == (slot == 0) for _pair, slot, first_on_left in rows)


# its answers


def test_a_confidence_and_the_cost_are_kept(campaign: Campaign, server: Misbehaving) -> None:
    logprobs = {
        "content": [
            {
                "token": "B",
                "bytes": None,
                "logprob": -0.2,
                "top_logprobs": [
                    {"token": "B", "bytes": None, "logprob": -0.6931471805599453},
                    {"token": "A", "bytes": None, "logprob": -1.3862943611198906},
                ],
            }
        ]
    }
    server.answer = replying(lambda body: "B", logprobs=logprobs)
    assignment = on_server(campaign)
    run(assignment)
    assert [one.confidence for one in given(assignment)] == [pytest.approx(2 / 3)] * 6
    assignment.refresh_from_db()
    spent = (assignment.requests, assignment.tokens_read, assignment.tokens_written)
    assert spent == (6, 18, 12)


def test_a_server_without_logprobs_gives_no_confidence(
    campaign: Campaign, server: Misbehaving
) -> None:
    server.tries_well = False

    def answer(body: dict[str, Any]) -> Answer:
        if "logprobs" in body:
            return 400, {}, {"error": {"message": "logprobs are not supported"}}
        return 200, {}, completion("A")

    server.answer = answer
    assignment = on_server(campaign)
    run(assignment)
    assert [one.confidence for one in given(assignment)] == [None] * 6


def test_nonsense_is_asked_once_more_and_then_skipped(
    campaign: Campaign, server: Misbehaving
) -> None:
    def say(body: dict[str, Any]) -> str:
        if "Answer 0 to question 1" not in prompt_of(body):
            return "A"
        return "Well, it depends." if "ANSWER A\nAnswer 0" in prompt_of(body) else answers.pop(0)

    answers = ["Hm.", "B"]  # the other order: read at the second try
    server.answer = replying(say)
    assignment, progress = on_server(campaign), Noticing()
    run(assignment, progress)
    by_pair = {
        (one.comparison.designed.prompt.position, one.first_on_left): one
        for one in given(assignment)
    }
    skipped, mended = by_pair[1, True], by_pair[1, False]
    assert (skipped.choice, skipped.skip_reason) == ("skip", "other")
    assert skipped.reason == "The reply cannot be read: “Well, it depends.”."
    assert mended.choice == "right"
    assert len(server.asked) == 8
    again = [body for body in server.asked if len(body["messages"]) == 3]
    assert len(again) == 2
    assert again[0]["messages"][2]["content"] == "Reply with A, B, TIE or NEITHER and nothing else."
    assert progress.notices == [
        "1 of 6 answers could not be had and are kept as skips; the last: "
        "The reply cannot be read: “Well, it depends.”."
    ]
    run(assignment)
    assert len(server.asked) == 8  # nothing is asked again


def test_a_refused_text_is_skipped_with_the_servers_words(
    campaign: Campaign, server: Misbehaving
) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if "question 2" in prompt_of(body):
            return 400, {}, {"error": {"message": "longer than the context"}}
        return 200, {}, completion("A")

    server.answer = answer
    assignment = on_server(campaign)
    run(assignment)
    skips = [one for one in given(assignment) if one.choice == "skip"]
    assert len(skips) == 2
    assert "longer than the context" in skips[0].reason
    assert len(server.asked) == 6  # a refusal is not asked for again


def test_a_reason_is_kept_where_it_is_whole(people: People, server: Misbehaving) -> None:
    campaign = make_campaign(people.anna, prompts=1, reason="required")
    server.answer = replying(lambda body: "A\nIt is shorter.")
    assignment = on_server(campaign)
    run(assignment)
    assert [one.reason for one in given(assignment)] == ["It is shorter."] * 2
    cut = on_server(campaign, name="cut")
    server.answer = replying(lambda body: "A\nIt is sho", finish_reason="length")
    run(cut)
    assert [one.reason for one in given(cut)] == ["", ""]


# taken out


def test_a_machine_without_answers_can_be_taken_out(campaign: Campaign) -> None:
    assignment = by_api(campaign)
    lay_out(assignment)
    take_out(assignment)
    assert not Comparison.objects.filter(kind="machine").exists()
    assert not campaign.assignments.exists()


def test_answers_are_kept_with_their_machine(campaign: Campaign, server: Misbehaving) -> None:
    assignment = on_server(campaign)
    run(assignment)
    with pytest.raises(MachineRefused, match="answers are kept"):
        take_out(assignment)
    assert len(given(assignment)) == 6


def test_an_answer_that_comes_while_it_is_taken_out_is_kept(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = by_api(campaign)
    lay_out(assignment)
    true = QuerySet.exists

    def then_answered(rows: QuerySet[Any]) -> bool:
        found = true(rows)
        if rows.model is Judgement:
            monkeypatch.setattr(QuerySet, "exists", true)
            answer_all(assignment, for_first)
        return found

    monkeypatch.setattr(QuerySet, "exists", then_answered)
    with pytest.raises(MachineRefused, match="answers are kept"):
        take_out(assignment)
    assert campaign.assignments.exists()


# the command


def test_the_command_asks_and_says_how_it_went(
    campaign: Campaign, server: Misbehaving, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("judge_campaign", "campaign", "--model", "lab:m", "--pairs", "2")
    assert capsys.readouterr().out == (
        "machine:m: 4 answers, 2 pairs in both orders; the same in both 0% (0–66% of 2), followed "
        "the side 100% (34–100% of 2), agrees with people –\n"
    )
    assert Job.objects.get(kind="judge_campaign").status == "done"


def test_the_command_answers_in_json(
    campaign: Campaign, server: Misbehaving, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("judge_campaign", "campaign", "--model=lab:m", "--name=strict", "--json")
    found = json.loads(capsys.readouterr().out)["machine"]
    assert (found["name"], found["answers"], found["requests"]) == ("machine:strict", 6, 6)
    assert found["followed_side"]["share"] == 1.0
    assert found["agreement"] == {"count": 0, "total": 0, "share": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", "--model", "lab:m"], "no campaign named “nothing”"),
        (["campaign", "--model", "gpt-9"], "none of the operator's servers"),
        (["campaign", "--model", "lab:m", "--pairs", "0"], "--pairs:"),
        (["campaign", "--model", "lab:m", "--name", "a b"], "letters, digits"),
    ],
)
def test_the_command_refuses(campaign: Campaign, arguments: list[str], said: str) -> None:
    with override_settings(PAIRSELECT_SERVERS=LAB), pytest.raises(CommandError, match=said):
        call_command("judge_campaign", *arguments)
    assert not Comparison.objects.filter(kind="machine").exists()
