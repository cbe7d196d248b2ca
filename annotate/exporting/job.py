"""From labels and edits to a folder of files that a trainer takes as it is."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from annotate.exporting import judgements
from annotate.exporting.cards import Config, acceptance, card
from annotate.exporting.columns import Type
from annotate.exporting.formats import Render, Rows
from annotate.exporting.options import Extra, Options
from annotate.exporting.report import make_report
from annotate.exporting.rows import UNDECIDED, UNDECIDED_METADATA, RowMaker, Sided
from annotate.exporting.selection import Selection, select
from annotate.exporting.writing import FileFacts, RowFile, row_file, text_file
from annotate.models import Campaign, Export
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Pool
from pairselect.pools.queries import reference_model
from pairselect.trail.actions import record

REPORTED = 1000  # rows between two reports of progress
COLLECTED = 100_000  # new objects that still stand between two looks for cycles
SUMS = "SHA256SUMS"


def export_folder(export: Export) -> Path:
    return Path(settings.PAIRSELECT_DATA_DIR) / "exports" / str(export.file)


def single_file(export: Export) -> Path:
    """Of an export of earlier times, which is one file and no folder."""
    return export_folder(export).with_suffix(".jsonl")


def export_dataset(export_id: int, progress: JobProgress) -> None:
    """Write the folder beside its final place and move it there whole.

    Raises
    ------
    JobError
        When there is nothing yet that the format has rows for, or nothing that the filters leave.
    """
    export = Export.objects.select_related("campaign__design").get(pk=export_id)
    if export.completed_at is not None:
        return
    options = Options.from_json(export.format, export.options)
    with _unmapped(), _rarely_collected():
        _make(export, options, progress)


def _make(export: Export, options: Options, progress: JobProgress) -> None:
    progress.report(0, 0, "choosing the rows")
    selection = select(export.campaign, options)
    if not len(selection.rows):
        raise JobError(nothing(selection, options))
    folder = export_folder(export)
    part = folder.with_suffix(".part")
    for left_over in (part, folder):  # of a worker that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        files, report = _write(part, selection, options, progress)
        _sync(part)
        part.replace(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    export.files = [one.to_json() for one in files]
    export.report = report
    export.row_count = sum(one.rows or 0 for one in files if one.name in main_files(options))
    export.sha256 = files[0].sha256
    export.completed_at = timezone.now()
    with transaction.atomic():
        export.save(update_fields=["files", "report", "row_count", "sha256", "completed_at"])
        told: dict[str, Any] = {
            "export": export.pk,
            "rows": export.row_count,
            "sha256": export.sha256,
        }
        record("export.finished", export.campaign, **told)


@contextmanager
def _unmapped() -> Iterator[None]:
    """SQLite's map of its file counts as the worker's memory; all is read as fast without it."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        (before,) = cursor.execute("PRAGMA mmap_size").fetchone()
        cursor.execute("PRAGMA mmap_size = 0")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA mmap_size = {before:d}")


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Rows make no cycles, and to look for some took a seventh of the processor's time."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECTED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def discard_export(export: Export) -> None:
    """Remove an export that came to nothing, or that nobody wants, with its files.

    The row goes first: no row is ever without its files.
    """
    with transaction.atomic():
        record("export.deleted", export, sha256=export.sha256)
        export.delete()
    folder = export_folder(export)
    for one in (folder, folder.with_suffix(".part")):  # of a worker that was killed
        shutil.rmtree(one, ignore_errors=True)
    single_file(export).unlink(missing_ok=True)


def main_files(options: Options) -> tuple[str, ...]:
    """The files of the format's own rows."""
    parts = ("train", "test") if options.test_share else ("train",)
    return tuple(f"{name}.{options.file_type}" for name in parts)


def _write(
    folder: Path, selection: Selection, options: Options, progress: JobProgress
) -> tuple[list[FileFacts], dict[str, Any]]:
    campaign = selection.campaigns[-1]
    render = template(campaign) if options.wanted.needs_template else None
    maker = RowMaker(selection, options, render)
    raw = judgements.ids_of(selection.campaigns) if Extra.JUDGEMENTS in options.extras else ()
    extras = _extras(selection, options, raw)
    writer = _Writer(folder, options.file_type, progress)
    writer.total = len(selection.rows) + sum(size for _, _, _, size in extras)
    parts = writer.write(("train", "test") if options.test_share else ("train",), maker.columns(),
                         maker.rows())  # fmt: skip
    if not sum(one.rows or 0 for one in parts):
        raise JobError(_none_fits(selection, options, maker))
    for one in parts:
        if not one.rows:
            raise JobError(_empty_part(one.name.partition(".")[0], options))
    configs: list[Config] = [
        ("default", {one.name.partition(".")[0]: one.name for one in parts}, maker.columns())
    ]
    files = list(parts)
    for name, columns, rows, size in extras:
        if size:
            of_two = options.test_share and name != Extra.JUDGEMENTS
            names = (name, f"{name}_test") if of_two else (name,)
            splits = dict(zip(("train", "test"), writer.write(names, columns, rows), strict=False))
            made = {split: one for split, one in splits.items() if one.rows}
            for one in splits.values():
                if not one.rows:
                    (folder / one.name).unlink()
            files += made.values()
            if made:
                configs.append((name, {split: one.name for split, one in made.items()}, columns))
    counts = Counter({one.name.partition(".")[0]: one.rows or 0 for one in files})
    report = make_report(selection, maker, options, counts)
    if options.wanted.info:
        info = _dataset_info(campaign, options, parts)
        files.append(text_file(folder, "dataset_info.json", _json(info)))
    files.append(text_file(folder, "README.md", card(report, configs)))
    files.append(text_file(folder, "acceptance.md", acceptance(report)))
    files.append(text_file(folder, "report.json", _json(report)))
    sums = "".join(f"{one.sha256}  {one.name}\n" for one in files)
    files.append(text_file(folder, SUMS, sums))
    return files, report


def _extras(
    selection: Selection, options: Options, raw: Any
) -> list[tuple[str, Mapping[str, Type], Iterable[Sided], int]]:
    """Name, columns, rows and about how many, of each further file that was asked for."""
    single = replace(options, format="edits", one_row="label", min_agreement=None,
                     min_posterior=None, max_per_prompt=None)  # fmt: skip
    edits, other = RowMaker(selection, single), RowMaker(selection, replace(single, format="trl"))
    undecided = {**UNDECIDED, "metadata": dict(UNDECIDED_METADATA)}
    found: dict[str, tuple[Mapping[str, Type], Iterable[Sided], int]] = {
        Extra.TIES: (undecided, other.undecided(selection.ties), len(selection.ties)),
        Extra.BOTH_BAD: (undecided, other.undecided(selection.both_bad), len(selection.both_bad)),
        Extra.EDITS: (
            edits.columns(),
            edits.rows(selection.edits),
            0 if options.wanted.rows in (Rows.EDITS, Rows.EDIT_PAIRS) else len(selection.edits),
        ),
        Extra.JUDGEMENTS: (
            judgements.COLUMNS,
            ((row, False) for row in judgements.judgements(selection.campaigns, raw)),
            len(raw),
        ),
    }
    return [(name, *found[name]) for name in Extra.values if name in options.extras]


class _Writer:
    """Writes one file after another, or two side by side, and reports how far it is."""

    def __init__(self, folder: Path, file_type: str, progress: JobProgress) -> None:
        self._folder, self._type, self._progress = folder, file_type, progress
        self.total = 0
        self._done = 0

    def write(
        self, names: tuple[str, ...], columns: Mapping[str, Type], rows: Iterable[Sided]
    ) -> list[FileFacts]:
        """The rows into the first file; where there is a second, those of the test part there."""
        files: list[RowFile] = []
        try:
            for name in names:
                files.append(row_file(self._folder, f"{name}.{self._type}", columns))
            for row, in_test in self._counted(rows):
                files[in_test and len(files) > 1].add(row)
        except BaseException:
            for file in files:
                file.abandon()
            raise
        return [file.close() for file in files]

    def _counted(self, rows: Iterable[Sided]) -> Iterator[Sided]:
        for one in rows:
            yield one
            self._done += 1
            if self._done % REPORTED == 0:
                self._progress.report(self._done, max(self.total, self._done), "writing")


def nothing(selection: Selection, options: Options) -> str:
    """Why there is no row, and what to do."""
    campaign, kind = selection.campaigns[-1], options.wanted.rows
    if sum(count for _, count in selection.removed):
        return (
            f"The filters leave nothing of “{campaign}” to export in the format {options.format}: "
            "loosen one."
        )
    if kind is Rows.LABELS:
        return (
            f"No comparison of “{campaign}” has been decided yet, so there is no pair "
            "to export: ties, both-bad and skips are not pairs."
        )
    if kind is Rows.BAD_TEXTS:
        return (
            f"No pair of “{campaign}” has been called bad on both sides, so no text has been "
            "judged for itself: choose the format trl."
        )
    if not campaign.edits:
        return (
            f"Annotators of “{campaign}” are not asked to edit, so there is no edit to export: "
            "choose the format trl."
        )
    return (
        f"Nobody has edited a text of “{campaign}” yet, so there is no edit to export: "
        "choose the format trl, or export again later."
    )


def _none_fits(selection: Selection, options: Options, maker: RowMaker) -> str:
    if maker.left_out:
        reason, _ = maker.left_out.most_common(1)[0]
        return f"No row can be used as it is: {reason}. Choose another format."
    return nothing(selection, options)


def _empty_part(name: str, options: Options) -> str:
    return (
        f"With the seed {options.seed} no prompt falls into the {name} part: choose another seed "
        "or another share."
    )


def _dataset_info(campaign: Campaign, options: Options, parts: list[FileFacts]) -> dict[str, Any]:
    """LLaMA-Factory's ``dataset_info.json``: the folder is its ``dataset_dir``."""
    name = slugify(campaign.name) or "campaign"
    names = (name, f"{name}-test")
    return {
        key: {"file_name": one.name, **options.wanted.info}
        for key, one in zip(names, parts, strict=False)
    }


def template(campaign: Campaign) -> Render:
    """What applies the chat template of the model that the pool is described by."""
    from pairselect.pools.engine import prompts
    from pairselect.pools.engine.contract import ModelUnavailable
    from pairselect.pools.engine.loading import load_tokenizer

    design = campaign.design
    model = reference_model(design.pool)
    if design.pool.source == Pool.Source.IMPORTED and design.feature_set is not None:
        model = design.feature_set.model
    try:
        tokenizer = load_tokenizer(model, data_dir=settings.PAIRSELECT_DATA_DIR)
    except ModelUnavailable as problem:
        raise JobError(f"The chat template of {model} is needed: {problem}") from problem
    return partial(prompts.render, tokenizer)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _sync(folder: Path) -> None:
    """Have the names of its files on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
