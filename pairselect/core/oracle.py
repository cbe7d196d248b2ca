"""The linear oracle: the pairs with the largest sensitivity d_e, without forming the pairs.

This is the one place that sees every pair, so it is the one that can run on a device: the same
pass in NumPy here and in torch in `oracle_torch`, behind `largest_pairs`.
"""

from __future__ import annotations

import numpy as np

from pairselect.core.arrays import Cap, FloatArray, IntArray, union
from pairselect.core.blocks import Block
from pairselect.core.pool import CandidatePool


def largest_pairs(
    pool: CandidatePool,
    projection: FloatArray,
    count: int,
    *,
    per_prompt: Cap = None,
    without: IntArray | None = None,
    offset: FloatArray | None = None,
    exact: bool = True,
) -> tuple[IntArray, FloatArray]:
    """Candidate pairs with the largest d_e = ‖Pᵀ g_e‖², at most `per_prompt` from each prompt.

    With u_i = Pᵀ φ_i, d_(i,j) = ‖u_i‖² + ‖u_j‖² − 2 u_iᵀu_j: one Gram matrix a prompt. Taking the
    best of each prompt and then the best of these is exact, because the two limits are nested.

    Parameters
    ----------
    pool : CandidatePool
        With rewards or weights, every d_e is multiplied by the pair's factor.
    projection : (d, r) array
        P = M⁻¹R with R Rᵀ = W, so that d_e = g_eᵀ M⁻¹ W M⁻¹ g_e.
    count : int
        How many pairs; fewer come back if fewer are left.
    per_prompt : int or (n_prompts,) integers, optional
        The most pairs of one prompt.
    without : (k,) integers, optional
        Ids of further pairs to pass over, sorted.
    offset : (n_prompts,) array, optional
        Subtracted from every d_e of the prompt before they are ranked.
    exact : bool
        In float64, as a certificate needs; otherwise in float32, about twice as fast, and d_e has
        an error of about 1e-6 (‖u_i‖² + ‖u_j‖²): little for the largest, much for twins. It grows
        where P magnifies some directions far more than others, to 1e-4 at 10,000 to 1.

    Returns
    -------
    ids, values : (count,) integers, (count,) array
        In no particular order; the values have the offset subtracted.
    """
    barred = pool.barred if without is None else union(pool.barred, without)
    if pool.device is not None:
        from pairselect.core import oracle_torch  # torch is slow to import and seldom wanted

        return oracle_torch.largest_pairs(
            pool, projection, count, barred, per_prompt=per_prompt, offset=offset, exact=exact
        )
    features, scale = pool.centred, 1.0
    if not exact:
        features, projection, scale = pool.single, *in_single(projection)
        scale *= pool.single_scale
    best = _Largest(count)
    for block in pool.blocks:
        for chunk in block.chunks(projection.shape[1]):
            d = _sensitivities(features[chunk.rows], projection, chunk)
            factor = pool.factors_of(chunk)
            if factor is not None:
                d *= factor
            if offset is not None:
                d -= (offset[chunk.prompts, None] / scale**2).astype(d.dtype)
            first, last = np.searchsorted(barred, [chunk.first_pair, chunk.first_pair + d.size])
            d.reshape(-1)[barred[first:last] - chunk.first_pair] = -np.inf
            best.add(chunk.first_pair, d, cap_of(per_prompt, chunk))
    ids, values = best.result()
    return ids, values.astype(np.float64) * scale**2


def in_single(matrix: FloatArray) -> tuple[FloatArray, float]:
    """The matrix over its largest entry, in float32, and that entry: safe from overflow."""
    largest = float(np.abs(matrix).max()) or 1.0
    return (matrix / largest).astype(np.float32), largest


def cap_of(per_prompt: Cap, block: Block) -> Cap:
    """The cap of a block's prompts."""
    return per_prompt[block.prompts] if isinstance(per_prompt, np.ndarray) else per_prompt


def _sensitivities(x: FloatArray, projection: FloatArray, block: Block) -> FloatArray:
    """d of all pairs of a block, (prompts, pairs), from its features x (prompts · K, d)."""
    left, right = block.corners
    u = (x @ projection).reshape(block.n_prompts, block.size, -1)  # (prompts, K, r)
    gram = u @ u.transpose(0, 2, 1)  # (prompts, K, K)
    square = np.einsum("xkk->xk", gram)
    # take, unlike indexing, returns C order, which the flat pair numbers rely on.
    d = gram.reshape(block.n_prompts, -1).take(left * block.size + right, axis=1)
    d *= -2
    d += square.take(left, axis=1)
    d += square.take(right, axis=1)
    return d


class _Largest:
    """A running top-`count` over chunks; memory stays at a few times `count`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.floor = -np.inf  # a value must exceed it to matter; −inf is never a candidate
        self.ids: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        self.values: list[FloatArray] = [np.zeros(0, dtype=np.float32)]  # or what is added
        self.held = 0

    def add(self, first: int, values: FloatArray, cap: Cap) -> None:
        width = values.shape[1]
        most = width if cap is None else min(int(np.max(cap)), width)
        if cap is None or (most == width and np.min(cap) >= width):
            position = np.flatnonzero(values > self.floor)
        elif most == 0:
            return
        else:
            column = np.argpartition(values, width - most, axis=1)[:, width - most :]
            if isinstance(cap, np.ndarray):  # the best `cap` of each row's best `most`
                rank = np.argsort(np.argsort(-np.take_along_axis(values, column, 1), axis=1))
                within = (rank < cap[:, None]).reshape(-1)
            position = (column + width * np.arange(len(values))[:, None]).reshape(-1)
            if isinstance(cap, np.ndarray):
                position = position[within]
            position = position[values.reshape(-1)[position] > self.floor]
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
