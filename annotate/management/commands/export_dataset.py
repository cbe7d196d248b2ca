import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.exports import export_path
from annotate.formats import FORMATS
from annotate.models import Campaign, Export
from pairselect.jobs.terminal import JobCommand


class Command(JobCommand):
    help = "Write a campaign's labels as a DPO dataset, one JSON object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign")
        parser.add_argument("--output", help="the file to write; needed without --enqueue")
        parser.add_argument("--format", default="trl", choices=list(FORMATS))

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
        export = Export.objects.create(campaign=found, format=format)
        try:
            self.carry_out([("export_dataset", export.pk)], enqueue=enqueue)
        except CommandError:
            export.delete()
            raise
        if output:
            export.refresh_from_db()
            self._copy(export, Path(output))
            self.stdout.write(f"{export.row_count:,} rows in {output}, SHA-256 {export.sha256}")

    def _copy(self, export: Export, output: Path) -> None:
        part = output.with_name(output.name + ".part")
        try:
            shutil.copyfile(export_path(export), part)
            part.replace(output)
        except OSError as problem:
            part.unlink(missing_ok=True)
            raise CommandError(
                f"{output} cannot be written: {problem.strerror}. Choose another place."
            ) from problem
