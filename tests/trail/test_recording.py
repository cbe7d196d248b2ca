"""What an entry says, and that it stands or falls with what it tells of."""

import ast
import contextlib
import math
import os
import pwd
import threading
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory
from django.utils import translation

from annotate.actions import close_campaign, pause_campaign, reopen_campaign, resume_campaign
from annotate.amending import change_people, change_price
from annotate.asking import change_asked
from annotate.models import Campaign
from pairselect.accounts.invitations import invite
from pairselect.jobs.actions import enqueue_job, run_job
from pairselect.trail.actions import changed, record, seal
from pairselect.trail.context import answering, current
from pairselect.trail.models import Entry, Seal
from pairselect.trail.verifying import verify
from pairselect.trail.words import SENTENCES, sentence_of
from tests.accounts.knocking import knock
from tests.conftest import People

ROOT = Path(__file__).resolve().parent.parent.parent


def actions() -> list[str]:
    return [one.action for one in Entry.objects.order_by("pk")]


def test_an_entry_says_who_did_what_to_what(campaign: Campaign, people: People) -> None:
    request = RequestFactory().post("/")
    request.user = people.admin
    with answering(request, "a-request-of-8"):
        pause_campaign(campaign)
    entry = Entry.objects.get(action="campaign.paused")
    assert (entry.person_id, entry.person_name) == (people.admin.pk, "ada")
    assert (entry.via, entry.request_id, entry.job_id) == ("web", "a-request-of-8", None)
    assert (entry.subject_kind, entry.subject_id) == ("annotate.campaign", campaign.pk)
    assert entry.subject_name == campaign.name
    assert entry.sentence == f"Paused the campaign “{campaign.name}”"


def test_the_name_stays_what_it_was(campaign: Campaign, people: People) -> None:
    record("archived", campaign, person=people.anna)
    people.anna.username = "another"
    people.anna.save()
    Campaign.objects.filter(pk=campaign.pk).update(name="renamed")
    entry = Entry.objects.get(action="archived")
    assert (entry.person_name, entry.subject_name) == ("anna", campaign.name)


def test_nobody_is_nobody(db: None) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with answering(request, "r" * 8):
        record("archived", None)
    assert (Entry.objects.get().person_id, Entry.objects.get().person_name) == (None, "")


def test_a_command_is_its_operators(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/pairselect/manage.py", "pause_campaign", "first"])
    monkeypatch.setenv("LOGNAME", "ada")  # which anybody can write
    record("archived", None)
    entry = Entry.objects.get()
    assert (entry.via, entry.via_name, entry.person_name) == (
        "command", "pause_campaign", pwd.getpwuid(os.getuid()).pw_name
    )  # fmt: skip


def test_a_job_is_of_whoever_asked_for_it(campaign: Campaign, people: People) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(opened_at=None)
    campaign.comparisons.all().delete()
    job = enqueue_job("open_campaign", campaign.pk, created_by=people.admin)
    assert run_job(job.pk)
    entry = Entry.objects.get(action="campaign.opened", job_id=job.pk)
    assert (entry.via, entry.via_name, entry.person_name) == ("job", "open_campaign", "ada")
    assert current().job_id is None  # the next one in this worker is another


def test_what_is_rolled_back_was_not_done(campaign: Campaign) -> None:
    before = actions()
    with contextlib.suppress(IntegrityError), transaction.atomic():
        pause_campaign(campaign)
        assert actions() == [*before, "campaign.paused"]
        raise IntegrityError
    assert actions() == before
    campaign.refresh_from_db()
    assert campaign.paused_at is None


def test_nothing_is_done_that_cannot_be_told(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say: then the action fails too."""

    def refuse(**facts: object) -> None:
        raise IntegrityError("no room")

    monkeypatch.setattr(Entry.objects, "create", refuse)
    with pytest.raises(IntegrityError):
        close_campaign(campaign)
    campaign.refresh_from_db()
    assert campaign.closed_at is None


def refused_entry(**facts: object) -> None:
    raise IntegrityError("no room")


def test_of_people_too_nothing_is_done_that_cannot_be_told(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        knock("anna", "wrong")
    invitation, _secret = invite(created_by=people.admin)
    monkeypatch.setattr(Entry.objects, "create", refused_entry)
    new = {"old_password": "secret-enough", "new_password1": "a-new-1-one"}
    new["new_password2"] = new["new_password1"]
    for address, data in (
        (f"/people/invite/{invitation.pk}/revoke/", {}),
        ("/people/locks/lift/", {"username": "anna"}),
        ("/people/me/password/", new),
    ):
        with pytest.raises(IntegrityError):
            people.client(people.admin).post(address, data)
    invitation.refresh_from_db()
    people.admin.refresh_from_db()
    assert invitation.state == invitation.State.OPEN
    assert AccessAttempt.objects.get(username="anna").failures_since_start == 3
    assert people.admin.check_password("secret-enough")


def test_every_entry_is_written_in_the_transaction_of_what_it_tells() -> None:
    """Within the function that writes it; these few are called in another's, or tell of no row."""
    elsewhere = {"settle", "join", "_finish"}
    no_row = {"note_lock", "_note", "handle"}  # a lock's count is axes', a download changes none
    found = {
        name
        for top in ("pairselect", "annotate")
        for path in (ROOT / top).rglob("*.py")
        for name in outside_transactions(ast.parse(path.read_text()))
    }
    assert found == elsewhere | no_row


def outside_transactions(node: ast.AST, name: str = "", atomic: bool = False) -> set[str]:
    """The functions that call `record` otherwise than within `transaction.atomic`."""
    if isinstance(node, ast.FunctionDef):
        name, atomic = node.name, any("atomic" in ast.unparse(one) for one in node.decorator_list)
    if isinstance(node, ast.With):
        atomic = atomic or any("atomic" in ast.unparse(one) for one in node.items)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "record" and not atomic:
        return {name}
    inner = (outside_transactions(one, name, atomic) for one in ast.iter_child_nodes(node))
    return set().union(*inner)


def test_what_changes_nothing_leaves_no_entry(campaign: Campaign) -> None:
    for change in (pause_campaign, resume_campaign, close_campaign, reopen_campaign):
        change(campaign)
    once = actions()
    reopen_campaign(campaign)
    resume_campaign(campaign)
    people = list(campaign.annotators.all())
    change_people(campaign, annotators=people)
    change_asked(campaign, {"ties": campaign.ties})
    assert actions() == once
    assert once[-4:] == [
        "campaign.paused", "campaign.resumed", "campaign.closed", "campaign.reopened"
    ]  # fmt: skip


def test_settings_are_told_before_and_after(campaign: Campaign, people: People) -> None:
    change_asked(campaign, {"ties": False, "skips": campaign.skips})
    assert Entry.objects.get(action="campaign.asked_changed").details == {
        "ties": {"before": True, "after": False}
    }
    change_people(campaign, annotators=[people.anna])
    assert Entry.objects.filter(action="campaign.people_changed")[0].details == {
        "annotators": {"before": ["anna", "ben"], "after": ["anna"]}
    }
    change_price(campaign, {"price": "0.25", "priced_by": "label", "currency": "EUR"})
    told = Entry.objects.get(action="campaign.price_changed").details
    assert told["price"] == {"before": None, "after": "0.25"}
    assert changed({"a": 1}, {"a": 1}) == {}


def test_details_are_what_both_databases_keep(db: None) -> None:
    record("archived", None, text="a\0b", long="x" * 5000, deep={"list": ["y" * 5000]})
    details = Entry.objects.get().details
    assert details["text"] == "a�b"
    assert len(details["long"]) == len(details["deep"]["list"][0]) == 500


def test_what_is_no_text_and_no_number_breaks_no_chain(db: None) -> None:
    """A file's name need not be UTF-8: Python has its other bytes as half a character."""
    record("archived", None, file=os.fsdecode(b"caf\xe9"), numbers=[math.nan, math.inf, 0.5])
    assert Entry.objects.get().details == {"file": "caf?", "numbers": ["nan", "inf", 0.5]}
    assert verify().is_whole


def test_two_that_record_at_once_are_both_in_the_chain(transactional_db: None) -> None:
    """No lock is held while an action runs; the links find their order afterwards."""
    start, failed = threading.Barrier(4), []

    def act(name: int) -> None:
        try:
            start.wait()
            for turn in range(5):
                with transaction.atomic():
                    record("archived", None, name=name, turn=turn)
        except Exception as problem:
            failed.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    seal()
    assert Entry.objects.count() == 20
    assert sorted(Seal.objects.values_list("entry_id", flat=True)) == sorted(
        Entry.objects.values_list("pk", flat=True)
    )
    assert list(Seal.objects.values_list("number", flat=True)) == list(range(1, 21))


def test_an_open_transaction_keeps_nobody_waiting(transactional_db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, whatever it writes")
    done = threading.Event()

    def other() -> None:
        record("restored", None)
        done.set()
        connection.close()

    with transaction.atomic():
        record("archived", None)
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(10)
    thread.join()
    assert Seal.objects.count() == 2


def calls() -> list[tuple[str, ast.Call]]:
    """Every call of `record` in the source."""
    found = []
    for top in ("pairselect", "annotate"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record":
                    found.append((str(path.relative_to(ROOT)), node))
    return found


def codes(argument: ast.expr) -> set[str]:
    """What the first argument can be: a text, or one of two."""
    return {
        one.value
        for one in ast.walk(argument)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def test_every_action_has_its_sentence() -> None:
    by_text = {code for _, call in calls() for code in codes(call.args[0])}
    by_text -= {".created"}  # of `row_named`, by the model's name
    assert len(by_text) > 40
    assert by_text - SENTENCES.keys() == set()


def test_a_sentence_is_in_the_readers_language(db: None) -> None:
    record("archived", None)
    with translation.override("de"):
        assert isinstance(Entry.objects.get().sentence, str)
    assert sentence_of("of.earlier_times", "x", {}) == "of.earlier_times: x"
    assert sentence_of("renamed", "new", {"before": "old"}) == "Renamed “old” to “new”"
    for code in SENTENCES:
        assert sentence_of(code, "n", {}), code
