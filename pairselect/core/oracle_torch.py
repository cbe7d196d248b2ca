"""The pass over all pairs in torch, for a CUDA device: the same as in `oracle`, same results."""

from __future__ import annotations

import numpy as np
import torch

from pairselect.core.arrays import Cap, FloatArray, IntArray
from pairselect.core.blocks import Block
from pairselect.core.pool import CandidatePool

# Floats in one chunk's arrays: large, so that few kernels are launched; 256 MiB in float32.
CHUNK_ENTRIES = 2**26


def largest_pairs(
    pool: CandidatePool,
    projection: FloatArray,
    count: int,
    barred: IntArray,
    *,
    per_prompt: Cap,
    offset: FloatArray | None,
    exact: bool,
) -> tuple[IntArray, FloatArray]:
    """See `oracle.largest_pairs`; `barred` are all ids to pass over, sorted."""
    dtype = torch.float64 if exact else torch.float32
    projected = _Projection(pool, projection, exact=exact)
    device = projected.device
    ids = torch.zeros(0, dtype=torch.int64, device=device)
    values = torch.zeros(0, dtype=dtype, device=device)
    floor = -torch.inf  # a value must exceed it to matter
    for block in pool.blocks:
        left, right = (torch.from_numpy(side).to(device) for side in block.corners)
        for chunk in block.chunks(projection.shape[1], CHUNK_ENTRIES):
            d = projected.sensitivities(chunk, left, right)
            factor = pool.factors_of(chunk)
            if factor is not None:
                d *= torch.from_numpy(factor).to(device, dtype)
            if offset is not None:
                shift = offset[chunk.prompts, None] / projected.scale**2
                d -= torch.from_numpy(shift).to(device, dtype)
            first, last = np.searchsorted(barred, [chunk.first_pair, chunk.first_pair + d.numel()])
            flat = d.view(-1)
            flat[torch.from_numpy(barred[first:last] - chunk.first_pair).to(device)] = -torch.inf
            position = _best_of_prompts(d, per_prompt, chunk)
            if position is None:
                position = torch.nonzero(flat > floor).view(-1)
            else:
                position = position[flat[position] > floor]
            ids = torch.cat([ids, position + chunk.first_pair])
            values = torch.cat([values, flat[position]])
            if values.numel() > count:
                values, keep = torch.topk(values, count, sorted=False)
                ids = ids[keep]
                floor = float(values.min())
    return (
        ids.cpu().numpy(),
        values.double().cpu().numpy() * projected.scale**2,
    )


def _best_of_prompts(d: torch.Tensor, cap: Cap, block: Block) -> torch.Tensor | None:
    """Flat positions of each row's best pairs that its cap allows; None where no cap binds."""
    width = d.shape[1]
    if cap is None:
        return None
    limit = cap[block.prompts] if isinstance(cap, np.ndarray) else np.full(len(d), cap)
    most = min(int(limit.max()), width)
    _, column = torch.topk(d, most, dim=1)  # sorted: the rank is the place
    row = torch.arange(len(d), device=d.device)[:, None]
    within = torch.arange(most, device=d.device) < torch.from_numpy(limit).to(d.device)[:, None]
    return (column + width * row)[within]


class _Projection:
    """u = φP on the device: from features that stay there in float32, or streamed in float64."""

    def __init__(self, pool: CandidatePool, projection: FloatArray, *, exact: bool) -> None:
        self.pool, self.exact = pool, exact
        self.device = torch.device(pool.device or "cpu")
        if exact:
            self.scale = 1.0
            self.matrix = torch.from_numpy(np.ascontiguousarray(projection)).to(self.device)
        else:
            self.features = on_device(pool)
            largest = float(np.abs(projection).max()) or 1.0
            self.scale = largest * pool.single_scale
            self.matrix = torch.from_numpy(projection / largest).to(self.device, torch.float32)

    def sensitivities(self, block: Block, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """d of all pairs of a block, (prompts, pairs)."""
        if self.exact:
            x = torch.from_numpy(self.pool.centred[block.rows]).to(self.device)
        else:
            x = self.features[block.rows]
        u = (x @ self.matrix).view(block.n_prompts, block.size, -1)  # (prompts, K, r)
        gram = u @ u.mT  # (prompts, K, K)
        square = torch.diagonal(gram, dim1=1, dim2=2)
        d = gram.view(block.n_prompts, -1)[:, left * block.size + right]
        return d.mul_(-2).add_(square[:, left]).add_(square[:, right])


def on_device(pool: CandidatePool) -> torch.Tensor:
    """The pool's features over their scale, (rows, d), in float32; kept there with the pool."""
    held = pool.__dict__.get("_on_device")
    if held is None:
        held = torch.from_numpy(pool.single).to(torch.device(pool.device or "cpu"))
        pool.__dict__["_on_device"] = held
    return held
