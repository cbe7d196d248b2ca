from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.models import Campaign
from annotate.rounds import NoLabels, create_next_round, no_labels, usable_labels
from pairselect.designs.actions import work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.options import add_design_options, checked, summary
from pairselect.designs.summaries import receipt
from pairselect.jobs.terminal import JobCommand, named
from pairselect.pools.naming import NameRefused


class Command(JobCommand):
    help = "Choose further pairs of a campaign's pool, in the knowledge of its labels so far."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign")
        add_design_options(parser)

    def handle(self, *args: Any, campaign: str, enqueue: bool, **options: Any) -> None:
        found = named(Campaign.objects.select_related("design__pool"), campaign)
        if not usable_labels(found).exists():
            raise CommandError(no_labels(found))
        settings = checked(DesignForm(options, after=found.design))
        try:
            design = create_next_round(found, **settings)
        except (NameRefused, NoLabels) as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_design(design), enqueue=enqueue)
        design.refresh_from_db()
        self.tell(lambda: summary(design), lambda: receipt(design))
