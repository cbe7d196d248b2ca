from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.backup import BackupError
from pairselect.backup.restoring import restore_backup
from pairselect.backup.showing import checked_lines, checked_summary, watched
from pairselect.jobs.terminal import JsonCommand


class Command(JsonCommand):
    help = "Put a backup into this installation, which must be empty: docs/backup.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with watched(self.stderr) as told:
                checked = restore_backup(file, told=told)
        except BackupError as problem:
            raise CommandError(str(problem)) from problem
        except OSError as problem:
            raise CommandError(f"{file} cannot be read: {problem.strerror}.") from problem
        self.tell(
            lambda: "\n".join(
                [
                    f"{file} is restored.",
                    *checked_lines(checked),
                    "Start web server and workers: jobs that ran go on within a minute.",
                ]
            ),
            lambda: {"path": str(file), **checked_summary(checked)},
        )
