"""The ways in which completions are written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """One way of writing completions; a pool's variant has these values."""

    model: str
    temperature: float = 1.0
    top_p: float = 1.0
    system_prompt: str = ""


def with_system_prompt(
    messages: Sequence[dict[str, str]], system_prompt: str
) -> list[dict[str, str]]:
    """The messages with a system prompt after the prompt's own, if it has one."""
    if not system_prompt:
        return list(messages)
    own, rest = "", list(messages)
    if rest[0]["role"] == "system":
        own = rest.pop(0)["content"] + "\n\n"
    return [{"role": "system", "content": own + system_prompt}, *rest]


def completion_seed(seed: int, position: int, index: int) -> int:
    """A seed of its own for each completion, 63 bits, so that no draw depends on another's."""
    words = np.random.SeedSequence((seed, position, index)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))
