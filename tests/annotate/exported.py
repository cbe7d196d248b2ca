"""Exports made and read back the way people and trainers do it."""

import json
from pathlib import Path
from typing import Any

from annotate.exporting.job import export_dataset, export_folder
from annotate.exporting.options import Options
from annotate.exporting.rows import RowMaker
from annotate.exporting.selection import select
from annotate.models import Campaign, Export
from tests.conftest import NoProgress


def rows_of(campaign: Campaign, form: str = "trl", **options: Any) -> list[dict[str, Any]]:
    """The rows of the format's own files."""
    asked = Options(format=form, **options).check()
    return [row for row, _ in RowMaker(select(campaign, asked), asked).rows()]


def export(campaign: Campaign, form: str = "trl", **options: Any) -> Export:
    """One made as a worker makes it."""
    asked = Options(format=form, **options).check()
    made = Export.objects.create(campaign=campaign, format=form, options=asked.to_json())
    export_dataset(made.pk, NoProgress())  # type: ignore[arg-type]
    made.refresh_from_db()
    return made


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def file_of(made: Export, name: str) -> list[dict[str, Any]]:
    return read(export_folder(made) / name)
