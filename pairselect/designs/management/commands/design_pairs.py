from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.options import add_design_options, checked, summary
from pairselect.jobs.terminal import JobCommand
from pairselect.pools.models import Pool
from pairselect.pools.naming import NameRefused


class Command(JobCommand):
    help = "Choose the pairs of a pool that deserve a label, and queue them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        add_design_options(parser)

    def handle(self, *args: Any, pool: str, enqueue: bool, **options: Any) -> None:
        try:
            found = Pool.objects.get(name=pool)
        except Pool.DoesNotExist:
            raise CommandError(f"There is no pool named “{pool}”.") from None
        settings = checked(DesignForm(options | {"pool": found.pk}))
        try:
            design = create_design(**settings)
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_design(design), enqueue=enqueue)
        if not enqueue:
            self.stdout.write(summary(design))
