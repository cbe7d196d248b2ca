"""Completions as rows of token ids, and rows in batches of similar length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from pairselect.pools.engine.contract import Message, PromptTooLong
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.prompts import completion_ids

_T = TypeVar("_T")


@dataclass(frozen=True)
class Item:
    """A completion to encode or to score.

    Parameters
    ----------
    messages
        The prompt, as turns.
    completion
        The text that follows it.
    ended
        Whether the model ended it: then the log-probability includes the end-of-sequence
        token, and so does its gradient, ``output_sketch``. It enters no other features.
    """

    messages: tuple[Message, ...]
    completion: str
    ended: bool


@dataclass(frozen=True)
class Row:
    """An item's token ids, as what it shares with others and what it reads itself.

    `prefix` is the prompt without its last token, or empty where the model cannot share it;
    `ids` is the rest of the prompt, whose last token is at `start`, and `count` tokens of the
    completion. `targets`, whose log-probabilities are summed, follow `start`.
    """

    place: int
    prefix: tuple[int, ...]
    ids: list[int]
    start: int
    count: int
    targets: list[int]
    truncated: bool


def read_row(lm: LanguageModel, place: int, item: Item, *, share: bool) -> Row:
    """Return the row of an item, with a prefix where `share` is true.

    Raises
    ------
    PromptTooLong
        When the prompt leaves no room in the model's context for a completion.
    """
    prompt = lm.prompt_ids(item.messages)
    room = lm.context_length - len(prompt)
    if room < 1:
        raise PromptTooLong(
            f"The prompt of item {place} has {len(prompt)} tokens and leaves no room for a "
            f"completion in the model's context of {lm.context_length}.",
            place=place,
        )
    whole = completion_ids(lm.tokenizer, item.completion)
    kept = whole[:room]
    truncated = len(kept) < len(whole)
    end = list(lm.eos_ids[:1]) if item.ended and not truncated else []
    split = len(prompt) - 1 if share else 0
    return Row(
        place=place,
        prefix=tuple(prompt[:split]),
        ids=prompt[split:] + kept,
        start=len(prompt) - 1 - split,
        count=len(kept),
        targets=kept + end,
        truncated=truncated,
    )


def runs(
    things: Iterable[_T], size: Callable[[_T], int], tokens: int, *, extra: int = 0
) -> Iterator[list[_T]]:
    """Yield runs of at most `tokens`, padding and `extra` tokens for each thing included.

    Things are of similar size, the longest first (so that memory peaks at once).
    """
    run: list[_T] = []
    for thing in sorted(things, key=size, reverse=True):
        if run and (size(run[0]) + extra) * (len(run) + 1) > tokens:
            yield run
            run = []
        run.append(thing)
    if run:
        yield run


def padded(
    sequences: Sequence[Sequence[int]], *, left: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the padded ids and their mask, both (rows, length)."""
    length = max(map(len, sequences))
    ids = torch.zeros((len(sequences), length), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        start = length - len(sequence) if left else 0
        ids[row, start : start + len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, start : start + len(sequence)] = 1
    return ids, mask
