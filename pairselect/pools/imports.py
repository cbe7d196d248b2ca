"""Files in: stage a copy, then read it in a worker, all or nothing."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from pairselect.jobs.actions import is_active
from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet
from pairselect.pools.naming import NameRefused, clean_name
from pairselect.pools.parsing import FileProblem, PoolRow, PromptRow, read_pool, read_prompts

NOTHING = "Nothing was imported."  # how every complaint of a file begins
BATCH = 2000
T = TypeVar("T")


@contextmanager
def open_local(path: str) -> "Iterator[File[bytes]]":
    """A file named on the command line.

    Raises
    ------
    OSError
        With a message for people, when it cannot be read.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as problem:
        raise OSError(f"{path} cannot be read: {problem.strerror}.") from problem
    with file:
        if not file.seekable():
            raise OSError(f"{path} cannot be read twice: give a file, not a stream.")
        yield File(file, name=os.path.basename(path))


def stage_prompts(
    file: "File[bytes]", *, name: str, file_name: str, created_by: User | None = None
) -> PromptSet:
    """Keep a copy of the file and make the prompt set, still empty, that its import will fill.

    A set of that name whose import came to nothing takes the new file.

    Raises
    ------
    NameRefused
        When an imported set, or one on its way, has the name.
    """
    name = clean_name(name)
    _check_free(name)
    digest = _sha256(file)
    # Copied before the transaction, which locks a SQLite database for everybody.
    stored = default_storage.save(f"prompts/{digest[:16]}.jsonl", file)
    try:
        with transaction.atomic():
            _check_free(name)
            prompt_set, _ = PromptSet.objects.select_for_update().get_or_create(
                name=name, defaults={"created_by": created_by}
            )
            replaced = prompt_set.upload.name
            prompt_set.upload.name = stored
            prompt_set.file_name, prompt_set.sha256 = file_name[-255:], digest
            prompt_set.save()
    except (NameRefused, AnyDatabaseError):
        default_storage.delete(stored)
        raise
    if replaced:
        default_storage.delete(replaced)
    return prompt_set


def stage_pool(
    file: "File[bytes]",
    *,
    name: str,
    file_name: str,
    model: str = "",
    created_by: User | None = None,
) -> Pool:
    """Keep a copy of a ready pool's file; prompt set and pool are made, empty, under one name.

    Raises
    ------
    NameRefused
        When the name belongs to another pool or prompt set, or the model's label is too long.
    """
    name = clean_name(name)
    if len(model) > 300:
        raise NameRefused("The model's label has at most 300 characters.")
    other = Pool.objects.filter(name=name).exclude(source=Pool.Source.IMPORTED, completed_at=None)
    if other.exists():
        raise NameRefused(f"There is a pool named “{name}”. Choose another name.")
    prompt_set = stage_prompts(file, name=name, file_name=file_name, created_by=created_by)
    pool, _ = Pool.objects.update_or_create(
        name=name,
        defaults={
            "prompt_set": prompt_set,
            "source": Pool.Source.IMPORTED,
            "model": model or "not stated",
        },
        create_defaults={
            "prompt_set": prompt_set,
            "source": Pool.Source.IMPORTED,
            "model": model or "not stated",
            "created_by": created_by,
        },
    )
    return pool


def _check_free(name: str) -> None:
    old = PromptSet.objects.filter(name=name).first()
    if old is None:
        return
    pools = list(old.pools.all())
    busy = is_active("import_prompts", old.pk) or any(
        is_active("import_pool", pool.pk) for pool in pools
    )
    if busy or old.imported_at or any(pool.completed_at for pool in pools):
        raise NameRefused(f"There is a prompt set named “{name}”. Choose another name.")


def discard_failed_import(prompt_set: PromptSet) -> None:
    """Remove what a failed import leaves, unless something waits for it or it goes on."""
    try:
        _check_free(prompt_set.name)
        with transaction.atomic():
            prompt_set.pools.all().delete()
            prompt_set.delete()
    except (NameRefused, ProtectedError):
        return
    prompt_set.upload.delete(save=False)


def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    """Read the whole file first, which finds every bad line; then store it in short steps.

    The set counts as empty until the last of them, and a run that was cut off starts afresh.
    """
    prompt_set = PromptSet.objects.get(pk=prompt_set_id)
    if prompt_set.imported_at:
        return
    with _file_problems(), prompt_set.upload.open("rb") as file:
        total = 0
        for total, _ in enumerate(read_prompts(file), start=1):
            _say_sometimes(progress, "checked", total)
        _remove_partial(prompt_set, progress)
        file.seek(0)
        count = 0
        try:
            for rows in _batches(enumerate(read_prompts(file))):
                Prompt.objects.bulk_create([_prompt(prompt_set, i, row) for i, row in rows])
                count += len(rows)
                progress.report(count, total, "storing")
        except JobStopped:
            _remove_partial(prompt_set)
            raise
    _imported(prompt_set, count)


def import_pool(pool_id: int, progress: JobProgress) -> None:
    """As `import_prompts`, with the completions of each prompt."""
    pool = Pool.objects.select_related("prompt_set").get(pk=pool_id)
    if pool.completed_at:
        return
    prompt_set = pool.prompt_set
    with _file_problems(), prompt_set.upload.open("rb") as file:
        total = comparable = 0
        for total, row in enumerate(read_pool(file), start=1):
            comparable += len({c.text for c in row.completions}) > 1
            _say_sometimes(progress, "checked", total)
        if not comparable:
            raise FileProblem(
                ["No prompt has two different completions, so there is nothing to compare."]
            )
        _remove_partial(prompt_set, progress)
        file.seek(0)
        count = 0
        try:
            for rows in _batches(enumerate(read_pool(file)), size=200):
                _store_pool_rows(pool, rows)
                count += len(rows)
                progress.report(count, total, "storing")
        except JobStopped:
            _remove_partial(prompt_set)
            raise
    with transaction.atomic():
        _imported(prompt_set, count)
        pool.completed_at = timezone.now()
        pool.save(update_fields=["completed_at"])


def _store_pool_rows(pool: Pool, rows: list[tuple[int, PoolRow]]) -> None:
    with transaction.atomic():
        prompts = Prompt.objects.bulk_create(
            [_prompt(pool.prompt_set, i, row.prompt) for i, row in rows]
        )
        Completion.objects.bulk_create(
            _completion(pool, prompt, k, row)
            for prompt, (_, row) in zip(prompts, rows, strict=True)
            for k in range(len(row.completions))
        )


def _remove_partial(prompt_set: PromptSet, progress: JobProgress | None = None) -> None:
    """Prompts, with their completions, that an import left which was cut off."""
    while ids := list(prompt_set.prompts.values_list("pk", flat=True)[:BATCH]):
        Prompt.objects.filter(pk__in=ids).delete()
        if progress:
            progress.check()


def _say_sometimes(progress: JobProgress, what: str, count: int) -> None:
    if count % BATCH == 0:
        progress.report(0, 0, f"{count:,} lines {what}")


@contextmanager
def _file_problems() -> Iterator[None]:
    try:
        yield
    except FileProblem as problem:
        raise JobError(f"{NOTHING} {problem}") from problem


def _batches(rows: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def _prompt(prompt_set: PromptSet, position: int, row: PromptRow) -> Prompt:
    return Prompt(
        prompt_set=prompt_set,
        position=position,
        external_id=row.external_id,
        messages=row.messages,
        metadata=row.metadata,
    )


def _completion(pool: Pool, prompt: Prompt, index: int, row: PoolRow) -> Completion:
    completion = row.completions[index]
    return Completion(
        pool=pool,
        prompt=prompt,
        index=index,
        text=completion.text,
        model=completion.model,
        score=completion.score,
    )


def _imported(prompt_set: PromptSet, count: int) -> None:
    prompt_set.prompt_count, prompt_set.imported_at = count, timezone.now()
    prompt_set.save(update_fields=["prompt_count", "imported_at"])


def _sha256(file: "File[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
