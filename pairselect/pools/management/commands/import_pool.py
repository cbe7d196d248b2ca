from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand
from pairselect.pools.actions import work_for_pool
from pairselect.pools.imports import discard_failed_import, open_local, stage_pool
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import DEFAULT_FEATURES


class Command(JobCommand):
    help = "Read a ready-made pool from JSONL: a prompt and its completions on each line."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file")
        parser.add_argument("--name", required=True)
        parser.add_argument("--model", default="", help="what wrote the completions")
        parser.add_argument("--no-features", action="store_true")

    def handle(
        self,
        *args: Any,
        file: str,
        name: str,
        model: str,
        no_features: bool,
        enqueue: bool,
        **options: Any,
    ) -> None:
        try:
            with open_local(file) as source:
                pool = stage_pool(source, name=name, file_name=Path(file).name, model=model)
        except (NameRefused, OSError) as problem:
            raise CommandError(str(problem)) from problem
        work = work_for_pool(pool, features="" if no_features else DEFAULT_FEATURES)
        try:
            self.carry_out(work, enqueue=enqueue)
        except CommandError:
            discard_failed_import(pool.prompt_set)
            raise
        if not enqueue:
            self.stdout.write(f"{pool.completions.count():,} completions in “{name}”")
