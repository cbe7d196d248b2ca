"""The examples of docs/api.md, as they stand there."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as configured
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from annotate.models import Campaign
from annotate.queries import current_labels
from pairselect.accounts.actions import create_person
from pairselect.api.service import api
from pairselect.api.tokens import make_token
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from tests.api.conftest import ALL
from tests.api.test_terminal import told
from tests.conftest import People, give, make_campaign, run_queued_jobs
from tests.designs.conftest import give_features

TEXT = (Path(configured.BASE_DIR) / "docs" / "api.md").read_text()
PYTHON = "\n\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
TERMINAL = [
    line.replace("\\\n", " ") for line in re.findall(r"^\$ ((?:.*\\\n)*.*)$", TEXT, re.MULTILINE)
]


@pytest.mark.django_db(transaction=True)
def test_the_python_examples_run(
    live_server: LiveServer,
    settings: Settings,
    tiny_model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Workers run while the program sleeps, with a tiny model."""
    settings.PAIRSELECT_MODEL = tiny_model
    monkeypatch.setenv("PAIRSELECT", live_server.url)
    for variable, name, role in (
        ("PAIRSELECT_TOKEN", "ada", "admin"),
        ("MARIAS_TOKEN", "maria", "annotator"),
    ):
        user, _password = create_person(name, role=role)
        monkeypatch.setenv(variable, make_token(user, name="docs", scopes=ALL)[1])
    monkeypatch.setattr("time.sleep", lambda seconds: run_queued_jobs())
    exec(compile(PYTHON, "docs/api.md", "exec"), {"__name__": "docs"})
    campaign = Campaign.objects.get(name="sums")
    assert capsys.readouterr().out == f"{live_server.url}/api/v1/campaigns/{campaign.pk}\n"
    labels = current_labels(campaign)
    assert {one.annotator.username for one in labels} == {"maria"}
    assert labels.count() == campaign.design.budget == 20


@pytest.mark.django_db(transaction=True)
def test_the_terminal_examples_run(live_server: LiveServer, people: People, tmp_path: Path) -> None:
    campaign = make_campaign(people.anna, name="sums", prompts=60)
    give_features(campaign.design.pool)
    for _ in range(60):
        give(campaign, people.anna, "left")
    secret = make_token(people.admin, name="docs", scopes=ALL)[1]
    environment = os.environ | {
        "AUTH": f"Authorization: Bearer {secret}",
        "PAIRSELECT": live_server.url,
        "CAMPAIGN": str(campaign.pk),
    }
    ran = {"curl": 0, "manage": 0}
    for line in TERMINAL:
        words = shlex.split(line)
        if words[0] == "curl":
            assert line.startswith("curl -sS")
            command = line.replace("curl -sS", "curl -sS --fail-with-body", 1)
            found = subprocess.run(
                ["sh", "-c", command], env=environment, cwd=tmp_path, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert found.returncode == 0, (line, found.stdout, found.stderr)
            if "-o " not in line and "-O " not in line:
                environment["EXPORT"] = str(json.loads(found.stdout)["id"])
                run_queued_jobs()
                assert not Job.objects.exclude(status="done").values_list("error")
            ran["curl"] += 1
        else:
            assert words[:2] == [".venv/bin/python", "manage.py"]
            if words[2] == "create_token":
                create_person("maria", role="annotator")
            if words[2] == "design_pairs":
                words[words.index("--budget") + 1] = "3"
            told(*(word for word in words[2:] if word != "--json"))
            ran["manage"] += 1
    assert ran == {"curl": 4, "manage": 5}
    assert (tmp_path / "dataset.zip").read_bytes().startswith(b"PK")
    assert json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])["chosen"]
    assert Design.objects.filter(name="more").exists()


def test_what_it_names_is_there() -> None:
    """Paths, scopes and codes."""
    document = api.get_openapi_schema()
    paths = {re.sub(r"{\w+}", "{id}", path.removeprefix("/api/v1/")) for path in document["paths"]}
    for named in re.findall(r"`(?:GET|POST) ([\w/{}-]+)`", TEXT):
        assert named in paths, named
    assert str(configured.PAIRSELECT_API_RATE) in TEXT
    for scope in ALL:
        assert f"| `{scope}` |" in TEXT
