"""What the features say of a pool: duplicates, directions, narrow prompts, more completions."""

import numpy as np
from django.utils.translation import gettext_noop
from numpy.typing import NDArray

from pairselect.core import (
    CandidatePool,
    DesignError,
    completions_curve,
    pool_diversity,
    prompt_variety,
    reduce_features,
    source_spread,
)
from pairselect.core.diagnostics import NEAR
from pairselect.core.variety import NARROW
from pairselect.jobs.progress import JobProgress
from pairselect.pools.models import FeatureSet, Pool, Prompt
from pairselect.pools.queries import finished_features
from pairselect.pools.report.facts import GeometryFacts, MoreFacts, PromptFacts
from pairselect.pools.report.numbers import quantiles
from pairselect.pools.report.texts import Texts
from pairselect.pools.storage import FeaturesLost, load_arrays

SEED = 0  # the same report whenever it is made
# So much is looked at, of prompts drawn at random: 128 MiB of float32, and some 60 bytes a pair
# while distances are compared, 300 MB.
MOST_NUMBERS = 2**25
MOST_PAIRS = 5_000_000
# And so much for the curve, which solves a dozen designs: about ten seconds on a core.
MOST_CURVE_PAIRS = 600_000
MOST_DRAWS = 3
# One label a prompt is the budget, and four labels a dimension bring whole pairs near the bound.
LABELS_PER_DIMENSION = 4
FEWEST_DIMENSIONS, MOST_DIMENSIONS = 4, 128  # arXiv:2606.19607 reduces to 128
LISTED = 8


class NoGeometry(Exception):
    """The message says why the features have nothing to tell."""


def features_of(
    pool: Pool, texts: Texts
) -> tuple[FeatureSet, NDArray[np.float32], NDArray[np.int64]]:
    """The feature set, its rows as a memory map, and tokens by the reference model.

    Raises
    ------
    NoGeometry
        Where there are none, or they are gone or of other completions.
    """
    of_pool = pool.feature_sets.filter(completed_at__isnull=False)
    feature_set = finished_features(pool) or of_pool.first()
    if feature_set is None:
        raise NoGeometry(
            gettext_noop("No features yet: extract them to learn how far the completions differ.")
        )
    try:
        raw, _, tokens = load_arrays(feature_set)
    except FeaturesLost as problem:
        raise NoGeometry(str(problem)) from problem
    if len(raw) != len(texts.characters):
        raise NoGeometry(gettext_noop("The features are of other completions: extract them again."))
    return feature_set, raw, np.asarray(tokens, dtype=np.int64)


def measure(
    feature_set: FeatureSet, raw: NDArray[np.float32], texts: Texts, progress: JobProgress
) -> tuple[GeometryFacts, dict[int, float]]:
    """The facts, and the spread of each source by its number.

    Raises
    ------
    NoGeometry
        Where no two completions of a prompt can be told apart.
    """
    rng = np.random.default_rng(SEED)
    progress.report(0, 1, "comparing the features")
    sizes = np.array(texts.sizes, dtype=np.int64)
    several = np.flatnonzero(sizes > 1)
    drawn = _sample(several, sizes, MOST_PAIRS, rng, rows=MOST_NUMBERS // raw.shape[1])
    if several.size and not drawn.size:
        raise NoGeometry(
            gettext_noop("Every prompt has too many completions to compare them all in pairs.")
        )
    rows, prompt = _rows(drawn, sizes)
    text_id = np.array(texts.text_ids, dtype=np.int64)[rows]
    try:
        features = reduce_features(
            raw if rows.size == len(raw) else raw[rows], prompt, dimension=MOST_DIMENSIONS
        ).features
        pool = CandidatePool(features, prompt, text_id=text_id)
        diversity = pool_diversity(pool)
    except DesignError as problem:
        raise NoGeometry(str(problem)) from problem
    variety = prompt_variety(pool)
    widest = variety.widest / variety.median_distance if variety.median_distance else variety.widest
    spread = source_spread(pool, np.array(texts.source_numbers, dtype=np.int64)[rows])
    order = np.argsort(widest, kind="stable")[:LISTED]
    prompt_ids = [texts.prompt_ids[pool.prompt_labels[x]] for x in order]
    facts = GeometryFacts(
        kind=feature_set.kind,
        model=feature_set.model,
        prompts=int(drawn.size),
        of_prompts=int(several.size),
        dimension=pool.dimension,
        near_threshold=NEAR,
        near_share=diversity.near_duplicate_share,
        effective_rank=diversity.effective_rank,
        rank=quantiles(variety.effective_rank),
        widest=quantiles(widest),
        narrow_threshold=NARROW,
        narrow=int(variety.narrow().sum()),
        narrowest=_prompts(prompt_ids, widest[order]),
        more=_more(pool, text_id, rng, progress),
    )
    return facts, spread


def _more(
    pool: CandidatePool,
    text_id: NDArray[np.int64],
    rng: np.random.Generator,
    progress: JobProgress,
) -> MoreFacts | None:
    """What more completions a prompt bring; None where there are too few to tell."""
    drawn = np.sort(_sample(np.arange(pool.n_prompts), pool.sizes, MOST_CURVE_PAIRS, rng))
    if not drawn.size:
        return None
    place = np.isin(pool.prompt_of_row, drawn)
    pairs = int(np.sum(pool.sizes[drawn] * (pool.sizes[drawn] - 1)) // 2)
    draws = int(np.clip(MOST_CURVE_PAIRS // max(pairs, 1), 1, MOST_DRAWS))
    # Principal components stand in the order of their variance: the first d are those of d.
    d = max(drawn.size // LABELS_PER_DIMENSION, FEWEST_DIMENSIONS)
    try:
        part = CandidatePool(pool.centred[place, :d], pool.prompt_of_row[place])
        curve = completions_curve(
            part,
            rng=rng,
            text_id=text_id[pool.rows[place]],
            draws=draws,
            on_step=lambda done, total: progress.report(done, total, "trying fewer completions"),
        )
    except DesignError:
        return None
    share = curve.draws / curve.draws[:, :1]
    return MoreFacts(
        counts=[int(k) for k in curve.counts],
        share=[float(one) for one in share.mean(axis=0)],
        least=[float(one) for one in share.min(axis=0)],
        most=[float(one) for one in share.max(axis=0)],
        half=curve.half,
        gap=curve.gap,
        budget=curve.budget,
        draws=draws,
    )


def _sample(
    prompts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    most_pairs: int,
    rng: np.random.Generator,
    *,
    rows: int | None = None,
) -> NDArray[np.int64]:
    """As many of the prompts as the limits allow, in rising order; none that alone exceeds one."""
    order = rng.permutation(prompts)
    most_rows = rows or int(sizes.sum())
    size = sizes[order]
    alone = (size * (size - 1) // 2 <= most_pairs) & (size <= most_rows)
    order, size = order[alone], size[alone]
    fits = (np.cumsum(size * (size - 1) // 2) <= most_pairs) & (np.cumsum(size) <= most_rows)
    return np.asarray(np.sort(order[fits]))


def _rows(
    drawn: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the arrays that belong to the prompts, and the prompt's number of each."""
    starts = (np.cumsum(sizes) - sizes)[drawn]
    number = np.repeat(np.arange(drawn.size), sizes[drawn])
    inside = np.arange(number.size) - np.repeat(
        np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn]
    )
    return starts[number] + inside, drawn[number]


def _prompts(ids: list[int], widest: NDArray[np.float64]) -> list[PromptFacts]:
    known = Prompt.objects.in_bulk(ids)
    return [
        PromptFacts(position=known[pk].position, excerpt=str(known[pk]), widest=float(ratio))
        for pk, ratio in zip(ids, widest, strict=True)
        if pk in known
    ]
