"""A batch in which a row that ends makes room for the next: for models with a lean forward pass."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from pairselect.pools.engine.contract import Sampler
from pairselect.pools.engine.decode import LeanDecoder, Prefix, Read
from pairselect.pools.engine.kinds import FeatureKind
from pairselect.pools.engine.rows import Row, uniforms_of
from pairselect.pools.engine.sampling import draw_tokens

# Rows read at once, at least, empty ones included: a matrix product of one row, and a batch of
# products with less than 4,096 multiplications, take other paths in torch and round otherwise.
_FEWEST = 8
# Prompt tokens read at once: a second of two CPU cores, then the caller is asked again.
_PREFILL_TOKENS = 1024


class SlotBatch:
    """Rows in flight, each in a slot of one cache; see `rows.Batch`.

    Row i has slot i. Between calls every row has a token that was drawn and not yet read.

    Parameters
    ----------
    decoder, sampler, eos_ids
        The forward pass, how tokens are drawn, and which ones end a completion.
    most
        Rows in flight, at most.
    memory
        Bytes that the cache may take.
    kinds
        Features to capture: means of inner layers and final states of the last token.
    """

    def __init__(
        self,
        decoder: LeanDecoder,
        sampler: Sampler,
        eos_ids: Sequence[int],
        *,
        most: int,
        memory: int,
        kinds: Mapping[str, FeatureKind],
    ) -> None:
        self._decoder, self._sampler, self._eos_ids = decoder, sampler, eos_ids
        self._most, self._memory = most, memory
        self._kinds = kinds
        self._layers = set(chain(*(kind.layers(decoder.depth) for kind in kinds.values())))
        self._catch = self._layers - {decoder.depth}  # the final states come anyway
        self._rows: list[Row | None] = []  # None is a slot whose row has ended
        self._cache = decoder.cache(0, 0)
        self._fresh: dict[int, Prefix] = {}  # slots of which nothing was drawn yet
        self._prefixes: dict[tuple[int, ...], Prefix] = {}
        self._lengths = np.zeros(0, dtype=np.int64)  # tokens read, a slot
        self._tokens = np.zeros(0, dtype=np.int64)  # the next token to read, a slot
        self._sums: dict[int, torch.Tensor] = {}  # layer: (slots, d), over tokens read

    @property
    def rows(self) -> list[Row]:
        """The rows in flight."""
        return [row for row in self._rows if row is not None]

    def room(self, waiting: Sequence[Row]) -> int:
        """Return how many of the rows that wait may be admitted now, at least 1 when idle."""
        if not waiting:
            return 0
        capacity = max(self._need(row) for row in (waiting[0], *self.rows))
        fitting = self._memory // (capacity * self._decoder.token_bytes)
        return max(0, min(self._most, max(1, fitting)) - len(self.rows))

    @torch.inference_mode()
    def admit(self, rows: Sequence[Row]) -> int:
        """Read the prompts of the first of `rows`, a second's worth; return how many, at least 1.

        Their first tokens are drawn in the next step, together with everybody's.
        """
        admitted = self._read_prompts(rows)
        self._make_room(admitted)
        free = [slot for slot, row in enumerate(self._rows) if row is None]
        for slot, row in zip(free, admitted, strict=False):
            prefix = self._prefixes[row.prompt]
            self._rows[slot], self._fresh[slot] = row, prefix
            self._cache.fill(slot, prefix.keys, prefix.values)
            self._lengths[slot] = len(row.prompt)
            for sums in self._sums.values():
                sums[slot] = 0
        # Whoever comes next has the same prompt as the last one, or a new one.
        last = admitted[-1].prompt
        self._prefixes = {last: self._prefixes[last]}
        return len(admitted)

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Read each row's token and draw the next; return the rows that ended."""
        self._close_ranks()
        read = self._read()
        ended = []
        for slot, row in enumerate(self._rows):
            if row is not None and row.ended:  # cut by its length: its last token is read now
                self._capture(slot, row, read, slot)
                ended.append(row)
                self._rows[slot] = None
        slots = [slot for slot, row in enumerate(self._rows) if row is not None]
        if len(slots) < len(read.states):
            read = Read(read.states[slots], {k: x[slots] for k, x in read.caught.items()})
        return ended + self._draw(slots, read)

    def _read(self) -> Read:
        """Read each row's token; rows that were just admitted bring their prompt's last state."""
        count = len(self._rows)
        fresh, self._fresh = self._fresh, {}
        if len(fresh) == count:
            prefixes = [fresh[slot] for slot in range(count)]
            return Read(
                torch.stack([prefix.state for prefix in prefixes]),  # (count, d)
                {k: torch.stack([prefix.caught[k] for prefix in prefixes]) for k in self._catch},
            )
        padded = max(count, _FEWEST)  # the cache has as many slots
        device = self._decoder.device
        # A fresh row's place is written too: by the token that is read there next, once more.
        read = self._decoder.read_tokens(
            torch.from_numpy(self._tokens[:padded]).to(device),
            torch.from_numpy(self._lengths[:padded]).to(device),
            self._cache,
            catch=self._catch,
        )
        old = [slot for slot in range(count) if slot not in fresh]
        self._lengths[old] += 1
        for depth, sums in self._sums.items():
            new = self._at(read, depth)[:count]
            sums[old] += new if len(old) == count else new[old]
        for slot, prefix in fresh.items():
            read.states[slot] = prefix.state
            for depth, states in read.caught.items():
                states[slot] = prefix.caught[depth]
        return read

    def _draw(self, slots: Sequence[int], read: Read) -> list[Row]:
        """Draw the next tokens of the rows in `slots`; `read` holds what was read, in that order.

        Returns the rows that end here.
        """
        rows = [row for row in (self._rows[slot] for slot in slots) if row is not None]
        if not rows:
            return []
        states = read.states if len(rows) > 1 else read.states.expand(2, -1)
        logits = self._decoder.logits(states)[: len(rows)]
        uniforms = uniforms_of(rows, self._sampler, logits.device)
        tokens, log_probs = draw_tokens(logits, uniforms, sampler=self._sampler)
        ended = []
        drawn = zip(slots, rows, tokens.tolist(), log_probs.tolist(), strict=True)
        for place, (slot, row, token, log_prob) in enumerate(drawn):
            row.record(token, log_prob, self._sampler, self._eos_ids)
            self._tokens[slot] = token
            # where features are kept, the last token of a row that was cut has to be read too
            if row.ended and (row.stopped or not self._kinds):
                self._capture(slot, row, read, place)
                ended.append(row)
                self._rows[slot] = None
        return ended

    def _at(self, read: Read, depth: int) -> torch.Tensor:
        return read.states if depth == self._decoder.depth else read.caught[depth]

    def _capture(self, slot: int, row: Row, read: Read, place: int) -> None:
        """Keep the row's features: the mean of what was read, or the state of the last token."""
        if not self._kinds:
            return
        count = int(self._lengths[slot]) - len(row.prompt)
        row.features = {}
        for name, kind in self._kinds.items():
            # without tokens every kind takes the state at the prompt's last
            depths = kind.layers(self._decoder.depth)
            if kind.pooling == "mean" and count > 0:
                parts = [self._sums[depth][slot] / count for depth in depths]
            else:
                parts = [self._at(read, depth)[place].float() for depth in depths]
            features: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
            row.features[name] = features

    def _need(self, row: Row) -> int:
        return len(row.prompt) + self._sampler.max_new_tokens

    def _make_room(self, rows: Sequence[Row]) -> None:
        """Have a slot for each row in flight and each of `rows`, long enough for all of them."""
        wanted = len(self.rows) + len(rows)
        capacity = max(self._need(row) for row in (*rows, *self.rows))
        if wanted > self._cache.slots or capacity > self._cache.capacity:
            self._close_ranks()
            count = len(self._rows)
            slots = max(wanted, _FEWEST)
            bigger = self._decoder.cache(slots, capacity)
            bigger.take_over(self._cache, count)
            self._cache = bigger
            spare = slots - count
            self._lengths = np.pad(self._lengths[:count], (0, spare))
            self._tokens = np.pad(self._tokens[:count], (0, spare))
            size = self._decoder.hidden_size
            for depth in self._layers:
                fresh = torch.zeros(slots, size, device=self._decoder.device)
                if depth in self._sums:
                    fresh[:count] = self._sums[depth][:count]
                self._sums[depth] = fresh
        self._rows += [None] * (wanted - len(self._rows))

    def _close_ranks(self) -> None:
        """Move the last rows into the slots of rows that ended."""
        rows = self._rows
        while rows and rows[-1] is None:
            rows.pop()
        for slot in range(len(rows)):
            if slot >= len(rows) or rows[slot] is not None:
                continue
            last = len(rows) - 1
            self._cache.move(last, slot, int(self._lengths[last]))
            self._lengths[slot], self._tokens[slot] = self._lengths[last], self._tokens[last]
            for sums in self._sums.values():
                sums[slot] = sums[last]
            if last in self._fresh:
                self._fresh[slot] = self._fresh.pop(last)
            rows[slot] = rows.pop()
            while rows and rows[-1] is None:
                rows.pop()
        self._lengths[len(rows) :] = 0  # slots that only fill up the fewest rows

    def _read_prompts(self, rows: Sequence[Row]) -> list[Row]:
        """Read the prompts of the first of `rows` that are not read; return whose are."""
        batch: list[tuple[int, ...]] = []
        tokens = 0
        ready: list[Row] = []
        known = set(self._prefixes)
        for row in rows:
            if row.prompt not in known:
                tokens += len(row.prompt)
                if batch and tokens > _PREFILL_TOKENS:
                    break
                batch.append(row.prompt)
                known.add(row.prompt)
            ready.append(row)
        if batch:
            few = sum(map(len, batch)) < _FEWEST
            read = self._decoder.read_prompts(
                [*batch, (0,) * _FEWEST] if few else batch, catch=self._catch
            )
            self._prefixes.update(zip(batch, read, strict=False))
        return ready
