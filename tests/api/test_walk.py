"""From a file to a dataset over HTTP, as a program of somebody else's does it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pytest_django.live_server_helper import LiveServer

from annotate.models import Judgement
from pairselect.accounts.actions import create_person
from pairselect.api.tokens import make_token
from tests.api.conftest import ALL
from tests.conftest import run_queued_jobs
from tests.pools.support import lines


@dataclass
class Remote:
    address: str
    secret: str

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        request = Request(
            f"{self.address}/api/v1/{path}", None if body is None else content,
            usual | headers, method=method,
        )  # fmt: skip
        try:
            with urlopen(request) as response:
                return response.status, response.read(), response.headers
        except HTTPError as problem:
            with problem:
                return problem.code, problem.read(), problem.headers

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, content, _headers = self.ask(method, path, body, **headers)
        assert status < 300, content.decode()
        return json.loads(content)


@pytest.fixture
def remote(live_server: LiveServer) -> Callable[..., Remote]:
    def person(name: str, role: str) -> Remote:
        user, _password = create_person(name, role=role)
        return Remote(live_server.url, make_token(user, name="walk", scopes=ALL)[1])

    return person


@pytest.mark.django_db(transaction=True)
def test_from_a_file_to_a_dataset(remote: Callable[..., Remote], tiny_model: str) -> None:
    admin, maria = remote("ada", "admin"), remote("maria", "annotator")
    rows = [
        {
            "prompt": f"Question {i}?",
            "completions": [f"yes {i}", f"no, never {i}", f"it depends {i}"],
        }
        for i in range(8)
    ]
    upload = admin(
        "POST", "uploads?name=support", lines(*rows), **{"Content-Type": "application/x-ndjson"}
    )
    run_queued_jobs()
    assert admin("GET", f"jobs/{upload['jobs'][0]['id']}")["status"] == "done"
    imported = admin("POST", f"uploads/{upload['id']}/import", {"model": "theirs"})
    design = admin("POST", "designs", {"pool": "support", "name": "first", "budget": 6, "seed": 1})
    campaign = admin(
        "POST", "campaigns",
        {"design": "first", "name": "round one", "annotators": ["maria"], "repeat_share": 0.0,
         "guidelines": "Prefer what *helps*.", "strengths": 2},
    )  # fmt: skip
    assert campaign["state"] == "opening"
    _describe_with(tiny_model)
    run_queued_jobs()
    for job in imported["jobs"] + design["jobs"] + campaign["jobs"]:
        found = admin("GET", f"jobs/{job['id']}")
        assert found["status"] == "done", found
    receipt = admin("GET", f"designs/{design['id']}")
    assert receipt["objective"] >= receipt["lower_bound"] > 0
    assert len(admin("GET", f"designs/{design['id']}/pairs")["items"]) == 6

    here = f"campaigns/{campaign['id']}"
    assert maria("GET", "work")[0]["left"] == 6
    while (told := maria("POST", f"{here}/next", {}))["comparison"] is not None:
        sheet = told["comparison"]
        assert told["guidelines"]["text"] == "Prefer what *helps*."
        answer = {
            "comparison": sheet["id"], "lease": sheet["lease"], "strength": 2,
            "choice": "left" if len(sheet["left"]) >= len(sheet["right"]) else "right",
            "guideline": told["guidelines"]["id"], "seconds": 3.0,
        }  # fmt: skip
        assert maria("POST", f"{here}/answers", answer)["outcome"] == "stored"
    assert told["complete"] is True
    detail = admin("GET", here)
    assert (detail["labels"], detail["wanted"], detail["pace"]["today"]) == (6, 6, 6)
    [person] = admin("GET", f"{here}/people")
    assert (person["name"], person["labels"], person["longer"]["share"]) == ("maria", 6, 1.0)
    assert {one.guideline_id for one in Judgement.objects.all()} != {None}

    assessed = admin("POST", f"{here}/assessments", {})
    export = admin("POST", f"{here}/exports", {"format": "trl", "extras": ["judgements"]})
    run_queued_jobs()
    assert admin("GET", f"jobs/{assessed['jobs'][0]['id']}")["status"] == "done"
    assert admin("GET", f"{here}/assessments")["items"][0]["results"]["labels"] == 6
    done = admin("GET", f"exports/{export['id']}")
    assert done["row_count"] == 6
    name = next(one["name"] for one in done["files"] if one.get("rows") == 6)
    path = f"exports/{export['id']}/files/{name}"
    _status, whole, headers = admin.ask("GET", path)
    found = [json.loads(line) for line in whole.splitlines()]
    assert all(
        len(row["chosen"][-1]["content"]) >= len(row["rejected"][-1]["content"]) for row in found
    )
    status, rest, _headers = admin.ask(
        "GET", path, **{"Range": "bytes=100-", "If-Range": headers["ETag"]}
    )
    assert (status, rest) == (206, whole[100:])
    assert maria.ask("GET", path)[0] == 403
    following = admin("POST", f"{here}/rounds", {"name": "second", "budget": 4})
    assert following["after"]["name"] == "first"


def _describe_with(model: str) -> None:
    """A tiny model describes the pool, in place of the usual one."""
    from pairselect.pools.models import FeatureSet

    assert FeatureSet.objects.update(model=model)
