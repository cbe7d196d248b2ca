"""Rows become arrays and arrays become rows: here alone. Ids stop here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairselect.core import CandidatePool, Selection, reduce_features
from pairselect.designs.models import Design, SelectedPair
from pairselect.pools.models import FeatureSet
from pairselect.pools.queries import completions_in_order
from pairselect.pools.storage import FeaturesLost, load_arrays


@dataclass(frozen=True)
class PoolArrays:
    """A pool for the core, and the ids of its rows: completion i has ``completion_ids[i]``."""

    candidates: CandidatePool
    completion_ids: NDArray[np.int64]
    prompt_ids: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    reduction: Mapping[str, object]


def pool_arrays(feature_set: FeatureSet, *, dimension: int) -> PoolArrays:
    """The pool's completions as the core takes them, features reduced to ``dimension`` at most.

    Raises
    ------
    FeaturesLost
        When the data folder has lost the arrays.
    """
    raw, log_probs, _ = load_arrays(feature_set)
    rows = completions_in_order(feature_set.pool).values_list("pk", "prompt_id", "text")
    if len(raw) != rows.count():
        raise FeaturesLost(
            f"The features of “{feature_set.pool}” are of other completions: extract them again."
        )
    ids = np.empty(len(raw), dtype=np.int64)
    prompt_ids = np.empty(len(raw), dtype=np.int64)
    text_ids = np.empty(len(raw), dtype=np.int64)
    seen: dict[bytes, int] = {}
    for row, (pk, prompt_id, text) in enumerate(rows.iterator(chunk_size=2000)):
        ids[row], prompt_ids[row] = pk, prompt_id
        normal = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()
        text_ids[row] = seen.setdefault(normal, len(seen))
    reduction = reduce_features(raw, prompt_ids, dimension=dimension)
    candidates = CandidatePool(
        reduction.features, prompt_ids, np.asarray(log_probs), text_id=text_ids
    )
    facts = reduction.settings.as_dict() | {"explained_variance": reduction.explained_variance}
    return PoolArrays(candidates, ids, prompt_ids, np.asarray(log_probs), facts)


def selected_rows(
    design: Design, arrays: PoolArrays, selection: Selection, order: NDArray[np.intp]
) -> list[SelectedPair]:
    """The chosen pairs as rows, in queue order."""
    rows = []
    for position, k in enumerate(order):
        first, second = (int(row) for row in selection.pairs[k])
        rows.append(
            SelectedPair(
                design=design,
                position=position,
                prompt_id=int(arrays.prompt_ids[first]),
                first_id=int(arrays.completion_ids[first]),
                second_id=int(arrays.completion_ids[second]),
                inclusion_probability=float(selection.inclusion_probability[k]),
                sensitivity=float(selection.sensitivity[k]),
                feature_distance=float(selection.feature_distance[k]),
                first_log_prob=float(arrays.log_probs[first]),
                second_log_prob=float(arrays.log_probs[second]),
            )
        )
    return rows
