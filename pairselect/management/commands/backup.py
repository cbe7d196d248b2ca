from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from pairselect.backup import BackupError
from pairselect.backup.making import Made, make_backup
from pairselect.backup.showing import summary, watched
from pairselect.jobs.terminal import JsonCommand

FOLDER = "backups"  # of the data folder, where none is named


class Command(JsonCommand):
    help = "Write a backup of the running installation, and read it again: docs/backup.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "to", nargs="?", type=Path, help="a folder or a new file; else backups/, in the data"
        )
        parser.add_argument(
            "--with-secrets",
            action="store_true",
            help="the secret key, and the demo's passwords, go into it",
        )
        parser.add_argument("--keep", type=int, metavar="N", help="remove all but N in the folder")

    def handle(
        self, *args: Any, to: Path | None, with_secrets: bool, keep: int | None, **options: Any
    ) -> None:
        if keep is not None and keep < 1:
            raise CommandError("--keep: give 1 or more, or leave it out to keep all.")
        if to is None:
            to = Path(settings.PAIRSELECT_DATA_DIR) / FOLDER
            to.mkdir(mode=0o700, exist_ok=True)
        try:
            with watched(self.stderr) as told:
                made = make_backup(to, secrets=with_secrets, keep=keep, told=told)
        except BackupError as problem:
            raise CommandError(str(problem)) from problem
        self.tell(
            lambda: "\n".join(_lines(made)),
            lambda: {
                "path": str(made.path),
                "bytes": made.bytes,
                "sha256": made.sha256,
                **summary(made.manifest),
                "removed": made.removed,
            },
        )


def _lines(made: Made) -> list[str]:
    found = made.manifest
    lines = [
        f"{made.path}, {made.bytes:,} bytes, SHA-256 {made.sha256}",
        f"{sum(found.tables.values()):,} rows in {len(found.tables)} tables of {found.database}, "
        f"{len(found.files) - 1:,} files; read again and whole",
    ]
    lines += [f"Was gone before, and is not in it: {name}" for name in found.lost]
    lines += [f"Removed: {name}" for name in made.removed]
    if not found.secrets:
        lines.append("The secret key is not in it (--with-secrets): keep it apart.")
    return lines
