"""Prompts of one size, side by side.

Rows are sorted by prompt, and prompts by their number of completions, so that all prompts of one
size form a dense block. Each pair of a block then has a number, its *pair id*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import FloatArray, IntArray

# Floats in one chunk's arrays: 8 MiB in float64, near the size of a core's cache.
CHUNK_ENTRIES = 2**20


@dataclass(frozen=True)
class Block:
    """Consecutive prompts that have the same number of completions."""

    size: int  # completions a prompt
    n_prompts: int
    first_row: int
    first_prompt: int
    first_pair: int

    @cached_property
    def corners(self) -> tuple[IntArray, IntArray]:
        """The two sides, i < j, of a prompt's pairs in the order of their ids."""
        left, right = np.triu_indices(self.size, 1)
        return left.astype(np.int64), right.astype(np.int64)

    @property
    def pairs_per_prompt(self) -> int:
        return self.size * (self.size - 1) // 2

    def chunks(self, width: int, entries: int = CHUNK_ENTRIES) -> Iterator[Block]:
        """Split into blocks whose work arrays, `width` floats a row, hold about `entries`."""
        step = max(1, entries // (self.size * (self.size + width)))
        for start in range(0, self.n_prompts, step):
            yield Block(
                self.size,
                min(step, self.n_prompts - start),
                self.first_row + start * self.size,
                self.first_prompt + start,
                self.first_pair + start * self.pairs_per_prompt,
            )

    @property
    def rows(self) -> slice:
        return slice(self.first_row, self.first_row + self.n_prompts * self.size)

    @property
    def prompts(self) -> slice:
        return slice(self.first_prompt, self.first_prompt + self.n_prompts)

    def logits(self, rewards: FloatArray) -> FloatArray:
        """r̂_i − r̂_j of all pairs, (prompts, pairs), from the rewards of all rows."""
        left, right = self.corners
        table = rewards[self.rows].reshape(self.n_prompts, self.size)
        return np.asarray(table[:, left] - table[:, right])


def group_by_size(sizes: npt.NDArray[np.intp]) -> tuple[Block, ...]:
    """Blocks for prompts of these sizes, the smallest first."""
    blocks: list[Block] = []
    row = prompt = pair = 0
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        block = Block(int(size), int(count), row, prompt, pair)
        blocks.append(block)
        row += block.n_prompts * block.size
        prompt += block.n_prompts
        pair += block.n_prompts * block.pairs_per_prompt
    return tuple(blocks)
