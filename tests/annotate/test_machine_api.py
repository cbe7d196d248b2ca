"""A judge of the team's own: what it fetches, and which answers of it are taken."""

import uuid
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from annotate.answering import Outcome
from annotate.guidelines import change_guidelines
from annotate.machines.actions import MachineRefused, asked, create_machine
from annotate.machines.answering import Task, machine_answer, machine_next
from annotate.models import Assignment, Campaign, Comparison, Judgement
from tests.annotate.machining import LAB, answer_all, by_api, for_first, on_server
from tests.conftest import NoProgress, People, give, make_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def assignment(campaign: Campaign) -> Assignment:
    return by_api(campaign)


def fetch(assignment: Assignment) -> Task:
    task = machine_next(assignment.campaign, assignment.machine)
    assert task is not None
    return task


def send(assignment: Assignment, task: Task, choice: str = "left", **details: object) -> Outcome:
    return machine_answer(
        assignment.campaign,
        assignment.machine,
        comparison_id=task.comparison.pk,
        lease=task.lease,
        choice=choice,
        **details,  # type: ignore[arg-type]
    )


def test_it_gets_every_pair_in_both_orders(assignment: Assignment) -> None:
    given = answer_all(assignment, for_first, confidence=0.75, reason="It is true.", seconds=1.5)
    shown = [(one.comparison.position, one.first_on_left, one.choice) for one in given]
    assert shown == [
        (place, side, "left" if side else "right") for place in range(3) for side in (True, False)
    ]
    assert {(one.confidence, one.reason, one.seconds) for one in given} == {
        (0.75, "It is true.", 1.5)
    }
    assert machine_next(assignment.campaign, assignment.machine) is None


def test_a_task_has_what_a_server_would_be_shown(assignment: Assignment) -> None:
    change_guidelines(assignment.campaign, "Shorter wins.")
    task = fetch(assignment)
    pair = task.comparison.designed
    assert (task.question.left, task.question.right) == (pair.first.text, pair.second.text)
    assert task.question.messages == tuple(pair.prompt.messages)
    assert task.question.guidelines == "Shorter wins."
    assert task.question.choices == ("left", "right", "tie", "both_bad")
    assert task.guideline is not None
    stored = Comparison.objects.get(pk=task.comparison.pk)
    assert (stored.lease, stored.leased_until) == (task.lease, task.comparison.leased_until)
    assert stored.annotator == assignment.machine.user


def test_two_callers_of_one_machine_get_two_comparisons(assignment: Assignment) -> None:
    tasks = [fetch(assignment) for _ in range(6)]
    assert len({task.comparison.pk for task in tasks}) == 6
    assert machine_next(assignment.campaign, assignment.machine) is None
    late = timezone.now() - timedelta(minutes=1)
    Comparison.objects.filter(pk=tasks[2].comparison.pk).update(leased_until=late)
    again = fetch(assignment)
    assert again.comparison.pk == tasks[2].comparison.pk
    assert send(assignment, tasks[2]) is Outcome.PASSED_ON
    assert send(assignment, again) is Outcome.STORED


def test_an_answer_sent_twice_is_stored_once(assignment: Assignment) -> None:
    task = fetch(assignment)
    outcomes = [send(assignment, task), send(assignment, task), send(assignment, task, "right")]
    assert outcomes == [Outcome.STORED, Outcome.REPEATED, Outcome.DIFFERED]
    assert Judgement.objects.get().choice == "left"


def test_a_skip_is_not_asked_again(assignment: Assignment) -> None:
    task = fetch(assignment)
    assert send(assignment, task, "skip", reason="Too long.", confidence=0.5) is Outcome.STORED
    skip = Judgement.objects.get()
    assert (skip.choice, skip.reason, skip.confidence) == ("skip", "Too long.", None)
    assert fetch(assignment).comparison.pk != task.comparison.pk


def test_the_version_that_it_was_shown_is_kept(assignment: Assignment) -> None:
    change_guidelines(assignment.campaign, "Shorter wins.")
    task = fetch(assignment)
    change_guidelines(assignment.campaign, "Longer wins.")
    send(assignment, task, guideline=1)
    send(assignment, fetch(assignment))
    numbers = [one.guideline.number for one in Judgement.objects.all() if one.guideline]
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    ("choice", "details", "said"),
    [
        ("A", {}, "not asked for here"),
        ("left", {"confidence": 1.5}, "from 0 to 1"),
        ("left", {"confidence": float("nan")}, "from 0 to 1"),
        ("left", {"seconds": -1.0}, "86,400"),
        ("left", {"seconds": float("inf")}, "86,400"),
        ("left", {"seconds": 1e308}, "86,400"),
        ("left", {"confidence": -0.1}, "from 0 to 1"),
        ("left", {"reason": "x" * 10_001}, "at most"),
        ("left", {"reason": "a\x00b"}, "no NUL"),
        ("left", {"guideline": 7}, "no version 7"),
    ],
)
def test_what_cannot_be_is_refused(
    assignment: Assignment, choice: str, details: dict[str, object], said: str
) -> None:
    task = fetch(assignment)
    with pytest.raises(MachineRefused, match=said):
        send(assignment, task, choice, **details)
    assert not Judgement.objects.exists()
    assert send(assignment, task) is Outcome.STORED


def test_ties_are_refused_where_nobody_is_asked_for_them(people: People) -> None:
    assignment = by_api(make_campaign(people.anna, ties=False))
    with pytest.raises(MachineRefused, match="left, right, both_bad, skip"):
        send(assignment, fetch(assignment), "tie")


def test_peoples_comparisons_are_out_of_its_reach(
    assignment: Assignment, campaign: Campaign, people: People
) -> None:
    theirs = give(campaign, people.anna, "left").comparison
    other = fetch(by_api(campaign, "other")).comparison
    for comparison in (theirs, other):
        with pytest.raises(MachineRefused, match="none of the machine's"):
            machine_answer(
                campaign,
                assignment.machine,
                comparison_id=comparison.pk,
                lease=uuid.uuid4(),
                choice="left",
            )
    assert Judgement.objects.count() == 1


def test_it_must_have_been_added(campaign: Campaign) -> None:
    with pytest.raises(MachineRefused, match="Have an admin add it"):
        machine_next(campaign, create_machine("own"))


def test_a_machine_at_a_server_sends_nothing(campaign: Campaign) -> None:
    with override_settings(PAIRSELECT_SERVERS=LAB):
        assignment = on_server(campaign)
    with pytest.raises(MachineRefused, match="A server is asked"):
        machine_next(campaign, assignment.machine)
    assert not asked(assignment).exists()


def test_a_campaign_that_is_not_open_has_nothing(campaign: Campaign) -> None:
    Campaign.objects.update(opened_at=None)
    campaign.refresh_from_db()
    assignment = by_api(campaign)
    with pytest.raises(MachineRefused, match="not open yet"):
        machine_next(campaign, assignment.machine)


def test_nobody_asks_a_server_for_it(assignment: Assignment) -> None:
    from annotate.machines.judging import judge_campaign
    from pairselect.jobs.progress import JobError

    with pytest.raises(JobError, match="come by the API"):
        judge_campaign(assignment.pk, NoProgress())  # type: ignore[arg-type]
