"""Completions from prompts, and features from completions: in steps that survive a kill."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from pairselect.jobs.actions import Work, is_active
from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.models import Completion, FeatureSet, Pool, Prompt, PromptSet
from pairselect.pools.naming import row_named
from pairselect.pools.queries import (
    DEFAULT_FEATURES,
    completions_in_order,
    finished_features,
    reference_model,
)
from pairselect.pools.storage import FeatureStore, arrays_are_there, features_folder

if TYPE_CHECKING:  # torch stays out of the web process
    from pairselect.pools.engine.generation import Finished, Generator, Request, Sampler
    from pairselect.pools.engine.loading import LanguageModel

Key = tuple[int, int]  # of a completion: (prompt's id, index)

GENERATE_CHUNK = {"cpu": 64, "cuda": 512}  # rows in a batch, and lost at most by a kill
ENCODE_CHUNK = 64  # completions between two saves


def create_pool(
    prompt_set: PromptSet,
    *,
    name: str,
    model: str = "",
    completions: int = 8,
    max_new_tokens: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    created_by: User | None = None,
) -> Pool:
    """The pool that generation will fill, or the same one, begun before with the same settings.

    Raises
    ------
    NameRefused
        When a pool of that name has other prompts, another model or other settings.
    """
    return row_named(
        Pool,
        name,
        settings={
            "prompt_set": prompt_set,
            "source": Pool.Source.GENERATED,
            "model": model or str(settings.PAIRSELECT_MODEL),
            "completions_per_prompt": completions,
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
        },
        created_by=created_by,
        came_to_nothing=lambda pool: (
            pool.source == Pool.Source.GENERATED
            and not is_active("generate_pool", pool.pk)
            and not pool.completions.exists()
        ),
        start={"fingerprint": {}},
    )


def create_feature_set(pool: Pool, *, model: str = "", kind: str = DEFAULT_FEATURES) -> FeatureSet:
    feature_set, _ = FeatureSet.objects.get_or_create(
        pool=pool, model=model or reference_model(pool), kind=kind
    )
    return feature_set


def work_for_pool(pool: Pool, *, features: str = DEFAULT_FEATURES) -> Work:
    """The jobs that a pool still needs: its completions, and features of that kind, if any."""
    work: Work = []
    if pool.completed_at is None:
        made_by = "import_pool" if pool.source == Pool.Source.IMPORTED else "generate_pool"
        work.append((made_by, pool.pk))
    if features and finished_features(pool, features) is None:
        work.append(("extract_features", create_feature_set(pool, kind=features).pk))
    return work


def generate_pool(pool_id: int, progress: JobProgress) -> None:
    """Write every completion that the pool still lacks, a chunk at a time.

    A chunk holds the same requests whenever it is planned and is stored in one transaction, so
    a killed run goes on with the next chunk, and the same seed gives the same pool.
    """
    from pairselect.pools.engine import generation

    pool = Pool.objects.select_related("prompt_set").get(pk=pool_id)
    if pool.completed_at:
        return
    prompts = list(pool.prompt_set.prompts.all())
    requests = _requests(pool, prompts)
    progress.report(pool.completions.count(), len(requests), f"loading {pool.model}")
    lm = _load(pool.model)
    _check_lengths(lm, prompts, room=pool.max_new_tokens or 0)
    generator = generation.InProcessGenerator(lm)
    _check_fingerprint(pool, generator.fingerprint)
    sampler = generation.Sampler(
        max_new_tokens=pool.max_new_tokens or 0,
        temperature=pool.temperature or 0.0,
        top_p=pool.top_p or 1.0,
    )
    stored = set(pool.completions.values_list("prompt_id", "index"))
    rows = GENERATE_CHUNK.get(lm.device.type, 64)
    for chunk in generation.plan_chunks(requests, lm, rows=rows):
        chunk = [request for request in chunk if request.key not in stored]
        if chunk:
            before, total = len(stored), len(requests)
            finished = _finish_chunk(generator, chunk, sampler, progress, before, total)
            _store(pool, chunk, finished)
            stored.update(finished)
            progress.report(len(stored), total, "generating")
    pool.completed_at = timezone.now()
    pool.save(update_fields=["completed_at"])


def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    """Encode every completion of the pool that has no features yet."""
    from pairselect.pools.engine import features
    from pairselect.pools.engine.contract import GenerationStopped, PromptTooLong

    feature_set = FeatureSet.objects.select_related("pool").get(pk=feature_set_id)
    if feature_set.completed_at and arrays_are_there(feature_set):
        return
    if not feature_set.pool.completed_at:
        raise JobError(f"The pool “{feature_set.pool}” is not complete: finish it first.")
    ids = list(completions_in_order(feature_set.pool).values_list("pk", flat=True))
    progress.report(0, len(ids), f"loading {feature_set.model}")
    lm = _load(feature_set.model)
    store = FeatureStore(features_folder(feature_set), rows=len(ids), dimension=lm.hidden_size)
    for rows in store.missing(ENCODE_CHUNK):
        found = Completion.objects.select_related("prompt").in_bulk([ids[row] for row in rows])
        chunk = [found[ids[row]] for row in rows]
        items = [
            features.Item(tuple(c.prompt.messages), c.text, ended=c.finish_reason == "stop")
            for c in chunk
        ]
        try:
            encoding = features.encode(
                lm, items, [feature_set.kind], should_stop=progress.should_stop
            )
        except PromptTooLong as problem:
            number = chunk[problem.place].prompt.position + 1
            raise JobError(
                f"Prompt {number} fills the context of {lm.context_length:,} tokens of "
                f"{lm.name}: shorten it, or extract with a model of a longer context."
            ) from problem
        except GenerationStopped as stopped:
            raise JobStopped from stopped
        store.write(
            rows, encoding.features[feature_set.kind], encoding.log_probs, encoding.token_counts
        )
        progress.report(int(store.written.sum()), len(ids), "extracting features")
    store.seal({"kind": feature_set.kind, **lm.fingerprint})
    feature_set.dimension = lm.hidden_size
    feature_set.fingerprint = dict(lm.fingerprint)
    feature_set.completed_at = timezone.now()
    feature_set.save(update_fields=["dimension", "fingerprint", "completed_at"])


def _requests(pool: Pool, prompts: Sequence[Prompt]) -> "list[Request]":
    from pairselect.pools.engine.generation import Request

    return [
        Request(
            key=(prompt.pk, index),
            messages=tuple(prompt.messages),
            seed=completion_seed(pool.seed or 0, prompt.position, index),
        )
        for prompt in prompts
        for index in range(pool.completions_per_prompt or 0)
    ]


def completion_seed(seed: int, position: int, index: int) -> int:
    """A seed of its own for each completion, 63 bits, so that no draw depends on another's."""
    words = np.random.SeedSequence((seed, position, index)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


@lru_cache(maxsize=1)
def _load(model: str) -> "LanguageModel":
    """The model, kept for the worker's next job."""
    from pairselect.pools.engine.contract import ModelUnavailable
    from pairselect.pools.engine.loading import load_model

    try:
        return load_model(model, data_dir=settings.PAIRSELECT_DATA_DIR)
    except ModelUnavailable as problem:
        raise JobError(str(problem)) from problem


def _check_lengths(lm: "LanguageModel", prompts: Sequence[Prompt], *, room: int) -> None:
    """Refuse before anything is generated what would fail in the middle."""
    problems = []
    for prompt in prompts:
        length = len(lm.prompt_ids(prompt.messages))
        if length + room > lm.context_length:
            problems.append(f"prompt {prompt.position + 1} has {length:,}")
    if problems:
        shown = "; ".join(problems[:10]) + (" …" if len(problems) > 10 else "")
        raise JobError(
            f"{len(problems)} of the prompts leave no room for {room} new tokens in the model's "
            f"context of {lm.context_length:,} tokens: {shown}. Shorten them, or ask for fewer "
            "new tokens."
        )


def _check_fingerprint(pool: Pool, fingerprint: Mapping[str, str]) -> None:
    """A pool begun with one revision of a model is not finished with another."""
    if not pool.fingerprint:
        pool.fingerprint = dict(fingerprint)
        pool.save(update_fields=["fingerprint"])
        return
    for key in ("weights", "chat_template"):
        if pool.fingerprint.get(key) != fingerprint.get(key):
            raise JobError(
                f"The pool “{pool}” was begun with another revision of {pool.model} "
                f"({key} differs). Generate a new pool."
            )


def _finish_chunk(
    generator: "Generator",
    chunk: "list[Request]",
    sampler: "Sampler",
    progress: JobProgress,
    stored: int,
    total: int,
) -> "dict[Key, Finished]":
    from pairselect.pools.engine.generation import GenerationStopped

    finished: dict[Key, Finished] = {}
    try:
        for completion in generator.generate(chunk, sampler, should_stop=progress.should_stop):
            finished[cast(Key, completion.key)] = completion
            progress.report(stored + len(finished), total, "generating")
    except GenerationStopped as stopped:
        raise JobStopped from stopped
    return finished


def _store(pool: Pool, chunk: "list[Request]", finished: "dict[Key, Finished]") -> None:
    rows = []
    for request in chunk:
        prompt_id, index = key = cast(Key, request.key)
        rows.append(
            Completion(
                pool=pool,
                prompt_id=prompt_id,
                index=index,
                text=finished[key].text,
                finish_reason=finished[key].finish_reason,
                token_count=finished[key].token_count,
                seed=request.seed,
            )
        )
    # Another worker may have stored the chunk while this one was thought dead.
    Completion.objects.bulk_create(rows, ignore_conflicts=True)
