from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.gold import MOST_BYTES, GoldRefused, add_gold, read_gold
from annotate.models import Campaign, Gold
from annotate.summaries import campaign_reference
from pairselect.designs.words import count
from pairselect.jobs.terminal import JsonCommand, named


class Command(JsonCommand):
    help = "Add pairs whose better side is known to a campaign, from JSONL. All rows or none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign")
        parser.add_argument(
            "file", help="prompt, better, worse and perhaps explanation and use in each line"
        )
        parser.add_argument(
            "--use", choices=Gold.Use.values, default="check", help="of rows that do not say"
        )

    def handle(self, *args: Any, campaign: str, file: str, use: str, **options: Any) -> None:
        found = named(Campaign.objects, campaign)
        try:
            with Path(file).open("rb") as source:
                content = source.read(MOST_BYTES + 1)
        except OSError as problem:
            raise CommandError(f"{file} cannot be read: {problem.strerror}.") from problem
        try:
            number = add_gold(found, read_gold(content, use=Gold.Use(use)))
        except GoldRefused as problem:
            raise CommandError("\n".join([str(problem), *problem.shown])) from problem
        self.tell(
            f"{count(number, 'gold pair')} added to “{found}”.",
            {"campaign": campaign_reference(found), "added": number},
        )
