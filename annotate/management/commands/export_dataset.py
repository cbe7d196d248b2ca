import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.exports import discard_export, export_path
from annotate.formats import FORMATS
from annotate.models import Campaign, Export
from pairselect.jobs.terminal import JobCommand


class Command(JobCommand):
    help = "Write a campaign's labels, or its edits, as a dataset: one JSON object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign")
        parser.add_argument("--output", help="the file to write; needed without --enqueue")
        titles = "; ".join(f"{one.name}: {one.title}" for one in FORMATS.values())
        parser.add_argument("--format", default="trl", choices=list(FORMATS), help=titles)

    def handle(
        self,
        *args: Any,
        campaign: str,
        output: str | None,
        format: str,
        enqueue: bool,
        **options: Any,
    ) -> None:
        try:
            found = Campaign.objects.get(name=campaign)
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign named “{campaign}”.") from None
        if enqueue == bool(output):
            raise CommandError(
                "Give --output FILE, or --enqueue to have a worker put it on the campaign's page."
            )
        target = Path(output) if output else None
        if target is not None:
            check_writable(target)
        export = Export.objects.create(campaign=found, format=format)
        try:
            self.carry_out([("export_dataset", export.pk)], enqueue=enqueue)
            export.refresh_from_db()
            if target is not None:
                copy(export_path(export), target)
        except CommandError:
            discard_export(export)
            raise
        if output:
            self.stdout.write(f"{export.row_count:,} rows in {output}, SHA-256 {export.sha256}")


def check_writable(target: Path) -> None:
    """Before any work: whether the file can be made where it was asked for."""
    if target.is_dir():
        raise CommandError(f"{target} is a folder: name a file in it.")
    place = target if target.exists() else target.parent
    if not os.access(place, os.W_OK):
        reason = "no permission" if place.exists() else "there is no such folder"
        raise CommandError(f"{target} cannot be written: {reason}. Choose another place.")


def copy(source: Path, target: Path) -> None:
    """Copy whole or not at all; into a device or a pipe as it comes."""
    part = target.with_name(f".{target.name[:200]}.part")
    try:
        if target.exists() and not target.is_file():
            with source.open("rb") as read, target.open("wb") as write:
                shutil.copyfileobj(read, write)
            return
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError as problem:
        with contextlib.suppress(OSError):
            part.unlink()
        raise CommandError(
            f"{target} cannot be written: {problem.strerror}. Choose another place."
        ) from problem
