"""From labels and edits to a file that a trainer takes as it is."""

import hashlib
import os
from functools import partial
from pathlib import Path

import orjson
from django.conf import settings
from django.utils import timezone

from annotate.dataset import answers_for, dataset_rows
from annotate.formats import FORMATS, Render, Rows
from annotate.models import Campaign, Export
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Pool
from pairselect.pools.queries import reference_model


def export_path(export: Export) -> Path:
    return Path(settings.PAIRSELECT_DATA_DIR) / "exports" / f"{export.file}.jsonl"


def export_dataset(export_id: int, progress: JobProgress) -> None:
    """Write the file beside its final place and move it there whole, with count and hash.

    Raises
    ------
    JobError
        When there is nothing yet that the format has rows for.
    """
    export = Export.objects.select_related(
        "campaign__design__pool", "campaign__design__feature_set"
    ).get(pk=export_id)
    if export.completed_at is not None:
        return
    campaign, wanted = export.campaign, FORMATS[export.format]
    total = answers_for(campaign, wanted.rows).count()
    if not total:
        raise JobError(_nothing(campaign, wanted.rows))
    render = _template(campaign) if wanted.needs_template else None
    path = export_path(export)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    digest, count = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            for row in dataset_rows(campaign, wanted, render):
                line = orjson.dumps(row) + b"\n"
                file.write(line)
                digest.update(line)
                count += 1
                if count % 500 == 0:
                    progress.report(count, max(total, count), "writing")
            file.flush()
            os.fsync(file.fileno())
        if not count:
            raise JobError(_nothing(campaign, wanted.rows))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    progress.report(count, count, "writing")
    export.row_count, export.sha256 = count, digest.hexdigest()
    export.completed_at = timezone.now()
    export.save(update_fields=["row_count", "sha256", "completed_at"])


def discard_export(export: Export) -> None:
    """Remove an export that came to nothing, with its file."""
    export_path(export).unlink(missing_ok=True)
    export.delete()


def _nothing(campaign: Campaign, rows: Rows) -> str:
    if rows is Rows.LABELS:
        return (
            f"No comparison of “{campaign}” has been decided yet, so there is no pair "
            "to export: ties, both-bad and skips are not pairs."
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


def _template(campaign: Campaign) -> Render:
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
