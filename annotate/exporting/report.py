"""The acceptance report: what an export holds, how far it can be trusted, what it cost."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import django
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from annotate.exporting.options import Options
from annotate.exporting.rows import RowMaker
from annotate.exporting.selection import Selection
from annotate.models import Campaign, Comparison, Judgement
from annotate.pacing import pace_and_cost
from annotate.quality.answers import code_of
from annotate.quality.reliance import FEWEST_PEOPLE
from annotate.queries import current_judgements
from pairselect.core.agreement import Agreement
from pairselect.core.clustered import Estimate, clustered_share
from pairselect.core.intervals import wilson_interval

Choice = Judgement.Choice
Kind = Comparison.Kind
PACKAGES = ("django", "numpy", "orjson", "pyarrow")


def share_of(right: Mapping[int, int], total: Mapping[int, int]) -> dict[str, Any]:
    """The same of shares by person, as the quality page has it: over people, if they are three."""
    count, of = sum(right.values()), sum(total.values())
    if len(total) < FEWEST_PEOPLE:
        return share(count, of)
    found = clustered_share([right.get(one, 0) for one in total], list(total.values()), list(total))
    assert found is not None  # each person has a trial
    return {"count": count, "total": of, "low": found.low, "high": found.high}


def over_prompts(count: int, total: int, found: Estimate | None) -> dict[str, Any]:
    """So many of so many, with the interval that knows which are answers to one prompt."""
    low, high = (found.low, found.high) if found else (None, None)
    return {"count": count, "total": total, "low": low, "high": high}


def share(count: int, total: int) -> dict[str, Any]:
    """So many of so many, with the Wilson 95% interval."""
    low, high = wilson_interval(count, total) if total else (None, None)
    return {"count": count, "total": total, "low": low, "high": high}


def make_report(
    selection: Selection, maker: RowMaker, options: Options, counts: Counter[str]
) -> dict[str, Any]:
    """As `Export.report` holds it. ``counts`` has the rows of each part that was written."""
    campaigns = selection.campaigns
    rows = counts["train"] + counts["test"]
    return {
        "made_at": timezone.now().isoformat(timespec="seconds"),
        "format": options.format,
        "options": options.to_json(),
        "rows": dict(counts),
        "campaigns": [_campaign(one) for one in campaigns],
        "answers": selection.counts,
        "removed": [
            {"filter": name, "count": count}
            for name, count in selection.removed_with(maker.over, options)
        ],
        "left_out": [{"reason": name, "count": n} for name, n in sorted(maker.left_out.items())],
        "agreement": _agreement(selection.agreement),
        "left": over_prompts(selection.counts["left"], selection.counts["decided"], selection.left),
        "consistency": _consistency(campaigns),
        "gold": _gold(campaigns),
        "longer": over_prompts(maker.longer.count, len(maker.longer), maker.longer.share()),
        "markdown": over_prompts(maker.marked.count, len(maker.marked), maker.marked.share()),
        "cost": _cost(campaigns, rows),
        "versions": {"python": platform.python_version(), "database": django.db.connection.vendor}
        | {name: version(name) for name in PACKAGES},
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    """Over pairs with two labels or more."""
    return {
        "pairs": found.units,
        "labels": found.labels,
        "percent": asdict(found.percent) if found.percent else None,
        "alpha": asdict(found.alpha) if found.alpha else None,
    }


def _campaign(campaign: Campaign) -> dict[str, Any]:
    design = campaign.design
    return {
        "name": campaign.name,
        "seed": campaign.seed,
        "labels_per_pair": campaign.labels_per_pair,
        "opened_at": campaign.opened_at.isoformat() if campaign.opened_at else None,
        "annotators": current_judgements()
        .filter(comparison__campaign=campaign, comparison__kind=Kind.LABEL)
        .aggregate(n=Count("annotator", distinct=True))["n"],
        "design": {
            "name": design.name,
            "strategy": design.strategy,
            "budget": design.budget,
            "seed": design.seed,
            "random_share": design.random_share,
            "gap": design.gap,
        },
        "pool": design.pool.name,
        "guidelines": [
            {"version": one.number, "since": one.created_at.isoformat(), "text": one.text}
            for one in campaign.guidelines.order_by("number")
        ],
    }


def _gold(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """Of the silent gold pairs: the better text is their first. A tie is wrong."""
    right = Q(choice=Choice.LEFT, first_on_left=True) | Q(choice=Choice.RIGHT, first_on_left=False)
    counts = (
        current_judgements()
        .filter(comparison__campaign__in=campaigns, comparison__kind=Kind.GOLD)
        .exclude(choice=Choice.SKIP)
        .order_by()
        .values_list("annotator")
        .annotate(total=Count("pk"), right=Count("pk", filter=right))
    )
    rows = list(counts)
    return share_of({one: n for one, _, n in rows}, {one: n for one, n, _ in rows})


def _consistency(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """Silent repeats that were answered as their originals now stand."""
    given = current_judgements().exclude(choice=Choice.SKIP).order_by()
    original = given.filter(
        comparison=OuterRef("comparison__original"), annotator=OuterRef("annotator")
    )
    rows = given.filter(comparison__campaign__in=campaigns, comparison__kind=Kind.REPEAT).annotate(
        earlier=Subquery(original.values("choice")[:1]),
        earlier_on_left=Subquery(original.values("first_on_left")[:1]),
    )
    same: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for person, choice, left, earlier, earlier_left in (
        rows.filter(earlier__isnull=False)
        .values_list("annotator", "choice", "first_on_left", "earlier", "earlier_on_left")
        .iterator()
    ):
        total[person] += 1
        same[person] += code_of(choice, left) == code_of(earlier, earlier_left)
    return share_of(same, total)


def _cost(campaigns: Sequence[Campaign], rows: int) -> list[dict[str, Any]]:
    """What the labels cost so far, for each currency; nothing where no price is known."""
    totals: dict[str, float] = {}
    for campaign in campaigns:
        if campaign.price is None:
            continue
        cost = pace_and_cost(campaign).cost
        if cost is not None:
            before = totals.get(campaign.currency, 0.0)
            totals[campaign.currency] = before + float(cost.so_far)
    return [
        {"currency": name, "total": total, "per_row": total / rows if rows else None}
        for name, total in sorted(totals.items())
    ]
