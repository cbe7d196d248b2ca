"""One preference, or one edit, as one row of a trainer's file."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Messages = list[dict[str, str]]
Row = dict[str, Any]
Render = Callable[[Messages], str]


class Rows(enum.Enum):
    """What a file has rows for."""

    LABELS = "labels"  # each label that says which is better
    EDITS = "edits"  # each edit
    EDIT_PAIRS = "edit pairs"  # each edit, over each text that it is better than


@dataclass(frozen=True)
class Format:
    """``row`` makes a row's columns of the prompt, the better text and the worse one."""

    name: str
    title: str | Promise
    row: Callable[[Messages, str, str, Render], Row]
    rows: Rows = Rows.LABELS
    needs_template: bool = False


def trl_conversational(prompt: Messages, chosen: str, rejected: str, render: Render) -> Row:
    """TRL's conversational preference form: the trainer applies the chat template."""
    return {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}


def trl_standard(prompt: Messages, chosen: str, rejected: str, render: Render) -> Row:
    """TRL's standard form: the prompt as the exact text that the model was given, chat template
    applied. The trainer appends the end-of-sequence token."""
    return {"prompt": render(prompt), "chosen": chosen, "rejected": rejected}


def trl_prompt_completion(prompt: Messages, chosen: str, rejected: str, render: Render) -> Row:
    """TRL's conversational prompt–completion form: the loss is on the completion alone."""
    return {"prompt": prompt, "completion": _said(chosen)}


def _said(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]


FORMATS = {
    one.name: one
    for one in (
        Format("trl", _("TRL, conversational (DPOTrainer)"), trl_conversational),
        Format("trl-standard", _("TRL, standard (plain text)"), trl_standard, needs_template=True),
        Format(
            "edits",
            _("Edits over the texts they improve (DPOTrainer)"),
            trl_conversational,
            rows=Rows.EDIT_PAIRS,
        ),
        Format(
            "sft",
            _("Edited texts alone (SFTTrainer)"),
            trl_prompt_completion,
            rows=Rows.EDITS,
        ),
    )
}
