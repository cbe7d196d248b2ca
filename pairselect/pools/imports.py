"""Files in: stage a copy, then read it in a worker, all or nothing."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet
from pairselect.pools.naming import NameTaken
from pairselect.pools.parsing import FileProblem, PoolRow, PromptRow, read_pool, read_prompts

BATCH = 2000
T = TypeVar("T")


@contextmanager
def open_local(path: str) -> "Iterator[File[bytes]]":
    """A file named on the command line; ``name`` is without its folders.

    Raises
    ------
    OSError
        With a message for people, when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            yield File(file, name=os.path.basename(path))
    except OSError as problem:
        raise OSError(f"{path} cannot be read: {problem.strerror}.") from problem


def stage_prompts(
    file: "File[bytes]", *, name: str, file_name: str, created_by: User | None = None
) -> PromptSet:
    """Keep a copy of the file and make the prompt set, still empty, that its import will fill.

    A set of that name whose import failed is replaced.

    Raises
    ------
    NameTaken
        When an imported set, or one on its way, has the name.
    """
    digest = _sha256(file)
    with transaction.atomic():
        old = PromptSet.objects.select_for_update().filter(name=name).first()
        if old is not None:
            if old.imported_at or old.pools.filter(completed_at__isnull=False).exists():
                raise NameTaken(f"There is a prompt set named “{name}”. Choose another name.")
            discard_prompt_set(old)
        return PromptSet.objects.create(
            name=name,
            upload=File(file, name=f"{digest[:16]}.jsonl"),
            file_name=file_name[:255],
            sha256=digest,
            created_by=created_by,
        )


def stage_pool(
    file: "File[bytes]",
    *,
    name: str,
    file_name: str,
    model: str = "",
    created_by: User | None = None,
) -> Pool:
    """Keep a copy of a ready pool's file; prompt set and pool are made, empty, under one name."""
    if Pool.objects.filter(name=name, completed_at__isnull=False).exists():
        raise NameTaken(f"There is a pool named “{name}”. Choose another name.")
    with transaction.atomic():
        prompt_set = stage_prompts(file, name=name, file_name=file_name, created_by=created_by)
        return Pool.objects.create(
            name=name,
            prompt_set=prompt_set,
            source=Pool.Source.IMPORTED,
            model=model or "not stated",
            created_by=created_by,
        )


def discard_prompt_set(prompt_set: PromptSet) -> None:
    """Remove a set whose import came to nothing, with its copy of the file."""
    prompt_set.pools.filter(completed_at__isnull=True).delete()
    prompt_set.upload.delete(save=False)
    prompt_set.delete()


def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    prompt_set = PromptSet.objects.get(pk=prompt_set_id)
    if prompt_set.imported_at:
        return
    with prompt_set.upload.open("rb") as file, _all_or_nothing():
        count = 0
        for rows in _batches(enumerate(read_prompts(file))):
            Prompt.objects.bulk_create([_prompt(prompt_set, i, row) for i, row in rows])
            count += len(rows)
            progress.report(count, 0, f"{count:,} prompts read")
        _imported(prompt_set, count)


def import_pool(pool_id: int, progress: JobProgress) -> None:
    pool = Pool.objects.select_related("prompt_set").get(pk=pool_id)
    if pool.completed_at:
        return
    with pool.prompt_set.upload.open("rb") as file, _all_or_nothing():
        count = comparable = 0
        for rows in _batches(enumerate(read_pool(file)), size=200):
            prompts = Prompt.objects.bulk_create(
                [_prompt(pool.prompt_set, i, row.prompt) for i, row in rows]
            )
            Completion.objects.bulk_create(
                _completion(pool, prompt, k, row)
                for prompt, (_, row) in zip(prompts, rows, strict=True)
                for k in range(len(row.completions))
            )
            count += len(rows)
            comparable += sum(len({c.text for c in row.completions}) > 1 for _, row in rows)
            progress.report(count, 0, f"{count:,} prompts read")
        if not comparable:
            raise FileProblem(
                ["No prompt has two different completions, so there is nothing to compare."]
            )
        _imported(pool.prompt_set, count)
        pool.completed_at = timezone.now()
        pool.save(update_fields=["completed_at"])


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except FileProblem as problem:
        raise JobError(f"Nothing was imported. {problem}") from problem


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
