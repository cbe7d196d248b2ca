from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand
from pairselect.pools.actions import create_feature_set
from pairselect.pools.models import Pool
from pairselect.pools.queries import DEFAULT_FEATURES, FEATURE_KINDS


class Command(JobCommand):
    help = "Extract the features and log-probabilities of a pool's completions."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        parser.add_argument("--model", default="", help="the reference model")
        parser.add_argument("--kind", default=DEFAULT_FEATURES, choices=FEATURE_KINDS)

    def handle(
        self, *args: Any, pool: str, model: str, kind: str, enqueue: bool, **options: Any
    ) -> None:
        try:
            found = Pool.objects.get(name=pool)
        except Pool.DoesNotExist:
            raise CommandError(f"There is no pool named “{pool}”.") from None
        feature_set = create_feature_set(found, model=model, kind=kind)
        self.carry_out([("extract_features", feature_set.pk)], enqueue=enqueue)
        if not enqueue:
            feature_set.refresh_from_db()
            self.stdout.write(f"{feature_set.dimension} features a completion of “{pool}”")
