"""A comparison as its page shows it: rendered, masked, and blind to where the texts came from."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.urls import reverse
from django.utils.safestring import SafeString

from annotate.adjudication import labels_given
from annotate.disputes import in_words
from annotate.edits import names_masked
from annotate.masking import mask_identity
from annotate.models import Comparison, Judgement
from annotate.rendering import raw_text, render_markdown


@dataclass(frozen=True)
class Text:
    html: SafeString
    raw: SafeString
    is_blank: bool


@dataclass(frozen=True)
class Turn:
    role: str
    text: Text


@dataclass(frozen=True)
class Given:
    """A label of the pair that an adjudicator is to decide, whoever gave it."""

    words: str
    reason: str
    is_swapped: bool  # the reason speaks of the sides the other way round


@dataclass(frozen=True)
class Sheet:
    turns: list[Turn]
    left: Text
    right: Text
    token: UUID
    answer_url: str
    flag_url: str
    replaces: int | None = None
    earlier: dict[str, Any] = field(default_factory=dict)  # the answer that was given before
    sources: dict[str, str] = field(default_factory=dict)  # what an edit starts from, by side
    given: list[Given] = field(default_factory=list)  # before an adjudicator

    @property
    def earlier_json(self) -> str:
        return json.dumps(self.earlier) if self.earlier else ""


def sheet_of(
    comparison: Comparison, *, revised: Judgement | None = None, undone: Judgement | None = None
) -> Sheet:
    """The comparison that its person holds, or, with an answer of theirs, that answer to revise.

    After an undo it carries what had been answered, so that nothing has to be written twice.
    """
    campaign = comparison.campaign
    where = [campaign.pk, comparison.pk]
    names = names_masked(campaign) if campaign.mask_identities else None
    token = uuid4() if revised else comparison.lease
    assert token is not None  # whoever is shown a comparison holds its lease
    left, right = comparison.left_text, comparison.right_text
    if names is not None:
        left, right = mask_identity(left, names)[0], mask_identity(right, names)[0]
    before = revised or undone
    return Sheet(
        turns=[Turn(turn["role"], _text(turn["content"])) for turn in comparison.messages],
        left=_text(left),
        right=_text(right),
        token=token,
        answer_url=reverse("annotate:answer", args=where),
        flag_url=reverse("annotate:flag", args=where),
        replaces=revised.pk if revised else None,
        earlier=answer_so_far(before) if before else {},
        sources={"left": left, "right": right} if campaign.edits else {},
        given=_given(comparison, names),
    )


def _given(comparison: Comparison, names: tuple[str, ...] | None) -> list[Given]:
    if comparison.kind != Comparison.Kind.ADJUDICATION:
        return []
    found = []
    for label in labels_given(comparison):
        reason = label.reason if names is None else mask_identity(label.reason, names)[0]
        words = in_words(label, comparison.campaign)
        found.append(Given(words, reason, label.is_swapped))
    return found


def answer_so_far(judgement: Judgement) -> dict[str, Any]:
    """An answer as its form's fields."""
    edit = getattr(judgement, "edit", None)
    return {
        "choice": judgement.choice,
        "strength": judgement.strength,
        "criteria": judgement.criteria,
        "reason": judgement.reason,
        "skip_reason": judgement.skip_reason,
        "edit": edit.text if edit else "",
        "edit_of": ("left" if edit.of_first == judgement.first_on_left else "right")
        if edit
        else "",
    }


def _text(text: str) -> Text:
    return Text(html=render_markdown(text), raw=raw_text(text), is_blank=not text.strip())
