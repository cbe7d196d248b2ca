"""What the import commands share: look, decide and import in one go."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand, Stopped
from pairselect.pools.imports.confirming import Target, confirm_upload, work_for
from pairselect.pools.imports.staging import discard_upload, open_local, stage_upload
from pairselect.pools.models import Upload
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import DEFAULT_FEATURES
from pairselect.pools.reading import Columns, Kind, Preview, roles

COMMANDS: dict[Kind, tuple[str, str]] = {  # what such a file is, and what imports it
    "prompts": ("a file of prompts", "import_prompts"),
    "pool": ("a ready pool", "import_pool"),
    "preferences": ("a file of preferences", "import_pool"),
}


class ImportCommand(JobCommand):
    """A file of one of ``kinds``, with the mapping that is recognised or given."""

    kinds: tuple[Kind, ...]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        known = ", ".join(dict.fromkeys(role.name for kind in self.kinds for role in roles(kind)))
        parser.add_argument("file", help="JSONL, JSON, CSV or Parquet, also packed: gzip or zstd")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="ROLE=COLUMN",
            help=f"which column is what, where it is not recognised: {known}",
        )
        parser.add_argument(
            "--merge-duplicates",
            action="store_true",
            help="keep the first of equal prompts, with the completions of all",
        )

    def take(
        self,
        file: str,
        *,
        name: str,
        column: list[str],
        merge_duplicates: bool,
        enqueue: bool,
        model: str = "",
        features: str = DEFAULT_FEATURES,
    ) -> Target:
        """Import the file, or queue its import.

        Raises
        ------
        CommandError
            With one sentence. What was made for the file is removed again.
        """
        try:
            with open_local(file) as source:
                upload = stage_upload(source, name=name, file_name=Path(file).name, model=model)
        except (NameRefused, OSError) as problem:
            raise CommandError(str(problem)) from problem
        try:
            self.carry_out([("inspect_upload", upload.pk)], enqueue=False)
            target = confirm_upload(
                upload,
                columns=self._columns(file, upload, column),
                name=name,
                model=model,
                merge_duplicates=merge_duplicates,
            )
            self.carry_out(work_for(target, features=features), enqueue=enqueue)
        except Stopped:
            raise CommandError(_stopped(upload)) from None
        except (CommandError, NameRefused) as problem:
            discard_upload(upload)
            raise CommandError(str(problem)) from problem
        return target

    def _columns(self, file: str, upload: Upload, given: list[str]) -> Columns:
        upload.refresh_from_db()
        preview = Preview.from_dict(upload.preview or {})
        mapping = preview.mapping
        if not given and mapping is None:
            raise CommandError(f"{preview.problem} Name it: --column prompt=COLUMN.")
        if not given and mapping is not None and mapping.kind not in self.kinds:
            what, command = COMMANDS[mapping.kind]
            raise CommandError(f"{file} is {what}: type {command} {file} --name “{upload.name}”.")
        try:
            return Columns.from_dict(_with_given(mapping, given, self.kinds))
        except ValueError as problem:
            raise CommandError(str(problem)) from problem


def _stopped(upload: Upload) -> str:
    """An import is all or nothing; only what follows it goes on where it was."""
    if discard_upload(upload):
        return "Stopped. Nothing was imported: the same command begins again."
    return f"Stopped. “{upload}” is imported: extract_features describes it, or its page does."


def _with_given(
    mapping: Columns | None, given: list[str], kinds: tuple[Kind, ...]
) -> dict[str, Any]:
    """The recognised mapping, and in place of it what was typed."""
    found: dict[str, Any] = mapping.as_dict() if mapping else {}
    if mapping is None or mapping.kind not in kinds:
        found["kind"] = kinds[0]
    typed: dict[str, Any] = {}
    for one in given:
        role, equals, name = one.partition("=")
        if not equals:
            raise ValueError(f"--column takes ROLE=COLUMN, such as prompt=question; not “{one}”.")
        if role == "texts":
            typed[role] = [*typed.get(role, []), name]
        else:
            typed[role] = name
    if "preferences" in kinds and typed.keys() & {"chosen", "rejected"}:
        found["kind"] = "preferences"
    if typed.keys() & {"completions", "texts"}:
        found["kind"] = "pool"
        found = {role: name for role, name in found.items() if role not in ("completions", "texts")}
    allowed = {"kind", *(role.name for role in roles(found["kind"]))}
    found = {role: name for role, name in found.items() if role in allowed}
    return {role: name for role, name in (found | typed).items() if name}
