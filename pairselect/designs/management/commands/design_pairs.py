from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.options import add_design_options, checked, summary
from pairselect.designs.summaries import receipt
from pairselect.jobs.terminal import JobCommand, named
from pairselect.pools.models import Pool
from pairselect.pools.naming import NameRefused


class Command(JobCommand):
    help = "Choose the pairs of a pool that deserve a label, and queue them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        add_design_options(parser)

    def handle(self, *args: Any, pool: str, enqueue: bool, **options: Any) -> None:
        found = named(Pool.objects, pool)
        settings = checked(DesignForm(options | {"pool": found.pk}))
        try:
            design = create_design(**settings)
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_design(design), enqueue=enqueue)
        design.refresh_from_db()
        self.tell(lambda: summary(design), lambda: receipt(design))
