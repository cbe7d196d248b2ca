"""How prompt sets and pools are deleted, with their files."""

import shutil

from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext, ngettext

from pairselect.jobs.progress import JobProgress
from pairselect.pools.imports.staging import delete_files, files_of
from pairselect.pools.imports.storing import remove_rows
from pairselect.pools.models import Completion, Pool, PromptSet, Score
from pairselect.pools.storage import features_folder
from pairselect.pools.tidying import (
    Kind,
    Obstacle,
    dependants,
    number_of,
    refuse_if_needed,
    under_way,
)
from pairselect.trail.actions import record

STEP = 20_000  # rows that one transaction deletes: others wait that long on SQLite


def _stands_on_prompts(prompt_set: PromptSet) -> list[Obstacle]:
    pools = Pool.objects.filter(prompt_set=prompt_set)
    words = gettext("Pools are made from it; delete those first:")
    return [*dependants(words, pools, "pools:pool"), *under_way(prompt_set)]


def _goes_with_prompts(prompt_set: PromptSet) -> list[str]:
    prompts = prompt_set.prompts.count()
    found = number_of(prompts, ngettext("%(number)s prompt", "%(number)s prompts", prompts))
    upload = prompt_set.upload
    if upload is not None:
        said = gettext("the uploaded file %(name)s, %(size)s")
        found.append(said % {"name": upload.file_name, "size": filesizeformat(upload.size)})
    return found


def delete_prompt_set(prompt_set: PromptSet, progress: JobProgress | None = None) -> None:
    """Remove the set with its prompts and its file.

    Cut off in between, it is a file that is not imported: it can be imported again or discarded.

    Raises
    ------
    StillNeeded
        When pools are made from it, or a job is at work on it.
    """
    with transaction.atomic():
        prompt_set = PromptSet.objects.select_for_update().get(pk=prompt_set.pk)
        refuse_if_needed(prompt_set, _stands_on_prompts)
        PromptSet.objects.filter(pk=prompt_set.pk).update(imported_at=None)
    remove_rows(prompt_set, progress)
    with transaction.atomic():
        upload = prompt_set.upload
        refuse_if_needed(prompt_set, _stands_on_prompts)
        record("deleted", prompt_set)
        prompt_set.delete()
        files = [] if upload is None else files_of(upload)
        if upload is not None:
            upload.delete()
    delete_files(files)


# Pools


def _stands_on_pool(pool: Pool) -> list[Obstacle]:
    words = gettext("Designs choose from it; delete those first:")
    return [*dependants(words, pool.designs.all(), "designs:design"), *under_way(pool)]


def _goes_with_pool(pool: Pool) -> list[str]:
    completions, features = pool.completions.count(), pool.feature_sets.count()
    scores = pool.score_sets.count()
    return [
        *number_of(
            completions, ngettext("%(number)s completion", "%(number)s completions", completions)
        ),
        *number_of(
            features,
            ngettext(
                "%(number)s set of features, with its files",
                "%(number)s sets of features, with their files",
                features,
            ),
        ),
        *number_of(
            scores, ngettext("%(number)s set of scores", "%(number)s sets of scores", scores)
        ),
    ]


def delete_pool(pool: Pool, progress: JobProgress | None = None) -> None:
    """Remove the pool with its completions, scores, features and report; its prompts stay.

    Raises
    ------
    StillNeeded
        When designs choose from it, or a job is at work on it.
    """
    with transaction.atomic():
        pool = Pool.objects.select_for_update().get(pk=pool.pk)
        refuse_if_needed(pool, _stands_on_pool)
        Pool.objects.filter(pk=pool.pk).update(completed_at=None)  # nobody chooses it meanwhile
    completions = Completion.objects.filter(pool=pool)
    pks = completions.order_by("pk").values("pk")[:STEP]
    removed = STEP
    while removed == STEP:
        if progress:
            progress.check()
        with transaction.atomic():
            refuse_if_needed(pool, _stands_on_pool)  # it may be generated again by now
            # `delete` would look for what hangs on each.
            scores = Score.objects.filter(completion__in=pks)
            scores._raw_delete(using=scores.db)
            some = Completion.objects.filter(pk__in=pks).order_by()
            removed = some._raw_delete(using=some.db)
    with transaction.atomic():
        refuse_if_needed(pool, _stands_on_pool)
        folders = [features_folder(one) for one in pool.feature_sets.all()]
        record("deleted", pool)
        pool.delete()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


PROMPT_SETS = Kind(
    what="prompt-set",
    model=PromptSet,
    page="pools:prompt_set",
    listed="pools:prompt_sets",
    obstacles=_stands_on_prompts,
    goes=_goes_with_prompts,
    rows=lambda row: row.prompts.count(),
    delete=delete_prompt_set,
)
POOLS = Kind(
    what="pool",
    model=Pool,
    page="pools:pool",
    listed="pools:pools",
    obstacles=_stands_on_pool,
    goes=_goes_with_pool,
    rows=lambda row: row.completions.count(),
    delete=delete_pool,
)
