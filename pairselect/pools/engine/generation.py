"""Sample completions in this process: one batch, prompts read once, rows dropped as they end."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from pairselect.pools.engine.caches import (
    GrowingLayer,
    grows_plainly,
    merge_prefills,
    select_rows,
)
from pairselect.pools.engine.contract import (
    Finished,
    FinishReason,
    GenerationStopped,
    Generator,
    Message,
    PromptTooLong,
    Request,
    Sampler,
    ShouldStop,
)
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.sampling import draw_tokens, row_uniforms

__all__ = [
    "Finished",
    "GenerationStopped",
    "Generator",
    "InProcessGenerator",
    "Message",
    "PromptTooLong",
    "Request",
    "Sampler",
    "plan_chunks",
]

_ASK_SECONDS = 0.5
# Rows leave the batch when a quarter of it has ended: then the copy of the cache, a third of a
# step's time, is paid back by the next two steps.
_ENDED_SHARE = 0.25
# Prompt tokens read at once, padding included: two seconds of two CPU cores, then the caller is
# asked whether to go on; and a bound on the memory of a long prefill.
_PREFILL_TOKENS = 2048


def plan_chunks(
    requests: Sequence[Request],
    lm: LanguageModel,
    rows: int = 64,
    *,
    prompt_tokens: int = 65_536,
) -> list[list[Request]]:
    """Split requests into batches for `InProcessGenerator.generate`.

    Prompts are sorted by length, so that a batch needs little padding. The requests of one
    prompt stay together unless they alone exceed a batch. The same requests in the same order
    give the same plan.

    Parameters
    ----------
    requests, lm
        What to sample, and the model, whose tokenizer measures the prompts.
    rows
        Completions in a batch, at most.
    prompt_tokens
        Rows times the longest prompt's tokens in a batch, at most (a single row may exceed
        it). Bounds the cache's memory: SmolLM2-135M keeps 23 KB a token in bfloat16.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Request]] = {}
    for request in requests:
        groups.setdefault(request.prompt_key, []).append(request)
    measured = [(len(lm.prompt_ids(group[0].messages)), group) for group in groups.values()]
    measured.sort(key=lambda pair: pair[0])  # stable: equal lengths keep the order given
    chunks: list[list[Request]] = []
    current: list[Request] = []
    for length, group in measured:
        most = max(1, min(rows, prompt_tokens // length))
        if current and len(current) + len(group) > most:
            chunks.append(current)
            current = []
        while len(group) > most:
            chunks.append(group[:most])
            group = group[most:]
        current = current + group
    if current:
        chunks.append(current)
    return chunks


class InProcessGenerator:
    """A `Generator` that runs a loaded model here.

    Parameters
    ----------
    language_model
        The model to sample from.
    share_prompts
        Read each distinct prompt once and copy its cache to its rows. Off only to compare.
    compact
        Drop ended rows from the batch. Off only to compare.
    """

    def __init__(
        self, language_model: LanguageModel, *, share_prompts: bool = True, compact: bool = True
    ) -> None:
        self._lm = language_model
        self._share_prompts = share_prompts
        self._compact = compact

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The language model's fingerprint, with the engine's name."""
        return {"engine": "in-process", **self._lm.fingerprint}

    def generate(
        self,
        requests: Sequence[Request],
        sampler: Sampler,
        *,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Finished]:
        """Sample every request in one batch; yield each completion as it ends.

        The same requests in the same order give the same texts. A row's random numbers come
        from its own seed; in another batch only rounding differs.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked between steps, twice a second.
        PromptTooLong
            Before any work, when a prompt and ``max_new_tokens`` exceed the context.
        """
        # No inference_mode around the yields: it would leak into the caller's code.
        ask = _Asker(should_stop)
        if not requests:
            return
        batch = self._start(requests, sampler, ask)
        while batch.rows:
            ended = self._step(batch)
            for row in ended:
                yield self._finish(row, sampler)
            ask()

    def _start(self, requests: Sequence[Request], sampler: Sampler, ask: "_Asker") -> "_Batch":
        rows, prompts = self._rows(requests, sampler)
        with torch.inference_mode():
            return _prefill(self._lm, rows, prompts, sampler, ask)

    def _rows(
        self, requests: Sequence[Request], sampler: Sampler
    ) -> tuple[list["_Row"], list[list[int]]]:
        """Return a row per request, ordered by prompt, and the distinct prompts' token ids."""
        places: dict[Any, int] = {}
        prompts: list[list[int]] = []
        rows = []
        for number, request in enumerate(requests):
            prompt = request.prompt_key if self._share_prompts else number
            if prompt not in places:
                places[prompt] = len(prompts)
                prompts.append(self._checked_ids(request, sampler, place=number))
            uniforms = row_uniforms(request.seed, sampler.max_new_tokens)
            rows.append(_Row(request, places[prompt], uniforms))
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        rank = {place: new for new, place in enumerate(order)}
        for row in rows:
            row.prompt = rank[row.prompt]
        rows.sort(key=lambda row: row.prompt)
        return rows, [prompts[place] for place in order]

    def _checked_ids(self, request: Request, sampler: Sampler, *, place: int) -> list[int]:
        ids = self._lm.prompt_ids(request.messages)
        if len(ids) + sampler.max_new_tokens > self._lm.context_length:
            raise PromptTooLong(
                f"The prompt of request {request.key!r} has {len(ids)} tokens; with "
                f"{sampler.max_new_tokens} new ones it exceeds the model's context of "
                f"{self._lm.context_length}.",
                place=place,
            )
        return ids

    @torch.inference_mode()
    def _step(self, batch: "_Batch") -> list["_Row"]:
        """Draw a token for each row, drop rows that ended, and read the tokens."""
        tokens = batch.draw()
        ended = batch.record(tokens.tolist(), self._lm.eos_ids)
        waiting = batch.waiting()
        if not waiting:
            batch.rows = []
        else:
            worthwhile = len(batch.rows) - len(waiting) >= _ENDED_SHARE * len(batch.rows)
            if self._compact and worthwhile:
                batch.keep(waiting)
                tokens = tokens[torch.tensor(waiting, device=tokens.device)]
            batch.read(self._lm.model, tokens)
        return ended

    def _finish(self, row: "_Row", sampler: Sampler) -> Finished:
        ids = row.tokens
        reason: FinishReason = "length"
        if ids[-1] in self._lm.eos_ids:
            ids, reason = ids[:-1], "stop"
        text: str = self._lm.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        text = text.replace("\x00", "")
        if reason == "length":
            text = text.rstrip("\ufffd")  # a character cut in its middle
        return Finished(row.request.key, text, len(ids), reason)


class _Asker:
    """Asks the caller whether to stop, at most twice a second."""

    def __init__(self, should_stop: ShouldStop | None) -> None:
        self._should_stop = should_stop
        self._next = 0.0

    def __call__(self) -> None:
        if self._should_stop is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _ASK_SECONDS
        if self._should_stop():
            raise GenerationStopped


class _Row:
    """A request on its way: its prompt's place, its uniforms, its tokens so far."""

    def __init__(self, request: Request, prompt: int, uniforms: Any) -> None:
        self.request = request
        self.prompt = prompt
        self.uniforms = uniforms  # (max_new_tokens,)
        self.tokens: list[int] = []
        self.ended = False


@dataclass
class _Batch:
    """The rows being decoded and the model's state for them, left padded.

    ``mask`` has shape (rows, width + max_new_tokens): 0 for padding, else 1, the tokens to
    come included. ``lengths`` (rows,) counts each row's own tokens, ``logits`` is
    (rows, vocabulary) for the next token, ``step`` the tokens drawn so far.
    """

    rows: list[_Row]
    sampler: Sampler
    cache: DynamicCache
    mask: torch.Tensor
    lengths: torch.Tensor
    logits: torch.Tensor
    width: int
    step: int = 0

    def draw(self) -> torch.Tensor:
        """Return the next token of each row, shape (rows,)."""
        uniforms = np.array([row.uniforms[self.step] for row in self.rows])
        on_device = torch.from_numpy(uniforms).to(self.logits.device)
        return draw_tokens(self.logits, on_device, sampler=self.sampler)

    def record(self, tokens: Sequence[int], eos_ids: Sequence[int]) -> list[_Row]:
        """Append each row's token; return the rows that end with it."""
        self.step += 1
        ended = []
        for row, token in zip(self.rows, tokens, strict=True):
            if row.ended:
                continue
            row.tokens.append(token)
            if token in eos_ids or self.step == self.sampler.max_new_tokens:
                row.ended = True
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
    rows: list[_Row],
    prompts: list[list[int]],
    sampler: Sampler,
    ask: _Asker,
) -> _Batch:
    """Read every distinct prompt once and spread the result over its rows.

    `prompts` are sorted by length and `rows` by prompt.
    """
    plain = grows_plainly(lm.model.config)
    # other caches cannot be merged: their prompts are read in one go
    parts = _parts(prompts, _PREFILL_TOKENS) if plain else [prompts]
    caches: list[DynamicCache] = []
    logits: list[torch.Tensor] = []
    rows_of: list[list[int]] = []
    start = 0
    for part in parts:
        ask()
        cache, part_logits = _read_prompts(lm, part)
        places = [row.prompt - start for row in rows if start <= row.prompt < start + len(part)]
        logits.append(part_logits[torch.tensor(places, device=lm.device)])
        caches.append(cache)
        rows_of.append(places)
        start += len(part)
    if plain:
        cache = merge_prefills(caches, rows_of, room=sampler.max_new_tokens)
    else:
        cache = select_rows(caches[0], rows_of[0])
    lengths = torch.tensor([len(prompts[row.prompt]) for row in rows], device=lm.device)
    width = int(lengths.max())
    columns = torch.arange(width + sampler.max_new_tokens, device=lm.device)
    mask = (columns >= (width - lengths).unsqueeze(1)).long()  # (rows, width + max_new_tokens)
    return _Batch(rows, sampler, cache, mask, lengths, torch.cat(logits), width)


def _parts(prompts: list[list[int]], tokens: int) -> list[list[list[int]]]:
    """Split prompts, sorted by length, into runs of at most `tokens` padded tokens."""
    parts: list[list[list[int]]] = []
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
