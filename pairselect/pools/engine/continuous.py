"""Sample completions in this process by continuous batching: many rows in flight, on CUDA."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from transformers.generation.configuration_utils import (
    ContinuousBatchingConfig,
    GenerationConfig,
)
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
)

from pairselect.pools.engine.contract import (
    Asker,
    Finished,
    FinishReason,
    GenerationFailed,
    PromptTooLong,
    Request,
    Sampler,
    ShouldStop,
)
from pairselect.pools.engine.hardware import says_out_of_memory
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.sampling import row_uniforms

__all__ = ["ContinuousGenerator"]

_ASK_SECONDS = 0.25
_STOP_SECONDS = 30.0
# Rows below which an error is not a matter of memory.
_FEWEST_ROWS = 8
_NO_END = [-1]  # the library leaves negative ids out
# The library's words where the free memory holds no cache at all.
_NO_ROOM = "num_sectors ="


class ContinuousGenerator:
    """A `Generator` on transformers' continuous batching.

    A row that ends makes room for the next request, prompts that begin alike share their cache,
    and the cache is sized to the memory that the card has free. On CUDA the steps are captured
    as CUDA graphs where flash attention is installed (transformers leaves them off otherwise).
    For other devices `InProcessGenerator` is faster; this one runs there too, for tests.

    A row's draws come from its own seed, as in `InProcessGenerator`, so a request's text does
    not depend on what else is in flight but for rounding: on CUDA, and in bfloat16 anywhere,
    another batch shape rounds otherwise, and a near tie may fall the other way. Not run on CUDA
    by its authors so far.

    Parameters
    ----------
    language_model
        The model to sample from. Its attention may be switched to a flash kind meanwhile.
    rows
        Requests in flight, at most. Out of memory halves it, and says so by `notice`.
    memory_share
        Of the card's free memory, for the cache. The draw holds several copies of the logits,
        (rows, vocabulary) in float32, in what is left.
    notice
        Told in a sentence when fewer rows are tried.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        *,
        rows: int = 512,
        memory_share: float = 0.8,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        if rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}.")
        self._lm = language_model
        self._rows = rows
        self._memory_share = memory_share
        self._notice = notice or (lambda message: None)

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The language model's fingerprint, with the engine's name."""
        return {"engine": "continuous-batching", **self._lm.fingerprint}

    def generate(
        self,
        requests: Sequence[Request],
        sampler: Sampler,
        *,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Finished]:
        """Yield each completion as it ends, in any order.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked four times a second; the rows in flight
            are given up.
        PromptTooLong
            Before any work, when a prompt and ``max_new_tokens`` exceed the context.
        GenerationFailed
            When memory does not suffice for eight rows, or the library fails otherwise.
        """
        waiting = {str(place): row for place, row in enumerate(self._checked(requests, sampler))}
        asker = Asker(should_stop, every=_ASK_SECONDS)
        while waiting:
            try:
                for name, ids in self._run(waiting, sampler, asker):
                    row = waiting.pop(name)
                    yield self._finish(row.request, ids, sampler)
            except _Failed as failed:
                self._shrink(failed)

    def _checked(self, requests: Sequence[Request], sampler: Sampler) -> list["_Row"]:
        prompts: dict[Any, list[int]] = {}
        rows = []
        for place, request in enumerate(requests):
            key = request.prompt_key
            if key not in prompts:
                prompts[key] = self._lm.prompt_ids(request.messages)
                if len(prompts[key]) + sampler.max_new_tokens > self._lm.context_length:
                    raise PromptTooLong(
                        f"The prompt of request {request.key!r} has {len(prompts[key])} tokens; "
                        f"with {sampler.max_new_tokens} new ones it exceeds the model's context "
                        f"of {self._lm.context_length}.",
                        place=place,
                    )
            rows.append(_Row(request, prompts[key]))
        return rows

    def _run(
        self, waiting: Mapping[str, "_Row"], sampler: Sampler, asker: Asker
    ) -> Iterator[tuple[str, list[int]]]:
        """Yield names and sampled ids until all have come; `_Failed` when the library gives up."""
        manager = self._manager(sampler)
        try:
            # rows of one prompt in a row: only what was read before can be shared
            for name, row in sorted(waiting.items(), key=lambda pair: pair[1].prompt):
                uniforms = row_uniforms(row.request.seed, sampler.max_new_tokens)
                manager.add_request(
                    row.prompt,
                    request_id=name,
                    max_new_tokens=sampler.max_new_tokens,
                    eos_token_id=_NO_END if sampler.ignore_end else list(self._lm.eos_ids),
                    draws=Draws(len(row.prompt), uniforms.astype(np.float32)),
                )
            manager.start()
            left = len(waiting)
            while left:
                asker()
                output = manager.get_result(timeout=_ASK_SECONDS)
                if output is None:
                    if not manager.is_running():
                        raise _Failed(str(manager.background_thread_status.fatal_error))
                    continue
                if output.error is not None:
                    raise _Failed(output.error)
                if output.is_finished():
                    left -= 1
                    yield output.request_id, output.generated_tokens
        finally:
            manager.stop(block=True, timeout=_STOP_SECONDS, hard_stop=True)

    def _manager(self, sampler: Sampler) -> Any:
        settings = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,  # `DrawByUniform` draws; what it chose is then the likeliest
            max_new_tokens=sampler.max_new_tokens,
            eos_token_id=list(self._lm.eos_ids),
            pad_token_id=self._lm.eos_ids[0] if self._lm.eos_ids else 0,
        )
        batching = ContinuousBatchingConfig(
            max_requests_per_batch=self._rows, max_memory_percent=self._memory_share
        )
        manager = self._lm.model.init_continuous_batching(settings, batching)
        processors = manager.logit_processor
        processors.logits_processor.append(DrawByUniform(sampler))
        processors.tensors_required += 1
        processors.supported_keys["draws"] = Draws
        processors.do_processing = True
        return manager

    def _shrink(self, failed: "_Failed") -> None:
        """Halve the rows in flight after running out of memory; give up on anything else."""
        reason = str(failed)
        if _NO_ROOM in reason:
            raise GenerationFailed(
                "The device has too little free memory for a cache: end what else runs on it, "
                "or use a smaller model."
            ) from failed
        if not says_out_of_memory(reason):
            raise GenerationFailed(
                f"Continuous batching failed ({reason[:200]}): generate in-process instead."
            ) from failed
        if self._rows // 2 < _FEWEST_ROWS:
            raise GenerationFailed(
                f"The memory does not suffice for {self._rows} completions at once: use a "
                "smaller model, fewer new tokens or a larger card."
            ) from failed
        self._notice(
            f"Out of memory with {self._rows} completions in flight: going on with "
            f"{self._rows // 2}."
        )
        self._rows //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _finish(self, request: Request, ids: list[int], sampler: Sampler) -> Finished:
        reason: FinishReason = "length"
        if ids and ids[-1] in self._lm.eos_ids and not sampler.ignore_end:
            ids, reason = ids[:-1], "stop"
        text = cast(
            str,
            self._lm.tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            ),
        ).replace("\x00", "")
        if reason == "length":
            text = text.rstrip("\ufffd")  # a character cut in its middle
        return Finished(request.key, text, len(ids), reason)


@dataclass(frozen=True)
class Draws:
    """A row's random numbers: the length of its prompt, and a uniform for each new token."""

    prompt_length: int
    uniforms: np.ndarray[tuple[int], np.dtype[np.float32]]


class DrawByUniform(ContinuousBatchingLogitsProcessor):
    """Draws each row's token by the row's own uniform, and leaves it as the only one possible.

    The library itself draws for all rows from one generator, so that a text would depend on
    which rows were in flight. The draw is that of `sampling.draw_tokens`, without its branches
    on values, which a CUDA graph cannot hold.
    """

    supported_kwargs: dict[str, type] = {"draws": Draws}
    ignored_kwargs: tuple[str, ...] = ()

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Fill the arguments of rows that are not there."""
        int32_tensor.zero_()

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """Return each row's uniform for the token to come, (rows,) float32 seen as int32."""
        uniforms = []
        for future in requests_with_new_token:
            state = future.state
            draws: Draws | None = state.logit_processor_kwargs.get("draws")
            if draws is None:  # the library's own rows, for warming up
                uniforms.append(0.0)
            else:
                # counted by place, not by what was recorded: steps overlap
                step = state.position_offset - draws.prompt_length
                uniforms.append(float(draws.uniforms[min(step, len(draws.uniforms) - 1)]))
        return torch.tensor(uniforms, dtype=torch.float32).view(torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """Return scores (rows, vocabulary) that are 0 for the drawn token and -inf elsewhere."""
        uniforms = tensor_arg[: scores.shape[0]].view(torch.float32)  # (rows,)
        tokens = _draw(scores, uniforms, self._sampler)  # (rows, 1)
        chosen = torch.full_like(scores, float("-inf"))
        return chosen.scatter(-1, tokens, 0.0)


def _draw(scores: torch.Tensor, uniforms: torch.Tensor, sampler: Sampler) -> torch.Tensor:
    """Return a token for each row, (rows, 1); see `sampling.draw_tokens`."""
    if sampler.temperature == 0:
        return scores.argmax(dim=-1, keepdim=True)
    scaled = scores.float()  # (rows, vocabulary)
    scaled = (scaled - scaled.amax(dim=-1, keepdim=True)) / sampler.temperature
    weights = torch.softmax(scaled, dim=-1)
    order = None
    if sampler.top_p < 1:
        weights, order = weights.sort(dim=-1, descending=True, stable=True)
        before = weights.cumsum(dim=-1) - weights  # the mass that precedes each token
        inside = before < sampler.top_p
        inside[:, 0] = True
        weights = torch.where(inside, weights, 0.0)
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:]  # (rows, 1)
    target = torch.minimum(
        uniforms.unsqueeze(-1) * total, torch.nextafter(total, torch.zeros_like(total))
    )
    index = torch.searchsorted(cumulative, target, right=True)
    index = index.clamp_max(weights.shape[-1] - 1)
    # A parallel sum (CUDA) need not be monotone, and could step at a weight of 0.
    index = torch.where(weights.gather(-1, index) == 0, weights.argmax(dim=-1, keepdim=True), index)
    return index if order is None else order.gather(-1, index)


@dataclass
class _Row:
    request: Request
    prompt: list[int]


class _Failed(Exception):
    """The library's loop ended, or failed a request, with this message."""
