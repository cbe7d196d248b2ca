"""The report of a pool as facts, made by a worker."""

import numpy as np
from numpy.typing import NDArray

from pairselect.jobs.progress import JobProgress
from pairselect.pools.models import Pool
from pairselect.pools.report import geometry
from pairselect.pools.report.facts import Facts, GeometryFacts, LengthFacts, SourceFacts
from pairselect.pools.report.identity import read_phrases
from pairselect.pools.report.numbers import histogram, quantiles
from pairselect.pools.report.texts import UNLISTED, Texts, read_texts


def build_report(pool: Pool, progress: JobProgress) -> Facts:
    """Read the texts and the features of a pool; the facts are ready for JSON.

    Memory holds a few numbers a completion, and the features of the prompts looked at, which are
    drawn with a fixed seed where the pool is large.
    """
    phrases = read_phrases()
    texts = read_texts(pool, phrases, progress)
    found: GeometryFacts | None = None
    spread: dict[int, float] = {}
    missing, tokens, by = "", texts.known_tokens(), "writer"
    try:
        feature_set, raw, counted = geometry.features_of(pool, texts)
        if tokens is None:
            tokens, by = counted, "reference"
        found, spread = geometry.measure(feature_set, raw, texts, progress)
    except geometry.NoGeometry as problem:
        missing = str(problem)
    return Facts(
        most_tokens=pool.max_new_tokens,
        texts=texts.facts(),
        lengths=_lengths(texts, tokens, by),
        identity=texts.identity(phrases),
        sources=_sources(texts, tokens, spread),
        other_sources=sum(number == UNLISTED for number in texts.source_numbers),
        geometry=found,
        no_geometry=missing,
    )


def _lengths(texts: Texts, tokens: NDArray[np.int64] | None, by: str) -> LengthFacts | None:
    characters = np.array(texts.characters, dtype=np.int64)
    if characters.size == 0:
        return None
    lengths = characters if tokens is None else tokens
    sizes = np.array(texts.sizes, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    longest = np.maximum.reduceat(lengths, starts)
    shortest = np.maximum(np.minimum.reduceat(lengths, starts), 1)
    return LengthFacts(
        characters=quantiles(characters),
        tokens=None if tokens is None else quantiles(tokens),
        tokens_by="" if tokens is None else by,
        histogram=histogram(lengths, "characters" if tokens is None else "tokens"),
        spread=quantiles(np.maximum(longest, 1) / shortest),
    )


def _sources(
    texts: Texts, tokens: NDArray[np.int64] | None, spread: dict[int, float]
) -> list[SourceFacts]:
    characters = np.array(texts.characters, dtype=np.int64)
    numbers = np.array(texts.source_numbers, dtype=np.int64)
    listed = []
    for source in texts.sources.values():
        if source.number == UNLISTED:
            continue
        own = numbers == source.number
        listed.append(
            SourceFacts(
                label=source.label,
                completions=int(own.sum()),
                tokens=None if tokens is None else float(np.median(tokens[own])),
                characters=float(np.median(characters[own])),
                cut=source.cut,
                distinct=source.distinct,
                identity=source.identity,
                spread=spread.get(source.number),
            )
        )
    return listed
