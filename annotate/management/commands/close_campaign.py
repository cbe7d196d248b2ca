from typing import Any

from django.core.management.base import CommandParser

from annotate.actions import close_campaign, reopen_campaign
from annotate.models import Campaign
from annotate.summaries import campaign_summary
from pairselect.jobs.terminal import JsonCommand, named


class Command(JsonCommand):
    help = "End a campaign. Its labels are kept, and it can be opened again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign")
        parser.add_argument("--reopen", action="store_true", help="open a closed one again")

    def handle(self, *args: Any, campaign: str, reopen: bool, **options: Any) -> None:
        found = named(Campaign.objects, campaign)
        if reopen:
            reopen_campaign(found)
        else:
            close_campaign(found)
        found.refresh_from_db()
        self.tell(
            f"“{found}” is {'open again' if reopen else 'closed'}.", lambda: campaign_summary(found)
        )
