from typing import Any

from django.core.management.base import CommandParser

from annotate.measures import people_of
from annotate.models import Campaign
from annotate.summaries import CampaignDetail, campaign_detail, person_summary
from pairselect.jobs.terminal import JsonCommand, named


class Command(JsonCommand):
    help = "Say how far a campaign is: its labels, pace, cost and people."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign")

    def handle(self, *args: Any, campaign: str, **options: Any) -> None:
        found = named(Campaign.objects.select_related("design"), campaign)
        detail = campaign_detail(found)
        people = [person_summary(one) for one in people_of(found)]
        self.tell(lambda: "\n".join(lines(detail)), {**detail, "people": people})


def lines(detail: CampaignDetail) -> list[str]:
    """The command's words, for an admin at the terminal."""
    share = f" ({detail['labels'] / detail['wanted']:.0%})" if detail["wanted"] else ""
    said = [
        f"“{detail['name']}” is {detail['state']}: "
        f"{detail['labels']:,} of {detail['wanted']:,} labels{share}"
    ]
    given = [f"{name} {number:,}" for name, number in detail["answers"].items() if number]
    if given:
        said.append("Answers: " + ", ".join(given))
    pace = detail["pace"]
    if pace["seconds"]:
        said.append(
            f"{pace['seconds']['value']:.0f} s a label, {pace['today']:,} labels today, "
            f"{pace['week']:,} in the seven days before"
        )
    if finish := pace["finish"]:
        latest = finish["latest"] or "later than can be told"
        said.append(f"Done about {finish['expected']} ({finish['earliest']} to {latest})")
    if cost := detail["cost"]:
        total = f" of about {cost['total']:,.2f}" if cost["total"] is not None else ""
        said.append(f"Cost: {cost['so_far']:,.2f}{total} {cost['currency']}".rstrip())
    if detail["trust"]:
        said.append(detail["trust"])
    return said
