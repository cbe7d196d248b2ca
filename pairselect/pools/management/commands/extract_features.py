from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand, named
from pairselect.pools.actions import create_feature_set
from pairselect.pools.models import Pool
from pairselect.pools.queries import DEFAULT_FEATURES, FEATURE_KINDS, is_feature_kind
from pairselect.pools.summaries import pool_summary


class Command(JobCommand):
    help = "Extract the features and log-probabilities of a pool's completions."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        parser.add_argument("--model", default="", help="the reference model")
        parser.add_argument(
            "--kind",
            nargs="+",
            default=[DEFAULT_FEATURES],
            help=f"one or more of {', '.join(FEATURE_KINDS)} and mean_layer_N, from one pass",
        )

    def handle(
        self, *args: Any, pool: str, model: str, kind: list[str], enqueue: bool, **options: Any
    ) -> None:
        found = named(Pool.objects, pool)
        for name in kind:
            if not is_feature_kind(name):
                raise CommandError(
                    f"--kind: there is no kind {name}: {', '.join(FEATURE_KINDS)} or mean_layer_N."
                )
        sets = [create_feature_set(found, model=model, kind=name) for name in kind]
        self.carry_out([("extract_features", one.pk) for one in sets], enqueue=enqueue)

        def described() -> str:
            for one in sets:
                one.refresh_from_db()
            return "\n".join(
                f"{one.dimension} {one.kind} features a completion of “{pool}”" for one in sets
            )

        self.tell(described, lambda: pool_summary(found))
