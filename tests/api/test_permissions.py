"""Every operation × everybody. An operation that is not in the table fails the test."""

from collections.abc import Iterator

import pytest

from annotate.models import Campaign, Comparison, Export
from pairselect.api.models import Token
from pairselect.api.service import api
from pairselect.api.tokens import make_token, revoke
from pairselect.designs.models import Plan
from pairselect.jobs.models import Job
from pairselect.pools.models import Upload
from tests.api.conftest import ALL, Program, program
from tests.conftest import People, give

READ, PREPARE, JUDGE, EXPORT = "read", "prepare", "judge", "export"
ADMIN, MEMBER, ANYONE = "admin", "member of the campaign", "any person"

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
def numbers(campaign: Campaign, people: People) -> dict[str, int | str]:
    given = give(campaign, people.anna, "left")
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
        "export_id": Export.objects.create(campaign=campaign, format="trl").pk,
        "name": "train.jsonl",
        "job_id": job.pk,
    }


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_who_is_let_in(operation: str, numbers: dict[str, int | str], people: People) -> None:
    scope, rule = TABLE[operation]
    method, path = operation.split()
    path = path.format(**numbers)

    def status(caller: Program) -> int:
        return caller.ask(method, path, {}).status_code

    revoked, secret = make_token(people.admin, name="revoked", scopes=ALL)
    revoke(revoked)
    assert status(Program("")) == 401
    assert status(Program("pair_of-nobody")) == 401
    assert status(Program(secret)) == 401
    others = [one for one in ALL if one != scope]
    people_of = {"admin": people.admin, "anna": people.anna, "sam": people.stranger}
    found = {name: status(program(user, name="all")) for name, user in people_of.items()}
    if scope:
        lacking = {name: status(program(one, *others)) for name, one in people_of.items()}
        assert set(lacking.values()) == {403}
    if rule == ADMIN:
        assert (found["anna"], found["sam"]) == (403, 403)
        # A finished export is all that these rows lack.
        assert found["admin"] in LET_IN or (
            found["admin"] == 404 and operation.endswith(("archive", "{name}"))
        )
    elif rule == MEMBER:
        assert found["anna"] in LET_IN
        # Spending the budget does not make one an annotator.
        assert {found["sam"], found["admin"]} <= {404, 422}
        if found["sam"] == 422:
            assert method == "POST"  # what it lacks is said before what is looked for
    else:
        assert set(found.values()) == {200}


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
