from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.backup import BackupError
from pairselect.backup.checking import check_backup
from pairselect.backup.showing import checked_lines, checked_summary, watched
from pairselect.jobs.terminal import JsonCommand


class Command(JsonCommand):
    help = "Look whether a backup is whole: every digest, every table, the audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with watched(self.stderr) as told:
                checked = check_backup(file, lambda done: told("reading", done, 0))
        except BackupError as problem:
            raise CommandError(str(problem)) from problem
        except OSError as problem:
            raise CommandError(f"{file} cannot be read: {problem.strerror}.") from problem
        self.tell(
            lambda: "\n".join([f"{file} is whole.", *checked_lines(checked)]),
            lambda: {"path": str(file), **checked_summary(checked)},
        )
