import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backup.installations import Installation, Postgres, programs_of_postgres
from tests.migrated import migrate_postgres

New = Callable[..., Installation]

FILL = """
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
import numpy as np
from django.contrib.auth.models import Group, User
from annotate.actions import create_export
from annotate.exporting.options import Options
from annotate.leasing import next_comparison
from pairselect.api.tokens import make_token
from pairselect.jobs.actions import enqueue_job, run_now
from pairselect.jobs.models import Job
from pairselect.pools.models import FeatureSet
from pairselect.pools.storage import FeatureStore, features_folder
from pairselect.trail.actions import record
from tests.conftest import give, make_campaign

def person(name, role):
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=role))
    return user

admin, *people = person("ada", "admin"), *(person(f"p{i}", "annotator") for i in range(4))
campaign = make_campaign(*people, prompts=PAIRS, name="the campaign")
give(campaign, people[0], "left"), give(campaign, people[1], "right")
held = next_comparison(campaign, people[0])
for n in range(3):
    record("campaign.opened", campaign, number=n)

prompts = settings.PAIRSELECT_DATA_DIR / "prompts.jsonl"
prompts.write_text('{"prompt": "Grüße"}\\n{"prompt": "a\\\\tb\\\\\\\\c"}\\n')
call_command("import_prompts", str(prompts), name="uploaded", verbosity=0)
prompts.unlink()

pool = campaign.design.pool
for kind, done in (("mean_middle", timezone.now()), ("last_token", None)):
    made = FeatureSet.objects.create(pool=pool, model="m", kind=kind, completed_at=done)
    rows = pool.completions.count()
    store = FeatureStore(features_folder(made), rows=rows, dimension=4)
    store.write(np.arange(rows), np.ones((rows, 4), np.float32), np.zeros(rows), np.ones(rows, int))
    store.seal({})
made = create_export(campaign, Options())
run_now("export_dataset", made.pk)

# A job whose worker is lost: its export is not made yet.
lost = create_export(campaign, Options())
job = enqueue_job("export_dataset", lost.pk)
from django_tasks_db.models import DBTaskResult
DBTaskResult.objects.update(status="RUNNING")
Job.objects.filter(pk=job.pk).update(
    status="running", worker="elsewhere/1/2", attempt=1, heartbeat_at=timezone.now()
)
tokens = [make_token(one, name="load", scopes=["judge"])[1] for one in people]
print(json.dumps({"campaign": campaign.pk, "job": job.pk, "export": lost.pk, "tokens": tokens,
                  "held": held.pk}))
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = programs_of_postgres()
    if programs is None:
        message = "no PostgreSQL here: install the distribution's package postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="ps-pg-", dir="/tmp"))
    folder.chmod(0o755)
    server = Postgres(programs, folder / "server")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> New:
    """Makes empty installations, all on the same kind of database, with tables or without."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    first: list[str] = []  # PostgreSQL's database with tables, which others are copies of

    def make(*, migrated: bool = False) -> Installation:
        here = Installation(tmp_path_factory.mktemp("installation") / "data folder")
        if server is None and migrated:
            here.folder.mkdir()
            shutil.copy(migrated_file, here.folder)
        elif server is not None:
            if migrated and not first:
                first.append(server.new_database())
                migrate_postgres(first[0], migrated_file.parent)
            like = first[0].rpartition("/")[2] if migrated else "template0"
            here.database_url = server.new_database(like)
        return here

    return make
