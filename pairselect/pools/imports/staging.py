"""A copy of the file, kept where workers find it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from django.utils.translation import gettext

from pairselect.jobs.actions import is_active
from pairselect.jobs.progress import JobProgress
from pairselect.pools.imports.storing import remove_rows
from pairselect.pools.models import Pool, PromptSet, Upload
from pairselect.pools.naming import NameRefused, clean_name, name_taken
from pairselect.trail.actions import record

DISCARD = "discard_upload"  # the job that removes what an import left, then the upload
FOLDER = "uploads"  # of the copies, below MEDIA_ROOT
MOST_LABEL = 300  # characters of a model's name


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


def stage_upload(
    file: "File[bytes]",
    *,
    name: str,
    file_name: str,
    model: str = "",
    created_by: User | None = None,
) -> Upload:
    """Keep a copy of the file under the name that its prompt set, and pool, will have.

    A file that came through `StagingHandler` is on the disk and hashed already, and only moved.

    Raises
    ------
    NameRefused
        When an imported prompt set, or one on its way, has the name; or the model's is too long.
    """
    name = clean_name(name)
    check_free(name)
    model = clean_label(model)
    digest = getattr(file, "sha256", None) or _sha256(file)
    size = file.size
    # Before the transaction, which locks a SQLite database for everybody.
    stored = default_storage.save(f"{FOLDER}/{digest[:16]}", file)
    try:
        with transaction.atomic():
            upload = Upload.objects.create(
                name=name,
                model=model,
                file=stored,
                file_name=printable(file_name)[-255:],
                size=size,
                sha256=digest,
                created_by=created_by,
            )
            record("upload.received", upload, person=created_by, sha256=digest, size=size)
            return upload
    except AnyDatabaseError:
        default_storage.delete(stored)
        raise


def clean_label(model: str) -> str:
    model = printable(model).strip()
    if len(model) > MOST_LABEL:
        said = gettext("The model's label has at most %(most)s characters.")
        raise NameRefused(said % {"most": MOST_LABEL})
    return model


def printable(text: str) -> str:
    """Without what no page can show and PostgreSQL does not take."""
    return "".join(filter(str.isprintable, text))


def check_free(name: str) -> None:
    """Refuse a name that an imported prompt set has, or one on its way.

    Raises
    ------
    NameRefused
        Saying so. A set whose import came to nothing does not keep its name.
    """
    old = PromptSet.objects.filter(name=name).first()
    if old is not None and (
        old.imported_at or is_on_its_way(old) or is_active(DISCARD, old.upload_id or 0)
    ):
        raise name_taken(gettext("prompt set"), name)


def is_on_its_way(prompt_set: PromptSet) -> bool:
    return is_active("import_prompts", prompt_set.pk) or any(
        is_active("import_pool", pool.pk) for pool in prompt_set.pools.all()
    )


def imported_from(upload: Upload) -> PromptSet | None:
    """What the upload became, or was meant to become."""
    return PromptSet.objects.filter(upload=upload).first()


def same_file_imported(upload: Upload) -> PromptSet | None:
    """The newest prompt set that was imported from the same bytes under another upload."""
    found = PromptSet.objects.filter(upload__sha256=upload.sha256, imported_at__isnull=False)
    return found.exclude(upload=upload).order_by("-imported_at").first()


def unfinished_uploads() -> QuerySet[Upload]:
    """Uploads from which nothing has been imported, without their previews."""
    found = Upload.objects.filter(prompt_set__imported_at=None).defer("preview")
    return found.select_related("prompt_set").prefetch_related("prompt_set__pools")


def discard_upload(upload: Upload, progress: JobProgress | None = None) -> bool:
    """Remove the upload, its file and the rows that were made for it, in short steps.

    False, and nothing is removed, where it has been imported, or is on its way, or something
    waits for it. It takes minutes where a killed import left a million rows: web requests use
    `begin_discard`.
    """
    while (discarded := discard_without_rows(upload)) is None:
        remove_rows(PromptSet.objects.get(upload_id=upload.pk), progress)
    return discarded


def discard_without_rows(upload: Upload) -> bool | None:
    """`discard_upload` in one short transaction; None where rows have to be removed before."""
    try:
        with transaction.atomic():
            found = Upload.objects.select_for_update().filter(pk=upload.pk).first()
            if found is None:  # discarded already
                return True
            prompt_set = imported_from(found)
            if is_active("inspect_upload", found.pk):
                return False
            if prompt_set is not None:
                if prompt_set.imported_at or is_on_its_way(prompt_set):
                    return False
                if prompt_set.prompts.exists():
                    return None
                Pool.objects.filter(prompt_set=prompt_set).delete()
                prompt_set.delete()
            files = files_of(found)
            record("upload.discarded", found, file=found.file_name, sha256=found.sha256)
            found.delete()
    except ProtectedError:
        return False
    delete_files(files)
    return True


def files_of(upload: Upload) -> list[str]:
    return [file.name for file in (upload.file, upload.problems) if file and file.name]


def delete_files(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)


def _sha256(file: "File[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
