"""Machines that judge: servers that answer as told, and answers given as the product gives them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from annotate.answering import Outcome
from annotate.machines.actions import asked, assign, create_machine
from annotate.machines.answering import Task, machine_answer, machine_next
from annotate.machines.judging import judge_campaign
from annotate.models import Assignment, Campaign, Judgement
from pairselect.env import Server
from pairselect.pools.engine import endpoint
from tests.conftest import NoProgress
from tests.pools.engine.servers import Misbehaving, completion, misbehaving_server

LAB = {"lab": Server("http://127.0.0.1:9/v1", "sk-secret")}
Answer = tuple[int, dict[str, str], Any]


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


class Noticing(NoProgress):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.reports: list[tuple[int, int]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def report(self, done: int, total: int, message: str = "") -> None:
        self.reports.append((done, total))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    monkeypatch.setattr(endpoint, "_FIRST_WAIT", 0.01)
    with misbehaving_server() as (address, told), at_server(address):
        told.answer = replying(lambda body: "A")
        yield told


def replying(say: Callable[[dict[str, Any]], str], **changes: Any) -> Callable[..., Answer]:
    return lambda body: (200, {}, completion(say(body), **changes))


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


def run(assignment: Assignment, progress: Any = None) -> None:
    judge_campaign(assignment.pk, progress or NoProgress())


def given(assignment: Assignment) -> list[Judgement]:
    return list(
        Judgement.objects.filter(comparison__in=asked(assignment))
        .select_related("comparison__pair", "guideline")
        .order_by("comparison__position", "comparison__slot")
    )
