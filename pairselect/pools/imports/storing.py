"""Rows into the tables by plain SQL: `bulk_create` is six to eight times slower on SQLite."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from django.db import connection, models, transaction
from django.db.models import Max
from numpy.typing import NDArray

from pairselect.jobs.progress import JobProgress
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Score, ScoreSet
from pairselect.pools.reading import PoolRow, PromptRow

# What one transaction holds. Others wait that long on SQLite: about a tenth of a second.
ROWS, CHARACTERS = 5000, 4_000_000
DELETED, DELETED_COMPLETIONS = 2000, 20_000  # prompts, and what hangs on them
Row = PromptRow | PoolRow


class Table:
    """Inserts rows of a model, every field that is not named at its default."""

    def __init__(self, model: type[models.Model], *names: str) -> None:
        blank, fields = model(), []
        constants: list[Any] = []
        for field in model._meta.concrete_fields:
            if not field.primary_key and field.name not in names:
                fields.append(field)
                constants.append(field.get_db_prep_save(field.pre_save(blank, True), connection))
        fields += [model._meta.get_field(name) for name in names]  # type: ignore[misc]
        quote = connection.ops.quote_name
        columns = ", ".join(quote(field.column) for field in fields)
        marks = ", ".join(["%s"] * len(fields))
        table = quote(model._meta.db_table)
        self._sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # nosec B608
        self._constants = tuple(constants)

    def insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        constants = self._constants
        with connection.cursor() as cursor:
            cursor.executemany(self._sql, [constants + row for row in rows])


class PromptStore:
    """Prompts in the order of the file; rows whose prompt was there before add none.

    Parameters
    ----------
    first
        (n,) row numbers, of the first row with the same prompt; None keeps every row.
    """

    def __init__(self, prompt_set: PromptSet, first: NDArray[np.int32] | None) -> None:
        self.prompt_set, self.first = prompt_set, first
        self.stored = 0
        self._table = Table(Prompt, "prompt_set", "position", "external_id", "messages", "metadata")

    def is_new(self, number: int) -> bool:
        return self.first is None or self.first[number] == number

    def store(self, rows: Sequence[tuple[int, PromptRow]]) -> None:
        """Rows with their numbers in the file, inside a transaction of the caller's."""
        new = [row for number, row in rows if self.is_new(number)]
        pk, start = self.prompt_set.pk, self.stored
        self._table.insert(
            (pk, position, row.external_id, _json(row.messages), _json(row.metadata))
            for position, row in enumerate(new, start=start)
        )
        self.stored += len(new)


class PoolStore:
    """Prompts with their completions, and the scores that the file gives."""

    def __init__(
        self,
        pool: Pool,
        first: NDArray[np.int32] | None,
        *,
        score_set: ScoreSet | None,
    ) -> None:
        self.prompts = PromptStore(pool.prompt_set, first)
        self.stored = 0
        self._pool, self._score_set = pool, score_set
        self._completions = Table(Completion, "pool", "prompt", "index", "text", "model")
        self._scores = Table(Score, "score_set", "completion", "value")
        # Where completions of a later row are appended: only if rows are merged.
        merged = 0 if first is None else first.size
        self._prompt_ids = np.zeros(merged, dtype=np.int64)
        self._counts = np.zeros(merged, dtype=np.int32)

    def store(self, rows: Sequence[tuple[int, PoolRow]]) -> None:
        start = self.prompts.stored
        self.prompts.store([(number, row.prompt) for number, row in rows])
        found = Prompt.objects.filter(
            prompt_set=self.prompts.prompt_set,
            position__gte=start,
            position__lt=self.prompts.stored,
        )
        new_ids = iter(found.order_by("position").values_list("pk", flat=True))
        stamped: list[tuple[Any, ...]] = []
        scored: dict[tuple[int, int], float] = {}
        for number, row in rows:
            prompt_id, index = self._place(number, new_ids, len(row.completions))
            for one in row.completions:
                stamped.append((self._pool.pk, prompt_id, index, one.text, one.model))
                if one.score is not None:
                    scored[prompt_id, index] = one.score
                index += 1
        self._completions.insert(stamped)
        if scored and self._score_set is not None:
            self._store_scores(self._score_set, scored)
        self.stored += len(stamped)

    def _place(self, number: int, new_ids: Iterator[int], count: int) -> tuple[int, int]:
        """The prompt that the row's completions belong to, and the first free index."""
        if self.prompts.first is None:
            return next(new_ids), 0
        first = int(self.prompts.first[number])
        if first == number:
            self._prompt_ids[first] = next(new_ids)
        index = int(self._counts[first])
        self._counts[first] += count
        return int(self._prompt_ids[first]), index

    def _store_scores(self, score_set: ScoreSet, scored: dict[tuple[int, int], float]) -> None:
        """By the completions' ids, which the database has just given."""
        prompt_ids = list({prompt_id for prompt_id, _ in scored})
        rows = Completion.objects.filter(pool=self._pool, prompt_id__in=prompt_ids).order_by()
        self._scores.insert(
            (score_set.pk, pk, scored[prompt_id, index])
            for pk, prompt_id, index in rows.values_list("pk", "prompt_id", "index")
            if (prompt_id, index) in scored
        )


def batches(rows: Iterable[Row]) -> Iterator[list[tuple[int, Row]]]:
    """Numbered rows, at most as many and as long as one transaction should hold."""
    batch: list[tuple[int, Row]] = []
    count = characters = 0
    for numbered in enumerate(rows):
        row = numbered[1]
        batch.append(numbered)
        count += 1
        if isinstance(row, PoolRow):
            count += len(row.completions)
            for completion in row.completions:
                characters += len(completion.text)
            row = row.prompt
        for message in row.messages:
            characters += len(message["content"])
        if count >= ROWS or characters >= CHARACTERS:
            yield batch
            batch, count, characters = [], 0, 0
    if batch:
        yield batch


def lock_unfinished(prompt_set: PromptSet) -> bool:
    """Hold the set until the transaction ends. False where its import has ended well, or it is
    gone: its rows are then nobody's to change."""
    found = PromptSet.objects.select_for_update().filter(pk=prompt_set.pk, imported_at=None)
    return found.first() is not None


def remove_rows(prompt_set: PromptSet, progress: JobProgress | None = None) -> None:
    """What an import left that was cut off, in short steps. Nothing else refers to it yet.

    Nothing is removed of a set that another worker has finished meanwhile.
    """
    while _remove_some(prompt_set):
        if progress:
            progress.check()


def _remove_some(prompt_set: PromptSet) -> bool:
    """One step. False where nothing is left to remove."""
    with transaction.atomic():
        if not lock_unfinished(prompt_set):
            return False
        last = prompt_set.prompts.aggregate(last=Max("position"))["last"]
        if last is None:
            ScoreSet.objects.filter(pool__prompt_set=prompt_set).delete()
            return False
        prompts = Prompt.objects.filter(prompt_set=prompt_set, position__gt=last - DELETED)
        found = Completion.objects.filter(prompt__in=prompts.order_by())
        # In the order of an index, and the same ones in both deletions.
        pks = found.order_by("prompt_id", "pk").values("pk")[:DELETED_COMPLETIONS]
        # `delete` would look for what hangs on each.
        scores = Score.objects.filter(completion__in=pks)
        scores._raw_delete(using=scores.db)
        completions = Completion.objects.filter(pk__in=pks).order_by()
        if completions._raw_delete(using=completions.db) < DELETED_COMPLETIONS:
            prompts.order_by()._raw_delete(using=prompts.db)
    return True


def _json(value: Any) -> str:
    if not value:
        return "{}"
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
