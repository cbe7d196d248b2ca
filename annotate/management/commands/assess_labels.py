from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.models import Campaign
from annotate.quality.assess import create_assessment
from annotate.quality.words import summary
from pairselect.jobs.terminal import JobCommand, named


class Command(JobCommand):
    help = "Say how far a campaign's labels can be trusted."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign")
        parser.add_argument(
            "--together", action="store_true", help="with the labels of the rounds before it"
        )

    def handle(
        self, *args: Any, campaign: str, together: bool, enqueue: bool, **options: Any
    ) -> None:
        assessment = create_assessment(named(Campaign.objects, campaign), together=together)
        try:
            self.carry_out([("assess_labels", assessment.pk)], enqueue=enqueue)
        except CommandError:
            assessment.delete()
            raise
        assessment.refresh_from_db()
        self.tell(
            lambda: summary(assessment.results),
            {"assessment": assessment.pk, "campaign": campaign, **assessment.results},
        )
