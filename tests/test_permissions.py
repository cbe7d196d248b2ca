"""Every address × everybody. An address that is not in the table fails the test."""

import re
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from annotate.machines.actions import assign, create_machine
from annotate.models import Campaign, Export, Flag, Gold
from pairselect.api.tokens import make_token
from pairselect.designs.models import Plan
from pairselect.jobs.models import Job
from pairselect.pools.models import Upload
from tests.conftest import People, give

OPEN, ADMIN, MEMBER, ANYONE = "open", "admin", "member of the campaign", "any person"
OWNER = "whose it is, and admins"

TABLE = {
    "login": OPEN,
    "logout": OPEN,
    "annotate:catalogue": OPEN,
    "annotate:set_language": OPEN,
    "home": ANYONE,
    "home_projects": ADMIN,
    "rename": ADMIN,
    "archive": ADMIN,
    "restore": ADMIN,
    "delete": ADMIN,
    "annotate:preferences": ANYONE,
    "annotate:work": ANYONE,
    "annotate:compare": MEMBER,
    "annotate:answer": MEMBER,
    "annotate:undo": MEMBER,
    "annotate:upcoming": MEMBER,
    "annotate:revise": MEMBER,
    "annotate:flag": MEMBER,
    "annotate:history": MEMBER,
    "annotate:read_guidelines": MEMBER,
    "annotate:onboarding_again": MEMBER,
    "annotate:adjudicate": MEMBER,
    "annotate:adjudicate_upcoming": MEMBER,
    "annotate:adjudicate_undo": MEMBER,
    "annotate:adjudicate_history": MEMBER,
    "pools:prompt_sets": ADMIN,
    "pools:prompt_set": ADMIN,
    "pools:prompt_set_upload_new": ADMIN,
    "pools:prompt_set_upload": ADMIN,
    "pools:prompt_set_upload_problems": ADMIN,
    "pools:prompt_set_upload_discard": ADMIN,
    "pools:pools": ADMIN,
    "pools:pool_new": ADMIN,
    "pools:pool_import": ADMIN,
    "pools:pool": ADMIN,
    "pools:pool_latest": ADMIN,
    "pools:pool_scores": ADMIN,
    "pools:pool_report": ADMIN,
    "designs:designs": ADMIN,
    "designs:design_new": ADMIN,
    "designs:design": ADMIN,
    "designs:design_again": ADMIN,
    "designs:budget": ADMIN,
    "designs:plan": ADMIN,
    "annotate:campaigns": ADMIN,
    "annotate:campaign_new": ADMIN,
    "annotate:campaign": ADMIN,
    "annotate:campaign_annotators": ADMIN,
    "annotate:campaign_asked": ADMIN,
    "annotate:campaign_guidelines": ADMIN,
    "annotate:campaign_gold": ADMIN,
    "annotate:campaign_gold_file": ADMIN,
    "annotate:gold_retire": ADMIN,
    "annotate:campaign_flags": ADMIN,
    "annotate:campaign_flags_resolved": ADMIN,
    "annotate:flag_resolve": ADMIN,
    "annotate:campaign_quality": ADMIN,
    "annotate:campaign_assess": ADMIN,
    "annotate:campaign_machines": ADMIN,
    "annotate:machine_ask": ADMIN,
    "annotate:machine_remove": ADMIN,
    "annotate:campaign_disagreements": ADMIN,
    "annotate:campaign_pause": ADMIN,
    "annotate:campaign_price": ADMIN,
    "annotate:campaign_close": ADMIN,
    "annotate:campaign_reopen": ADMIN,
    "annotate:campaign_next_round": ADMIN,
    "annotate:campaign_next_round_plan": ADMIN,
    "annotate:campaign_exports": ADMIN,
    "annotate:export": ADMIN,
    "annotate:export_report": ADMIN,
    "annotate:export_file": ADMIN,
    "accounts:people": ADMIN,
    "accounts:new_password": ADMIN,
    "accounts:role": ADMIN,
    "accounts:deactivate": ADMIN,
    "accounts:reactivate": ADMIN,
    "accounts:own_password": ANYONE,
    "tokens:tokens": ANYONE,
    "tokens:revoke": OWNER,
    "tokens:reference": ANYONE,
    "jobs:progress": ADMIN,
    "jobs:cancel": ADMIN,
    "jobs:retry": ADMIN,
}
POST_ONLY = {
    "rename",
    "archive",
    "restore",
    "logout",
    "annotate:set_language",
    "pools:pool_report",
    "pools:prompt_set_upload_discard",
    "annotate:answer",
    "annotate:undo",
    "annotate:upcoming",
    "annotate:flag",
    "annotate:read_guidelines",
    "annotate:onboarding_again",
    "annotate:adjudicate_upcoming",
    "annotate:adjudicate_undo",
    "annotate:campaign_pause",
    "annotate:campaign_price",
    "annotate:campaign_annotators",
    "annotate:campaign_asked",
    "annotate:campaign_gold_file",
    "annotate:gold_retire",
    "annotate:flag_resolve",
    "annotate:campaign_assess",
    "annotate:machine_ask",
    "annotate:machine_remove",
    "annotate:campaign_close",
    "annotate:campaign_reopen",
    "accounts:new_password",
    "accounts:role",
    "accounts:deactivate",
    "accounts:reactivate",
    "tokens:revoke",
    "jobs:cancel",
    "jobs:retry",
}


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in ("admin", "api"):  # for staff; tests/api has its table
                space = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from names(pattern.url_patterns, prefix + space)
        else:
            yield f"{prefix}{pattern.name}"


def test_the_table_knows_every_address() -> None:
    assert sorted(names(get_resolver().url_patterns)) == sorted(TABLE)


@pytest.fixture
def addresses(campaign: Campaign, people: People) -> dict[str, str]:
    job = Job.objects.create(kind="import_prompts", subject_id=1, status=Job.Status.DONE)
    plan = Plan.objects.create(pool=campaign.design.pool, asked={"page": ""})
    export = Export.objects.create(campaign=campaign, format="trl")
    pool = campaign.design.pool
    upload = Upload.objects.create(name="u", file_name="u.jsonl", sha256="0" * 64)
    comparison = give(campaign, people.anna, "left").comparison
    gold = Gold.objects.create(campaign=campaign, use="check", messages=[], better="b", worse="w")
    flag = Flag.objects.create(comparison=comparison, annotator=people.anna, kind="other")
    assignment = assign(campaign, create_machine("judge"))
    arguments: dict[str, list[int | str]] = {
        **{name: ["pool", pool.pk] for name in ("rename", "archive", "restore", "delete")},
        "annotate:answer": [campaign.pk, comparison.pk],
        "annotate:revise": [campaign.pk, comparison.pk],
        "annotate:flag": [campaign.pk, comparison.pk],
        "pools:prompt_set": [pool.prompt_set_id],
        "pools:prompt_set_upload": [upload.pk],
        "pools:prompt_set_upload_problems": [upload.pk],
        "pools:prompt_set_upload_discard": [upload.pk],
        "pools:pool": [pool.pk],
        "pools:pool_latest": [pool.pk],
        "pools:pool_scores": [pool.pk],
        "pools:pool_report": [pool.pk],
        "designs:design": [campaign.design_id],
        "designs:design_again": [campaign.design_id],
        "designs:plan": [plan.pk],
        "annotate:export": [export.pk],
        "annotate:export_report": [export.pk],
        "annotate:export_file": [export.pk, "train.jsonl"],
        "annotate:gold_retire": [campaign.pk, gold.pk],
        "annotate:flag_resolve": [campaign.pk, flag.pk],
        "annotate:machine_ask": [campaign.pk, assignment.pk],
        "annotate:machine_remove": [campaign.pk, assignment.pk],
        "accounts:new_password": [people.stranger.pk],
        "accounts:role": [people.stranger.pk],
        "accounts:deactivate": [people.stranger.pk],
        "accounts:reactivate": [people.stranger.pk],
        "tokens:revoke": [make_token(people.anna, name="t", scopes=["read"])[0].pk],
        "jobs:progress": [job.pk],
        "jobs:cancel": [job.pk],
        "jobs:retry": [job.pk],
    }
    for name in TABLE:
        if name.startswith("annotate:campaign") and name not in (
            "annotate:campaigns",
            "annotate:campaign_new",
        ):
            arguments[name] = [campaign.pk]
    campaign.adjudicators.add(people.anna)
    for name in ("adjudicate", "adjudicate_upcoming", "adjudicate_undo", "adjudicate_history"):
        arguments[f"annotate:{name}"] = [campaign.pk]
    for name in ("compare", "undo", "upcoming", "history", "read_guidelines", "onboarding_again"):
        arguments[f"annotate:{name}"] = [campaign.pk]
    return {name: reverse(name, args=arguments.get(name, [])) for name in TABLE}


def status(client: Client, name: str, address: str) -> int:
    if name in POST_ONLY:
        return client.post(address, {"choice": "left", "token": uuid.uuid4()}).status_code
    return client.get(address).status_code


@pytest.mark.parametrize("name", sorted(name for name in TABLE if TABLE[name] != OPEN))
def test_who_is_let_in(name: str, addresses: dict[str, str], people: People) -> None:
    rule, address = TABLE[name], addresses[name]
    anonymous = Client().get(address) if name not in POST_ONLY else Client().post(address)
    assert anonymous.status_code == 302
    assert anonymous.headers["Location"].startswith("/login/")
    stranger = status(people.client(people.stranger), name, address)
    member = status(people.client(people.anna), name, address)
    admin = status(people.client(people.admin), name, address)
    if rule == ADMIN:
        assert (stranger, member) == (403, 403)
        # A finished export, and a list of bad rows, are all that these rows lack here.
        unmade = ("annotate:export", "annotate:export_report", "annotate:export_file")
        lacks = name in (*unmade, "pools:prompt_set_upload_problems")
        assert admin == 404 if lacks else admin in (200, 302)
    elif rule == MEMBER:
        assert stranger == 404
        assert admin == 404  # spending the budget does not make one an annotator
        assert member in (200, 302)
    elif rule == OWNER:
        assert (stranger, member, admin) == (404, 302, 302)
    else:
        assert {stranger, member, admin} <= {200, 302}


@pytest.mark.parametrize("name", sorted(POST_ONLY))
def test_what_changes_things_refuses_get(
    name: str, addresses: dict[str, str], people: People
) -> None:
    for person in (people.admin, people.anna):
        assert people.client(person).get(addresses[name]).status_code in (403, 405)


def test_a_form_from_another_site_is_refused(addresses: dict[str, str], people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.anna)
    answered = client.post(addresses["annotate:answer"], {"choice": "left"})
    assert answered.status_code == 403


def test_pages_carry_the_strict_policy(people: People) -> None:
    response = people.client(people.admin).get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    settled = re.search(r'"attributesToSettle":\[(.*?)\]', response.content.decode())
    assert settled is not None  # else htmx copies styles too, which the policy forbids
    assert "style" not in settled[1]
