"""From raw hidden states to the features of a design."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray, IntArray


@dataclass(frozen=True)
class ReductionSettings:
    """What was done, in this order; `as_dict` is ready for JSON."""

    centred: bool  # each prompt's mean taken off
    standardised: bool  # each coordinate divided by its standard deviation
    clip: str | float | None
    clip_norm: float | None  # the norm that rows were cut at; None if they were not
    dimension: int  # coordinates kept
    raw_dimension: int
    rank: int  # numerical rank before coordinates were dropped

    def as_dict(self) -> dict[str, str | float | int | bool | None]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Reduction:
    """Reduced features (n_completions, d′) and how they came about."""

    features: FloatArray = field(repr=False)
    explained_variance: float  # share of the within-prompt variance that is kept, 0 to 1
    settings: ReductionSettings


def reduce_features(
    raw: npt.ArrayLike,
    prompt_index: npt.ArrayLike,
    *,
    dimension: int = 128,
    clip: str | float | None = "median",
    standardise: bool = True,
) -> Reduction:
    """Centre within prompts, standardise, clip the norms, and keep the principal components.

    Parameters
    ----------
    raw : (n_completions, D) array
        Hidden states in any float dtype, or a memory map of them; the work is done in float64, a
        chunk at a time.
    prompt_index : (n_completions,) array
        Which prompt each row answers.
    dimension : int
        The most coordinates to keep; fewer come back when the numerical rank is lower.
    clip : "median", float or None
        Rows longer than this quantile of the row norms are shortened to it: the median, a number
        in (0, 1], or not at all.
    standardise : bool
        Divide each coordinate by its standard deviation within prompts; constant ones stay 0.

    Returns
    -------
    Reduction
        `features` are float64, (n_completions, d′). A prompt with one completion gets zeros.

    Raises
    ------
    DesignError
        On wrong shapes, values that are not finite, or when no prompt has two completions that
        differ.

    Notes
    -----
    Han, Goyal and Ma, arXiv:2606.19607, standardise and keep 128 components. Centring is ours, as
    only differences within a prompt count, and so is clipping: a design seeks extreme points, and
    there a linear model is least to be trusted.
    """
    if dimension < 1:
        raise DesignError(f"dimension must be at least 1; got {dimension}.")
    quantile = _quantile(clip)
    rows = _Rows(raw, prompt_index)
    rows.scale = rows.coordinate_scale(standardise=standardise)
    clip_norm = None
    if quantile is not None:
        norms = np.concatenate([np.linalg.norm(x, axis=1) for _, x, _ in rows.chunks()])
        clip_norm = rows.longest = float(np.quantile(norms[norms > 0], quantile))
    axes, variance, rank = _principal_axes(rows, dimension)
    features = np.empty((len(rows.raw), axes.shape[1]))
    for place, x, _ in rows.chunks():
        features[place] = x @ axes
    return Reduction(
        features=features,
        explained_variance=variance,
        settings=ReductionSettings(
            centred=True,
            standardised=standardise,
            clip=clip,
            clip_norm=clip_norm,
            dimension=axes.shape[1],
            raw_dimension=rows.raw.shape[1],
            rank=rank,
        ),
    )


# Numbers in a chunk: 32 MiB in float64. The raw rows may be a file larger than memory.
CHUNK_ENTRIES = 2**22


class _Rows:
    """The raw rows by prompt, a chunk at a time in float64: centred, scaled and clipped."""

    def __init__(self, raw: npt.ArrayLike, prompt_index: npt.ArrayLike) -> None:
        self.raw = np.asarray(raw)
        if self.raw.ndim != 2 or 0 in self.raw.shape:
            raise DesignError(
                f"raw must have shape (completions, D), D at least 1; got {self.raw.shape}."
            )
        labels = np.asarray(prompt_index)
        if labels.shape != (len(self.raw),):
            raise DesignError(
                f"prompt_index must have one entry a row, shape ({len(self.raw)},); "
                f"got {labels.shape}."
            )
        _, prompt, self.sizes = np.unique(labels, return_inverse=True, return_counts=True)
        if self.sizes.max() < 2:
            raise DesignError("Every prompt has one completion; a comparison needs at least two.")
        self.order = np.argsort(prompt, kind="stable")
        self.scale: FloatArray | None = None  # to multiply each coordinate by
        self.longest = np.inf  # the norm to cut rows at

    def chunks(self) -> Iterator[tuple[IntArray, FloatArray, IntArray]]:
        """Places in `raw` (k,), their rows (k, D), and the sizes of the prompts that they are."""
        ends = np.cumsum(self.sizes)
        most = max(CHUNK_ENTRIES // self.raw.shape[1], 1)
        first_prompt = first = 0
        while first < len(self.order):
            last_prompt = max(int(np.searchsorted(ends, first + most, "right")), first_prompt + 1)
            last = int(ends[last_prompt - 1])
            place = self.order[first:last]
            sizes = self.sizes[first_prompt:last_prompt]
            x = centre(self.raw[place].astype(np.float64), sizes)
            if self.scale is not None:
                x *= self.scale
            if self.longest < np.inf:
                norm = np.linalg.norm(x, axis=1, keepdims=True)
                x *= np.minimum(1.0, self.longest / np.where(norm > 0, norm, 1.0))
            yield place, x, sizes
            first_prompt, first = last_prompt, last

    def coordinate_scale(self, *, standardise: bool) -> FloatArray:
        """(D,): 1/standard deviation within prompts, or 1; 0 for a coordinate that is constant."""
        compared, square = int(self.sizes[self.sizes > 1].sum()), np.zeros(self.raw.shape[1])
        largest = np.zeros(self.raw.shape[1])
        for place, x, _ in self.chunks():
            # Where a value is not finite, a sum with its prompt is not finite either.
            if not np.all(np.isfinite(x)):
                raise DesignError("raw has values that are not finite; drop or repair them.")
            square += np.sum(x**2, axis=0)
            largest = np.maximum(largest, np.abs(self.raw[place]).max(axis=0))
        deviation = np.sqrt(square / compared)
        # A coordinate that varies by no more than the rounding of its own mean is constant.
        varies = deviation > len(self.raw) * np.finfo(np.float64).eps * largest
        if not np.any(varies):
            raise DesignError(
                "All completions of a prompt have the same features; nothing to reduce."
            )
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        return scale if standardise else varies.astype(np.float64)


def centre(x: FloatArray, sizes: IntArray) -> FloatArray:
    """Rows (n, D), sorted by prompt, less the mean of their prompt; `sizes` sum to n."""
    mean = np.add.reduceat(x, np.cumsum(sizes) - sizes, axis=0) / sizes[:, None]
    centred: FloatArray = x - np.repeat(mean, sizes, axis=0)
    return centred


def _principal_axes(rows: _Rows, dimension: int) -> tuple[FloatArray, float, int]:
    """Leading axes (D, d′) of the rows, centred anew as clipping moves the means, the share of
    the variance along them, and the rank."""
    n, raw = rows.raw.shape
    if n >= raw:
        gram = np.zeros((raw, raw))
        for _, x, sizes in rows.chunks():
            x = centre(x, sizes)
            gram += x.T @ x
        values, axes = np.linalg.eigh(gram)
    else:  # the smaller Gram matrix has the same spectrum
        table = np.concatenate([centre(x, sizes) for _, x, sizes in rows.chunks()])
        values, left = np.linalg.eigh(table @ table.T)
        axes = table.T @ (left / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny)))
    # Rounding in the Gram matrix hides what is smaller than this.
    rank = int(np.count_nonzero(values > max(n, raw) * np.finfo(np.float64).eps * values[-1]))
    kept = min(dimension, rank)
    axes = axes[:, ::-1][:, :kept]
    top = np.argmax(np.abs(axes), axis=0)
    axes = axes * np.sign(axes[top, np.arange(kept)])  # the sign of an axis is arbitrary: fix it
    share = float(values[::-1][:kept].sum() / np.maximum(values, 0).sum())
    return axes, min(share, 1.0), rank


def _quantile(clip: str | float | None) -> float | None:
    if clip is None:
        return None
    if clip == "median":
        return 0.5
    if isinstance(clip, str) or not 0 < clip <= 1:
        raise DesignError(f'clip must be "median", a quantile in (0, 1] or None; got {clip!r}.')
    return float(clip)
