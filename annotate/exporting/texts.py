"""Answers with all that their rows tell of them, read by their ids in flat memory.

One statement joins what a row needs, and is compiled once: model instances of seven relations, or
Django's own work for each thousand ids, would take longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

import orjson
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models.functions import Cast

from annotate.exporting.provenance import campaign_values, pseudonym, score_set_of
from annotate.models import Campaign, Comparison, Guideline, Judgement
from pairselect.designs.models import SelectedPair
from pairselect.pools.models import Score, Variant

CHUNK = 500  # answers at a time
MACHINE = Comparison.Kind.MACHINE.value
KEPT_CHARACTERS = 8_000_000  # of prompts that a later answer may need again

_ANSWER = (
    "pk",
    "choice",
    "first_on_left",
    "strength",
    "criteria",
    "reason",
    "seconds",
    "active_seconds",
    "created_at",
    "annotator_id",
    "guideline_id",
    "comparison__kind",
    "comparison__position",
    "comparison__slot",
    "comparison__campaign_id",
    "comparison__pair_id",
)
_PAIR_OF = 15
_PAIR = (
    "pk",
    "prompt_id",
    "position",
    "inclusion_probability",
    "is_random",
    "sensitivity",
    "feature_distance",
    "first_log_prob",
    "second_log_prob",
    "first_id",
    "first__text",
    "first__model",
    "first__variant_id",
    "first__seed",
    "first__finish_reason",
    "second_id",
    "second__text",
    "second__model",
    "second__variant_id",
    "second__seed",
    "second__finish_reason",
    "prompt__external_id",
    "prompt__position",
    "prompt__messages",
    "prompt__metadata",
)
_FIRST, _SECOND = 9, 15


@dataclass(slots=True)
class PromptFacts:
    name: str
    metadata: str  # JSON
    messages: list[dict[str, str]]
    made: tuple[str, Any] | None = None  # what a format makes of it, once


class PairFacts(NamedTuple):
    """One pair, with the columns of its metadata as `provenance` names them."""

    prompt: PromptFacts
    first: str
    second: str
    design_position: int
    design: tuple[Any, ...]  # the rest of PAIR
    first_side: tuple[Any, ...]  # SIDE
    second_side: tuple[Any, ...]


class Answer(NamedTuple):
    """One judgement of a pair, with its columns too."""

    pk: int
    choice: str
    first_on_left: bool
    strength: int | None
    strengths: int  # the campaign's steps
    criteria: str  # JSON, as shown
    prompt: PromptFacts
    first: str
    second: str
    pair: tuple[Any, ...]  # CAMPAIGN and PAIR
    answer: tuple[Any, ...]  # ANSWER
    first_side: tuple[Any, ...]
    second_side: tuple[Any, ...]


class Texts:
    """Reads answers of campaigns over one pool; the scores are those of the last campaign."""

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        self._campaigns = {campaign.pk: campaign for campaign in campaigns}
        self._scores = score_set_of(campaigns[-1])
        self._values = {
            one.pk: (campaign_values(one, self._scores), one.strengths) for one in campaigns
        }
        self._pool_model = campaigns[-1].design.pool.model
        self._variants: dict[int | None, tuple[Any, ...]] = {None: ("", None, None, None, "{}")}
        self._variants.update(
            (one.pk, _variant(one))
            for one in Variant.objects.filter(pool=campaigns[-1].design.pool_id)
        )
        self._guidelines: dict[int | None, int] = {None: 0}
        self._guidelines.update(
            Guideline.objects.filter(campaign__in=self._campaigns).values_list("pk", "number")
        )
        self._people: dict[tuple[int, int], str] = {}
        self._prompts: dict[int, PromptFacts] = {}
        self._size = 0
        self._rows = ByIds(Judgement, [_as_kept(one) for one in _ANSWER])
        self._pair_rows = ByIds(SelectedPair, _PAIR)

    def answers(self, ids: Iterable[int]) -> Iterator[Answer]:
        """The judgements of these ids, in their order."""
        each = iter(ids)
        while chunk := list(islice(each, CHUNK)):
            rows = {row[0]: row for row in self._rows.of(chunk)}
            pairs = self._pairs({row[_PAIR_OF] for row in rows.values()})
            for pk in chunk:
                row = rows[pk]
                yield self._answer(row, pairs[row[_PAIR_OF]])

    def _answer(self, row: Sequence[Any], pair: PairFacts) -> Answer:
        (
            pk, choice, on_left, strength, criteria, reason, seconds, active, given, person,
            guideline, kind, position, slot, campaign, _,
        ) = row  # fmt: skip
        prompt, first, second, design_position, design, first_side, second_side = pair
        values, strengths = self._values[campaign]
        return Answer(
            pk,
            choice,
            bool(on_left),
            strength,
            strengths,
            criteria,
            prompt,
            first,
            second,
            (*values, prompt.name, prompt.metadata, position, design_position, *design),
            (
                self.person(campaign, person), kind == MACHINE, iso(given), round(seconds, 3),
                round(seconds if active is None else active, 3), self._guidelines[guideline],
                slot, reason,
            ),
            first_side,
            second_side,
        )  # fmt: skip

    def _pairs(self, ids: set[int]) -> dict[int, PairFacts]:
        """Read for each chunk: the labels of a pair follow one another."""
        rows = self._pair_rows.of(sorted(ids))
        scores = self._scores_of(rows)
        return {row[0]: self._pair(row, scores) for row in rows}

    def _pair(self, row: Sequence[Any], scores: dict[int, float]) -> PairFacts:
        (
            _, prompt_id, position, probability, is_random, sensitivity, distance, first_log,
            second_log, first_id, first, first_model, first_variant, first_seed, first_finish,
            second_id, second, second_model, second_variant, second_seed, second_finish,
            external, place, messages, metadata,
        ) = row  # fmt: skip
        variant, *facts = self._variants[first_variant]
        other, *other_facts = self._variants[second_variant]
        usual = self._pool_model
        prompt = self._prompts.get(prompt_id)
        if prompt is None:
            prompt = self._prompt(prompt_id, external or str(place), messages, metadata)
        return PairFacts(
            prompt,
            first,
            second,
            position,
            (probability, bool(is_random), sensitivity, distance),
            (
                first_log, first_model or variant or usual, scores.get(first_id), first_seed,
                first_finish, *facts,
            ),
            (
                second_log, second_model or other or usual, scores.get(second_id), second_seed,
                second_finish, *other_facts,
            ),
        )  # fmt: skip

    def person(self, campaign_id: int, user_id: int) -> str:
        """The pseudonym."""
        found = self._people.get((campaign_id, user_id))
        if found is None:
            name = get_user_model().objects.values_list("username", flat=True).get(pk=user_id)
            found = pseudonym(self._campaigns[campaign_id], name)
            self._people[campaign_id, user_id] = found
        return found

    def _prompt(self, pk: int, name: str, messages: str, metadata: str) -> PromptFacts:
        """What is made of it is kept a while: it came with its pair, as JSON, whatever is kept."""
        if self._size > KEPT_CHARACTERS:
            self._prompts.clear()
            self._size = 0
        self._size += len(messages) + len(metadata)
        found = PromptFacts(
            name, orjson.dumps(orjson.loads(metadata)).decode(), orjson.loads(messages)
        )
        self._prompts[pk] = found
        return found

    def _scores_of(self, rows: Sequence[Sequence[Any]]) -> dict[int, float]:
        if self._scores is None:
            return {}
        ids = {row[place] for row in rows for place in (_FIRST, _SECOND)}
        found = Score.objects.filter(score_set=self._scores, completion__in=ids).order_by()
        return dict(found.values_list("completion_id", "value"))


class ByIds:
    """Rows of a model by their ids, as the database has them: dates and JSON may be texts, and
    truth a number. The statement is compiled once for each number of ids."""

    def __init__(self, model: type[models.Model], fields: Sequence[str | Cast]) -> None:
        self._model, self._fields = model, fields
        self._statements: dict[int, str] = {}

    def of(self, ids: Sequence[int]) -> list[Any]:
        """At most `CHUNK` of them, in any order."""
        if not ids:
            return []
        statement = self._statements.get(len(ids))
        if statement is None:
            rows = self._model._default_manager.filter(pk__in=range(len(ids))).order_by()
            statement, _ = rows.values_list(*self._fields).query.sql_with_params()
            self._statements[len(ids)] = statement
        with connection.cursor() as cursor:
            cursor.execute(statement, ids)
            return list(cursor.fetchall())


def _as_kept(field: str) -> str | Cast:
    """SQLite has dates as text: a row's is made of that, without one of Python's between."""
    if field == "created_at" and connection.vendor == "sqlite":
        return Cast(field, models.TextField())
    return field


def iso(given: str | datetime) -> str:
    """A date as the database gave it, as ISO 8601 in UTC. SQLite gives text, without a zone."""
    if not isinstance(given, str):
        return given.astimezone(UTC).isoformat()
    said = f"{given[:10]}T{given[11:]}"
    return said if said.endswith("+00:00") else f"{said}+00:00"


def _variant(one: Variant) -> tuple[Any, ...]:
    fingerprint = orjson.dumps(one.fingerprint, option=orjson.OPT_SORT_KEYS).decode()
    return (one.model, one.temperature, one.top_p, one.system_prompt, fingerprint)
