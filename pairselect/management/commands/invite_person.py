from argparse import ArgumentTypeError
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser

from annotate.inviting import open_campaigns
from annotate.models import Campaign
from pairselect.accounts.invitations import invite, link_of
from pairselect.accounts.models import DAYS, MOST_DAYS, Invitation
from pairselect.jobs.terminal import JsonCommand, named


def server_address(text: str) -> str:
    """As ``--address`` has it."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentTypeError(f"{text!r} is no address: write https://label.example.org, say.")
    return text


class Command(JsonCommand):
    help = "Make a link by which one person comes in, once, and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--role",
            default=Invitation.Role.ANNOTATOR.value,
            choices=Invitation.Role.values,
            help="; ".join(str(one.label) for one in Invitation.Role),
        )
        parser.add_argument(
            "--campaign",
            action="append",
            default=[],
            metavar="NAME",
            help="in which the person begins at once; may be given several times",
        )
        parser.add_argument("--note", default="", help="whom it is for, for the list of links")
        parser.add_argument("--days", type=int, default=DAYS, help="that the link is good for")
        parser.add_argument(
            "--address",
            type=server_address,
            default=None,
            metavar="URL",
            help="of this server, as people type it: https://label.example.org",
        )

    def handle(
        self,
        *args: Any,
        role: str,
        campaign: list[str],
        note: str,
        days: int,
        address: str | None,
        **options: Any,
    ) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days {days}: a link is good for 1 to {MOST_DAYS} days.")
        if len(note) > 100:
            raise CommandError("--note: at most 100 characters.")
        campaigns = [named(Campaign.objects, one) for one in campaign]
        still_open = set(open_campaigns().values_list("pk", flat=True))
        for one in campaigns:
            if one.pk not in still_open:
                raise CommandError(f"“{one}” is closed: nobody can begin there.")
        invitation, secret = invite(role=role, campaigns=campaigns, note=note, days=days)
        link = link_of(secret, address)
        self.tell(
            link,
            {
                "id": invitation.pk,
                "link": link,
                "role": role,
                "campaigns": [one.name for one in campaigns],
                "expires_at": invitation.expires_at,
            },
        )
