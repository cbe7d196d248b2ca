"""A batch that is decoded as a whole by transformers' own forward pass: for any architecture."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from pairselect.pools.engine.caches import (
    GrowingLayer,
    grows_plainly,
    merge_prefills,
    select_rows,
)
from pairselect.pools.engine.contract import Sampler
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.rows import Row, uniforms_of
from pairselect.pools.engine.sampling import draw_tokens

# Rows leave the batch when a quarter of it has ended: then the copy of the cache, a third of a
# step's time, is paid back by the next two steps.
_ENDED_SHARE = 0.25
# Prompt tokens read at once, padding included: two seconds of two CPU cores, then the caller is
# asked whether to go on; and a bound on the memory of a long prefill.
_PREFILL_TOKENS = 2048


class WholeBatch:
    """Rows that begin together and leave as they end; see `rows.Batch`.

    Parameters
    ----------
    lm, sampler
        The model, and how tokens are drawn.
    most
        Rows in flight, at most.
    memory
        Bytes that the cache may take.
    ask
        Called between the parts of a prefill; raises to stop.
    """

    def __init__(
        self,
        lm: LanguageModel,
        sampler: Sampler,
        *,
        most: int,
        memory: int,
        ask: Callable[[], None],
    ) -> None:
        self._lm, self._sampler, self._ask = lm, sampler, ask
        self._most, self._memory = most, memory
        self._state: _State | None = None

    @property
    def rows(self) -> list[Row]:
        """The rows that have not ended."""
        return [row for row in self._state.rows if not row.ended] if self._state else []

    def room(self, waiting: Sequence[Row]) -> int:
        """Return how many of the rows that wait, longest first, may be admitted; 0 unless idle."""
        if not waiting or self.rows:
            return 0
        longest = waiting[0].prompt
        row_bytes = (len(longest) + self._sampler.max_new_tokens) * _token_bytes(self._lm)
        return max(1, min(self._most, self._memory // row_bytes))

    @torch.inference_mode()
    def admit(self, rows: Sequence[Row]) -> int:
        """Read every row's prompt; return the number of rows."""
        prompts = sorted({row.prompt for row in rows}, key=len)
        places = {prompt: place for place, prompt in enumerate(prompts)}
        ordered = sorted(rows, key=lambda row: places[row.prompt])
        self._state = _prefill(self._lm, ordered, prompts, self._sampler, self._ask)
        return len(rows)

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Draw a token for each row, drop rows that ended, and read the tokens."""
        state = self._state
        assert state is not None
        tokens = state.draw()
        ended = state.record(tokens, self._lm.eos_ids)
        waiting = state.waiting()
        if not waiting:
            self._state = None
            return ended
        if len(state.rows) - len(waiting) >= _ENDED_SHARE * len(state.rows):
            state.keep(waiting)
            tokens = tokens[torch.tensor(waiting, device=tokens.device)]
        state.read(self._lm.model, tokens)
        return ended


def _token_bytes(lm: LanguageModel) -> int:
    """Bytes of keys and values of one token, or a guess from above where the model hides them."""
    config = lm.model.config.get_text_config()
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    size = getattr(config, "head_dim", None) or lm.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * lm.dtype.itemsize)


class _State:
    """What is known of the rows being decoded, left padded.

    ``mask`` has shape (rows, width + max_new_tokens): 0 for padding, else 1, the tokens to
    come included. ``lengths`` (rows,) counts each row's own tokens, ``logits`` is
    (rows, vocabulary) for the next token, ``step`` the tokens drawn so far.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        sampler: Sampler,
        cache: DynamicCache,
        mask: torch.Tensor,
        lengths: torch.Tensor,
        logits: torch.Tensor,
    ) -> None:
        self.rows = list(rows)
        self.sampler = sampler
        self.cache, self.mask, self.lengths, self.logits = cache, mask, lengths, logits
        self.width = mask.shape[1] - sampler.max_new_tokens
        self.step = 0

    def draw(self) -> torch.Tensor:
        """Return the next token of each row, shape (rows,), and record it."""
        live = [not row.ended for row in self.rows]
        uniforms = torch.zeros(len(self.rows), dtype=torch.float64)
        uniforms[live] = uniforms_of(
            [row for row in self.rows if not row.ended], self.sampler, uniforms.device
        )
        tokens, self._log_probs = draw_tokens(
            self.logits, uniforms.to(self.logits.device), sampler=self.sampler
        )
        return tokens

    def record(self, tokens: torch.Tensor, eos_ids: Sequence[int]) -> list[Row]:
        """Append each row's token; return the rows that end with it."""
        self.step += 1
        ended: list[Row] = []
        drawn = zip(self.rows, tokens.tolist(), self._log_probs.tolist(), strict=True)
        for row, token, log_prob in drawn:
            if not row.ended:
                row.record(token, log_prob, self.sampler, eos_ids)
                if row.ended:
                    ended.append(row)
        return ended

    def waiting(self) -> list[int]:
        """Return the places of the rows that have not ended."""
        return [place for place, row in enumerate(self.rows) if not row.ended]

    def keep(self, places: Sequence[int]) -> None:
        """Drop all rows but those at `places`, and the columns that are padding for all left."""
        chosen = torch.tensor(places, device=self.mask.device)
        self.rows = [self.rows[place] for place in places]
        self.lengths = self.lengths[chosen]
        self.mask = self.mask[chosen]
        layers = [layer for layer in self.cache.layers if isinstance(layer, GrowingLayer)]
        if layers:  # then all are, see merge_prefills
            drop = self.width - int(self.mask[:, : self.width].sum(dim=1).max())
            for layer in layers:
                layer.keep(chosen, drop=drop)
            self.mask = self.mask[:, drop:]
            self.width -= drop
        else:
            select_rows(self.cache, places)

    def read(self, model: Any, tokens: torch.Tensor) -> None:
        """Feed the drawn tokens, shape (rows,), and keep the logits that follow them."""
        logits: torch.Tensor = model(
            input_ids=tokens.unsqueeze(1),
            attention_mask=self.mask[:, : self.width + self.step],
            position_ids=self.lengths.unsqueeze(1),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        self.logits = logits[:, -1]  # (rows, vocabulary)
        self.lengths = self.lengths + 1


def _prefill(
    lm: LanguageModel,
    rows: Sequence[Row],
    prompts: Sequence[tuple[int, ...]],
    sampler: Sampler,
    ask: Callable[[], None],
) -> _State:
    """Read every distinct prompt once and spread the result over its rows.

    `prompts` are sorted by length and `rows` by prompt.
    """
    plain = grows_plainly(lm.model.config)
    # other caches cannot be merged: their prompts are read in one go
    parts = _parts(prompts, _PREFILL_TOKENS) if plain else [list(prompts)]
    place_of = {prompt: place for place, prompt in enumerate(prompts)}
    asked = [place_of[row.prompt] for row in rows]
    caches: list[DynamicCache] = []
    logits: list[torch.Tensor] = []
    rows_of: list[list[int]] = []
    start = 0
    for part in parts:
        ask()
        cache, part_logits = _read_prompts(lm, part)
        places = [place - start for place in asked if start <= place < start + len(part)]
        logits.append(part_logits[torch.tensor(places, device=lm.device)])
        caches.append(cache)
        rows_of.append(places)
        start += len(part)
    if plain:
        cache = merge_prefills(caches, rows_of, room=sampler.max_new_tokens)
    else:
        cache = select_rows(caches[0], rows_of[0])
    lengths = torch.tensor([len(row.prompt) for row in rows], device=lm.device)
    width = int(lengths.max())
    columns = torch.arange(width + sampler.max_new_tokens, device=lm.device)
    mask = (columns >= (width - lengths).unsqueeze(1)).long()  # (rows, width + max_new_tokens)
    return _State(rows, sampler, cache, mask, lengths, torch.cat(logits))


def _parts(prompts: Sequence[tuple[int, ...]], tokens: int) -> list[list[tuple[int, ...]]]:
    """Split prompts, sorted by length, into runs of at most `tokens` padded tokens."""
    parts: list[list[tuple[int, ...]]] = []
    for prompt in prompts:
        if parts and (len(parts[-1]) + 1) * len(prompt) <= tokens:
            parts[-1].append(prompt)
        else:
            parts.append([prompt])
    return parts


def _read_prompts(
    lm: LanguageModel, prompts: Sequence[Sequence[int]]
) -> tuple[DynamicCache, torch.Tensor]:
    """Return the prompts' cache, left padded, and the next token's logits (prompts, vocabulary)."""
    width = max(map(len, prompts))
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, prompt in enumerate(prompts):
        ids[place, width - len(prompt) :] = torch.tensor(prompt)
        mask[place, width - len(prompt) :] = 1
    cache = DynamicCache(config=lm.model.config)
    output = lm.model(
        input_ids=ids.to(lm.device),
        attention_mask=mask.to(lm.device),
        position_ids=(mask.cumsum(1) - 1).clamp_min(0).to(lm.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return cache, output.logits[:, -1]
