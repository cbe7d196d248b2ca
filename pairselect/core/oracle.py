"""The linear oracle: the pairs with the largest sensitivity d_e, without forming the pairs."""

from __future__ import annotations

import numpy as np

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.pool import CandidatePool


def largest_pairs(
    pool: CandidatePool,
    projection: FloatArray,
    count: int,
    *,
    per_prompt: int | None = None,
    without: IntArray | None = None,
    offset: FloatArray | None = None,
) -> tuple[IntArray, FloatArray]:
    """Candidate pairs with the largest d_e = ‖Pᵀ g_e‖², at most `per_prompt` from each prompt.

    With u_i = Pᵀ φ_i, d_(i,j) = ‖u_i‖² + ‖u_j‖² − 2 u_iᵀu_j: one Gram matrix a prompt. Taking the
    best of each prompt and then the best of these is exact, because the two limits are nested.

    Parameters
    ----------
    pool : CandidatePool
    projection : (d, r) array
        P = M⁻¹R with R Rᵀ = W, so that d_e = g_eᵀ M⁻¹ W M⁻¹ g_e.
    count : int
        How many pairs; fewer come back if fewer are left.
    per_prompt : int, optional
        The most pairs of one prompt.
    without : (k,) integers, optional
        Ids of further pairs to pass over, sorted.
    offset : (n_prompts,) array, optional
        Subtracted from every d_e of the prompt before they are ranked.

    Returns
    -------
    ids, values : (count,) integers, (count,) array
        In no particular order; the values have the offset subtracted.
    """
    barred = pool.barred if without is None else np.union1d(pool.barred, without)
    best = _Largest(count)
    for block in pool.blocks:
        left, right = block.corners
        for chunk in block.chunks(projection.shape[1]):
            u = pool.centred[chunk.rows] @ projection
            u = u.reshape(chunk.n_prompts, chunk.size, -1)  # (prompts, K, r)
            gram = u @ u.transpose(0, 2, 1)  # (prompts, K, K)
            square = np.einsum("xkk->xk", gram)
            # take, unlike indexing, returns C order, which the flat pair numbers below rely on.
            d = gram.reshape(chunk.n_prompts, -1).take(left * block.size + right, axis=1)
            d *= -2
            d += square.take(left, axis=1)
            d += square.take(right, axis=1)
            if offset is not None:
                d -= offset[chunk.prompts, None]
            first, last = np.searchsorted(barred, [chunk.first_pair, chunk.first_pair + d.size])
            d.reshape(-1)[barred[first:last] - chunk.first_pair] = -np.inf
            best.add(chunk.first_pair, d, per_prompt)
    return best.result()


class _Largest:
    """A running top-`count` over chunks; memory stays at a few times `count`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.floor = -np.inf  # a value must exceed it to matter; −inf is never a candidate
        self.ids: list[IntArray] = []
        self.values: list[FloatArray] = []
        self.held = 0

    def add(self, first: int, values: FloatArray, per_row: int | None) -> None:
        width = values.shape[1]
        if per_row is not None and per_row < width:
            column = np.argpartition(values, width - per_row, axis=1)[:, width - per_row :]
            position = (column + width * np.arange(len(values))[:, None]).reshape(-1)
            position = position[values.reshape(-1)[position] > self.floor]
        else:
            position = np.flatnonzero(values > self.floor)
        self.ids.append(position + first)
        self.values.append(values.reshape(-1)[position])
        self.held += position.size
        if self.held > 2 * self.count:
            self._shrink()

    def _shrink(self) -> None:
        ids, values = np.concatenate(self.ids), np.concatenate(self.values)
        if values.size > self.count:
            keep = np.argpartition(values, values.size - self.count)[values.size - self.count :]
            ids, values = ids[keep], values[keep]
            self.floor = float(values.min(initial=np.inf))
        self.ids, self.values, self.held = [ids], [values], values.size

    def result(self) -> tuple[IntArray, FloatArray]:
        self._shrink()
        return self.ids[0], self.values[0]
