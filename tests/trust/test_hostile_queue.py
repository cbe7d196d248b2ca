"""One person's requests do not fill the queue that is everybody's."""

import re
from collections.abc import Iterator

import pytest
from django.test import override_settings

from pairselect.api.service import api
from pairselect.jobs.models import Job
from tests import permissions
from tests.api.conftest import program
from tests.permissions import SENT, TABLE, House, expected, methods_of
from tests.trust.watching import nothing_stays, writes

house = permissions.house
# What hands in work. What ends work, or makes room, is never refused for this.
QUEUES = {
    "pools:prompt_set_upload_new",
    "pools:pool_import",
    "pools:prompt_set_upload",
    "pools:pool_new",
    "pools:pool_scores",
    "pools:pool_report",
    "designs:design_new",
    "designs:design_again",
    "annotate:campaign_new",
    "annotate:campaign_next_round",
    "annotate:campaign_next_round_plan",
    "annotate:campaign_assess",
    "annotate:campaign_machines",
    "annotate:machine_ask",
    "annotate:campaign_exports",
    "jobs:retry",
}
BY_API = {
    "uploads_create_upload",
    "uploads_import_upload",
    "pools_create",
    "pools_extract_features",
    "pools_score",
    "designs_create",
    "designs_predict",
    "campaigns_create",
    "campaigns_assess",
    "campaigns_next_round",
    "exports_create",
    "jobs_retry",
}


@pytest.fixture
def full(house: House) -> Iterator[House]:
    """The admin has as much in the queue as one may have."""
    Job.objects.create(kind="import_prompts", subject_id=77, created_by=house.users["admin"])
    with override_settings(PAIRSELECT_MAX_JOBS=1):
        yield house


def test_pages_refuse_more_work_than_one_may_have(full: House) -> None:
    found = set()
    data = SENT | {"format": "trl", "file_type": "jsonl", "one_row": "label"}
    for name in TABLE:
        if "POST" not in methods_of(name) or expected(name, "admin", "POST") != "in":
            continue
        before = set(Job.objects.values_list("pk", flat=True))
        with nothing_stays(), writes() as changed:
            response = full.send("admin", "POST", full.addresses[name], data)
            made = set(Job.objects.values_list("pk", flat=True)) - before
        if response.status_code == 429:
            found.add(name)
            assert changed == [], name
            assert "You have 1 jobs that wait or run" in response.content.decode()
            assert int(response.headers["Retry-After"]) > 0
        assert made == set(), name
    assert found == QUEUES


def test_a_dataset_is_still_shown_before_it_is_made(full: House) -> None:
    address = full.addresses["annotate:campaign_exports"]
    data = {"format": "trl", "file_type": "jsonl", "one_row": "label", "preview": "1"}
    assert full.send("admin", "POST", address, data).status_code == 200


def test_the_api_refuses_more_work_than_one_may_have(full: House) -> None:
    caller, found = program(full.users["admin"]), set()
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, operation in methods.items():
            address = re.sub(r"{\w+}", "1", path).removeprefix("/api/v1/")
            with nothing_stays(), writes() as changed:
                response = caller.ask(method.upper(), address, {})
            if response.status_code == 429:
                found.add(operation["operationId"])
                assert set(changed) <= {"api_token"}
                assert response.json()["error"]["code"] == "too_many_jobs"
                assert int(response.headers["Retry-After"]) > 0
    assert found == BY_API


def test_others_still_hand_in_work(full: House) -> None:
    response = full.send("operator", "POST", full.addresses["annotate:campaign_assess"])
    assert response.status_code == 302
    assert Job.objects.filter(kind="assess_labels").count() == 1


def test_what_is_done_makes_room(full: House) -> None:
    Job.objects.filter(subject_id=77).update(status=Job.Status.DONE)
    assert full.ask("admin", "POST", "annotate:campaign_assess").status_code == 302


def test_the_script_of_a_page_has_it_fetched_anew_to_say_so(full: House) -> None:
    page = full.client("admin")
    address = full.addresses["designs:design_new"]
    response = page.post(address, {"predict": "1"}, headers={"hx-request": "true"})
    assert response.status_code == 429
    assert response.headers["HX-Refresh"] == "true"
    assert "You have 1 jobs" in page.get("/designs/").content.decode()
