from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.accounts.locks import lift, locks
from pairselect.jobs.terminal import JsonCommand


class Command(JsonCommand):
    help = "Say which logins are locked after too many failures, or lift a lock."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lift-name", default="", metavar="USERNAME", help="from anywhere")
        parser.add_argument("--lift-address", default="", metavar="ADDRESS", help="with any name")

    def handle(self, *args: Any, lift_name: str, lift_address: str, **options: Any) -> None:
        if (lift_name or lift_address) and not lift(username=lift_name, address=lift_address):
            raise CommandError("No login has failed with that lately: there is nothing to lift.")
        found = locks()
        lines = [
            f"{lock.username or 'every name'} from {lock.address or 'an unknown address'}: "
            f"{lock.failures} failures, until {lock.until:%Y-%m-%d %H:%M} UTC"
            for lock in found
        ]
        self.tell(
            "\n".join(lines or ["No login is locked."]), {"locks": [asdict(x) for x in found]}
        )
