"""One preference, one edit or one bad text as one row of a trainer's file."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotate.exporting.checking import alternating, conversation, templated
from annotate.exporting.columns import MESSAGE, SPOKEN, Type

Messages = list[dict[str, str]]
Row = dict[str, Any]
Render = Callable[[Messages], str]
MakeRow = Callable[[Any, str, str, float | None], Row]


class Rows(enum.Enum):
    """What a file has rows for."""

    LABELS = "labels"  # each label, or pair, that says which text is better
    EDITS = "edits"  # each edit
    EDIT_PAIRS = "edit pairs"  # each edit, over each text that it is better than
    BAD_TEXTS = "bad texts"  # each text of a pair that was called bad with its other


@dataclass(frozen=True)
class Format:
    """``row`` makes a row's columns of the prompt, the better text, the worse one and the margin.

    ``check_prompt`` says what the trainer would not take of a prompt, or nothing. ``prompt`` makes
    of its messages what rows hold of it, once for each prompt. ``margin`` says whether a row has
    a margin where the campaign asks for strengths.
    """

    name: str
    title: str | Promise
    trainer: str
    row: MakeRow
    columns: Mapping[str, Type]
    rows: Rows = Rows.LABELS
    prompt: Callable[[Messages], Any] = list
    check_prompt: Callable[[Messages], str] = conversation
    needs_template: bool = False
    margin: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)  # LLaMA-Factory's entry for the file


def trl_conversational(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """TRL's conversational preference form: the trainer applies the chat template."""
    return {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}


def trl_standard(prompt: str, chosen: str, rejected: str, margin: float | None) -> Row:
    """TRL's standard form: the prompt as the exact text that the model was given, chat template
    applied. The trainer appends the end-of-sequence token."""
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def with_margin(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """Conversational, with how much better the chosen one is. TRL's RewardTrainer subtracts the
    margin within its loss; OpenRLHF's does so with a key of the same name."""
    row = {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}
    return row if margin is None else row | {"margin": margin}


def trl_prompt_completion(
    prompt: Messages, chosen: str, rejected: str, margin: float | None
) -> Row:
    """TRL's conversational prompt–completion form: the loss is on the completion alone."""
    return {"prompt": prompt, "completion": _said(chosen)}


def trl_unpaired(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """TRL's conversational unpaired form, of an undesirable text. That one text is better than
    another makes neither of them good, so no row is desirable."""
    return {"prompt": prompt, "completion": _said(rejected), "label": False}


def axolotl(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """axolotl's ``type: chat_template.default`` under ``rl: dpo``.

    Source: ``axolotl/prompt_strategies/dpo/chat_template.py`` of 0.19.0.
    """
    return {
        "messages": prompt,
        "chosen": {"role": "assistant", "content": chosen},
        "rejected": {"role": "assistant", "content": rejected},
    }


FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def llama_factory_prompt(messages: Messages) -> Messages:
    return [{"from": FROM[one["role"]], "value": one["content"]} for one in messages]


def llama_factory(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """LLaMA-Factory's sharegpt preference form.

    Source: ``llamafactory/data/converter.py`` of 0.9.5, which skips a conversation whose turns
    do not alternate.
    """
    return {
        "conversations": prompt,
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
    }


def nemo_rl(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """NeMo-RL's ``PreferenceDataset``: completions with a rank, 0 the best.

    Source: https://docs.nvidia.com/nemo/rl/0.6.0/guides/dpo.html, section Datasets.
    """
    return {
        "context": prompt,
        "completions": [
            {"rank": 0, "completion": _said(chosen)},
            {"rank": 1, "completion": _said(rejected)},
        ],
    }


def torchtune(prompt: Messages, chosen: str, rejected: str, margin: float | None) -> Row:
    """torchtune's ``preference_dataset``: two whole conversations with the same beginning.

    Source: ``torchtune/datasets/_preference.py`` of 0.6.1.
    """
    return {"chosen": [*prompt, *_said(chosen)], "rejected": [*prompt, *_said(rejected)]}


def _said(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]


_PAIR = {"prompt": [MESSAGE], "chosen": [MESSAGE], "rejected": [MESSAGE]}
_INFO = {
    "formatting": "sharegpt",
    "ranking": True,
    "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
    "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human",
             "assistant_tag": "gpt", "system_tag": "system"},
}  # fmt: skip

FORMATS = {
    one.name: one
    for one in (
        Format("trl", _("TRL, conversational (DPOTrainer)"), "TRL", trl_conversational, _PAIR),
        Format(
            "trl-standard",
            _("TRL, standard (plain text)"),
            "TRL",
            trl_standard,
            {"prompt": str, "chosen": str, "rejected": str},
            check_prompt=templated,
            needs_template=True,
        ),
        Format(
            "trl-reward",
            _("TRL, reward model with margin (RewardTrainer)"),
            "TRL",
            with_margin,
            _PAIR,
            margin=True,
        ),
        Format(
            "kto",
            _("TRL, KTO (KTOTrainer): texts called bad, as undesirable"),
            "TRL",
            trl_unpaired,
            {"prompt": [MESSAGE], "completion": [MESSAGE], "label": bool},
            rows=Rows.BAD_TEXTS,
        ),
        Format(
            "axolotl",
            "axolotl (chat_template.default)",
            "axolotl",
            axolotl,
            {"messages": [MESSAGE], "chosen": MESSAGE, "rejected": MESSAGE},
        ),
        Format(
            "llama-factory",
            "LLaMA-Factory (sharegpt)",
            "LLaMA-Factory",
            llama_factory,
            {"conversations": [SPOKEN], "chosen": SPOKEN, "rejected": SPOKEN},
            prompt=llama_factory_prompt,
            check_prompt=alternating,
            info=_INFO,
        ),
        Format("openrlhf", "OpenRLHF", "OpenRLHF", with_margin, _PAIR, margin=True),
        Format(
            "nemo-rl",
            "NeMo-RL (PreferenceDataset)",
            "NeMo-RL",
            nemo_rl,
            {"context": [MESSAGE], "completions": [{"rank": int, "completion": [MESSAGE]}]},
        ),
        Format(
            "torchtune",
            "torchtune (preference_dataset)",
            "torchtune",
            torchtune,
            {"chosen": [MESSAGE], "rejected": [MESSAGE]},
        ),
        Format(
            "edits",
            _("Edits over the texts they improve (DPOTrainer)"),
            "TRL",
            trl_conversational,
            _PAIR,
            rows=Rows.EDIT_PAIRS,
        ),
        Format(
            "sft",
            _("Edited texts alone (SFTTrainer)"),
            "TRL",
            trl_prompt_completion,
            {"prompt": [MESSAGE], "completion": [MESSAGE]},
            rows=Rows.EDITS,
        ),
    )
}
