"""Fill a prompt set or a pool from its file: all of it or nothing.

The file is read twice. The first pass finds every bad row; the second stores, in transactions so
short that others can write between them, also on SQLite. Until the last of them the set counts
as empty, and a run that was cut off starts afresh.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.imports import NOTHING
from pairselect.pools.imports.checking import Checked, check_file
from pairselect.pools.imports.inspecting import limits
from pairselect.pools.imports.storing import (
    PoolStore,
    PromptStore,
    batches,
    lock_unfinished,
    remove_rows,
)
from pairselect.pools.imports.watching import open_watched
from pairselect.pools.models import Pool, PromptSet, ScoreSet, Upload
from pairselect.pools.queries import enough_scored
from pairselect.pools.reading import Columns, read_rows
from pairselect.trail.actions import record

SCORES = "file"  # the name of the scores that came with a file


def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    prompt_set = PromptSet.objects.select_related("upload").get(pk=prompt_set_id)
    if prompt_set.imported_at:
        return
    upload = _upload(prompt_set)
    checked = check_file(upload, progress)
    with _all_or_nothing(prompt_set, progress):
        store = PromptStore(prompt_set, checked.first if upload.merge_duplicates else None)
        _fill(upload, prompt_set, store, checked, progress)
        with transaction.atomic():
            _finish(prompt_set, store)


def import_pool(pool_id: int, progress: JobProgress) -> None:
    """As `import_prompts`, with the completions of each prompt and their scores."""
    pool = Pool.objects.select_related("prompt_set__upload").get(pk=pool_id)
    if pool.completed_at:
        return
    prompt_set = pool.prompt_set
    upload = _upload(prompt_set)
    checked = check_file(upload, progress)
    with _all_or_nothing(prompt_set, progress):
        scores = _score_set(pool) if checked.scored else None
        first = checked.first if upload.merge_duplicates else None
        store = PoolStore(pool, first, score_set=scores)
        _fill(upload, prompt_set, store, checked, progress)
        with transaction.atomic():
            _finish(prompt_set, store.prompts)
            _check_count(pool.completions.count(), store.stored)
            pool.completed_at = timezone.now()
            pool.save(update_fields=["completed_at"])
            record("pool.imported", pool, completions=store.stored)
            if scores is not None and enough_scored(checked.scored, checked.completions):
                scores.completed_at = timezone.now()
                scores.save(update_fields=["completed_at"])


def _upload(prompt_set: PromptSet) -> Upload:
    if prompt_set.upload is None or not prompt_set.upload.columns:
        raise JobError(f"{NOTHING}: the file is gone. Upload it again.")
    return prompt_set.upload


@contextmanager
def _all_or_nothing(prompt_set: PromptSet, progress: JobProgress) -> Iterator[None]:
    """Begin with no rows of the set, and leave none when something stops the run."""
    remove_rows(prompt_set, progress)
    try:
        yield
    except Exception:
        if not progress.was_lost:  # the rows there are then another worker's
            remove_rows(prompt_set)
        raise


def _fill(
    upload: Upload,
    prompt_set: PromptSet,
    store: PromptStore | PoolStore,
    checked: Checked,
    progress: JobProgress,
) -> None:
    done, began = 0, time.monotonic()
    columns = Columns.from_dict(upload.columns or {})
    with open_watched(upload, progress) as (file, _), _few_collections():
        rows = read_rows(file, columns, limits(), on_problem=lambda problem: None)
        for batch in batches(rows):
            with transaction.atomic():
                _hold(prompt_set)
                store.store(batch)  # type: ignore[arg-type]
            gc.collect(0)
            done += len(batch)
            pace = done / max(time.monotonic() - began, 1e-3)
            progress.report(done, checked.rows, f"storing, {pace:,.0f} rows a second")


@contextmanager
def _few_collections() -> Iterator[None]:
    """Rows hold no cycles, but as long as a batch lives Python looks for some, again and again,
    among all that the process holds: two fifths of the time. Instead once a batch."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _score_set(pool: Pool) -> ScoreSet:
    with transaction.atomic():
        _hold(pool.prompt_set)
        return ScoreSet.objects.create(pool=pool, name=SCORES, source=ScoreSet.Source.FILE)


def _hold(prompt_set: PromptSet) -> None:
    """A worker that was suspended for long may go on when another has done its work."""
    if not lock_unfinished(prompt_set):
        raise JobError("Another worker has finished this import, or its prompt set was removed.")


def _finish(prompt_set: PromptSet, store: PromptStore) -> None:
    _hold(prompt_set)
    _check_count(prompt_set.prompts.count(), store.stored)
    prompt_set.prompt_count, prompt_set.imported_at = store.stored, timezone.now()
    prompt_set.save(update_fields=["prompt_count", "imported_at"])
    record("prompt_set.imported", prompt_set, prompts=store.stored)


def _check_count(found: int, stored: int) -> None:
    """A worker that was thought dead may have written, or removed, rows meanwhile."""
    if found != stored:
        raise JobError(
            f"{found:,} rows are in the database where {stored:,} were stored: two workers have "
            "run this import at once. Try it again."
        )
