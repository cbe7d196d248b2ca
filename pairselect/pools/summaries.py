"""Prompt sets and pools as the API and the commands' ``--json`` tell of them."""

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from pairselect.pools.imports.staging import imported_from
from pairselect.pools.models import (
    Completion,
    FeatureSet,
    Pool,
    Prompt,
    PromptSet,
    ScoreSet,
    Upload,
)
from pairselect.pools.reading import Preview


class Reference(TypedDict):
    """Another thing, by its number and its name."""

    id: int
    name: str


class PromptSetSummary(TypedDict):
    id: int
    name: str
    prompt_count: int
    file_name: str  # empty where the file is gone
    sha256: str
    created_at: datetime
    imported_at: datetime | None  # None: not imported, or not yet
    archived_at: datetime | None


class PromptSummary(TypedDict):
    position: int  # 0-based place in the file
    id: str  # as the file gave it
    messages: list[dict[str, str]]
    metadata: dict[str, Any]


class UploadSummary(TypedDict):
    id: int
    name: str
    file_name: str
    bytes: int
    sha256: str
    inspected: bool  # whether a worker has looked into the file
    format: str
    kind: str  # what was recognised: prompts, pool or preferences; empty: nothing was
    columns: dict[str, Any]  # what was decided, else recognised: which column is what
    file_columns: list[str]
    problem: str  # why nothing was recognised
    problem_count: int  # bad rows of the last attempt to import it
    prompt_set: Reference | None  # what it became
    pool: Reference | None


class VariantSummary(TypedDict):
    model: str
    temperature: float
    top_p: float
    system_prompt: str
    completions_per_prompt: int


class FeatureSetSummary(TypedDict):
    id: int
    kind: str
    model: str
    dimension: int | None
    completed_at: datetime | None


class ScoreSetSummary(TypedDict):
    id: int
    name: str
    source: str  # file, reward or judge
    model: str
    completed_at: datetime | None


class PoolSummary(TypedDict):
    id: int
    name: str
    prompt_set: Reference
    source: str  # generated or imported
    model: str
    variants: list[VariantSummary]
    completions: int
    completions_expected: int
    max_new_tokens: int | None
    seed: int | None
    features: list[FeatureSetSummary]
    scores: list[ScoreSetSummary]
    created_at: datetime
    completed_at: datetime | None
    archived_at: datetime | None


class CompletionSummary(TypedDict):
    id: int
    index: int  # 0-based among the prompt's
    text: str
    finish_reason: str
    token_count: int | None


class PromptCompletions(TypedDict):
    """A prompt with all its completions of one pool."""

    position: int
    id: str
    messages: list[dict[str, str]]
    completions: list[CompletionSummary]


def reference(row: PromptSet | Pool) -> Reference:
    return Reference(id=row.pk, name=row.name)


def prompt_set_summary(prompt_set: PromptSet) -> PromptSetSummary:
    upload = prompt_set.upload
    return PromptSetSummary(
        id=prompt_set.pk,
        name=prompt_set.name,
        prompt_count=prompt_set.prompt_count,
        file_name=upload.file_name if upload else "",
        sha256=upload.sha256 if upload else "",
        created_at=prompt_set.created_at,
        imported_at=prompt_set.imported_at,
        archived_at=prompt_set.archived_at,
    )


def prompt_summary(prompt: Prompt) -> PromptSummary:
    return PromptSummary(
        position=prompt.position,
        id=prompt.external_id,
        messages=prompt.messages,
        metadata=prompt.metadata,
    )


def upload_summary(upload: Upload) -> UploadSummary:
    preview = Preview.from_dict(upload.preview) if upload.preview else None
    recognised = preview.mapping.as_dict() if preview and preview.mapping else {}
    columns: dict[str, Any] = dict(upload.columns or recognised)
    kind = str(columns.pop("kind", ""))
    made = imported_from(upload)
    pool = made.pools.filter(source=Pool.Source.IMPORTED).first() if made else None
    return UploadSummary(
        id=upload.pk,
        name=upload.name,
        file_name=upload.file_name,
        bytes=upload.size,
        sha256=upload.sha256,
        inspected=preview is not None,
        format=preview.format if preview else "",
        kind=kind,
        columns=columns,
        file_columns=list(preview.columns) if preview else [],
        problem=preview.problem if preview else "",
        problem_count=upload.problem_count or 0,
        prompt_set=reference(made) if made else None,
        pool=reference(pool) if pool else None,
    )


def pool_summary(pool: Pool) -> PoolSummary:
    """Of a row of `queries.pools`, which has counted the completions, or of any other."""
    counted: int | None = getattr(pool, "completion_count", None)
    stored = pool.completions.count() if counted is None else counted
    each = pool.completions_per_prompt
    return PoolSummary(
        id=pool.pk,
        name=pool.name,
        prompt_set=reference(pool.prompt_set),
        source=pool.source,
        model=pool.model,
        variants=[
            VariantSummary(
                model=one.model,
                temperature=one.temperature,
                top_p=one.top_p,
                system_prompt=one.system_prompt,
                completions_per_prompt=one.completions_per_prompt,
            )
            for one in pool.variants.all()
        ],
        completions=stored,
        completions_expected=pool.prompt_set.prompt_count * each if each else stored,
        max_new_tokens=pool.max_new_tokens,
        seed=pool.seed,
        features=[feature_set_summary(one) for one in pool.feature_sets.all()],
        scores=[score_set_summary(one) for one in pool.score_sets.all()],
        created_at=pool.created_at,
        completed_at=pool.completed_at,
        archived_at=pool.archived_at,
    )


def feature_set_summary(found: FeatureSet) -> FeatureSetSummary:
    return FeatureSetSummary(
        id=found.pk,
        kind=found.kind,
        model=found.model,
        dimension=found.dimension,
        completed_at=found.completed_at,
    )


def score_set_summary(found: ScoreSet) -> ScoreSetSummary:
    return ScoreSetSummary(
        id=found.pk,
        name=found.name,
        source=found.source,
        model=found.model,
        completed_at=found.completed_at,
    )


def completion_summary(completion: Completion) -> CompletionSummary:
    return CompletionSummary(
        id=completion.pk,
        index=completion.index,
        text=completion.text,
        finish_reason=completion.finish_reason,
        token_count=completion.token_count,
    )


def prompt_completions(prompt: Prompt, completions: list[Completion]) -> PromptCompletions:
    return PromptCompletions(
        position=prompt.position,
        id=prompt.external_id,
        messages=prompt.messages,
        completions=[completion_summary(one) for one in completions],
    )
