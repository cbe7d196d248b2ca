"""From a file that was looked at to the rows that its import fills."""

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext

from pairselect.jobs.actions import Work, enqueue_in_turn, is_active
from pairselect.pools.actions import work_for_report
from pairselect.pools.imports.staging import (
    DISCARD,
    check_free,
    clean_label,
    delete_files,
    files_of,
    imported_from,
    is_on_its_way,
)
from pairselect.pools.models import Pool, PromptSet, Upload
from pairselect.pools.naming import NameRefused, clean_name, name_taken
from pairselect.pools.queries import DEFAULT_FEATURES
from pairselect.pools.reading import Columns
from pairselect.trail.actions import record

UNKNOWN = "not stated"  # what wrote the completions

Target = PromptSet | Pool


def begin_import(
    upload: Upload,
    *,
    columns: Columns,
    name: str,
    model: str = "",
    merge_duplicates: bool = False,
    created_by: User | None = None,
) -> Target:
    """Confirm the upload and hand its import to a worker, in one step.

    Raises
    ------
    NameRefused
        As `confirm_upload` does.
    """
    with transaction.atomic():
        target = confirm_upload(
            upload,
            columns=columns,
            name=name,
            model=model,
            merge_duplicates=merge_duplicates,
            created_by=created_by,
        )
        enqueue_in_turn(work_for(target), created_by=created_by)
    return target


def confirm_upload(
    upload: Upload,
    *,
    columns: Columns,
    name: str,
    model: str = "",
    merge_duplicates: bool = False,
    created_by: User | None = None,
) -> Target:
    """The prompt set, or pool, that the upload becomes: empty, until its import has run.

    Asked a second time, while the import runs or after it, it changes nothing. A prompt set of
    the same name whose import came to nothing is taken over, with what waits for it.

    Raises
    ------
    NameRefused
        When something else has the name, or something waits for what would be taken away, or
        that still has rows of an import that was cut off; and when the file is discarded.
    """
    name, model = clean_name(name), clean_label(model)
    try:
        with transaction.atomic():
            found = Upload.objects.select_for_update().filter(pk=upload.pk).first()
            if found is None or is_active(DISCARD, upload.pk):  # None: it has just been discarded
                raise NameRefused("This file is being discarded. Upload it again.")
            upload = found
            own = imported_from(upload)
            if own is not None and (own.imported_at or is_on_its_way(own)):
                return own.pools.filter(source=Pool.Source.IMPORTED).first() or own
            left = _settle(upload, columns, name, model, merge_duplicates)
            prompt_set = _prompt_set(upload, own, name, created_by)
            if columns.kind == "prompts":
                _without_pool(prompt_set)
                target: Target = prompt_set
            else:
                target = _pool(prompt_set, name, model or UNKNOWN, created_by)
            record(
                "upload.confirmed",
                target,
                person=created_by,
                file=upload.file_name,
                sha256=upload.sha256,
                columns=columns.as_dict(),
                merge_duplicates=merge_duplicates,
            )
    except ProtectedError:  # an IntegrityError too, so it comes first
        said = gettext(
            "Designs wait for the pool “%(name)s”: import a pool, or choose another name."
        )
        raise NameRefused(said % {"name": name}) from None
    except IntegrityError:  # made by somebody else in this moment
        raise name_taken(gettext("prompt set"), name) from None
    transaction.on_commit(lambda: delete_files(left))
    return target


def work_for(target: Target, *, features: str = DEFAULT_FEATURES) -> Work:
    """The jobs that fill it: its import and, of a pool, what there is to know of it."""
    if isinstance(target, PromptSet):
        return [] if target.imported_at else [("import_prompts", target.pk)]
    if not features and target.completed_at is None:
        return [("import_pool", target.pk)]
    return work_for_report(target, features=features) if features else []


def _settle(
    upload: Upload, columns: Columns, name: str, model: str, merge_duplicates: bool
) -> list[str]:
    """Keep the decision. Returns the files of another upload that this one takes the place of."""
    upload.name, upload.model = name, model
    upload.columns, upload.merge_duplicates = columns.as_dict(), merge_duplicates
    upload.save(update_fields=["name", "model", "columns", "merge_duplicates"])
    other = Upload.objects.filter(prompt_set__name=name).exclude(pk=upload.pk).first()
    if other is None:
        return []
    check_free(name)
    files = files_of(other)
    other.delete()  # its prompt set stays, for this upload
    return files


def _prompt_set(
    upload: Upload, own: PromptSet | None, name: str, created_by: User | None
) -> PromptSet:
    found = PromptSet.objects.select_for_update().filter(name=name).first()
    check_free(name)  # once it is locked: another may have begun its import in this moment
    if found is not None and own is not None and found != own:
        _without_pool(own)
        _check_no_rows(own)
        own.delete()
    found = found or own or PromptSet(created_by=created_by)
    found.name, found.upload = name, upload
    found.save()
    return found


def _without_pool(prompt_set: PromptSet) -> None:
    """A prompt set that is no pool, or no longer meant to be one."""
    pools = Pool.objects.filter(prompt_set=prompt_set)
    if pools:
        _check_no_rows(prompt_set)
        pools.delete()


def _check_no_rows(prompt_set: PromptSet) -> None:
    """Rows that a killed import left are a worker's to remove: a million would lock everybody."""
    if prompt_set.prompts.exists():
        said = gettext(
            "An import of “%(name)s” was cut off and left rows. Import it as what it was and "
            "under that name, or discard its file."
        )
        raise NameRefused(said % {"name": prompt_set})


def _pool(prompt_set: PromptSet, name: str, model: str, created_by: User | None) -> Pool:
    if Pool.objects.filter(name=name).exclude(prompt_set=prompt_set).exists():
        raise name_taken(gettext("pool"), name)
    pool = Pool.objects.filter(prompt_set=prompt_set).first() or Pool(created_by=created_by)
    pool.name, pool.prompt_set, pool.model = name, prompt_set, model
    pool.source = Pool.Source.IMPORTED
    pool.save()
    return pool
