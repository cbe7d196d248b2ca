"""Array types, and the one error that bad input raises."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Cap = int | IntArray | None  # the most pairs of a prompt: of every one, or of each (n_prompts,)


class DesignError(ValueError):
    """The request cannot be met; the message says in a sentence what to change."""


def union(one: IntArray, two: IntArray) -> IntArray:
    """Numbers in either of two arrays, sorted; much quicker than `np.union1d` on sorted ones."""
    merged = np.concatenate([one, two])
    merged.sort(kind="stable")
    return merged[np.diff(merged, prepend=merged[:1] - 1) > 0]


def information_factor(logit: FloatArray) -> FloatArray:
    """4σ′(u), the information of a label at logit u over that at logit 0; any shape, 0 to 1."""
    e = np.exp(-np.abs(logit))
    return np.asarray(4 * e / (1 + e) ** 2)
