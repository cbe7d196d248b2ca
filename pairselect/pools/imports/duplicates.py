"""Which prompts of a file are the same, in 16 bytes a row."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import orjson
from numpy.typing import NDArray

# Two different prompts of 5 million share a 128-bit hash with probability 4e-26.
BYTES = 16


class Digests:
    """A hash of each row, in the order of the file."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, messages: Sequence[dict[str, str]]) -> None:
        normal = orjson.dumps(messages, option=orjson.OPT_SORT_KEYS)
        self._bytes += blake2b(normal, digest_size=BYTES).digest()

    def first_equal(self) -> NDArray[np.int32]:
        """For each of n rows the number of the first row that equals it, (n,).

        A row that repeats none before it has its own number.
        """
        keys = np.frombuffer(self._bytes, dtype=np.uint64).reshape(-1, 2)
        first = np.arange(len(keys), dtype=np.int32)
        rows = _with_repeated(keys[:, 0])  # few, in most files: the others need no more memory
        if rows.size:
            first[rows] = rows[_first_equal(keys[rows])]
        return first


def _with_repeated(words: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The rows whose word is another row's too, in order."""
    ordered = np.sort(words)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not repeated.size:
        return np.empty(0, dtype=np.int32)
    place = np.searchsorted(repeated, words).clip(max=repeated.size - 1)
    return np.flatnonzero(repeated[place] == words).astype(np.int32)


def _first_equal(keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: equal rows in the file's order
    ordered = keys[order]
    starts = np.ones(order.size, dtype=np.bool_)  # of a run of equal rows
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(order.size, dtype=np.int32)
    first[order] = order[starts][np.cumsum(starts, dtype=np.int32) - 1]
    return first


def text_digest(text: str) -> int:
    """64 bits of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
