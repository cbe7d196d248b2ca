from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JsonCommand
from pairselect.trail.verifying import verify


class Command(JsonCommand):
    help = "Reckon the audit trail's chain anew: whether an entry was altered, moved or taken out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            default="",
            metavar="NUMBER:DIGEST",
            help="an end of the chain that was noted earlier, from this command or from the log",
        )

    def handle(self, *args: Any, expect: str, **options: Any) -> None:
        found = verify(expected=expect)
        if not found.is_whole:
            raise CommandError("\n".join(["The audit trail is not whole.", *found.problems]))
        self.tell(
            f"The audit trail is whole: {found.entries:,} entries, the chain ends at {found.end}",
            {"entries": found.entries, "end": found.end},
        )
