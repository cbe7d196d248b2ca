from typing import Any

from django.core.management.base import CommandParser

from annotate.actions import pause_campaign, resume_campaign
from annotate.models import Campaign
from annotate.summaries import campaign_summary
from pairselect.jobs.terminal import JsonCommand, named


class Command(JsonCommand):
    help = "Ask nobody anything in a campaign until it is resumed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign")
        parser.add_argument("--resume", action="store_true", help="go on after a pause")

    def handle(self, *args: Any, campaign: str, resume: bool, **options: Any) -> None:
        found = named(Campaign.objects, campaign)
        if resume:
            resume_campaign(found)
        else:
            pause_campaign(found)
        found.refresh_from_db()
        self.tell(
            f"“{found}” {'goes on' if resume else 'is paused'}.", lambda: campaign_summary(found)
        )
