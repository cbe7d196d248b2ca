from typing import Any

from django.core.management.base import CommandParser

from pairselect.pools.imports.terminal import ImportCommand
from pairselect.pools.models import Completion, Pool
from pairselect.pools.queries import DEFAULT_FEATURES
from pairselect.pools.summaries import pool_summary


class Command(ImportCommand):
    help = "Read a ready pool, or preferences, from a file: prompts and their completions."
    kinds = ("pool", "preferences")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--model", default="", help="what wrote the completions")
        parser.add_argument("--no-features", action="store_true")

    def handle(
        self,
        *args: Any,
        file: str,
        name: str,
        column: list[str],
        merge_duplicates: bool,
        model: str,
        no_features: bool,
        enqueue: bool,
        **options: Any,
    ) -> None:
        made = self.take(
            file,
            name=name,
            column=column,
            merge_duplicates=merge_duplicates,
            enqueue=enqueue,
            model=model,
            features="" if no_features else DEFAULT_FEATURES,
        )
        pool = Pool.objects.get(pk=made.pk)
        self.tell(
            lambda: f"{Completion.objects.filter(pool=pool).count():,} completions in “{made}”",
            lambda: pool_summary(pool),
        )
