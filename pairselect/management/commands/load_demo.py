import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from annotate.actions import create_campaign, work_for_campaign
from annotate.models import Campaign
from pairselect.accounts.actions import create_person
from pairselect.accounts.roles import ADMIN, ANNOTATOR
from pairselect.designs.actions import create_design
from pairselect.designs.models import PRIOR_SD, Design
from pairselect.jobs.actions import JobBusy, enqueue_in_turn, run_now
from pairselect.jobs.progress import JobError
from pairselect.pools.actions import create_pool, work_for_report
from pairselect.pools.imports.confirming import confirm_upload
from pairselect.pools.imports.staging import (
    discard_upload,
    open_local,
    stage_upload,
    unfinished_uploads,
)
from pairselect.pools.models import Pool, PromptSet
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import DEFAULT_FEATURES
from pairselect.pools.reading import Columns
from pairselect.pools.recipes import Recipe

PROMPTS = Path(settings.BASE_DIR) / "pairselect" / "demo_prompts.jsonl"
NAME = "Demo"
GUIDELINES = """\
Which answer would you rather get to this prompt?

1. What is **true** comes before what is well written.
2. What **helps** with the prompt comes before what is long.
3. If neither is of use, say that both are bad.

The model that wrote these is a small one: expect to say that often.
"""
PEOPLE = (("admin", ADMIN), ("annotator", ANNOTATOR))

M = TypeVar("M", bound=models.Model)


class Command(BaseCommand):
    help = "Load the demo: prompts, two accounts, and the jobs that lead to an open campaign."

    def handle(self, *args: Any, **options: Any) -> None:
        logins = self._people()
        self.stdout.write("Logins, made on this machine:")
        for username, password in logins.items():
            self.stdout.write(f"  {username:<10} {password}")
        campaign = self._campaign()
        work = work_for_campaign(campaign)
        if work:  # the report last: nobody waits for it
            work += work_for_report(campaign.design.pool)[-1:]
        enqueue_in_turn(work)

    def _campaign(self) -> Campaign:
        """The demo as it is loaded anew, or what is there of it, made with whatever settings."""
        prompts = self._prompts()
        pool = _made(
            Pool,
            lambda: create_pool(
                prompts,
                name=NAME,
                recipes=[Recipe(settings.PAIRSELECT_MODEL, temperature=0.8)],
                completions=8,
                max_new_tokens=96,
                seed=0,
            ),
        )
        design = _made(
            Design,
            lambda: create_design(
                pool,
                name=NAME,
                budget=60,
                max_per_prompt=3,
                strategy="trace",
                method="exact",
                feature_kind=DEFAULT_FEATURES,
                dimension=None,
                prior_sd=PRIOR_SD,
                seed=0,
            ),
        )
        annotators = User.objects.filter(username="annotator")
        return _made(
            Campaign,
            lambda: create_campaign(
                design,
                name=NAME,
                annotators=annotators,
                guidelines=GUIDELINES,
                strengths=2,
            ),
        )

    def _prompts(self) -> PromptSet:
        done = PromptSet.objects.filter(name=NAME, imported_at__isnull=False).first()
        if done is not None:
            return done
        try:
            for cut_off in unfinished_uploads().filter(name=NAME):
                discard_upload(cut_off)
            with open_local(str(PROMPTS)) as file:
                upload = stage_upload(file, name=NAME, file_name=PROMPTS.name)
            run_now("inspect_upload", upload.pk)
            columns = Columns("prompts", prompt="prompt", id="id", metadata="metadata")
            prompt_set = confirm_upload(upload, columns=columns, name=NAME)
            run_now("import_prompts", prompt_set.pk)
        except (NameRefused, JobBusy, JobError) as problem:
            raise CommandError(str(problem)) from problem
        return PromptSet.objects.get(pk=prompt_set.pk)

    def _people(self) -> dict[str, str]:
        """The demo's accounts. Their passwords are kept in the data folder, to be shown again."""
        path = Path(settings.PAIRSELECT_DATA_DIR) / "demo_logins.json"
        kept = _read(path)
        logins = {}
        with transaction.atomic():  # no account without its password in the file
            for username, role in PEOPLE:
                user = User.objects.filter(username=username).first()
                if user is None:
                    _, logins[username] = create_person(username, role=role, operator=role == ADMIN)
                elif user.check_password(kept.get(username, "")):
                    logins[username] = kept[username]
            _write(path, logins)
        return {username: logins.get(username, "as you set it") for username, _ in PEOPLE}


def _made(model: type[M], create: Callable[[], M]) -> M:
    try:
        return create()
    except NameRefused:
        return model._default_manager.get(name=NAME)


def _read(path: Path) -> dict[str, str]:
    """The passwords in the file; none if it is damaged."""
    try:
        logins = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(logins, dict):
        return {}
    return {name: word for name, word in logins.items() if isinstance(word, str)}


def _write(path: Path, logins: dict[str, str]) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(logins, file)
    unfinished.replace(path)
