"""A machine's answers, given the way the product gives them."""

from collections.abc import Callable
from typing import Any

from django.test import override_settings

from annotate.answering import Outcome
from annotate.machines.actions import assign, create_machine
from annotate.machines.answering import Task, machine_answer, machine_next
from annotate.models import Assignment, Campaign, Judgement
from pairselect.env import Server

LAB = {"lab": Server("http://127.0.0.1:9/v1", "sk-secret")}


def at_server(address: str) -> Any:
    return override_settings(PAIRSELECT_SERVERS={"lab": Server(address, "sk-secret")})


def on_server(campaign: Campaign, name: str = "judge", **options: Any) -> Assignment:
    """A machine that the server ``lab`` is to be asked as."""
    machine = create_machine(name, model="lab:m", instructions=options.pop("instructions", ""))
    return assign(campaign, machine, **options)


def by_api(campaign: Campaign, name: str = "own", **options: Any) -> Assignment:
    return assign(campaign, create_machine(name), **options)


def answer_all(
    assignment: Assignment, choose: Callable[[Task], str], **details: Any
) -> list[Judgement]:
    """Answer all that is left by what `choose` says of each task; in both orders of each pair."""
    campaign, machine, given = assignment.campaign, assignment.machine, []
    while task := machine_next(campaign, machine):
        outcome = machine_answer(
            campaign,
            machine,
            comparison_id=task.comparison.pk,
            lease=task.lease,
            choice=choose(task),
            **details,
        )
        assert outcome is Outcome.STORED
        given.append(Judgement.objects.get(lease=task.lease))
    return given


def for_first(task: Task) -> str:
    """The pair's first text is better, on whichever side."""
    return "left" if task.comparison.first_on_left else "right"


def for_second(task: Task) -> str:
    return "right" if task.comparison.first_on_left else "left"


def always_left(task: Task) -> str:
    return "left"
