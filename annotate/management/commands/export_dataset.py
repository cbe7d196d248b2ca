import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.actions import create_export
from annotate.exporting.formats import FORMATS
from annotate.exporting.job import discard_export, export_folder
from annotate.exporting.options import Extra, FileType, OneRow, OptionRefused, Options
from annotate.models import Campaign
from annotate.summaries import export_summary
from pairselect.jobs.terminal import JobCommand, named, seed_number
from pairselect.trail.actions import record

FILE_ENDINGS = (".jsonl", ".parquet", ".json")


class Command(JobCommand):
    help = (
        "Write a campaign's labels, or its edits, as a dataset: a folder with its card and its "
        "report, or one file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        usual = Options()
        parser.add_argument("campaign")
        parser.add_argument(
            "--output",
            help="the folder to make, or one file, such as dpo.jsonl; needed without --enqueue",
        )
        titles = "; ".join(f"{one.name}: {one.title}" for one in FORMATS.values())
        parser.add_argument("--format", default=usual.format, choices=list(FORMATS), help=titles)
        parser.add_argument(
            "--one-row",
            default=usual.one_row,
            choices=OneRow.values,
            help="; ".join(f"{one.value}: {one.label}" for one in OneRow),
        )
        parser.add_argument(
            "--rounds", action="store_true", help="the labels of the rounds before it too"
        )
        parser.add_argument("--machines", action="store_true", help="the answers of machines too")
        parser.add_argument(
            "--min-agreement",
            type=percent,
            metavar="PERCENT",
            help="of a pair's labels, that say what most of them say; with rows for pairs, what "
            "an adjudicator decided stays",
        )
        parser.add_argument(
            "--min-posterior",
            type=percent,
            metavar="PERCENT",
            help="probability that the chosen text is better",
        )
        parser.add_argument("--max-per-prompt", type=number, metavar="ROWS")
        parser.add_argument(
            "--leave-flagged", action="store_true", help="leave out pairs with an open flag"
        )
        parser.add_argument(
            "--test-share",
            type=percent,
            default=0.0,
            metavar="PERCENT",
            help="of the prompts, into a file of their own",
        )
        parser.add_argument("--seed", type=seed_number, default=0, help="of the split")
        parser.add_argument(
            "--extras",
            nargs="*",
            choices=Extra.values,
            help="further files of a folder; all of them if not said, none if empty",
        )
        parser.add_argument(
            "--parquet", action="store_true", help="the rows as Parquet, not as JSON Lines"
        )

    def handle(
        self, *args: Any, campaign: str, output: str | None, enqueue: bool, **options: Any
    ) -> None:
        found = named(Campaign.objects, campaign)
        if enqueue == bool(output):
            raise CommandError(
                "Give --output FOLDER or FILE, or --enqueue to have a worker put it on the "
                "campaign's page."
            )
        target = Path(output) if output else None
        as_file = target is not None and is_file(target)
        asked = asked_for(options, target if as_file else None)
        if target is not None:
            check_writable(target, as_file=as_file)
        export = create_export(found, asked)
        try:
            self.carry_out([("export_dataset", export.pk)], enqueue=enqueue)
            export.refresh_from_db()
            if target is not None:
                folder = export_folder(export)
                copy(folder / export.files[0]["name"] if as_file else folder, target)
                told: dict[str, Any] = {"export": export.pk, "sha256": export.sha256}
                record("export.downloaded", found, to=str(target.resolve()), **told)
        except CommandError:
            discard_export(export)
            raise
        self.tell(
            lambda: f"{export.row_count:,} rows in {output}, SHA-256 {export.sha256}",
            lambda: {**export_summary(export), "output": output},
        )


def asked_for(options: dict[str, Any], file: Path | None) -> Options:
    """The options as they were typed; into one file there go the format's rows alone."""
    extras = options["extras"]
    file_type = FileType.PARQUET if options["parquet"] else FileType.JSONL
    if file is not None:
        if options["test_share"]:
            raise CommandError("--test-share makes two files: give --output a folder.")
        if extras:
            raise CommandError("--extras makes further files: give --output a folder.")
        extras = ()
        if file.suffix == ".parquet":
            file_type = FileType.PARQUET
    names = (
        "format", "one_row", "rounds", "machines", "min_agreement", "min_posterior",
        "max_per_prompt", "leave_flagged", "test_share", "seed",
    )  # fmt: skip
    kept = {name: options[name] for name in names}
    try:
        return Options(
            **kept,
            file_type=file_type,
            extras=tuple(Extra.values if extras is None else extras),
        ).check()
    except OptionRefused as problem:
        raise CommandError(f"--{problem.field.replace('_', '-')}: {problem}") from problem


def is_file(target: Path) -> bool:
    """Whether one file is meant: it has an ending of those that datasets have, or is
    a file, a device or a pipe already."""
    return not target.is_dir() and (target.suffix in FILE_ENDINGS or target.exists())


def percent(text: str) -> float:
    """A share as an option's value: from 0 to 100."""
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError(text)
    return value / 100


def number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def check_writable(target: Path, *, as_file: bool) -> None:
    """Before any work: whether it can be made where it was asked for."""
    if not as_file and target.is_dir() and any(target.iterdir()):
        raise CommandError(f"{target} is a folder with files in it: name a new one.")
    place = target if target.exists() and as_file else target.parent
    if not os.access(place, os.W_OK):
        reason = "no permission" if place.exists() else "there is no such folder"
        raise CommandError(f"{target} cannot be written: {reason}. Choose another place.")


def copy(source: Path, target: Path) -> None:
    """Copy whole or not at all; into a device or a pipe as it comes."""
    part = target.with_name(f".{target.name[:200]}.part")
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            with source.open("rb") as read, target.open("wb") as write:
                shutil.copyfileobj(read, write)
            return
        make: Callable[..., Any] = shutil.copytree if source.is_dir() else shutil.copyfile
        make(source, part)
        part.replace(target)
    except OSError as problem:
        with contextlib.suppress(OSError):
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink()
        reason = problem.strerror or str(problem)
        raise CommandError(
            f"{target} cannot be written: {reason}. Choose another place."
        ) from problem
