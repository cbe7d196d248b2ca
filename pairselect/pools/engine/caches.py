"""Key-value caches that grow in place, for a decode loop over many rows."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Keys are attended to in blocks of this many positions, so that a row's sums run over the same
# vector lanes whatever the longest row beside it.
WIDTH_BLOCK = 16


class SlotCache:
    """Keys and values of rows that come and go, each from position 0 of its own slot.

    Storage is (slots, heads, capacity, head size) a layer, of zeros: what lies past a row's
    length is masked, and must be finite. Pages of the CPU's memory are taken as they are written.
    """

    def __init__(
        self,
        depth: int,
        shape: tuple[int, int, int, int],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        slots, heads, capacity, size = shape
        self.slots = slots
        self.capacity = -(-capacity // WIDTH_BLOCK) * WIDTH_BLOCK
        whole = (slots, heads, self.capacity, size)
        self._keys = [torch.zeros(whole, dtype=dtype, device=device) for _ in range(depth)]
        self._values = [torch.zeros(whole, dtype=dtype, device=device) for _ in range(depth)]
        self._columns = torch.arange(self.capacity, device=device)
        # the first place of each head of each slot, counted in vectors
        starts = torch.arange(slots * heads, device=device) * self.capacity
        self._starts = starts.view(slots, heads)

    def places(self, lengths: torch.Tensor) -> torch.Tensor:
        """Return where the next token's vectors of the first rows go, (rows · heads,)."""
        return (self._starts[: len(lengths)] + lengths.unsqueeze(1)).flatten()

    def mask(self, lengths: torch.Tensor) -> torch.Tensor:
        """Return what is added to scores, (rows, 1, 1, width): 0 within a row's length, or −∞."""
        width = -(-int(lengths.max()) // WIDTH_BLOCK) * WIDTH_BLOCK
        beyond = self._columns[:width] >= lengths.unsqueeze(1)
        mask = torch.zeros(beyond.shape, device=beyond.device)
        return mask.masked_fill_(beyond, -torch.inf)[:, None, None]

    def write(
        self, depth: int, places: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write a token's keys and values, (rows, heads, head size); return the layer's storage."""
        for store, new in ((self._keys[depth], keys), (self._values[depth], values)):
            store.view(-1, store.shape[-1]).index_copy_(0, places, new.flatten(0, 1))
        return self._keys[depth], self._values[depth]

    def fill(self, slot: int, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Begin a slot with a prompt's keys and values, (heads, tokens, head size) a layer."""
        length = keys[0].shape[1]
        for stores, states in ((self._keys, keys), (self._values, values)):
            for store, state in zip(stores, states, strict=True):
                store[slot, :, :length] = state

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a slot over another's."""
        for store in (*self._keys, *self._values):
            store[target, :, :length] = store[source, :, :length]

    def take_over(self, other: "SlotCache", rows: int) -> None:
        """Copy the first `rows` slots of another cache, as far as both reach, and empty it."""
        width = min(self.capacity, other.capacity)
        for stores, olds in ((self._keys, other._keys), (self._values, other._values)):
            for depth, store in enumerate(stores):
                store[:rows, :, :width] = olds[depth][:rows, :, :width]
                olds[depth] = store.new_empty(0)


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, in storage with room for the tokens to come.

    A plain `DynamicLayer` copies all it holds for every token: at 64 rows and 100 positions
    that copy is more than half of a decode step. Here a token is written into its place, and
    `keys` and `values`, of shape (rows, heads, positions, head size), are views of what is
    filled.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, *, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._length = keys.shape[2]
        self._key_store = _with_room(keys, room)
        self._value_store = _with_room(values, room)
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new tokens' states, shape (rows, heads, new, head size); return them all."""
        end = self._length + key_states.shape[2]
        if end > self._key_store.shape[2]:
            raise IndexError(f"The cache has room for {self._key_store.shape[2]} positions.")
        self._key_store[:, :, self._length : end] = key_states
        self._value_store[:, :, self._length : end] = value_states
        self._length = end
        return self._show()

    def keep(self, rows: torch.Tensor, *, drop: int) -> None:
        """Keep only `rows`, and forget the first `drop` positions."""
        self._key_store = self._key_store[:, :, drop:].index_select(0, rows)
        self._value_store = self._value_store[:, :, drop:].index_select(0, rows)
        self._length -= drop
        self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys = self._key_store[:, :, : self._length]
        values = self._value_store[:, :, : self._length]
        self.keys, self.values = keys, values
        return keys, values


class BranchLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values of some prompts, lent to the rows of a single forward pass.

    The rows' own tokens are not kept, so that the prompts can be lent again, and only one
    layer at a time holds a copy for each row.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, *, rows: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._keys, self._values, self._rows = keys, values, rows
        self.keys, self.values = keys, values  # (prompts, heads, positions, head size)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each row's prompt followed by its new states, (rows, heads, new, head size)."""
        keys = self._keys.index_select(0, self._rows)
        values = self._values.index_select(0, self._rows)
        return torch.cat([keys, key_states], dim=2), torch.cat([values, value_states], dim=2)


def _with_room(states: torch.Tensor, room: int) -> torch.Tensor:
    rows, heads, length, size = states.shape
    store = states.new_zeros((rows, heads, length + room, size))
    store[:, :, :length] = states
    return store


def grows_plainly(config: Any) -> bool:
    """Tell whether all of a model's cache layers are plain ones (no sliding windows or states)."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def merge_prefills(
    caches: Sequence[DynamicCache], rows_of: Sequence[Sequence[int]], *, room: int
) -> DynamicCache:
    """Join the caches of several prefills into one that grows in place.

    Parameters
    ----------
    caches
        Of plain layers, each holding some prompts, left padded to that cache's own width.
    rows_of
        For each cache, the prompt (its place in that cache) of each row to come; the rows of
        the result are those of the first cache, then those of the second, and so on.
    room
        Positions to leave for new tokens.

    Returns
    -------
    DynamicCache
        One row per entry of `rows_of`, left padded (with zeros) to the widest cache.
    """
    width = max(cache.get_seq_length() for cache in caches)
    merged = DynamicCache()
    merged.layers = []
    for depth in range(len(caches[0].layers)):
        states = []
        for name in ("keys", "values"):
            blocks = []
            for cache, rows in zip(caches, rows_of, strict=True):
                block = getattr(cache.layers[depth], name)  # (prompts, heads, own width, size)
                block = block.index_select(0, torch.tensor(rows, device=block.device))
                missing = width - block.shape[2]
                blocks.append(torch.nn.functional.pad(block, (0, 0, missing, 0)))
            states.append(torch.cat(blocks))  # (rows, heads, width, size)
        merged.layers.append(GrowingLayer(*states, room=room))
        for cache in caches:  # give the memory back as we go
            layer: Any = cache.layers[depth]
            layer.keys = layer.values = None
    return merged


def select_rows(cache: DynamicCache, rows: Sequence[int]) -> DynamicCache:
    """Replace the rows of a cache of any kind by `rows` of them, repeats allowed."""
    chosen: Any = torch.tensor(rows)  # each layer moves it to its own device
    cache.reorder_cache(chosen)
    return cache


def branch(cache: DynamicCache, rows: torch.Tensor) -> DynamicCache:
    """Lend a cache of plain layers to the rows of one forward pass; it stays as it is.

    `rows`, of shape (rows,), holds the place in the cache of each row's prompt.
    """
    branched = DynamicCache()
    layers: list[Any] = cache.layers  # whose types allow for other kinds
    branched.layers = [
        BranchLayer(layer.keys, layer.values, rows=rows.to(layer.keys.device)) for layer in layers
    ]
    return branched
