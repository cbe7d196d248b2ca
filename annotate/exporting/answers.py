"""The standing answers of campaigns as arrays, in the order of their queues."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from annotate.models import Campaign, Comparison, Edit, Flag, Judgement
from annotate.quality.answers import code_of
from annotate.queries import current_judgements
from pairselect.designs.queries import chain_of

Kind = Comparison.Kind
KINDS = (Kind.LABEL, Kind.ADJUDICATION, Kind.MACHINE)
CODES = {kind.value: code for code, kind in enumerate(KINDS)}
LABEL, ADJUDICATION, MACHINE = range(3)
SAID = {
    (choice.value, left): code_of(choice, left)
    for choice in Judgement.Choice
    for left in (True, False)
}
ROWS = 5_000  # read at a time
Ids = NDArray[np.int64] | NDArray[np.int32]  # the small ones where they suffice


@dataclass(frozen=True, eq=False)
class Answers:
    """Labels, adjudications and machines' answers that stand, skips aside; an entry an answer."""

    ids: Ids  # of judgements
    pairs: Ids
    prompts: Ids
    rounds: NDArray[np.int8]  # places in the campaigns
    positions: NDArray[np.int32]  # in the campaign's queue
    slots: NDArray[np.int8]
    said: NDArray[np.int8]  # as of `annotate.quality.answers`
    strength: NDArray[np.int8]  # 0: none
    kinds: NDArray[np.int8]
    on_left: NDArray[np.bool_]  # the pair's first

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Answers:
        if which.dtype == bool and which.all():
            return self  # of a million answers a copy is 40 MB
        return Answers(*(getattr(self, one.name)[which] for one in fields(self)))


def campaigns_of(campaign: Campaign, *, rounds: bool) -> list[Campaign]:
    """The campaign; with ``rounds`` after those of the designs before its own, the oldest first."""
    found = Campaign.objects.select_related(
        "design__pool", "design__feature_set", "design__score_set"
    ).order_by("pk")
    earlier: list[Campaign] = []
    if rounds:
        chain = chain_of(campaign.design)[1:]
        earlier = sorted(
            found.filter(design__in=chain), key=lambda one: -chain.index(one.design_id)
        )
    return [*earlier, found.get(pk=campaign.pk)]


def has_rounds(campaign: Campaign) -> bool:
    """Whether there are campaigns of the designs before its own."""
    return Campaign.objects.filter(design__in=chain_of(campaign.design)[1:]).exists()


def read(campaigns: Sequence[Campaign]) -> Answers:
    """All of them, queue after queue, each in its order."""
    place = {campaign.pk: i for i, campaign in enumerate(campaigns)}
    rows = (
        current_judgements()
        .filter(comparison__campaign__in=list(place), comparison__kind__in=KINDS)
        .exclude(choice=Judgement.Choice.SKIP)
        .order_by()
        .values_list(
            "pk",
            "comparison__pair_id",
            "comparison__pair__prompt_id",
            "comparison__campaign_id",
            "comparison__position",
            "comparison__slot",
            "choice",
            "first_on_left",
            "strength",
            "comparison__kind",
        )
    )
    statement, parameters = rows.query.sql_with_params()
    columns = [array(kind) for kind in "qqqbibbbbb"]
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while chunk := cursor.fetchmany(ROWS):
            ids, pairs, prompts, of, positions, slots, choices, left, strengths, kinds = zip(
                *chunk, strict=True
            )
            for column, values in zip(
                columns,
                (
                    ids,
                    pairs,
                    prompts,
                    map(place.__getitem__, of),
                    positions,
                    slots,
                    map(SAID.__getitem__, zip(choices, left, strict=True)),
                    [one or 0 for one in strengths],
                    map(CODES.__getitem__, kinds),
                    left,
                ),
                strict=True,
            ):
                column.extend(values)
    return _in_order(columns)


def _in_order(columns: list[Any]) -> Answers:
    """Of the columns of `Answers`, which are used up: of all at once there would be two."""
    for i, column in enumerate(columns):
        found = np.frombuffer(column, dtype=column.typecode)
        columns[i] = _small(found) if i < 3 else found
    del column, found
    order = np.lexsort((columns[0], columns[5], columns[8], columns[4], columns[3]))
    for i in range(len(columns)):
        columns[i] = columns[i][order]
    columns[-1] = columns[-1].astype(bool)
    return Answers(*columns)


def _small(ids: Ids) -> Ids:
    """In half the memory, where none is too large."""
    return ids.astype(np.int32) if len(ids) and ids.max() < 2**31 else ids


def edited(campaigns: Sequence[Campaign]) -> NDArray[np.int64]:
    """Ids of the standing labels that came with an edit."""
    rows = Edit.objects.filter(
        judgement__withdrawn_at__isnull=True,
        judgement__comparison__campaign__in=campaigns,
        judgement__comparison__kind=Kind.LABEL,
    ).exclude(judgement__choice=Judgement.Choice.SKIP)
    return np.fromiter(rows.order_by().values_list("judgement_id", flat=True), dtype=np.int64)


def flagged(campaigns: Sequence[Campaign]) -> NDArray[np.int64]:
    """Ids of the pairs with an open flag."""
    rows = Flag.objects.filter(
        comparison__campaign__in=campaigns, resolved_at__isnull=True, comparison__pair__isnull=False
    )
    return np.fromiter(
        rows.order_by().values_list("comparison__pair_id", flat=True), dtype=np.int64
    )
