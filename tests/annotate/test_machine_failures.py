"""A judging run that is cut off, refused or doubled: what was answered stands, once."""

from typing import Any

import pytest
from django.test import override_settings

from annotate.machines import judging
from annotate.machines.actions import asked, assign
from annotate.machines.asking import Reply
from annotate.models import Campaign
from pairselect.jobs.progress import JobError, JobStopped
from pairselect.pools.engine import endpoint as endpoint_module
from tests.annotate import machining
from tests.annotate.machining import LAB, Answer, Noticing, given, on_server, replying, run
from tests.conftest import NoProgress, People, make_campaign
from tests.pools.engine.servers import Misbehaving, completion

pytestmark = pytest.mark.django_db

server = machining.server  # a fixture


def test_a_lost_server_is_told_and_what_it_answered_stands(
    people: People, server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(people.anna, prompts=30)
    monkeypatch.setattr(judging, "FIRST_CHUNK", 10)
    real = endpoint_module.Endpoint
    monkeypatch.setattr(
        endpoint_module, "Endpoint", lambda *a, **k: real(*a, **k, attempts=2, concurrency=2)
    )

    def answer(body: dict[str, Any]) -> Answer:
        return (200, {}, completion("A")) if len(server.asked) <= 25 else (503, {}, {})

    server.answer = answer
    assignment, progress = on_server(campaign), Noticing()
    with pytest.raises(JobError, match="answers 503 .* 2 times in a row: see to the server"):
        run(assignment, progress)
    kept = {one.pk for one in given(assignment)}
    assert 20 <= len(kept) <= 25
    assert "trying again" in progress.notices[0]
    server.answer = replying(lambda body: "A")
    before = len(server.asked)
    run(assignment)
    assert kept < {one.pk for one in given(assignment)}
    assert len(given(assignment)) == 60
    assert len(server.asked) - before == 60 - len(kept)


def test_a_busy_server_is_waited_for(campaign: Campaign, server: Misbehaving) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return (
            (429, {"retry-after": "0"}, {})
            if len(server.asked) <= 3
            else (200, {}, completion("A"))
        )

    server.answer = answer
    assignment, progress = on_server(campaign), Noticing()
    run(assignment, progress)
    assert len(given(assignment)) == 6
    assert "429" in progress.notices[0]


def test_a_cancelled_run_keeps_what_it_has(campaign: Campaign, server: Misbehaving) -> None:
    class Cancelled(Noticing):
        def should_stop(self) -> bool:
            return any(done >= 2 for done, _total in self.reports)

    def answer(body: dict[str, Any]) -> Answer:
        return (200, {}, completion("A")) if len(server.asked) <= 2 else server.hang(body)

    server.answer = answer
    assignment = on_server(campaign)
    with pytest.raises(JobStopped):
        run(assignment, Cancelled())
    kept = given(assignment)
    assert len(kept) == 2
    server.let_go.set()
    server.answer = replying(lambda body: "A")
    run(assignment)
    assert {one.pk for one in kept} < {one.pk for one in given(assignment)}
    assert len(given(assignment)) == 6


def test_an_answer_that_another_worker_stored_is_not_doubled(
    campaign: Campaign, server: Misbehaving
) -> None:
    assignment = on_server(campaign)
    run(assignment)
    first = [one.pk for one in given(assignment)]
    # This worker read the rows before that one stored its answers.
    rows = list(asked(assignment).select_related("campaign__design__pool"))
    writer = judging.Writer(assignment, NoProgress())  # type: ignore[arg-type]
    for row in rows:
        writer.add(row, Reply("right"), None)
    writer.store()
    assert [one.pk for one in given(assignment)] == first


def test_another_revision_of_the_model_is_another_machine(
    campaign: Campaign, server: Misbehaving
) -> None:
    def listing(root: str) -> tuple[int, Any]:
        return 200, {"object": "list", "data": [{"id": "m", "root": root}]}

    server.models = listing("org/model-1")
    assignment = on_server(campaign, pairs=1)
    run(assignment)
    server.models = listing("org/model-2")
    assign(campaign, assignment.machine)
    with pytest.raises(JobError, match="another revision of lab:m .root differs."):
        run(assignment)
    assert len(given(assignment)) == 2


def test_a_server_that_is_gone_from_the_settings_is_told(campaign: Campaign) -> None:
    with override_settings(PAIRSELECT_SERVERS=LAB):
        assignment = on_server(campaign)
    with pytest.raises(JobError, match="PAIRSELECT_SERVERS"):
        run(assignment)


def test_the_key_is_in_no_error(campaign: Campaign, server: Misbehaving) -> None:
    server.models = (401, {"error": {"message": "bad key sk-secret"}})
    with pytest.raises(JobError, match="refuses the key") as error:
        run(on_server(campaign))
    assert "sk-secret" not in str(error.value)
