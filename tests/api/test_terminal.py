"""Every command in JSON: one object on standard output, whatever happens."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import (
    CommandError,
    call_command,
    find_commands,
    load_command_class,
)
from django.utils import timezone

from annotate.models import Campaign
from pairselect.api.models import Token
from pairselect.jobs.models import Job
from pairselect.jobs.terminal import JsonCommand
from pairselect.pools.models import Pool
from tests.conftest import People, give, make_campaign, make_pool
from tests.designs.conftest import give_features

APPS = ("pairselect", "annotate", "pairselect.jobs", "pairselect.pools")
APPS += ("pairselect.designs", "pairselect.api")
# They talk to a person as they go, run until they are stopped, make files for an image, or print
# an object a line.
NOT_ONE_OBJECT = {"serve", "load_demo", "db_worker", "publish_static", "trail"}


def told(*command: str) -> Any:
    """The object that the command answers with; everything else went to standard error."""
    out = StringIO()
    call_command(*command, "--json", stdout=out, stderr=StringIO())
    assert out.getvalue().count("\n") == 1
    return json.loads(out.getvalue())


def refused(*command: str) -> dict[str, str]:
    out = StringIO()
    with pytest.raises(CommandError) as problem:
        call_command(*command, "--json", stdout=out, stderr=StringIO())
    error: dict[str, str] = json.loads(out.getvalue())["error"]
    assert error["message"] == str(problem.value)
    return error


def commands() -> list[tuple[str, str]]:
    return [
        (app, name)
        for app in APPS
        for name in find_commands(str(Path(settings.BASE_DIR, *app.split("."), "management")))
    ]


def test_every_command_answers_in_json() -> None:
    found = commands()
    assert len(found) >= 18
    without = {
        name for app, name in found if not isinstance(load_command_class(app, name), JsonCommand)
    }
    assert without == NOT_ONE_OBJECT


def test_the_path_by_commands(people: People, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Question {i}?", "completions": ["one", f"two {i}", "three"]} for i in range(6)
    ]
    file = tmp_path / "pool.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    pool = told("import_pool", str(file), "--name", "mine", "--no-features")
    assert (pool["name"], pool["completions"], pool["source"]) == ("mine", 18, "imported")
    give_features(Pool.objects.get())
    design = told("design_pairs", "mine", "--name", "d", "--budget", "6")
    assert (design["budget"], design["status"] != "") == (6, True)
    assert design["objective"] >= design["lower_bound"] > 0
    opened = told("open_campaign", "d", "--name", "c", "--annotator", "anna", "--repeat-share", "0")
    assert (opened["state"], opened["wanted"], opened["annotators"]) == ("open", 6, ["anna"])
    campaign = Campaign.objects.get()
    for _ in range(6):
        give(campaign, people.anna, "left")
    status = told("campaign_status", "c")
    assert (status["labels"], status["answers"]["left"]) == (6, 6)
    assert [one["name"] for one in status["people"]] == ["anna"]
    assert status["people"][0]["left"]["share"] == 1.0
    out = tmp_path / "out.jsonl"
    export = told("export_dataset", "c", "--output", str(out))
    assert (export["row_count"], len(out.read_text().splitlines())) == (6, 6)
    following = told("next_round", "c", "--name", "d2", "--budget", "4")
    assert (following["after"]["name"], following["budget"]) == ("d", 4)


def test_queued_work_is_told_with_its_jobs(db: None) -> None:
    pool = make_pool()
    found = told("extract_features", pool.name, "--enqueue")
    assert [(job["kind"], job["status"]) for job in found["jobs"]] == [
        ("extract_features", "queued")
    ]
    assert found["jobs"][0]["id"] == Job.objects.get().pk
    assert found["name"] == "pool"


def test_what_goes_wrong_is_told_as_an_error(db: None) -> None:
    assert refused("design_pairs", "nothing", "--name", "d", "--budget", "3") == {
        "code": "not_found", "message": "There is no pool named “nothing”.",
    }  # fmt: skip
    make_pool()
    error = refused("design_pairs", "pool", "--name", "d", "--budget", "300")
    assert error["code"] == "refused"
    assert "ask for no more" in error["message"]


def test_a_campaign_is_paused_closed_and_opened_again(campaign: Campaign) -> None:
    steps = [
        (("pause_campaign", "campaign"), "paused"),
        (("pause_campaign", "campaign", "--resume"), "open"),
        (("close_campaign", "campaign"), "closed"),
        (("close_campaign", "campaign", "--reopen"), "open"),
    ]
    for command, state in steps:
        assert told(*command)["state"] == state
    Campaign.objects.update(archived_at=timezone.now())
    assert told("campaign_status", "campaign")["state"] == "archived"


def test_a_campaign_is_changed_by_names(campaign: Campaign) -> None:
    changed = told("change_campaign", "campaign", "--annotators", "ben", "--adjudicate", "any")
    assert (changed["annotators"], changed["adjudicate"]) == (["ben"], "any")
    priced = told(
        "change_campaign",
        "campaign",
        "--price",
        "12.50",
        "--priced-by",
        "hour",
        "--currency",
        "EUR",
    )
    assert (priced["price"], priced["priced_by"], priced["annotators"]) == (12.5, "hour", ["ben"])
    said = refused("change_campaign", "campaign", "--annotators", "nobody")["message"]
    assert said == "--annotators: There is no active annotator “nobody”."
    assert refused("change_campaign", "campaign")["code"] == "refused"


def test_status_and_lists_tell_what_there_is(campaign: Campaign, people: People) -> None:
    make_campaign(people.anna, name="second")
    Job.objects.create(kind="report_pool", subject_id=campaign.design.pool_id)
    status = told("status")
    assert (status["pools"], status["campaigns"], len(status["jobs"])) == (2, 2, 1)
    assert [one["wanted"] for one in status["open_campaigns"]] == [3, 3]
    assert [one["name"] for one in told("list", "campaigns")["campaigns"]] == ["second", "campaign"]
    assert [one["name"] for one in told("list", "pools", "--limit", "1")["pools"]] == ["second"]
    for what in ("prompt-sets", "designs", "exports", "jobs", "people", "tokens"):
        assert list(told("list", what)) == [what.replace("-", "_")]


def test_words_stay_words_without_it(campaign: Campaign) -> None:
    out = StringIO()
    call_command("status", stdout=out)
    assert "“campaign” is open: 0 of 3 labels" in out.getvalue()
    out = StringIO()
    call_command("list", "tokens", stdout=out)
    assert out.getvalue() == "There are no tokens.\n"


def test_a_token_is_made_for_what_its_person_may(people: People) -> None:
    made = told("create_token", "ada", "--name", "ci", "--days", "30")
    assert made["scopes"] == ["read", "prepare", "judge", "export"]
    assert made["secret"].startswith(made["prefix"])
    assert made["expires_at"] is not None
    assert refused("create_token", "ada", "--name", "ci")["code"] == "refused"
    assert (
        "may only have read, judge"
        in refused("create_token", "anna", "--name", "x", "--scope", "export")["message"]
    )
    assert refused("create_token", "nobody", "--name", "x")["code"] == "not_found"
    assert Token.objects.count() == 1


@pytest.mark.parametrize("command", [["design_pairs", "--json"], ["list", "nothing", "--json"]])
def test_what_cannot_be_read_is_told_as_one_object_too(command: list[str], tmp_path: Path) -> None:
    manage = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py")]
    environment = {
        key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"
    }
    environment["PAIRSELECT_DATA_DIR"] = str(tmp_path)
    found = subprocess.run(
        [*manage, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1, found.stderr
    error = json.loads(found.stdout)["error"]
    assert error["code"] == "usage"
    assert error["message"] in found.stderr
