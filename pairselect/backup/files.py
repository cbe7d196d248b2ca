"""Which files of the data folder the rows of a database speak of, and how they are held fast."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from pairselect.backup.manifest import LOOSE, SECRETS

Rows = Callable[[str], Sequence[Sequence[Any]]]  # what a database answers to a query


@dataclass
class Pinned:
    """Files that stay as they are, whatever becomes of their names in the data folder."""

    paths: dict[str, Path] = field(default_factory=dict)  # by their paths in the archive
    missing: list[str] = field(default_factory=list)


def data_folder() -> Path:
    return Path(settings.PAIRSELECT_DATA_DIR)


def named_by(rows: Rows) -> list[str]:
    """Files, and folders with all that is in them, as paths below the data folder.

    Features that are still being filled are left out: the completions that they are of may come
    out otherwise once the job goes on from the backup, and the job then makes them again.
    """
    uploads = Path(settings.MEDIA_ROOT).relative_to(data_folder())
    found = [f"{uploads}/{name}" for row in rows(UPLOADS) for name in row if name]
    found += [f"features/{uuid.UUID(str(name))}" for (name,) in rows(FEATURES)]
    found += [f"exports/{uuid.UUID(str(name))}" for (name,) in rows(EXPORTS)]
    return found


UPLOADS = "SELECT file, problems FROM pools_upload ORDER BY id"
FEATURES = "SELECT folder FROM pools_featureset WHERE completed_at IS NOT NULL ORDER BY id"
EXPORTS = "SELECT file FROM annotate_export WHERE completed_at IS NOT NULL ORDER BY id"


def pin(names: Sequence[str], folder: Path) -> Pinned:
    """Give each file a second name within ``folder``, which is in the data folder too.

    What is then removed from its place is still whole here. Where a file system knows no second
    names, the files are copied.
    """
    pinned = Pinned()
    for name in names:
        held: dict[str, Path] = {}
        try:
            for path in list(_files_at(data_folder() / name)):
                inside = path.relative_to(data_folder())
                _link(path, folder / inside)
                held[inside.as_posix()] = folder / inside
        except FileNotFoundError:  # it goes away at this moment
            held.clear()
        if not held:
            pinned.missing.append(name)
        pinned.paths |= held
    return pinned


def pin_loose(folder: Path, *, secrets: bool) -> Pinned:
    """The data folder's own files that no row speaks of; those that are secrets if wanted."""
    wanted = [name for name in LOOSE if secrets or name not in SECRETS]
    return pin([name for name in wanted if (data_folder() / name).is_file()], folder)


def _files_at(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    elif place.is_dir():
        yield from sorted(path for path in place.rglob("*") if path.is_file())
    elif (single := place.with_suffix(".jsonl")).is_file():  # an export of the first release
        yield single


def _link(path: Path, second: Path) -> None:
    second.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, second)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(path, second)
