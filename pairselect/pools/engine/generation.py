"""Sample completions in this process: many rows in flight, each prompt read once."""

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from pairselect.pools.engine.contract import (
    Asker,
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
from pairselect.pools.engine.decode import lean_decoder
from pairselect.pools.engine.hardware import available_bytes, is_out_of_memory
from pairselect.pools.engine.kinds import FeatureKind, feature_kind
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.prompts import completion_ids
from pairselect.pools.engine.rows import Batch, Row
from pairselect.pools.engine.slots import SlotBatch
from pairselect.pools.engine.whole import WholeBatch

__all__ = [
    "Finished",
    "GenerationStopped",
    "Generator",
    "InProcessGenerator",
    "Message",
    "PromptTooLong",
    "Request",
    "Sampler",
]

_ASK_SECONDS = 0.5
# Rows in flight. SmolLM2-135M on two cores, 32 real questions × 8 completions of up to 96 tokens:
# 752 tokens/s with 96 rows, 745 with 128, 632 to 684 with 256, whose keys (23 KB a token) are read
# anew for every token.
_ROWS = {"cuda": 512}
_ROWS_ON_CPU = 128
# Of the free memory, for the cache: the rest is for logits, states and everybody else.
_MEMORY_SHARE = 0.5


class InProcessGenerator:
    """A `Generator` that runs a loaded model here.

    A Llama-like model runs by a lean forward pass (see `decode`): there a completion is a
    function of its messages, its seed, the sampler and the model alone, bit for bit, on a CPU
    in bfloat16: no sum depends on the other rows. In float32, on CUDA and for other
    architectures the libraries choose their sums by the batch's shape, so that rounding differs
    between batches and a near tie may fall the other way.

    Parameters
    ----------
    language_model
        The model to sample from.
    rows
        Rows in flight, at most. Default: 128 on a CPU, 512 on CUDA. Memory may allow fewer.
    capture
        Kinds of features (see `kinds.feature_kind`) to keep while sampling: means over an inner
        layer or the final one, and ``last_token``. Others, and any on a model without the lean
        pass, are left to a later pass.
    notice
        Called with one sentence when memory runs out and the rows in flight are halved.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        *,
        rows: int | None = None,
        capture: Sequence[str] = (),
        notice: Callable[[str], None] | None = None,
    ) -> None:
        if rows is not None and rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}.")
        self._lm = language_model
        self._most = rows or _ROWS.get(language_model.device.type, _ROWS_ON_CPU)
        self._notice = notice
        self._decoder = lean_decoder(language_model)
        self._kinds: dict[str, FeatureKind] = {}
        if self._decoder is not None:
            for name in capture:
                with suppress(ValueError):  # there is no such layer: the later pass will say so
                    kind = feature_kind(name)
                    kind.layers(self._decoder.depth)
                    if kind.pooling in ("mean", "last"):
                        self._kinds[name] = kind

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The language model's fingerprint, with the engine's name and its forward pass."""
        forward = "transformers" if self._decoder is None else "lean"
        return {"engine": "in-process", "forward": forward, **self._lm.fingerprint}

    def generate(
        self,
        requests: Sequence[Request],
        sampler: Sampler,
        *,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Finished]:
        """Sample all requests, the longest prompts first; yield each completion as it ends.

        Hand over as many requests as there are: up to `rows` of them are in flight, and a row
        that ends makes room for the next. Out of memory halves the rows and goes on; the rows
        in flight begin again, with the same draws.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked between steps, twice a second.
        PromptTooLong
            Before any work, when a prompt and ``max_new_tokens`` exceed the context.
        """
        # No inference_mode around the yields: it would leak into the caller's code.
        ask = Asker(should_stop, every=_ASK_SECONDS)
        waiting = deque(self._rows(requests, sampler, ask))
        batch: Batch | None = None
        while waiting or (batch is not None and batch.rows):
            batch = batch or self._batch(sampler, ask)
            flying = list(batch.rows)
            try:
                ended = _advance(batch, waiting)
            except (RuntimeError, MemoryError) as problem:  # torch.OutOfMemoryError is one
                if not is_out_of_memory(problem) or self._most == 1:
                    raise
                ended, batch = [], None
            if batch is None:  # outside of the except clause, whose traceback holds the tensors
                self._halve()
                waiting = deque([*flying, *waiting])
                for row in waiting:
                    row.restart()
            for row in ended:
                yield self._finish(row)
            ask()

    def _batch(self, sampler: Sampler, ask: Asker) -> Batch:
        memory = int(_MEMORY_SHARE * available_bytes(self._lm.device))
        if self._decoder is None:
            return WholeBatch(self._lm, sampler, most=self._most, memory=memory, ask=ask)
        return SlotBatch(
            self._decoder,
            sampler,
            self._lm.eos_ids,
            most=self._most,
            memory=memory,
            kinds=self._kinds,
        )

    def _halve(self) -> None:
        gc.collect()
        before, self._most = self._most, self._most // 2
        if self._notice is not None:
            self._notice(f"Out of memory with {before} rows at once: going on with {self._most}.")

    def _rows(self, requests: Sequence[Request], sampler: Sampler, ask: Asker) -> list[Row]:
        """Return a row per request, the longest prompts first, those of one prompt together."""
        prompts: dict[tuple[tuple[str, str], ...], tuple[int, ...]] = {}
        rows = []
        for place, request in enumerate(requests):
            if request.prompt_key not in prompts:
                ask()
                prompts[request.prompt_key] = self._checked_ids(request, sampler, place=place)
            rows.append(Row(request, prompts[request.prompt_key]))
        # memory peaks at once; the sort is stable, but two prompts may be as long as each other
        rows.sort(key=lambda row: (-len(row.prompt), row.prompt))
        return rows

    def _checked_ids(self, request: Request, sampler: Sampler, *, place: int) -> tuple[int, ...]:
        ids = tuple(self._lm.prompt_ids(request.messages))
        if len(ids) + sampler.max_new_tokens > self._lm.context_length:
            raise PromptTooLong(
                f"The prompt of request {request.key!r} has {len(ids)} tokens; with "
                f"{sampler.max_new_tokens} new ones it exceeds the model's context of "
                f"{self._lm.context_length}.",
                place=place,
            )
        return ids

    def _finish(self, row: Row) -> Finished:
        ids = row.tokens
        reason: FinishReason = "length"
        if row.stopped:
            ids, reason = ids[:-1], "stop"
        text: str = self._lm.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        text = text.replace("\x00", "")
        if reason == "length":
            text = text.rstrip("\ufffd")  # a character cut in its middle
        finished = Finished(row.request.key, text, len(ids), reason)
        if row.features is None or (row.stopped and row.tokens[-1] != self._lm.eos_ids[0]):
            return finished  # `encode` reads the tokenizer's own end of sequence
        if completion_ids(self._lm.tokenizer, text) != ids:
            return finished  # and the tokens of the text
        return replace(finished, features=row.features, log_prob=row.log_prob)


def _advance(batch: Batch, waiting: deque[Row]) -> list[Row]:
    """Admit what there is room for, or else go one step; return the rows that ended."""
    room = batch.room(waiting)
    if not room:
        return batch.step()
    for _ in range(batch.admit(list(islice(waiting, room)))):
        waiting.popleft()
    return []
