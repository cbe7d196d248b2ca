"""What all operations share: one shape of errors, pages of lists, the document, idempotency."""

import json
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client

from annotate.models import Campaign, Export
from pairselect.api.service import api
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.pools.models import Pool
from tests.api.conftest import Program
from tests.conftest import People, give, make_campaign, make_pool, run_queued_jobs
from tests.designs.conftest import give_features


def test_an_unknown_address_is_told_in_json(admin: Program) -> None:
    for path in ("nothing", "pools/1/nothing", "pools/", "", "pools/0", f"pools/{2**63}"):
        status, error = admin.refused("GET", path)
        assert (status, error["code"]) in ((404, "not_found"), (422, "invalid")), path
    assert admin.refused("GET", "pools/12345")[0] == 404


def test_a_wrong_method_is_told_which_there_are(admin: Program) -> None:
    response = admin.ask("DELETE", "pools")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST"}
    assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"\xff", ""),
        (b"[]", ""),
        ({}, "prompt_set"),
        ({"prompt_set": 1, "name": "x", "budget": 3}, "budget"),  # of a design, not of a pool
        ({"prompt_set": {}, "name": "x"}, "prompt_set"),
        ({"prompt_set": 1, "name": None}, "name"),
        ({"prompt_set": "nothing", "name": "x"}, "prompt_set"),
        ({"prompt_set": 2**70, "name": "x"}, "prompt_set"),
        ({"prompt_set": "pool", "name": "x", "models": ["/etc/passwd"]}, "models"),
        ({"prompt_set": "pool", "name": "x", "temperatures": [99]}, "temperatures"),
        ({"prompt_set": "pool", "name": "x", "temperatures": []}, "temperatures"),
        ({"prompt_set": "pool", "name": "x", "completions": 1}, "completions"),
        ({"prompt_set": "pool", "name": "x", "system_prompts": ["a\n---\nb"]}, "system_prompts"),
        ({"prompt_set": "pool", "name": "x" * 101}, "name"),
    ],
)
def test_a_bad_request_is_told_which_part_is_wrong(body: Any, field: str, admin: Program) -> None:
    make_pool()
    status, error = admin.refused("POST", "pools", body)
    assert status in (400, 422)
    assert error.get("field", "").startswith(field)
    assert Pool.objects.count() == 1
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt_set": "pool", "name": "\\ud800"}',  # half a character
        b'{"prompt_set": "pool", "name": "x", "top_p": NaN}',
        b'{"prompt_set": "pool", "name": "x", "top_p": Infinity}',
        b"[" * 100_000,
        b"1" * 6000,
    ],
)
def test_what_is_no_json_is_told_to_be_unreadable(body: bytes, admin: Program) -> None:
    make_pool()
    status, error = admin.refused("POST", "pools", body)
    assert (status, error["code"]) in ((400, "unreadable"), (422, "invalid"))
    assert Pool.objects.count() == 1


def test_a_body_that_is_too_large_is_told_so(admin: Program) -> None:
    body = {"prompt_set": "pool", "name": "x", "system_prompts": ["x" * 3_000_000]}
    status, error = admin.refused("POST", "pools", body)
    assert (status, error["code"]) == (413, "too_large")


def test_what_a_database_cannot_hold_is_the_request_s_fault(admin: Program) -> None:
    """Postgres has no NUL in its texts; SQLite finds nothing of such a name."""
    assert admin.refused("POST", "pools", {"prompt_set": "\0", "name": "x"})[0] == 422
    body = {"annotators": ["\0"]}
    assert admin.refused("PATCH", f"campaigns/{make_campaign().pk}", body)[0] == 422
    assert admin.ask("GET", "jobs?kind=%00").status_code in (200, 422)


def test_a_name_with_other_settings_is_refused(admin: Program) -> None:
    make_pool()
    body = {"prompt_set": "pool", "name": "more", "completions": 4}
    first = admin.ask("POST", "pools", body)
    again = admin.ask("POST", "pools", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert [job["kind"] for job in first.json()["jobs"]] == [
        "generate_pool", "extract_features", "report_pool",
    ]  # fmt: skip
    assert Job.objects.count() == 3
    status, error = admin.refused("POST", "pools", body | {"completions": 5})
    assert (status, error["code"], error["field"]) == (409, "name_refused", "name")


@pytest.mark.django_db(transaction=True)
def test_the_same_request_twice_at_once_makes_one(admin: Program) -> None:
    make_pool()
    body = {"prompt_set": "pool", "name": "more", "completions": 4}
    answers: list[HttpResponse] = []
    together = threading.Barrier(3)

    def send() -> None:
        try:
            together.wait(timeout=30)
            answers.append(admin.ask("POST", "pools", body))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.status_code for one in answers} <= {200, 201}
    assert [one.json()["id"] for one in answers] == [Pool.objects.get(name="more").pk] * 3
    assert Job.objects.count() == 3


def test_sentences_are_english_whatever_the_browser_speaks(people: People, admin: Program) -> None:
    make_pool()
    body = {"prompt_set": "pool", "name": "x", "completions": 1}
    response = admin.ask("POST", "pools", body, **{"Accept-Language": "de"})
    assert response.json()["error"]["message"].startswith("Two at least")


def test_lists_come_in_pages_that_lead_to_each_other(admin: Program) -> None:
    pools = [make_pool(prompts=1, name=f"p{i}").pk for i in range(5)]
    found, address = [], "pools?limit=2"
    while address:
        response = admin.ask("GET", address)
        page = response.json()
        found += [one["id"] for one in page["items"]]
        address = page["next"]
        assert response.headers.get("Link", "") == (f'<{address}>; rel="next"' if address else "")
        if len(found) == 2:  # what comes in between neither shifts nor repeats anything
            make_pool(prompts=1, name="late")
    assert found == pools[::-1]
    assert admin.refused("GET", "pools?limit=201")[0] == 422
    assert admin.refused("GET", "pools?limit=0")[0] == 422
    assert admin.refused("GET", "pools?after=x")[0] == 422


def test_lists_take_as_many_queries_for_three_as_for_one(
    admin: Program, django_assert_num_queries: Any, people: People, campaign: Campaign
) -> None:
    admin.get("me")
    paths = ("prompt-sets", "pools", "designs", "campaigns", "jobs")
    Job.objects.create(kind="report_pool", subject_id=campaign.design.pool_id)
    counts = {path: _queries(admin, path) for path in paths}
    for name in ("second", "third"):
        other = make_campaign(people.anna, name=name)
        Job.objects.create(kind="report_pool", subject_id=other.design.pool_id)
    assert {path: _queries(admin, path) for path in paths} == counts


def _queries(caller: Program, path: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        assert caller.get(path)["items"]
    return len(captured)


def test_completions_and_pairs_come_with_their_texts(admin: Program, campaign: Campaign) -> None:
    design = campaign.design
    page = admin.get(f"pools/{design.pool_id}/completions?limit=2")
    assert [len(one["completions"]) for one in page["items"]] == [3, 3]
    assert page["items"][1]["completions"][2]["text"] == "Answer 2 to question 1"
    last = admin.get(page["next"])
    assert (len(last["items"]), last["next"]) == (1, None)
    pairs = admin.get(f"designs/{design.pk}/pairs")["items"]
    assert [one["position"] for one in pairs] == [0, 1, 2]
    assert pairs[1]["second"]["text"] == "Answer 1 to question 1"
    receipt = admin.get(f"designs/{design.pk}")
    assert (receipt["objective"], receipt["lower_bound"]) == (2.0, 1.9)
    assert receipt["gap"] == pytest.approx(2 / 1.9 - 1)


def test_an_export_asked_for_twice_under_one_key_is_made_once(
    admin: Program, campaign: Campaign
) -> None:
    path, key = f"campaigns/{campaign.pk}/exports", {"Idempotency-Key": "monday"}
    first = admin.ask("POST", path, {"format": "trl"}, **key)
    again = admin.ask("POST", path, {"format": "trl"}, **key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = admin.ask("POST", path, {"format": "trl", "seed": 1}, **key)
    assert other.status_code == 409
    assert Export.objects.count() == 1
    assert admin.ask("POST", path, {"format": "trl"}).status_code == 202
    assert Export.objects.count() == 2


def test_an_export_whose_job_never_began_begins_when_asked_again(
    admin: Program, campaign: Campaign, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(campaign, people.anna, "left")
    path, key = f"campaigns/{campaign.pk}/exports", {"Idempotency-Key": "monday"}

    def dies(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as broken:
        broken.setattr("pairselect.api.common.enqueue_in_turn", dies)
        assert admin.ask("POST", path, {}, **key).status_code == 503
    assert [job["kind"] for job in admin.post(path, {}, **key)["jobs"]] == ["export_dataset"]
    assert Export.objects.count() == Job.objects.count() == 1


def test_a_job_is_cancelled_and_run_again(admin: Program, campaign: Campaign) -> None:
    export = admin.post(f"campaigns/{campaign.pk}/exports", {})
    path = f"jobs/{export['jobs'][0]['id']}"
    assert admin.get(path)["status"] == "queued"
    assert admin.refused("POST", f"{path}/retry", {})[0] == 409
    assert admin.post(f"{path}/cancel")["status"] == "cancelled"
    assert admin.get("jobs?active=true")["items"] == []
    assert admin.post(f"{path}/retry")["status"] == "queued"
    [active] = admin.get("jobs?active=true")["items"]
    assert path == f"jobs/{active['id']}"


def test_the_document_is_whole_and_open_to_all(db: None) -> None:
    response = Client().get("/api/v1/openapi.json")
    document = response.json()
    assert response.status_code == 200
    assert document == json.loads(json.dumps(api.get_openapi_schema()))
    ids = set()
    for path, methods in document["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in methods.values():
            ids.add(operation["operationId"])
            assert operation["security"], path
            assert operation["description"], path
            assert "default" in operation["responses"], path
    assert len(ids) == sum(map(len, document["paths"].values()))
    _check_references(document, document)


def _check_references(part: Any, document: Any) -> None:
    if isinstance(part, dict):
        if "$ref" in part:
            assert part["$ref"].rpartition("/")[2] in document["components"]["schemas"]
        for one in part.values():
            _check_references(one, document)
    elif isinstance(part, list):
        for one in part:
            _check_references(one, document)


def test_the_reference_shows_every_operation_and_field(people: People) -> None:
    page = people.client(people.anna).get("/api/").content.decode()
    for path, methods in api.get_openapi_schema()["paths"].items():
        assert page.count(f"<code>{path}</code>") == len(methods)
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
    for field in ("prior_sd", "labels_per_pair", "min_posterior", "merge_duplicates"):
        assert f"<code>{field}</code>" in page


def test_what_nobody_foresaw_is_logged_and_told_without_details(
    admin: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("pairselect.api.routes.designs.design_summary", broken)
    make_pool()
    Design.objects.create(name="d", pool=Pool.objects.get(), strategy="trace", budget=1)
    status, error = admin.refused("GET", "designs")
    assert (status, error["code"]) == (500, "unexpected")
    assert "secret" not in error["message"]
    assert "the secret of the house" in caplog.text


def test_who_works_and_what_it_costs_is_changed(
    admin: Program, campaign: Campaign, people: People
) -> None:
    path = f"campaigns/{campaign.pk}"
    body = {"annotators": ["ben"], "adjudicate": "any", "adjudicators": ["ada"]}
    body |= {"price": 0.25, "currency": "eur"}
    changed = _patch(admin, path, body)
    assert (changed["annotators"], changed["adjudicators"]) == (["ben"], ["ada"])
    assert (changed["price"], changed["priced_by"], changed["currency"]) == (0.25, "label", "EUR")
    assert _patch(admin, path, {"price": 0.5})["currency"] == "EUR"
    give(campaign, people.ben, "left")
    assert admin.get(path)["cost"]["so_far"] == 0.5
    for wrong, field in (
        ({"annotators": ["nobody"]}, "annotators"),
        ({"annotators": ["anna"], "adjudicators": ["nobody"]}, "adjudicators"),
        ({"price": -1}, "price"),
        ({"currency": "euro"}, "currency"),
        ({"adjudicate": "always"}, "adjudicate"),
        ({"design": 1}, "design"),
    ):
        status, error = admin.refused("PATCH", path, wrong)
        assert (status, error["field"]) == (422, field)
    assert [one.username for one in campaign.annotators.all()] == ["ben"]


def _patch(caller: Program, path: str, body: Any) -> Any:
    response = caller.ask("PATCH", path, body)
    assert response.status_code == 200, response.content.decode()
    return response.json()


def test_a_prediction_comes_before_a_design(admin: Program) -> None:
    pool = make_pool(prompts=10, completions=4)
    give_features(pool)
    begun = admin.post("plans", {"pool": "pool", "budget": 10})
    assert [job["kind"] for job in begun["jobs"]] == ["plan_design"]
    run_queued_jobs()
    found = admin.get(f"plans/{begun['id']}")
    assert found["objective"] >= found["lower_bound"] > 0
    assert {row["name"] for row in found["strategies"]} >= {"trace", "d_optimal"}
    assert not Design.objects.exists()
    assert admin.refused("POST", "plans", {"pool": "pool", "budget": 1000})[1]["field"] == "budget"


def test_a_design_expects_a_strength_of_preference_unless_it_is_null(admin: Program) -> None:
    give_features(make_pool(prompts=4, completions=3))
    asked = {"pool": "pool", "budget": 3}
    found = [
        admin.post("designs", asked | {"name": name} | more)
        for name, more in (
            ("usual", {}),
            ("strong", {"prior_sd": 2, "agreement": 0.7}),
            ("none", {"prior_sd": None}),
        )
    ]
    assert [one["prior_sd"] for one in found] == [0.5, 2.0, None]
    assert [one["agreement"] for one in found] == [0.6, 0.7, 0.6]
    status, error = admin.refused("POST", "designs", asked | {"name": "low", "agreement": 0.4})
    assert (status, error["field"]) == (422, "agreement")
