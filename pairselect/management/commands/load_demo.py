import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from annotate.actions import create_campaign, work_for_campaign
from pairselect.accounts.actions import create_person
from pairselect.accounts.roles import ADMIN, ANNOTATOR
from pairselect.designs.actions import create_design
from pairselect.jobs.actions import enqueue_in_turn, run_now
from pairselect.pools.actions import create_pool
from pairselect.pools.imports import open_local, stage_prompts
from pairselect.pools.models import PromptSet
from pairselect.pools.queries import DEFAULT_FEATURES

PROMPTS = Path(settings.BASE_DIR) / "pairselect" / "demo_prompts.jsonl"
NAME = "Demo"
PEOPLE = (("admin", ADMIN), ("annotator", ANNOTATOR))


class Command(BaseCommand):
    help = "Load the demo: prompts, two accounts, and the jobs that lead to an open campaign."

    def handle(self, *args: Any, **options: Any) -> None:
        logins = self._people()
        self.stdout.write("Logins, made on this machine:")
        for username, password in logins.items():
            self.stdout.write(f"  {username:<10} {password}")
        pool = create_pool(
            self._prompts(),
            name=NAME,
            completions=8,
            max_new_tokens=96,
            temperature=0.8,
            top_p=1.0,
            seed=0,
        )
        design = create_design(
            pool,
            name=NAME,
            budget=60,
            max_per_prompt=3,
            strategy="trace",
            method="exact",
            feature_kind=DEFAULT_FEATURES,
            dimension=None,
            seed=0,
        )
        campaign = create_campaign(
            design,
            name=NAME,
            annotators=User.objects.filter(username="annotator"),
        )
        enqueue_in_turn(work_for_campaign(campaign))

    def _prompts(self) -> PromptSet:
        done = PromptSet.objects.filter(name=NAME, imported_at__isnull=False).first()
        if done is not None:
            return done
        with open_local(str(PROMPTS)) as file:
            prompt_set = stage_prompts(file, name=NAME, file_name=PROMPTS.name)
        run_now("import_prompts", prompt_set.pk)
        prompt_set.refresh_from_db()
        return prompt_set

    def _people(self) -> dict[str, str]:
        """The demo's accounts. Their passwords are kept in the data folder, to be shown again."""
        path = Path(settings.PAIRSELECT_DATA_DIR) / "demo_logins.json"
        logins: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        for username, role in PEOPLE:
            if not User.objects.filter(username=username).exists():
                _, logins[username] = create_person(username, role=role, operator=role == ADMIN)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(logins, file)
        return {name: logins.get(name, "as you set it") for name, _ in PEOPLE}
