"""The types and errors that a generator and its callers share. No torch in here."""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Message = Mapping[str, str]
"""One turn of a prompt: ``{"role": ..., "content": ...}``."""

ShouldStop = Callable[[], bool]
FinishReason = Literal["stop", "length", "refused"]


class ModelUnavailable(Exception):
    """The model cannot be loaded. The message is one sentence that says what to do."""


class PromptTooLong(ValueError):
    """A prompt leaves too little room in the model's context for its completion.

    Says which, and by how much; ``place`` is the index of the item or request that holds it.
    """

    def __init__(self, message: str, *, place: int) -> None:
        super().__init__(message)
        self.place = place


class GenerationStopped(Exception):
    """The caller's ``should_stop`` said so. What was yielded before stands."""


class Asker:
    """Asks the caller whether to stop, at most every so many seconds.

    Raises
    ------
    GenerationStopped
        When called, if the caller says so.
    """

    def __init__(self, should_stop: ShouldStop | None, *, every: float) -> None:
        self._should_stop, self._every = should_stop, every
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if self._should_stop is None or now < self._next:
            return
        self._next = now + self._every
        if self._should_stop():
            raise GenerationStopped


class GenerationFailed(Exception):
    """No more completions can be had. The message is one sentence that says what to do.

    What was yielded before stands.
    """


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    Parameters
    ----------
    key
        The caller's name for the completion; it comes back with the text.
    messages
        The prompt, as turns. Requests with equal messages share the work on the prompt.
    seed
        A non-negative integer. It alone decides the row's random numbers, whatever the batch.
    """

    key: Hashable
    messages: tuple[Message, ...]
    seed: int

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("A request needs at least one message.")
        if self.seed < 0:
            raise ValueError(f"A seed must not be negative, got {self.seed}.")

    @property
    def prompt_key(self) -> tuple[tuple[str, str], ...]:
        """The messages as a hashable value, to tell which requests share a prompt."""
        return tuple((m["role"], m["content"]) for m in self.messages)


@dataclass(frozen=True)
class Sampler:
    """How tokens are drawn.

    Parameters
    ----------
    max_new_tokens
        Tokens after which a completion is cut, at least 1.
    temperature
        Divides the logits. 0 takes the likeliest token; else 0.01 to 100.
    top_p
        Draw from the smallest set of tokens whose probability reaches ``top_p``, in (0, 1].
        1 draws from the whole vocabulary.
    ignore_end
        Go on past the end of sequence to ``max_new_tokens``, for measurements.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    ignore_end: bool = False

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}.")
        if not (self.temperature == 0 or 0.01 <= self.temperature <= 100):
            raise ValueError(f"temperature must be 0, or 0.01 to 100, got {self.temperature}.")
        if not (math.isfinite(self.top_p) and 0 < self.top_p <= 1):
            raise ValueError(f"top_p must lie in (0, 1], got {self.top_p}.")


@dataclass(frozen=True)
class Finished:
    """One sampled completion.

    Parameters
    ----------
    key
        The request's.
    text
        The completion without special tokens, and without NUL, which databases refuse.
    token_count
        Tokens sampled, without the end-of-sequence token.
    finish_reason
        ``"stop"`` when the model ended the completion, ``"length"`` when it was cut, ``"refused"``
        when a server would not answer the request: then the text is empty.
    features, log_prob
        By-products, where the generator was asked for them and has them: for each kind a float32
        array (d,), and the log-probability in nats, both as `features.encode` defines them.
    """

    key: Hashable
    text: str
    token_count: int
    finish_reason: FinishReason
    features: Mapping[str, NDArray[np.float32]] | None = None
    log_prob: float | None = None


class Generator(Protocol):
    """What samples completions: in this process, or on a server."""

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """What decides the texts besides requests and sampler, as plain strings."""
        ...

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
            When ``should_stop()`` returns true; it is asked every half second or so.
        PromptTooLong
            Before any work, when a prompt and ``max_new_tokens`` exceed the context.
        """
        ...
