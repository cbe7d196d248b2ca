"""From labels to a file that a trainer takes as it is."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from annotate.formats import FORMATS, Render
from annotate.models import Campaign, Export, Judgement
from annotate.queries import current_judgements
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Completion, Pool, Score, ScoreSet
from pairselect.pools.queries import finished_scores, reference_model

DECISIVE = (Judgement.Choice.LEFT, Judgement.Choice.RIGHT)


def export_path(export: Export) -> Path:
    return Path(settings.PAIRSELECT_DATA_DIR) / "exports" / f"{export.file}.jsonl"


def export_dataset(export_id: int, progress: JobProgress) -> None:
    """Write the file beside its final place and move it there whole, with count and hash.

    Raises
    ------
    JobError
        When no comparison has been decided yet.
    """
    export = Export.objects.select_related(
        "campaign__design__pool", "campaign__design__feature_set"
    ).get(pk=export_id)
    if export.completed_at is not None:
        return
    path = export_path(export)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    digest, count, total = hashlib.sha256(), 0, decisive(export.campaign).count()
    if not total:
        raise JobError(
            f"No comparison of “{export.campaign}” has been decided yet, so there is no pair "
            "to export: ties, both-bad and skips are not pairs."
        )
    try:
        with part.open("wb") as file:
            for row in dpo_rows(export.campaign, export.format):
                line = orjson.dumps(row) + b"\n"
                file.write(line)
                digest.update(line)
                count += 1
                if count % 500 == 0:
                    progress.report(count, total, "writing")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    progress.report(count, total, "writing")
    export.row_count, export.sha256 = count, digest.hexdigest()
    export.completed_at = timezone.now()
    export.save(update_fields=["row_count", "sha256", "completed_at"])


def discard_export(export: Export) -> None:
    """Remove an export that came to nothing, with its file."""
    export_path(export).unlink(missing_ok=True)
    export.delete()


def decisive(campaign: Campaign) -> QuerySet[Judgement]:
    """The standing answers that say which completion is better."""
    return current_judgements().filter(comparison__campaign=campaign, choice__in=DECISIVE)


def dpo_rows(campaign: Campaign, format_name: str) -> Iterator[dict[str, Any]]:
    """One row a decisive answer, in queue order: prompt, chosen, rejected and ``metadata``."""
    chosen_format = FORMATS[format_name]
    render = _template(campaign) if chosen_format.needs_template else _no_template
    answers = (
        decisive(campaign)
        .select_related(
            "annotator",
            "comparison__pair__prompt",
            "comparison__pair__first__variant",
            "comparison__pair__second__variant",
        )
        .order_by("comparison__position")
    )
    scores = _score_set(campaign)
    if scores is not None:
        of_set = Score.objects.filter(score_set=scores)
        sides = ("comparison__pair__first__scores", "comparison__pair__second__scores")
        answers = answers.prefetch_related(
            *(Prefetch(side, queryset=of_set, to_attr="used_scores") for side in sides)
        )
    for judgement in answers.iterator(chunk_size=500):
        pair = judgement.comparison.pair
        chosen, rejected = pair.first, pair.second
        if not judgement.prefers_first:
            chosen, rejected = rejected, chosen
        row = chosen_format.row(pair.prompt.messages, chosen.text, rejected.text, render)
        metadata = _provenance(campaign, judgement, chosen, rejected)
        yield row | {"metadata": metadata | {"score": scores.name if scores else None}}


def pseudonym(campaign: Campaign, username: str) -> str:
    """A name for an annotator that tells people of one campaign apart and nothing else."""
    return salted_hmac(f"annotator:{campaign.pk}", username, algorithm="sha256").hexdigest()[:12]


def _provenance(
    campaign: Campaign, judgement: Judgement, chosen: Completion, rejected: Completion
) -> dict[str, Any]:
    comparison, features = judgement.comparison, campaign.design.feature_set
    pair, design, pool = comparison.pair, campaign.design, campaign.design.pool
    log_probs = {pair.first_id: pair.first_log_prob, pair.second_id: pair.second_log_prob}
    return {
        "prompt_id": pair.prompt.external_id or str(pair.prompt.position),
        # As text, since every prompt may have fields of its own and a column has one type.
        "prompt_metadata": orjson.dumps(pair.prompt.metadata).decode(),
        "campaign": campaign.name,
        "annotator": pseudonym(campaign, judgement.annotator.username),
        "judged_at": judgement.created_at.isoformat(),
        "seconds": round(judgement.seconds, 3),
        "chosen_shown": judgement.choice,
        "design": design.name,
        "design_id": design.pk,
        "strategy": design.strategy,
        "design_seed": design.seed,
        "queue_position": pair.position,
        "inclusion_probability": pair.inclusion_probability,
        "is_random": pair.is_random,
        "sensitivity": pair.sensitivity,
        "feature_distance": pair.feature_distance,
        "chosen_log_prob": log_probs[chosen.pk],
        "rejected_log_prob": log_probs[rejected.pk],
        "pool": pool.name,
        **_source("chosen", chosen, pool),
        **_source("rejected", rejected, pool),
        "max_new_tokens": pool.max_new_tokens,
        "reference_model": features.model if features else None,
        "features": design.feature_kind,
    }


def _score_set(campaign: Campaign) -> ScoreSet | None:
    """The scores that the design looked at, else the pool's newest."""
    design = campaign.design
    return design.score_set or finished_scores(design.pool).first()


def _source(side: str, completion: Completion, pool: Pool) -> dict[str, Any]:
    """How a completion came to be; its own system prompt and sampler, where it was generated."""
    variant = completion.variant
    facts = {
        "model": completion.model or (variant.model if variant else pool.model),
        "score": next((one.value for one in getattr(completion, "used_scores", ())), None),
        "seed": completion.seed,
        "finish_reason": completion.finish_reason,
        "temperature": variant.temperature if variant else None,
        "top_p": variant.top_p if variant else None,
        "system_prompt": variant.system_prompt if variant else None,
        "fingerprint": orjson.dumps(
            variant.fingerprint if variant else {}, option=orjson.OPT_SORT_KEYS
        ).decode(),
    }
    return {f"{side}_{name}": value for name, value in facts.items()}


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


def _no_template(messages: list[dict[str, str]]) -> str:
    raise TypeError("this format has no template")
