"""From raw hidden states to the features of a design."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray


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
        Hidden states in any float dtype; the work is done in float64.
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
    # One copy, worked on in place.
    x = np.array(raw, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise DesignError(f"raw must have shape (completions, D), D at least 1; got {x.shape}.")
    if not np.all(np.isfinite(x)):
        raise DesignError("raw has values that are not finite; drop or repair them.")
    labels = np.asarray(prompt_index)
    if labels.shape != (len(x),):
        raise DesignError(
            f"prompt_index must have one entry a row, shape ({len(x)},); got {labels.shape}."
        )
    _, prompt, size = np.unique(labels, return_inverse=True, return_counts=True)
    compared = size[prompt] > 1  # rows that can be part of a pair
    if not np.any(compared):
        raise DesignError("Every prompt has one completion; a comparison needs at least two.")

    largest = np.abs(x).max(axis=0)
    x = centre_within(x, prompt)
    deviation = np.sqrt(np.mean(x[compared] ** 2, axis=0))
    # A coordinate that varies by no more than the rounding of its own mean is constant.
    varies = deviation > len(x) * np.finfo(np.float64).eps * largest
    if not np.any(varies):
        raise DesignError("All completions of a prompt have the same features; nothing to reduce.")
    x[:, ~varies] = 0
    if standardise:
        x[:, varies] /= deviation[varies]

    clip_norm = None
    norm = np.linalg.norm(x, axis=1)
    if quantile is not None:
        clip_norm = float(np.quantile(norm[norm > 0], quantile))
        x *= np.minimum(1.0, clip_norm / np.where(norm > 0, norm, 1.0))[:, None]

    axes, variance, rank = _principal_axes(centre_within(x, prompt), dimension)
    return Reduction(
        features=x @ axes,
        explained_variance=variance,
        settings=ReductionSettings(
            centred=True,
            standardised=standardise,
            clip=clip,
            clip_norm=clip_norm,
            dimension=axes.shape[1],
            raw_dimension=x.shape[1],
            rank=rank,
        ),
    )


def centre_within(x: FloatArray, prompt: npt.NDArray[np.intp]) -> FloatArray:
    """Rows less the mean of their prompt; `prompt` (n,) numbers the prompts from 0."""
    order = np.argsort(prompt, kind="stable")
    starts = np.searchsorted(prompt[order], np.arange(int(prompt.max()) + 1))
    mean = np.add.reduceat(x[order], starts, axis=0) / np.bincount(prompt)[:, None]
    centred: FloatArray = x - mean[prompt]
    return centred


def _principal_axes(x: FloatArray, dimension: int) -> tuple[FloatArray, float, int]:
    """Leading axes (D, d′) of x (n, D), their share of the variance, and the rank of x."""
    n, raw = x.shape
    if n >= raw:
        values, axes = np.linalg.eigh(x.T @ x)
    else:  # the smaller Gram matrix has the same spectrum
        values, left = np.linalg.eigh(x @ x.T)
        axes = x.T @ (left / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny)))
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
