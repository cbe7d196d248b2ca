"""A campaign's labels and edits as rows of a dataset."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch, QuerySet

from annotate.edits import edited_text, model_names
from annotate.formats import Format, Render, Rows
from annotate.models import Campaign, Judgement
from annotate.provenance import Side, provenance, score_set_of
from annotate.queries import current_labels
from pairselect.pools.models import Score, ScoreSet

Choice = Judgement.Choice
Metadata = dict[str, Any]
Preference = tuple[str, str, Metadata]  # the better text, the worse one, where they come from


def answers_for(campaign: Campaign, rows: Rows) -> QuerySet[Judgement]:
    """The standing answers that such rows are made of: decided ones, or those with an edit.

    Labels alone: no repeats, no gold, no onboarding.
    """
    found = current_labels(campaign)
    if rows is Rows.LABELS:
        return found.filter(choice__in=[Choice.LEFT, Choice.RIGHT])
    return found.filter(edit__isnull=False).exclude(choice=Choice.SKIP)


def dataset_rows(
    campaign: Campaign, wanted: Format, render: Render | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a format in queue order, each with its ``metadata``.

    Texts are those of the pool, whatever was masked on the page. ``render`` applies the chat
    template, for formats that need one.
    """
    scores, names = score_set_of(campaign), model_names(campaign.design.pool)
    for judgement in _with_texts(answers_for(campaign, wanted.rows), scores):
        edit = edited_text(judgement, names)
        messages = judgement.comparison.designed.prompt.messages
        if wanted.rows is Rows.LABELS:
            found = iter([_label(campaign, judgement, scores, edited=edit is not None)])
        else:
            found = _edits(campaign, judgement, scores, wanted.rows, edit)
        for better, worse, metadata in found:
            columns = wanted.row(messages, better, worse, render or _no_template)
            yield columns | {"metadata": metadata}


def _with_texts(answers: QuerySet[Judgement], scores: ScoreSet | None) -> Iterator[Judgement]:
    answers = answers.select_related(
        "annotator",
        "edit",
        "guideline",
        "comparison__pair__prompt",
        "comparison__pair__first__variant",
        "comparison__pair__second__variant",
    ).order_by("comparison__position", "comparison__slot")
    if scores is not None:
        of_set = Score.objects.filter(score_set=scores)
        sides = ("comparison__pair__first__scores", "comparison__pair__second__scores")
        answers = answers.prefetch_related(
            *(Prefetch(side, queryset=of_set, to_attr="used_scores") for side in sides)
        )
    return answers.iterator(chunk_size=500)


def _label(
    campaign: Campaign, judgement: Judgement, scores: ScoreSet | None, *, edited: bool
) -> Preference:
    pair = judgement.comparison.designed
    chosen, rejected = pair.first, pair.second
    if not judgement.prefers_first:
        chosen, rejected = rejected, chosen
    sides = Side("chosen", chosen), Side("rejected", rejected)
    metadata = provenance(campaign, judgement, *sides, shown=judgement.choice, scores=scores)
    return chosen.text, rejected.text, metadata | {"edited": edited}


def _edits(
    campaign: Campaign,
    judgement: Judgement,
    scores: ScoreSet | None,
    rows: Rows,
    text: str | None,
) -> Iterator[Preference]:
    """The edit over its base, the text that it was made from. As a pair also, where the base won
    or tied, over the other text: nobody has said so, but it follows."""
    if text is None:
        return
    pair, of_first = judgement.comparison.designed, judgement.edit.of_first
    base, other = (pair.first, pair.second) if of_first else (pair.second, pair.first)
    answer = _answer_on_base(judgement)
    shown = "left" if of_first == judgement.first_on_left else "right"
    sides = Side("base", base), Side("other", other)
    metadata = provenance(campaign, judgement, *sides, shown=shown, scores=scores)
    metadata |= {"base_answer": answer}
    if rows is Rows.EDITS:
        yield text, base.text, metadata
        return
    yield text, base.text, metadata | {"rejected_is": "base", "is_inferred": False}
    if answer in ("won", "tied") and other.text not in (text, base.text):
        yield text, other.text, metadata | {"rejected_is": "other", "is_inferred": True}


def _answer_on_base(judgement: Judgement) -> str:
    """What was said of the text that the edit was made from, against the other one."""
    if judgement.choice in (Choice.LEFT, Choice.RIGHT):
        return "won" if judgement.prefers_first == judgement.edit.of_first else "lost"
    return "tied" if judgement.choice == Choice.TIE else "both bad"


def _no_template(messages: list[dict[str, str]]) -> str:
    raise TypeError("this format needs the chat template")
