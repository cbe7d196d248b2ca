"""From the first release to this one, on both databases: nothing is lost, and work goes on."""

import gzip
import importlib
import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from tests.backup.conftest import postgres
from tests.backup.installations import Installation
from tests.test_operator_site import OURS
from tests.upgrade import first_release

__all__ = ["postgres"]  # a fixture

pytestmark = pytest.mark.timeout(1800)  # processes, on a machine that may be busy
# Models of the first release read from its SQLite file and written where the settings lead.
COPY = """
from copy import deepcopy
from django.core.management.color import no_style
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

with connections["default"].cursor(): pass
connections.databases["first"] = deepcopy(connections["default"].settings_dict) | {
    "ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": {}}
with connections["first"].cursor() as cursor:
    cursor.execute("SELECT app, name FROM django_migrations")
    applied = cursor.fetchall()
wanted = [node for node in applied if node in MigrationLoader(None).disk_migrations]
last = {}
for app, name in sorted(wanted):
    last[app] = name
MigrationExecutor(connection).migrate(list(last.items()))
old = MigrationLoader(None).project_state(list(last.items())).apps
with transaction.atomic():
    models = [m for m in old.get_models(include_auto_created=True) if m._meta.managed]
    with connections["first"].cursor() as cursor:
        there = set(connections["first"].introspection.table_names(cursor))
    models = [m for m in models if m._meta.db_table in there]
    for model in models:
        rows = model._default_manager.all()
        rows._raw_delete(rows.db)
    for model in models:
        rows = list(model._default_manager.using("first").order_by("pk"))
        model._default_manager.bulk_create(rows)
    statements = connection.ops.sequence_reset_sql(no_style(), models)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
"""
READ = """
from django.db import connection
tables = {}
with connection.cursor() as cursor:
    for name in names:
        cursor.execute(f'SELECT * FROM "{name}" ORDER BY id')
        columns = [one[0] for one in cursor.description]
        tables[name] = [dict(zip(columns, row)) for row in cursor.fetchall()]
print(json.dumps(tables, default=str))
"""
GO_ON = """
from django.contrib.auth.models import User
from annotate.answering import answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Judgement
from annotate.queries import current_judgements
campaign = Campaign.objects.get(name="first campaign")
people = {name: User.objects.get(username=name) for name in ("maria", "otto")}
labels = current_judgements().exclude(choice="skip")
before = labels.count()
held = next_comparison(campaign, people["otto"])
first = str(held.lease)
said = []
while True:
    given = 0
    for person in people.values():
        if one := next_comparison(campaign, person):
            said.append(answer(one, person, choice=Judgement.Choice.LEFT, lease=one.lease).value)
            given += 1
    if not given:
        break
print(json.dumps([before, first, sorted(set(said)), len(said), labels.count()]))
"""
# As `manage.py migrate APP NAME` does for one app, and by one reading of all migrations for all.
GO_BACK = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
MigrationExecutor(connection).migrate(back)
"""
KEPT = {  # tables of the first release whose rows stay as they are
    "auth_user": ("username", "is_active"),
    "auth_user_groups": ("user_id",),
    "pools_promptset": ("name", "prompt_count"),
    "pools_prompt": ("prompt_set_id", "position", "external_id"),
    "pools_pool": ("name", "prompt_set_id", "model", "seed"),
    "pools_completion": ("pool_id", "prompt_id", "index", "text", "token_count"),
    "pools_featureset": ("pool_id", "kind", "dimension"),
    "designs_design": ("name", "pool_id", "budget", "objective"),
    "designs_selectedpair": ("design_id", "position", "first_id", "second_id", "sensitivity"),
    "annotate_campaign": ("name", "design_id", "seed"),
    "annotate_comparison": ("campaign_id", "pair_id", "position", "annotator_id"),
    "annotate_judgement": ("comparison_id", "annotator_id", "choice", "seconds"),
    "annotate_export": ("campaign_id", "format", "row_count", "sha256"),
    "jobs_job": ("kind", "subject_id", "status"),
}


@dataclass
class Upgraded:
    here: Installation
    first: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    folder = tmp_path_factory.mktemp("upgrade")
    old = folder / "old.sqlite3"
    first_release.load(old)
    first: dict[str, list[dict[str, Any]]] = {}
    with closing(sqlite3.connect(old)) as database:
        database.row_factory = sqlite3.Row
        for name in KEPT:
            rows = database.execute(f'SELECT * FROM "{name}" ORDER BY id')
            first[name] = [dict(row) for row in rows]
    here = Installation(folder / "data")
    here.folder.mkdir()
    if request.param == "postgresql":
        here.database_url = request.getfixturevalue("postgres").new_database()
        here.run(COPY, file=str(old))
    else:
        shutil.copy(old, here.folder / "pairselect.sqlite3")
    assert here.manage("migrate", "--check", "-v0").returncode == 1
    done = here.manage("migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return Upgraded(here, first)


def test_every_row_is_there(upgraded: Upgraded) -> None:
    now = upgraded.here.run(READ, names=list(KEPT))
    for name, columns in KEPT.items():
        before = [[row["id"], *(row[column] for column in columns)] for row in upgraded.first[name]]
        after = [[row["id"], *(row[column] for column in columns)] for row in now[name]]
        assert before, name
        assert after == before, name  # SQLite's 1 is PostgreSQL's true, and so it is Python's


def test_the_export_has_the_same_labels(upgraded: Upgraded) -> None:
    file = upgraded.here.folder / "again.jsonl"
    upgraded.here.told("export_dataset", "first campaign", "--output", str(file))
    rows = [first_release.row_of(json.loads(line)) for line in file.read_text().splitlines()]
    assert rows == first_release.exported()
    assert len(rows) == 4


def test_the_campaign_goes_on(upgraded: Upgraded) -> None:
    """Whoever had a comparison open has it still; the rest is answered to the end."""
    held = [row for row in upgraded.first["annotate_comparison"] if row["lease"]]
    lease = next(row["lease"] for row in held if not row["labelled_at"])
    before, still, said, given, after = upgraded.here.run(GO_ON)
    assert still.replace("-", "") == lease
    assert (before, said, after) == (6, ["stored"], 9)
    assert given == 3


def test_going_back_and_forth_keeps_the_labels(upgraded: Upgraded) -> None:
    """Not advised, since rows of later features go: but no label does."""
    before = upgraded.here.run(READ, names=["annotate_judgement"])
    back = [(app, as_far_back_as(app)) for app in first_release.APPS]
    upgraded.here.run(GO_BACK, back=back)
    old = upgraded.here.run(READ, names=["annotate_judgement"])["annotate_judgement"]
    kept = ("id", "comparison_id", "annotator_id", "choice", "first_on_left", "seconds", "lease")
    now = before["annotate_judgement"]
    assert [[row[one] for one in kept] for row in old] == [
        [row[one] for one in kept] for row in now
    ]
    assert upgraded.here.manage("migrate", "-v0").returncode == 0
    again = upgraded.here.run(READ, names=["annotate_judgement"])["annotate_judgement"]
    assert [[row[one] for one in kept] for row in again] == [
        [row[one] for one in kept] for row in now
    ]


def test_the_file_is_as_the_first_release_left_it() -> None:
    script = gzip.decompress(first_release.SQL.read_bytes()).decode()
    assert "annotate_judgement" in script
    applied = re.findall(r"""INSERT INTO "django_migrations" VALUES\(\d+,'(\w+)','(\w+)'""", script)
    ours = [(app, name) for app, name in applied if app in OURS]
    assert sorted(ours) == [(app, "0001_initial") for app in first_release.APPS]


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def as_far_back_as(app: str) -> str:
    """The name of the app's last migration that says why it is not undone, else of its first."""
    names = sorted(name for label, name in MigrationLoader(None).disk_migrations if label == app)
    return next((name for name in reversed(names) if reason(app, name)), names[0])


def reason(app: str, name: str) -> str:
    """`IRREVERSIBLE`, a text in the migration's module: why it is not undone."""
    migration = MigrationLoader(None).disk_migrations[app, name]
    module = importlib.import_module(type(migration).__module__)
    return str(getattr(module, "IRREVERSIBLE", ""))


def test_every_migration_can_be_undone_or_says_why_not() -> None:
    """That those of the first release's apps really can be is seen above, on both databases."""
    ours = {config.label for config in apps.get_app_configs()} & OURS
    silent = [
        f"{app}.{name}"
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app in ours
        and not all(one.reversible for one in migration.operations)
        and not reason(app, name)
    ]
    assert silent == []
    assert as_far_back_as("pools") == "0004_drop_what_moved"
    assert as_far_back_as("annotate") == "0001_initial"
