"""Every operation × every scope × everybody. An operation that is not in the table fails a test."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from annotate.addresses import word_of
from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.machines.actions import create_machine
from annotate.models import Campaign, Comparison, Judgement
from pairselect.api.models import Token
from pairselect.api.service import api
from pairselect.api.tokens import make_token, revoke
from pairselect.designs.models import Plan
from pairselect.jobs.models import Job
from pairselect.pools.models import Upload
from tests.annotate.exported import export
from tests.api.conftest import ALL, Program, program
from tests.conftest import People, give, make_campaign
from tests.trust.watching import nothing_stays, writes

READ, PREPARE, JUDGE, EXPORT = "read", "prepare", "judge", "export"
ADMIN, MEMBER, ANYONE = "admin", "annotator of the campaign", "any person"
COLUMNS = ("outsider", "annotator", "adjudicator", "machine", "admin", "operator")
CELLS = {  # with every scope. Spending the budget does not make one an annotator.
    ANYONE: ("in", "in", "in", "in", "in", "in"),
    ADMIN: ("403", "403", "403", "403", "in", "in"),
    MEMBER: ("404", "in", "404", "404", "404", "404"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

TABLE = {
    "GET me": ("", ANYONE),
    "POST uploads": (PREPARE, ADMIN),
    "GET uploads/{upload_id}": (READ, ADMIN),
    "POST uploads/{upload_id}/import": (PREPARE, ADMIN),
    "GET prompt-sets": (READ, ADMIN),
    "GET prompt-sets/{prompt_set_id}": (READ, ADMIN),
    "GET prompt-sets/{prompt_set_id}/prompts": (READ, ADMIN),
    "GET pools": (READ, ADMIN),
    "POST pools": (PREPARE, ADMIN),
    "GET pools/{pool_id}": (READ, ADMIN),
    "GET pools/{pool_id}/completions": (READ, ADMIN),
    "POST pools/{pool_id}/features": (PREPARE, ADMIN),
    "POST pools/{pool_id}/scores": (PREPARE, ADMIN),
    "POST plans": (PREPARE, ADMIN),
    "GET plans/{plan_id}": (READ, ADMIN),
    "GET designs": (READ, ADMIN),
    "POST designs": (PREPARE, ADMIN),
    "GET designs/{design_id}": (READ, ADMIN),
    "GET designs/{design_id}/pairs": (READ, ADMIN),
    "GET campaigns": (READ, ADMIN),
    "POST campaigns": (PREPARE, ADMIN),
    "GET campaigns/{campaign_id}": (READ, ADMIN),
    "PATCH campaigns/{campaign_id}": (PREPARE, ADMIN),
    "GET campaigns/{campaign_id}/people": (READ, ADMIN),
    "GET campaigns/{campaign_id}/assessments": (READ, ADMIN),
    "POST campaigns/{campaign_id}/assessments": (PREPARE, ADMIN),
    "POST campaigns/{campaign_id}/pause": (PREPARE, ADMIN),
    "POST campaigns/{campaign_id}/resume": (PREPARE, ADMIN),
    "POST campaigns/{campaign_id}/close": (PREPARE, ADMIN),
    "POST campaigns/{campaign_id}/reopen": (PREPARE, ADMIN),
    "POST campaigns/{campaign_id}/rounds": (PREPARE, ADMIN),
    "GET work": (READ, ANYONE),
    "POST campaigns/{campaign_id}/next": (JUDGE, MEMBER),
    "POST campaigns/{campaign_id}/answers": (JUDGE, MEMBER),
    "GET campaigns/{campaign_id}/answers": (READ, MEMBER),
    "POST campaigns/{campaign_id}/undo": (JUDGE, MEMBER),
    "POST campaigns/{campaign_id}/onboarding": (JUDGE, MEMBER),
    "GET campaigns/{campaign_id}/exports": (EXPORT, ADMIN),
    "POST campaigns/{campaign_id}/exports": (EXPORT, ADMIN),
    "GET exports/{export_id}": (EXPORT, ADMIN),
    "GET exports/{export_id}/archive": (EXPORT, ADMIN),
    "GET exports/{export_id}/files/{name}": (EXPORT, ADMIN),
    "GET history": (READ, ADMIN),
    "GET jobs": (READ, ADMIN),
    "GET jobs/{job_id}": (READ, ADMIN),
    "POST jobs/{job_id}/cancel": (PREPARE, ADMIN),
    "POST jobs/{job_id}/retry": (PREPARE, ADMIN),
}
LET_IN = {200, 201, 202, 204, 409, 415, 422}  # past the door, whatever the request lacks there


def operations() -> Iterator[str]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path.removeprefix('/api/v1/')}"


def test_the_table_knows_every_operation() -> None:
    assert sorted(operations()) == sorted(TABLE)


@pytest.fixture
def users(people: People) -> dict[str, User]:
    def one_more(name: str, **facts: bool) -> User:
        user = User.objects.create_user(name, **facts)
        user.groups.add(Group.objects.get(name="annotator"))
        return user

    return {
        "outsider": people.stranger,
        "annotator": people.anna,
        "adjudicator": one_more("vera"),
        "machine": create_machine("own").user,
        "admin": people.admin,
        "operator": one_more("olga", is_staff=True, is_superuser=True),
    }


@pytest.fixture
def numbers(campaign: Campaign, users: dict[str, User]) -> dict[str, int | str]:
    make_campaign(users["outsider"], name="other")
    campaign.adjudicators.add(users["adjudicator"])
    given = give(campaign, users["annotator"], "left")
    assert Comparison.objects.filter(pk=given.comparison_id).exists()
    job = Job.objects.create(kind="import_prompts", subject_id=1, status=Job.Status.DONE)
    upload = Upload.objects.create(name="u", file_name="u.jsonl", sha256="0" * 64)
    return {
        "upload_id": upload.pk,
        "prompt_set_id": campaign.design.pool.prompt_set_id,
        "pool_id": campaign.design.pool_id,
        "design_id": campaign.design_id,
        "plan_id": Plan.objects.create(pool=campaign.design.pool, asked={"settings": {}}).pk,
        "campaign_id": campaign.pk,
        "export_id": export(campaign).pk,
        "name": "train.jsonl",
        "job_id": job.pk,
    }


def body_of(operation: str) -> dict[str, object]:
    """What makes the request whole, where one that is not would be refused for that."""
    last = Judgement.objects.latest("pk")
    return {
        "POST campaigns/{campaign_id}/answers": {
            "comparison": word_of(last.comparison_id), "lease": str(uuid4()), "choice": "left",
        },
        "POST campaigns/{campaign_id}/undo": {"answer": last.pk},
    }.get(operation, {})  # fmt: skip


def knock(caller: Program, operation: str, path: str) -> tuple[str, set[str]]:
    """What is answered, as `CELLS` has it, and the tables that were changed."""
    with nothing_stays(), writes() as changed:
        response = caller.ask(operation.split()[0], path, body_of(operation))
        if response.streaming:
            response.getvalue()  # type: ignore[attr-defined]
    noted = {"api_token"}  # when it was used last
    status = response.status_code
    return "in" if status in LET_IN else str(status), set(changed) - noted


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_who_is_let_in(
    operation: str, numbers: dict[str, int | str], users: dict[str, User]
) -> None:
    """Every cell. What is refused changes nothing, nor tries to."""
    scope, rule = TABLE[operation]
    path = operation.split()[1].format(**numbers)
    wanted = dict(zip(COLUMNS, CELLS[rule], strict=True))
    found = {}
    for column, user in users.items():
        cell, changed = knock(program(user, name="all"), operation, path)
        found[column] = cell
        assert cell == "in" or not changed, column
    assert found == wanted
    for given in ALL:  # by a token that is good for one thing alone
        for column, user in users.items():
            cell, changed = knock(program(user, given, name=given), operation, path)
            good = not scope or given == scope
            assert cell == (wanted[column] if good else "403"), (column, given)
            assert cell == "in" or not changed, (column, given)


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_no_token_that_is_none_lets_in(
    operation: str, numbers: dict[str, int | str], people: People
) -> None:
    path = operation.split()[1].format(**numbers)
    revoked, secret = make_token(people.admin, name="revoked", scopes=ALL)
    revoke(revoked)
    past = timezone.now() - timedelta(seconds=1)
    _old, expired = make_token(people.admin, name="expired", scopes=ALL, expires_at=past)
    gone = program(people.ben, name="of somebody who left")
    User.objects.filter(pk=people.ben.pk).update(is_active=False)
    _good, good = make_token(people.admin, name="good", scopes=ALL)
    secrets = ["", "pair_of-nobody", secret, expired, gone.secret, good[:-1], good + "x", "\x00"]
    for secret in secrets:
        assert knock(Program(secret), operation, path) == ("401", set()), secret


@pytest.mark.parametrize("path", sorted({one.split()[1] for one in TABLE}))
def test_an_address_takes_its_methods_alone(
    path: str, numbers: dict[str, int | str], people: People
) -> None:
    for caller in (program(people.admin), Program("")):
        for method in METHODS:
            if f"{method} {path}" not in TABLE:
                with nothing_stays(), writes() as changed:
                    response = caller.ask(method, path.format(**numbers), {})
                assert (response.status_code, changed) == (405, []), method


def test_a_deactivated_person_is_let_in_no_more(people: People) -> None:
    caller = program(people.anna)
    assert caller.ask("GET", "me").status_code == 200
    people.anna.is_active = False
    people.anna.save()
    assert caller.ask("GET", "me").status_code == 401


def test_an_admin_no_more_is_none_to_the_api(people: People) -> None:
    caller = program(people.admin)
    assert caller.ask("GET", "pools").status_code == 200
    people.admin.groups.clear()
    assert caller.ask("GET", "pools").status_code == 403


def test_a_session_alone_lets_nobody_in(people: People) -> None:
    client = people.client(people.admin)
    assert client.get("/api/v1/pools").status_code == 401
    assert client.post("/api/v1/pools", {}, content_type="application/json").status_code == 401


def test_a_stranger_finds_no_comparison_of_others(
    numbers: dict[str, int | str], people: People, campaign: Campaign
) -> None:
    member, stranger = program(people.ben), program(people.stranger)
    sheet = member.post(f"campaigns/{campaign.pk}/next")["comparison"]
    answer = {"comparison": sheet["id"], "lease": sheet["lease"], "choice": "left"}
    for other in (stranger, program(people.admin)):
        assert other.refused("POST", f"campaigns/{campaign.pk}/answers", answer)[0] == 404
    assert member.post(f"campaigns/{campaign.pk}/answers", answer)["outcome"] == "stored"
    assert Token.objects.filter(user=people.ben).count() == 1


def test_ids_of_other_campaigns_and_people_are_not_there(
    campaign: Campaign, people: People
) -> None:
    """In an address and in a body; nothing moves."""
    other = make_campaign(people.stranger, name="other")
    change_guidelines(other, "Of the other.", created_by=people.admin)
    theirs = next_comparison(other, people.stranger)
    bens = next_comparison(campaign, people.ben)
    bens_answer = give(campaign, people.ben, "left")
    anna = program(people.anna)
    assert theirs is not None
    assert bens is not None
    assert theirs.lease is not None

    def body(comparison: Comparison, **more: object) -> dict[str, object]:
        lease = str(comparison.lease or uuid4())
        return {"comparison": word_of(comparison.pk), "lease": lease, "choice": "left"} | more

    mine, away = f"campaigns/{campaign.pk}", f"campaigns/{other.pk}"
    refused = [
        (f"{mine}/answers", body(theirs), 404),  # a comparison of another campaign
        (f"{away}/answers", body(theirs), 404),
        (f"{away}/next", {}, 404),
        (f"{away}/undo", {"answer": bens_answer.pk}, 404),
        (f"{mine}/answers", body(bens), 409),  # a colleague's
        (f"{mine}/answers", body(bens, lease=str(bens_answer.lease)), 409),
        (f"{mine}/undo", {"answer": bens_answer.pk}, 409),
    ]
    for address, sent, status in refused:
        with writes() as changed:
            assert anna.refused("POST", address, sent)[0] == status, address
        assert set(changed) <= {"api_token"}
    assert anna.ask("GET", f"{away}/answers").status_code == 404
    assert anna.get(f"{mine}/answers")["items"] == []  # her own, of which there are none
    sheet = anna.post(f"{mine}/next")["comparison"]
    sent = {"comparison": sheet["id"], "lease": sheet["lease"], "choice": "left"}
    sent["guideline"] = other.guidelines.get().pk
    assert anna.post(f"{mine}/answers", sent)["answer"] is not None
    assert Judgement.objects.get(lease=sheet["lease"]).guideline is None


def test_an_idempotency_key_is_ones_own(campaign: Campaign, people: People) -> None:
    """Somebody else's key finds nothing that they made."""
    give(campaign, people.anna, "left")
    second = User.objects.create_user("bea", is_superuser=True)
    address = f"campaigns/{campaign.pk}/exports"
    key = {"Idempotency-Key": "one"}
    first = program(people.admin).post(address, {}, **key)
    assert program(second).post(address, {}, **key)["id"] != first["id"]


NAMES = ["../secret_key", "..%2fsecret_key", "%2e%2e/%2e%2e/secret_key", "/etc/passwd",
         "train.jsonl%00", "TRAIN.JSONL", "SHA256SUMS/../train.jsonl", "..", "."]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_an_exports_folder(
    name: str, campaign: Campaign, people: People
) -> None:
    give(campaign, people.anna, "left")
    made = export(campaign)
    caller, client = program(people.admin), people.client(people.admin)
    assert caller.ask("GET", f"exports/{made.pk}/files/{name}").status_code in (404, 405)
    assert client.get(f"/exports/{made.pk}/files/{name}/").status_code == 404
