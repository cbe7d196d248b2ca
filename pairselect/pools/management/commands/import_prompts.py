from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand
from pairselect.pools.imports import discard_failed_import, open_local, stage_prompts
from pairselect.pools.models import PromptSet
from pairselect.pools.naming import NameRefused


class Command(JobCommand):
    help = 'Read a prompt set from JSONL: {"prompt": …} or {"messages": …} on each line.'

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file")
        parser.add_argument("--name", required=True)

    def handle(self, *args: Any, file: str, name: str, enqueue: bool, **options: Any) -> None:
        try:
            with open_local(file) as source:
                prompt_set = stage_prompts(source, name=name, file_name=Path(file).name)
        except (NameRefused, OSError) as problem:
            raise CommandError(str(problem)) from problem
        try:
            self.carry_out([("import_prompts", prompt_set.pk)], enqueue=enqueue)
        except CommandError:
            discard_failed_import(prompt_set)
            raise
        if not enqueue:
            count = PromptSet.objects.get(pk=prompt_set.pk).prompt_count
            self.stdout.write(f"{count:,} prompts in “{name}”")
