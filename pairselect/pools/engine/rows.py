"""A completion on its way, and what the two kinds of batches share."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pairselect.pools.engine.contract import Request, Sampler
from pairselect.pools.engine.sampling import row_uniforms


class Row:
    """A request on its way: its prompt's ids, its tokens so far, what was captured of them."""

    def __init__(self, request: Request, prompt: tuple[int, ...]) -> None:
        self.request = request
        self.prompt = prompt
        self.restart()

    def restart(self) -> None:
        """Forget what was sampled."""
        self.tokens: list[int] = []
        self.log_prob = 0.0
        self.features: dict[str, NDArray[np.float32]] | None = None
        self.uniforms: Any = None
        self.ended = False
        self.stopped = False  # by the model, not by its length

    def uniform(self, sampler: Sampler) -> float:
        """Return the number that draws the next token."""
        if self.uniforms is None:
            self.uniforms = row_uniforms(self.request.seed, sampler.max_new_tokens)
        return float(self.uniforms[len(self.tokens)])

    def record(self, token: int, log_prob: float, sampler: Sampler, eos_ids: Sequence[int]) -> None:
        """Append a drawn token; note whether the completion ends with it."""
        self.tokens.append(token)
        self.log_prob += log_prob
        self.stopped = token in eos_ids and not sampler.ignore_end
        self.ended = self.stopped or len(self.tokens) == sampler.max_new_tokens


class Batch(Protocol):
    """Rows that are decoded together."""

    @property
    def rows(self) -> Sequence[Row]:
        """The rows that have been admitted and have not ended."""
        ...

    def room(self, waiting: Sequence[Row]) -> int:
        """Return how many of the first rows that wait may be admitted now."""
        ...

    def admit(self, rows: Sequence[Row]) -> int:
        """Read the prompts of the first of `rows`; return how many rows were admitted."""
        ...

    def step(self) -> list[Row]:
        """Draw a token for each row; return the rows that ended with it."""
        ...


def uniforms_of(rows: Sequence[Row], sampler: Sampler, device: torch.device) -> torch.Tensor:
    """Return the number that draws each row's next token, shape (rows,)."""
    return torch.tensor([row.uniform(sampler) for row in rows], dtype=torch.float64, device=device)
