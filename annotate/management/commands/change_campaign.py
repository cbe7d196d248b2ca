from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.amending import AmendmentRefused, amend
from annotate.models import Campaign
from annotate.summaries import campaign_summary
from pairselect.jobs.terminal import JsonCommand, named


class Command(JsonCommand):
    help = "Change who works in a campaign, who decides disagreements, and what people are paid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign")
        parser.add_argument(
            "--annotators", nargs="*", metavar="USERNAME", help="all who compare from now on"
        )
        parser.add_argument(
            "--adjudicate",
            choices=Campaign.Adjudicate.values,
            help="; ".join(f"{one.value}: {one.label}" for one in Campaign.Adjudicate),
        )
        parser.add_argument(
            "--adjudicators", nargs="*", metavar="USERNAME", help="all who decide disagreements"
        )
        parser.add_argument("--price", help="of each label, or active hour")
        parser.add_argument("--priced-by", choices=Campaign.PricedBy.values)
        parser.add_argument("--currency", help="three letters, such as EUR")

    def handle(self, *args: Any, campaign: str, **options: Any) -> None:
        found = named(Campaign.objects, campaign)
        fields = ("annotators", "adjudicate", "adjudicators", "price", "priced_by", "currency")
        given = {name: options[name] for name in fields if options[name] is not None}
        if not given:
            raise CommandError("Nothing is to be changed: name an option.")
        try:
            amend(found, **given)
        except AmendmentRefused as problem:
            raise CommandError(f"--{problem.field.replace('_', '-')}: {problem}") from problem
        found.refresh_from_db()
        self.tell(f"“{found}” is changed.", lambda: campaign_summary(found))
