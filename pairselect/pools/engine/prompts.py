"""From messages to the text and the token ids that a model reads."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pairselect.pools.engine.contract import Message


def render(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Return the prompt as text, ready for the model's answer.

    The chat template is applied with its generation prompt. A tokenizer without a template
    belongs to a plain language model: the contents, joined by blank lines, are the prompt.
    """
    if not tokenizer.chat_template:
        return "\n\n".join(message["content"] for message in messages)
    text = tokenizer.apply_chat_template(
        [dict(message) for message in messages], tokenize=False, add_generation_prompt=True
    )
    return str(text)


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Return the prompt's token ids, at least one.

    A rendered template carries its own special tokens, so none are added to it. A plain
    prompt gets the tokenizer's beginning-of-sequence token, but no end.
    """
    templated = bool(tokenizer.chat_template)
    text = render(tokenizer, messages)
    ids: list[int] = list(tokenizer(text, add_special_tokens=not templated)["input_ids"])
    if not templated:
        while ids and ids[-1] == tokenizer.eos_token_id:
            ids.pop()
    if not ids:  # a model needs something to continue
        start = tokenizer.bos_token_id
        ids = [tokenizer.eos_token_id if start is None else start]
    if ids[0] is None:
        raise ValueError("An empty prompt needs a tokenizer with a begin or end token.")
    return ids


def completion_ids(tokenizer: Any, completion: str) -> list[int]:
    """Return the completion's token ids, without special tokens around it."""
    return list(tokenizer(completion, add_special_tokens=False)["input_ids"])


def template_hash(tokenizer: Any) -> str:
    """Return the sha256 of the chat template, or ``"none"``."""
    template = tokenizer.chat_template
    if not template:
        return "none"
    return hashlib.sha256(str(template).encode()).hexdigest()
