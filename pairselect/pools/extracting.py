"""Features from completions: one pass of the reference model, every kind that is asked for."""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.language import load
from pairselect.pools.models import Completion, FeatureSet
from pairselect.pools.queries import completions_in_order
from pairselect.pools.side_features import keep_or_begin_anew
from pairselect.pools.storage import FeatureStore, arrays_are_there, features_folder

if TYPE_CHECKING:  # torch stays out of the web process
    from pairselect.pools.engine.features import Encoding
    from pairselect.pools.engine.loading import LanguageModel

CHUNK = 256  # completions between two saves, sorted by length among themselves


def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    """Encode every completion of the pool that has no features yet.

    Other kinds that the pool lacks, by the same model, come from the same pass.
    """
    asked = FeatureSet.objects.select_related("pool").get(pk=feature_set_id)
    if asked.completed_at and arrays_are_there(asked):
        return
    pool = asked.pool
    if not pool.completed_at:
        raise JobError(f"The pool “{pool}” is not complete: finish it first.")
    others = pool.feature_sets.filter(model=asked.model, completed_at=None).exclude(pk=asked.pk)
    sets = {asked.kind: asked}
    ids = np.array(completions_in_order(pool).values_list("pk", flat=True), dtype=np.int64)
    progress.report(0, len(ids), f"loading {asked.model}")
    lm = load(asked.model)
    try:
        stores = {asked.kind: _open_store(asked, lm, rows=len(ids))}
    except ValueError as problem:  # the model has no such layer
        raise JobError(str(problem)) from problem
    for other in others:
        with suppress(ValueError):
            stores[other.kind] = _open_store(other, lm, rows=len(ids))
            sets[other.kind] = other
    lacking = ~np.logical_and.reduce([store.written for store in stores.values()])
    todo = np.flatnonzero(lacking)
    for start in range(0, len(todo), CHUNK):
        rows = todo[start : start + CHUNK]
        encoding = _encode(lm, asked, ids[rows], tuple(sets), progress)
        for kind, store in stores.items():
            store.write(rows, encoding.features[kind], encoding.log_probs, encoding.token_counts)
        done = len(ids) - len(todo) + start + len(rows)
        progress.report(done, len(ids), "extracting features")
    for kind, store in stores.items():
        _finish(sets[kind], store, lm)


def _open_store(feature_set: FeatureSet, lm: "LanguageModel", *, rows: int) -> FeatureStore:
    from pairselect.pools.engine.features import dimension

    size = dimension(feature_set.kind, lm)
    keep_or_begin_anew(feature_set, dict(lm.fingerprint))
    return FeatureStore(features_folder(feature_set), rows=rows, dimension=size)


def _encode(
    lm: "LanguageModel",
    feature_set: FeatureSet,
    ids: NDArray[np.int64],
    kinds: tuple[str, ...],
    progress: JobProgress,
) -> "Encoding":
    from pairselect.pools.engine.contract import GenerationStopped, PromptTooLong
    from pairselect.pools.engine.features import Item, encode

    found = Completion.objects.select_related("prompt").in_bulk([int(pk) for pk in ids])
    chunk = [found[int(pk)] for pk in ids]
    items = [
        Item(tuple(one.prompt.messages), one.text, ended=one.finish_reason == "stop")
        for one in chunk
    ]
    try:
        return encode(lm, items, kinds, should_stop=progress.should_stop)
    except PromptTooLong as problem:
        number = chunk[problem.place].prompt.position + 1
        raise JobError(
            f"Prompt {number} fills the context of {lm.context_length:,} tokens of "
            f"{lm.name}: shorten it, or extract with a model of a longer context."
        ) from problem
    except GenerationStopped as stopped:
        raise JobStopped from stopped


def _finish(feature_set: FeatureSet, store: FeatureStore, lm: "LanguageModel") -> None:
    from pairselect.pools.engine.kinds import feature_kind

    store.seal({**feature_kind(feature_set.kind).facts, **lm.fingerprint})
    feature_set.dimension = store.features.shape[1]
    feature_set.fingerprint = dict(lm.fingerprint)
    feature_set.completed_at = timezone.now()
    feature_set.save(update_fields=["dimension", "fingerprint", "completed_at"])
