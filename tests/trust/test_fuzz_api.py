"""Requests made from the API's own document, good ones and bad ones: never a 500, never a half."""

import json
import warnings
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client, override_settings
from hypothesis import given
from hypothesis import strategies as st

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    import schemathesis

from pairselect.api.service import api
from tests import permissions
from tests.api.conftest import program
from tests.conftest import give
from tests.permissions import House
from tests.trust.fuzzing import COUNT, PATIENTLY, USUAL, tried
from tests.trust.watching import everything, nothing_stays, writes

house = permissions.house
pytestmark = PATIENTLY
DOCUMENT = json.loads(json.dumps(api.get_openapi_schema(), default=str))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
PATHS = {
    f"{method.upper()} {path}": SCHEMA[path][method.upper()]
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
}
KINDS = list(schemathesis.GenerationMode)
TOKEN_NOTED = {"api_token"}  # when it was last used, once a while


@st.composite
def requests(draw: st.DrawFn) -> Any:
    operation = PATHS[draw(st.sampled_from(sorted(PATHS)))]
    kind = draw(st.sampled_from(KINDS))
    try:
        strategy = operation.as_strategy(generation_mode=kind)
        return draw(strategy)
    except schemathesis.errors.SchemathesisError:  # nothing can be wrong with it
        return draw(operation.as_strategy())


def numbers(house: House) -> dict[str, object]:
    """Rows that there are: what is made up finds hardly one."""
    campaign = house.campaign
    design = campaign.design
    return {
        "upload_id": int(house.addresses["pools:prompt_set_upload"].split("/")[-2]),
        "prompt_set_id": design.pool.prompt_set_id,
        "pool_id": design.pool_id,
        "design_id": design.pk,
        "plan_id": int(house.addresses["designs:plan"].split("/")[-2]),
        "campaign_id": campaign.pk,
        "export_id": campaign.exports.get().pk,
        "name": "train.jsonl",
        "job_id": int(house.addresses["jobs:retry"].split("/")[-3]),
    }


def sent(case: Any, secret: str, known: dict[str, object], *, there: bool) -> Any:
    """The request as Django gets it. With ``there`` its address is of rows that there are."""
    if there:
        case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
    address = case.formatted_path
    if case.query:
        address += "?" + urlencode({str(k): v for k, v in case.query.items()}, doseq=True)
    body, kind = case.body, "application/json"
    if isinstance(body, schemathesis.core.NotSet):
        body = b""
    elif case.media_type == "multipart/form-data" and isinstance(body, dict):
        kind = "multipart/form-data; boundary=BoUnDaRy"
        parts = [
            f'--BoUnDaRy\r\nContent-Disposition: form-data; name="{name}"'
            f"{'; filename=f' if name == 'file' else ''}\r\n\r\n{one}\r\n"
            for name, one in body.items()
        ]
        body = ("".join(parts) + "--BoUnDaRy--\r\n").encode(errors="replace")
    elif case.media_type and case.media_type != "application/json":
        kind = case.media_type
        body = body if isinstance(body, bytes) else str(body).encode(errors="replace")
    else:
        body = json.dumps(body, default=str).encode()
    return Client().generic(
        case.method, address, body, content_type=kind,
        headers={"authorization": f"Bearer {secret}"},
    )  # fmt: skip


@pytest.mark.parametrize("column", ["admin", "annotator"])
def test_any_request_is_answered_and_a_refused_one_changes_nothing(
    column: str, house: House
) -> None:
    caller, known = program(house.users[column]), numbers(house)
    give(house.campaign, house.users["annotator"], "right")
    caller.get("me")
    before, seen = everything(), set()

    @tried(0.5)
    @given(case=requests(), there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        cache.clear()
        with nothing_stays():
            with writes() as changed:
                response = sent(case, caller.secret, known, there=there)
            if response.streaming:
                response.getvalue()
            status = response.status_code
            seen.add(status)
            assert status < 500, (case.as_curl_command(), response.content[:500])
            if status >= 400:
                told = response.json()["error"]
                assert told["message"].endswith((".", "…"))
                assert status != 401
                if set(changed) - TOKEN_NOTED:
                    after = everything()
                    other = {table for table, rows in after.items() if rows != before[table]}
                    assert other <= TOKEN_NOTED

    with override_settings(PAIRSELECT_API_RATE=10**9):
        ask()
    assert (404 if column == "admin" else 403) in seen
    assert {200, 404, 422} <= seen or COUNT == USUAL  # some dozens need not meet all
