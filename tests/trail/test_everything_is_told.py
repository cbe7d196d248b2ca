"""Each request that changes something leaves an entry: walked by the tables of permissions."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse

from annotate.adjudication import change_adjudication
from annotate.answering import answer, undo
from annotate.leasing import next_comparison
from annotate.machines.actions import assign, create_machine
from annotate.models import Campaign, Flag, Gold, Judgement
from pairselect.api.tokens import make_token
from pairselect.jobs.models import Job
from pairselect.pools.models import FeatureSet, Pool, Upload
from pairselect.trail.models import Entry
from tests.annotate.exported import export
from tests.api.conftest import Program, program
from tests.api.test_permissions import TABLE as OPERATIONS
from tests.conftest import People, give, make_campaign, run_queued_jobs
from tests.permissions import FORMS, POST_ONLY

# What these change is told by no entry. Judgements are kept as they are, withdrawn ones too, each
# with its person and its time.
UNTOLD = {
    "annotate:answer": "a judgement",
    "annotate:undo": "a judgement",
    "annotate:adjudicate_undo": "nothing, here: test_a_decision_is_told",
    "annotate:upcoming": "a lease",
    "annotate:adjudicate_upcoming": "a lease",
    "annotate:flag": "a flag, kept with its person and its time",
    "annotate:read_guidelines": "what the person has read",
    "annotate:onboarding_again": "the person's own attempt",
    "annotate:preferences": "the person's own screen",
    "annotate:set_language": "the person's own screen",
    "pools:pool_import": "nothing: it is the form for an upload",
    "csp_reports": "nothing: anybody sends these, and the log has them",
    "logout": "the person's own session",
    "login": "a session: tests/accounts",
    "POST campaigns/{campaign_id}/next": "a lease",
    "POST campaigns/{campaign_id}/answers": "a judgement",
    "POST campaigns/{campaign_id}/undo": "a judgement",
    "POST campaigns/{campaign_id}/onboarding": "the person's own attempt",
}
JSONL = b'{"prompt": "What is it?"}\n'


class World:
    """Rows of every stage; their admin in a browser and as a program."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.campaign = make_campaign(people.anna, people.ben)
        self.design, self.pool = self.campaign.design, self.campaign.design.pool
        FeatureSet.objects.create(pool=self.pool, model="m", kind="mean_middle")
        self.client, self.admin = people.client(people.admin), program(people.admin)
        self.comparison = give(self.campaign, people.anna, "left").comparison
        self.at = f"/campaigns/{self.campaign.pk}/"

    def send(self, address: str, /, form: str = "form", **data: Any) -> HttpResponse:
        """The form as its page shows it, with these fields otherwise."""
        page = self.client.get(address)
        found = {bound.name: bound.value() for bound in page.context[form]}
        kept = {name: value for name, value in found.items() if value not in (None, "")}
        kept = {name: value for name, value in kept.items() if value is not False}
        return self.client.post(address, kept | data)

    def post(self, address: str, **data: Any) -> HttpResponse:
        return self.client.post(address, data)

    def ask(self, path: str, body: Any = None, method: str = "POST") -> HttpResponse:
        return self.admin.ask(method, path, {} if body is None else body)

    def looked_at(self) -> int:
        """An upload that a worker has looked at."""
        told = self.admin.ask("POST", "uploads?name=fresh", JSONL, **{"Content-Type": ""})
        upload = Upload.objects.create(name="fresh", file_name="f.jsonl", sha256="0" * 64, size=26)
        upload.file.save("f", ContentFile(JSONL))
        assert told.status_code == 415
        Job.objects.create(kind="inspect_upload", subject_id=upload.pk)
        run_queued_jobs()
        return upload.pk

    def job(self, state: Job.Status) -> int:
        return Job.objects.create(kind="report_pool", subject_id=self.pool.pk, status=state).pk

    def machine(self) -> int:
        return assign(self.campaign, create_machine("judge"), pairs=1).pk

    def gold(self) -> int:
        told = {"campaign": self.campaign, "messages": [], "better": "b", "worse": "w"}
        return Gold.objects.create(use="check", **told).pk

    def flag(self) -> int:
        return Flag.objects.create(
            comparison=self.comparison, annotator=self.people.anna, kind="other"
        ).pk

    def closed(self) -> "World":
        Campaign.objects.filter(pk=self.campaign.pk).update(closed_at="2026-01-01T00:00Z")
        return self

    def paused(self) -> "World":
        Campaign.objects.filter(pk=self.campaign.pk).update(paused_at="2026-01-01T00:00Z")
        return self

    def archived(self) -> "World":
        Pool.objects.filter(pk=self.pool.pk).update(archived_at="2026-01-01T00:00Z")
        return self

    def design_asked(self) -> dict[str, Any]:
        return {"pool": self.pool.pk, "budget": 2, "name": "d", "strategy": "uniform"}


CHOICE = {"budget": "2", "name": "d", "measure": "labels"}
GOLD = {"prompt": "q", "better": "a", "worse": "b", "use": "check"}


def _file(content: bytes = JSONL) -> ContentFile[bytes]:
    return ContentFile(content, name="f.jsonl")


Walk = Callable[[World], HttpResponse]
WEB: dict[str, Walk] = {
    "rename": lambda w: w.post(f"/manage/pool/{w.pool.pk}/rename/", name="other"),
    "archive": lambda w: w.post(f"/manage/pool/{w.pool.pk}/archive/"),
    "restore": lambda w: w.archived().post(f"/manage/pool/{w.pool.pk}/restore/"),
    "delete": lambda w: w.post(f"/manage/export/{export(w.campaign).pk}/delete/"),
    "pools:prompt_set_upload_new": lambda w: w.post(
        "/prompts/uploads/new/", name="new", file=_file()
    ),
    "pools:prompt_set_upload": lambda w: w.send(f"/prompts/uploads/{w.looked_at()}/"),
    "pools:prompt_set_upload_discard": lambda w: w.post(
        f"/prompts/uploads/{w.looked_at()}/discard/"
    ),
    "pools:pool_new": lambda w: w.send(
        "/pools/new/", name="p", prompt_set=w.pool.prompt_set_id, model="embedded:smollm2-135m"
    ),
    "pools:pool_scores": lambda w: w.post(f"/pools/{w.pool.pk}/scores/", model="a-reward-model"),
    "pools:pool_report": lambda w: w.post(f"/pools/{w.pool.pk}/report/"),
    "designs:design_new": lambda w: w.send("/designs/new/", pool=w.pool.pk, **CHOICE),
    "designs:design_again": lambda w: w.send(f"/designs/{w.design.pk}/again/", **CHOICE),
    "annotate:campaign_new": lambda w: w.send("/campaigns/new/", design=w.design.pk, name="c"),
    "annotate:campaign_annotators": lambda w: w.post(
        f"{w.at}annotators/", annotators=[w.people.anna.pk]
    ),
    "annotate:campaign_asked": lambda w: w.post(
        f"{w.at}asked/",
        strengths="1",
        reason="off",
        repeat_share="0",
        gold_share="0",
        pause_minutes="0",
        labels_per_pair="1",
        mix_window="0",
    ),
    "annotate:campaign_guidelines": lambda w: w.post(f"{w.at}guidelines/", guidelines="Better."),
    "annotate:campaign_gold": lambda w: w.post(f"{w.at}gold/", **GOLD),
    "annotate:campaign_gold_file": lambda w: w.post(
        f"{w.at}gold/file/", file=_file(b'{"prompt": "q", "better": "a", "worse": "b"}\n')
    ),
    "annotate:gold_retire": lambda w: w.post(f"{w.at}gold/{w.gold()}/", on="1"),
    "annotate:flag_resolve": lambda w: w.post(f"{w.at}flags/{w.flag()}/", on="1"),
    "annotate:campaign_assess": lambda w: w.post(f"{w.at}quality/assess/"),
    "annotate:campaign_machines": lambda w: w.post(f"{w.at}machines/", name="judge"),
    "annotate:machine_ask": lambda w: w.post(f"{w.at}machines/{w.machine()}/", pairs="2"),
    "annotate:machine_remove": lambda w: w.post(f"{w.at}machines/{w.machine()}/remove/"),
    "annotate:campaign_disagreements": lambda w: w.post(
        f"{w.at}disagreements/", adjudicate="any", adjudicators=[w.people.ben.pk]
    ),
    "annotate:campaign_pause": lambda w: w.post(f"{w.at}pause/", on="1"),
    "annotate:campaign_price": lambda w: w.post(
        f"{w.at}price/", price="1", priced_by="label", currency="EUR"
    ),
    "annotate:campaign_close": lambda w: w.post(f"{w.at}close/"),
    "annotate:campaign_reopen": lambda w: w.closed().post(f"{w.at}reopen/"),
    "annotate:campaign_next_round": lambda w: w.send(
        f"{w.at}next-round/", **CHOICE | {"name": "next"}
    ),
    "annotate:campaign_next_round_plan": lambda w: w.send(
        f"{w.at}next-round/prediction/", predict="1", **CHOICE
    ),
    "annotate:campaign_exports": lambda w: w.send(f"{w.at}exports/"),
    "tokens:tokens": lambda w: w.post("/people/tokens/", name="t", scopes=["read"], days="30"),
    "tokens:revoke": lambda w: w.post(
        f"/people/tokens/{make_token(w.people.anna, name='t', scopes=['read'])[0].pk}/revoke/"
    ),
    "jobs:cancel": lambda w: w.post(f"/jobs/{w.job(Job.Status.QUEUED)}/cancel/"),
    "jobs:retry": lambda w: w.post(f"/jobs/{w.job(Job.Status.CANCELLED)}/retry/"),
}
API: dict[str, Walk] = {
    "POST uploads": lambda w: w.admin.ask("POST", "uploads?name=n", JSONL),
    "POST uploads/{upload_id}/import": lambda w: w.ask(f"uploads/{w.looked_at()}/import"),
    "POST pools": lambda w: w.ask("pools", {"prompt_set": w.pool.prompt_set_id, "name": "p"}),
    "POST pools/{pool_id}/features": lambda w: w.ask(
        f"pools/{w.pool.pk}/features", {"kinds": ["last_token"]}
    ),
    "POST pools/{pool_id}/scores": lambda w: w.ask(
        f"pools/{w.pool.pk}/scores", {"model": "a-reward-model"}
    ),
    "POST plans": lambda w: w.ask("plans", {"pool": w.pool.pk, "budget": 2}),
    "POST designs": lambda w: w.ask("designs", w.design_asked()),
    "POST campaigns": lambda w: w.ask("campaigns", {"design": w.design.pk, "name": "c"}),
    "PATCH campaigns/{campaign_id}": lambda w: w.ask(
        f"campaigns/{w.campaign.pk}", {"annotators": ["anna"]}, "PATCH"
    ),
    "POST campaigns/{campaign_id}/assessments": lambda w: w.ask(
        f"campaigns/{w.campaign.pk}/assessments"
    ),
    "POST campaigns/{campaign_id}/pause": lambda w: w.ask(f"campaigns/{w.campaign.pk}/pause"),
    "POST campaigns/{campaign_id}/resume": lambda w: w.paused().ask(
        f"campaigns/{w.campaign.pk}/resume"
    ),
    "POST campaigns/{campaign_id}/close": lambda w: w.ask(f"campaigns/{w.campaign.pk}/close"),
    "POST campaigns/{campaign_id}/reopen": lambda w: w.closed().ask(
        f"campaigns/{w.campaign.pk}/reopen"
    ),
    "POST campaigns/{campaign_id}/rounds": lambda w: w.ask(
        f"campaigns/{w.campaign.pk}/rounds", {"budget": 2, "name": "next"}
    ),
    "POST campaigns/{campaign_id}/exports": lambda w: w.ask(f"campaigns/{w.campaign.pk}/exports"),
    "GET exports/{export_id}/archive": lambda w: w.ask(
        f"exports/{export(w.campaign).pk}/archive", method="GET"
    ),
    "GET exports/{export_id}/files/{name}": lambda w: w.ask(
        f"exports/{export(w.campaign).pk}/files/train.jsonl", method="GET"
    ),
    "POST jobs/{job_id}/cancel": lambda w: w.ask(f"jobs/{w.job(Job.Status.QUEUED)}/cancel"),
    "POST jobs/{job_id}/retry": lambda w: w.ask(f"jobs/{w.job(Job.Status.FAILED)}/retry"),
}


def test_every_address_that_changes_something_is_walked_or_said_why_not() -> None:
    ways_in = {"login", "join", "join_account"}  # and all of accounts: tests/accounts
    rest = {name for name in POST_ONLY | FORMS if not name.startswith("accounts:")} - ways_in
    assert rest - UNTOLD.keys() == WEB.keys()
    writes = {name for name in OPERATIONS if not name.startswith("GET ")}
    assert writes - UNTOLD.keys() == {name for name in API if not name.startswith("GET ")}


@pytest.fixture
def world(people: People, settings: Any) -> World:
    settings.PAIRSELECT_REWARD_MODELS = ("a-reward-model",)
    return World(people)


def done_with(response: HttpResponse) -> None:
    """Close its file; `close` would end the test's connection to the database as well."""
    for close in response._resource_closers:  # type: ignore[attr-defined]
        close()


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize(("table", "via"), [(WEB, "web"), (API, "api")])
def test_each_leaves_an_entry_of_whoever_did_it(
    world: World, table: dict[str, Walk], via: str
) -> None:
    untold = []
    for name, walk in table.items():
        with taken_back():
            last = Entry.objects.values_list("pk", flat=True).first()
            response = walk(world)
            done_with(response)
            found = Entry.objects.filter(pk__gt=last, via=via, person_name="ada")
            if response.status_code >= 400 or not found.exists():
                said = getattr(response, "context", None)
                errors = said and "form" in said and said["form"].errors
                untold.append((name, response.status_code, errors or response.content[:200]))
    assert untold == []


def test_a_request_by_a_token_says_which(people: People) -> None:
    campaign = make_campaign(people.anna)
    caller = Program(make_token(people.admin, name="nightly", scopes=["prepare"])[1])
    caller.post(f"campaigns/{campaign.pk}/pause")
    entry = Entry.objects.get(action="campaign.paused")
    assert (entry.via, entry.via_name, entry.person_name) == ("api", "nightly", "ada")
    assert entry.request_id


def test_a_download_is_told_with_the_hash_of_what_was_sent(people: People) -> None:
    campaign = make_campaign(people.anna)
    give(campaign, people.anna, "left")
    found = export(campaign)
    response = people.client(people.admin).get(f"/exports/{found.pk}/files/train.jsonl/")
    sent = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    done_with(response)
    entry = Entry.objects.get(action="export.downloaded")
    assert entry.details["sha256"] == hashlib.sha256(sent).hexdigest()
    assert entry.subject_id == campaign.pk
    done_with(people.client(people.admin).head(f"/exports/{found.pk}/files/train.jsonl/"))
    assert Entry.objects.filter(action="export.downloaded").count() == 1


def test_a_decision_is_told_and_that_it_was_taken_back(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=1, labels_per_pair=2)
    change_adjudication(campaign, adjudicate="any", adjudicators=[people.admin])
    give(campaign, people.anna, "left")
    give(campaign, people.ben, "tie")
    assert not Entry.objects.filter(action__startswith="dispute").exists()
    comparison = next_comparison(campaign, people.admin, adjudicating=True)
    assert comparison is not None
    assert comparison.lease is not None
    answer(comparison, people.admin, choice=Judgement.Choice.TIE, lease=comparison.lease)
    judgement = Judgement.objects.get(annotator=people.admin)
    assert Entry.objects.get(action="dispute.settled").subject_id == campaign.pk
    undo(campaign, people.admin, judgement_id=judgement.pk, adjudicating=True)
    assert [one.action for one in Entry.objects.all()[:1]] == ["dispute.undone"]
    assert Judgement.objects.filter(pk=judgement.pk, withdrawn_at__isnull=False).exists()
