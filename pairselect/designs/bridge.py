"""Rows become arrays and arrays become rows: here alone. Ids stop here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairselect.core import CandidatePool, Selection, near_duplicates, reduce_features
from pairselect.designs.models import Design, SelectedPair
from pairselect.designs.queries import chain_of, text_key
from pairselect.pools.models import FeatureSet, ScoreSet
from pairselect.pools.queries import REFUSED, completions_in_order
from pairselect.pools.storage import FeaturesLost, load_arrays


@dataclass(frozen=True)
class PoolArrays:
    """A pool for the core, and the ids of its rows: completion i has ``completion_ids[i]``."""

    candidates: CandidatePool
    completion_ids: NDArray[np.int64]
    prompt_ids: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    token_counts: NDArray[np.int64]
    excluded: NDArray[np.int64]  # (k, 2) rows: queued by the rounds before
    unusable: NDArray[np.int64]  # (k, 2) rows: one of the texts was refused or is empty
    near_duplicates: int  # pairs that the features hardly tell apart, no candidates either
    reduction: Mapping[str, object]


def pool_arrays(
    feature_set: FeatureSet,
    *,
    dimension: int,
    after: Design | None = None,
    score_set: ScoreSet | None = None,
) -> PoolArrays:
    """The pool's completions as the core takes them, features reduced to ``dimension`` at most.

    Pairs that the design ``after`` and those
    before it have queued are no candidates, nor are those that the features hardly tell apart:
    their labels would carry next to nothing, and people would see the same answer twice. Nor
    are completions that a server refused to write, and empty ones, which no trainer takes.

    Raises
    ------
    FeaturesLost
        When the data folder has lost the arrays.
    """
    raw, log_probs, token_counts = load_arrays(feature_set)
    rows = completions_in_order(feature_set.pool).values_list(
        "pk", "prompt_id", "text", "finish_reason"
    )
    if len(raw) != rows.count():
        raise FeaturesLost(
            f"The features of “{feature_set.pool}” are of other completions: extract them again."
        )
    ids = np.empty(len(raw), dtype=np.int64)
    prompt_ids = np.empty(len(raw), dtype=np.int64)
    text_ids = np.empty(len(raw), dtype=np.int64)
    seen: dict[bytes, int] = {}
    left_out: list[int] = []
    for row, (pk, prompt_id, text, reason) in enumerate(rows.iterator(chunk_size=2000)):
        ids[row], prompt_ids[row] = pk, prompt_id
        text_ids[row] = seen.setdefault(text_key(text), len(seen))
        if reason == REFUSED or not text.strip():
            left_out.append(row)
    excluded = np.zeros((0, 2), dtype=np.int64)
    if after is not None:
        queued = SelectedPair.objects.filter(design__in=chain_of(after)).order_by()
        excluded = _rows_of(queued.values_list("first_id", "second_id"), ids)
    reduction = reduce_features(raw, prompt_ids, dimension=dimension)
    unusable = _pairs_with(left_out, prompt_ids)
    candidates = CandidatePool(
        reduction.features,
        prompt_ids,
        np.asarray(log_probs),
        scores=None if score_set is None else _scores(score_set, ids, prompt_ids),
        text_id=text_ids,
        excluded=np.concatenate([excluded, unusable]),
    )
    near = near_duplicates(candidates, limit=candidates.n_pairs)
    if near.count:
        candidates = candidates.without(candidates.pair_ids(near.pairs))
    facts = reduction.settings.as_dict() | {"explained_variance": reduction.explained_variance}
    return PoolArrays(
        candidates,
        ids,
        prompt_ids,
        np.asarray(log_probs),
        np.asarray(token_counts, dtype=np.int64),
        excluded,
        unusable,
        near.count,
        facts,
    )


def _scores(
    score_set: ScoreSet, ids: NDArray[np.int64], prompt_ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    """A score for each row, (n,): where the source gave none, the mean of its prompt's.

    So its pairs differ little and are not preferred for what nobody knows.
    """
    row = {int(pk): place for place, pk in enumerate(ids)}
    scores = np.full(len(ids), np.nan)
    found = score_set.scores.order_by().values_list("completion_id", "value")
    for completion_id, value in found.iterator(chunk_size=2000):
        scores[row[completion_id]] = value
    missing = np.isnan(scores)
    if missing.any():
        _, prompt = np.unique(prompt_ids, return_inverse=True)
        known = np.bincount(prompt, ~missing)
        sums = np.bincount(prompt, np.where(missing, 0.0, scores))
        means = np.where(known > 0, sums / np.maximum(known, 1), np.nanmean(scores))
        scores[missing] = means[prompt[missing]]
    return scores


def _pairs_with(rows: Sequence[int], prompt_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every pair that has one of the rows, (k, 2)."""
    if not rows:
        return np.zeros((0, 2), dtype=np.int64)
    pairs = []
    order = np.argsort(prompt_ids, kind="stable")
    ordered = prompt_ids[order]
    first = np.searchsorted(ordered, prompt_ids[rows], side="left")
    last = np.searchsorted(ordered, prompt_ids[rows], side="right")
    for row, start, end in zip(rows, first, last, strict=True):
        others = order[start:end]
        others = others[others != row]
        pairs.append(np.stack([np.minimum(others, row), np.maximum(others, row)], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


Label = tuple[int, int, float]  # first, second, preference: 1, 0 or ½ for the first


def labels_of(design: Design) -> list[Label]:
    """The labels that the design knows, as ids."""
    return list(design.known_labels.values_list("first_id", "second_id", "preference"))


def known_arrays(
    labels: Sequence[Label], arrays: PoolArrays
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels as pairs (k, 2), rows of features, and preferences (k,)."""
    pairs = _rows_of([(first, second) for first, second, _ in labels], arrays.completion_ids)
    return pairs, np.array([preference for _, _, preference in labels])


def selected_rows(
    design: Design,
    arrays: PoolArrays,
    selection: Selection,
    order: NDArray[np.intp],
    rationales: Sequence[dict[str, float | int]],
) -> list[SelectedPair]:
    """The chosen pairs as rows, in queue order, as the rationales are."""
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
                is_random=bool(selection.is_random[k]),
                rationale=rationales[position],
            )
        )
    return rows


def _rows_of(pairs: Iterable[tuple[int, int]], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of completion ids as rows of features, (k, 2)."""
    row = {int(pk): place for place, pk in enumerate(ids)}
    table = [(row[first], row[second]) for first, second in pairs]
    return np.array(table, dtype=np.int64).reshape(-1, 2)
