from typing import Any

from pairselect.pools.imports.terminal import ImportCommand
from pairselect.pools.models import PromptSet
from pairselect.pools.summaries import prompt_set_summary


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
        found = PromptSet.objects.get(pk=made.pk)
        self.tell(f"{found.prompt_count:,} prompts in “{made}”", lambda: prompt_set_summary(found))
