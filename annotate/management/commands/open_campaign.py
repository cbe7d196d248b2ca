from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.actions import create_campaign, work_for_campaign
from annotate.queries import annotators
from pairselect.designs.models import Design
from pairselect.designs.words import count
from pairselect.jobs.terminal import JobCommand, seed_number
from pairselect.pools.naming import NameRefused


class Command(JobCommand):
    help = "Put a design's pairs before its annotators."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("design")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--annotator", action="append", default=[], metavar="USERNAME", help="repeatable"
        )
        parser.add_argument("--instructions", help="Markdown, shown to the annotators")
        parser.add_argument("--seed", type=seed_number, help="decides the sides; else drawn")

    def handle(
        self,
        *args: Any,
        design: str,
        name: str,
        annotator: list[str],
        seed: int | None,
        instructions: str | None,
        enqueue: bool,
        **options: Any,
    ) -> None:
        try:
            found = Design.objects.get(name=design)
        except Design.DoesNotExist:
            raise CommandError(f"There is no design named “{design}”.") from None
        people = list(annotators().filter(username__in=annotator))
        missing = sorted(set(annotator) - {person.username for person in people})
        if missing:
            raise CommandError(
                f"There is no active annotator named “{missing[0]}”. Make one with create_person."
            )
        try:
            campaign = create_campaign(
                found, name=name, annotators=people, seed=seed, instructions=instructions
            )
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_campaign(campaign), enqueue=enqueue)
        if not enqueue:
            comparisons = count(campaign.comparisons.count(), "comparison")
            self.stdout.write(
                f"“{campaign}” is open: {comparisons}, {count(len(people), 'annotator')}"
            )
