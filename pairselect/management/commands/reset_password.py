from typing import Any

from django.core.management.base import CommandParser

from pairselect.accounts.invitations import invite, link_of
from pairselect.accounts.roles import everybody
from pairselect.jobs.terminal import JsonCommand, NotFound
from pairselect.management.commands.invite_person import server_address


class Command(JsonCommand):
    help = "Make a link, good for a day and once, by which a person sets a new password; print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--address", type=server_address, default=None, metavar="URL", help="of this server"
        )

    def handle(self, *args: Any, username: str, address: str | None, **options: Any) -> None:
        person = everybody().filter(username=username, is_active=True).first()
        if person is None:
            raise NotFound(f"There is no active account “{username}”.")
        invitation, secret = invite(person=person, days=1)
        link = link_of(secret, address)
        self.tell(link, {"username": username, "link": link, "expires_at": invitation.expires_at})
