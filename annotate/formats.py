"""One labelled pair as one row of a trainer's file.

Each format is a function (prompt, chosen, rejected) -> columns. A tie never reaches them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Messages = list[dict[str, str]]
Row = dict[str, Any]
Render = Callable[[Messages], str]


@dataclass(frozen=True)
class Format:
    name: str
    title: str
    row: Callable[[Messages, str, str, Render], Row]
    needs_template: bool = False


def trl_conversational(prompt: Messages, chosen: str, rejected: str, render: Render) -> Row:
    """TRL's conversational preference form: the trainer applies the chat template."""
    return {
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }


def trl_standard(prompt: Messages, chosen: str, rejected: str, render: Render) -> Row:
    """TRL's standard form: the prompt as the exact text that the model was given, chat template
    applied. The trainer appends the end-of-sequence token."""
    return {"prompt": render(prompt), "chosen": chosen, "rejected": rejected}


FORMATS = {
    one.name: one
    for one in (
        Format("trl", "TRL, conversational (DPOTrainer)", trl_conversational),
        Format("trl-standard", "TRL, standard (plain text)", trl_standard, needs_template=True),
    )
}
