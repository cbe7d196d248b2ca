from typing import Any

from pairselect.pools.imports.terminal import ImportCommand
from pairselect.pools.models import PromptSet


class Command(ImportCommand):
    help = "Read a prompt set from a file."
    kinds = ("prompts",)

    def handle(
        self,
        *args: Any,
        file: str,
        name: str,
        column: list[str],
        merge_duplicates: bool,
        enqueue: bool,
        **options: Any,
    ) -> None:
        made = self.take(
            file, name=name, column=column, merge_duplicates=merge_duplicates, enqueue=enqueue
        )
        if not enqueue:
            count = PromptSet.objects.get(pk=made.pk).prompt_count
            self.stdout.write(f"{count:,} prompts in “{made}”")
