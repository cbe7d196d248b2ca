"""Every answer as it was given: checks, withdrawn ones, adjudications and machines' marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from annotate.edits import edited_text, model_names
from annotate.exporting.columns import Type
from annotate.exporting.texts import CHUNK, Texts
from annotate.models import Campaign, Comparison, Judgement
from annotate.quality.answers import BOTH_BAD, FIRST, SECOND, TIE, code_of

SAID = {FIRST: "first", SECOND: "second", TIE: "tie", BOTH_BAD: "both_bad"}

COLUMNS: dict[str, Type] = {
    "judgement": int,
    "replaces": int,
    "comparison": int,
    "kind": str,  # label, repeat, gold, onboarding, adjudication or machine
    "campaign": str,
    "annotator": str,
    "is_machine": bool,
    "prompt_id": str,  # of gold: null, and so all about the pair
    "pair": int,
    "first_index": int,  # the completion's place among those of its prompt
    "second_index": int,
    "gold": int,
    "repeats": int,  # the comparison that a silent repeat repeats
    "queue_position": int,
    "slot": int,
    "first_on_left": bool,  # as it was shown
    "choice": str,  # left, right, tie, both_bad or skip
    "said": str,  # first, second, tie, both_bad or skip, whatever the sides; gold: first is right
    "strength": int,
    "criteria": str,
    "reason": str,
    "skip_reason": str,
    "edit": str,
    "edit_of": str,  # first or second
    "confidence": float,
    "seconds": float,
    "active_seconds": float,
    "guideline_version": int,
    "judged_at": str,
    "withdrawn_at": str,
}

_FIELDS = (
    "pk",
    "replaces_id",
    "comparison_id",
    "comparison__kind",
    "comparison__campaign_id",
    "annotator_id",
    "comparison__pair__prompt__external_id",
    "comparison__pair__prompt__position",
    "comparison__pair_id",
    "comparison__pair__first__index",
    "comparison__pair__second__index",
    "comparison__gold_id",
    "comparison__original_id",
    "comparison__position",
    "comparison__slot",
    "first_on_left",
    "choice",
    "strength",
    "criteria",
    "reason",
    "skip_reason",
    "confidence",
    "seconds",
    "active_seconds",
    "guideline__number",
    "created_at",
    "withdrawn_at",
)


def ids_of(campaigns: Sequence[Campaign]) -> Any:
    """Ids of all judgements, withdrawn ones too, in the order they were given."""
    rows = Judgement.objects.filter(comparison__campaign__in=campaigns).order_by()
    found = np.fromiter(rows.values_list("pk", flat=True).iterator(), dtype=np.int64)
    found.sort()
    return found


def judgements(campaigns: Sequence[Campaign], ids: Any) -> Iterator[dict[str, Any]]:
    """A row for each, without the texts: ``pair`` and ``prompt_id`` lead to them."""
    texts = Texts(campaigns)
    names = model_names(campaigns[-1].design.pool)
    titles = {campaign.pk: campaign.name for campaign in campaigns}
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK].tolist()
        edits = _edits(chunk, names)
        rows = Judgement.objects.filter(pk__in=chunk).order_by("pk")
        for (
            pk, replaces, comparison, kind, campaign, person, external, place, pair, first, second,
            gold, original, position, slot, on_left, choice, strength, criteria, reason,
            skip_reason, confidence, seconds, active, guideline, given, withdrawn,
        ) in rows.values_list(*_FIELDS):  # fmt: skip
            edit, edit_of = edits.get(pk, (None, None))
            yield {
                "judgement": pk,
                "replaces": replaces,
                "comparison": comparison,
                "kind": kind,
                "campaign": titles[campaign],
                "annotator": texts.person(campaign, person),
                "is_machine": kind == Comparison.Kind.MACHINE,
                "prompt_id": None if pair is None else external or str(place),
                "pair": pair,
                "first_index": first,
                "second_index": second,
                "gold": gold,
                "repeats": original,
                "queue_position": position,
                "slot": slot,
                "first_on_left": on_left,
                "choice": choice,
                "said": "skip" if choice == "skip" else SAID[code_of(choice, on_left)],
                "strength": strength,
                "criteria": orjson.dumps(criteria).decode() if criteria else "{}",
                "reason": reason,
                "skip_reason": skip_reason,
                "edit": edit,
                "edit_of": edit_of,
                "confidence": confidence,
                "seconds": round(seconds, 3),
                "active_seconds": None if active is None else round(active, 3),
                "guideline_version": guideline or 0,
                "judged_at": given.isoformat(),
                "withdrawn_at": withdrawn.isoformat() if withdrawn else None,
            }


def _edits(ids: list[int], names: tuple[str, ...]) -> dict[int, tuple[str, str]]:
    rows = Judgement.objects.filter(
        pk__in=ids, edit__isnull=False, comparison__pair__isnull=False
    ).select_related("edit", "comparison__pair__first", "comparison__pair__second")
    found = {}
    for judgement in rows:
        if (text := edited_text(judgement, names)) is not None:
            found[judgement.pk] = (text, "first" if judgement.edit.of_first else "second")
    return found
