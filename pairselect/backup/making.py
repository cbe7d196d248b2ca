"""A backup of an installation that runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pairselect import __version__
from pairselect.backup import BackupError
from pairselect.backup.archive import facts_of, sync, write_archive
from pairselect.backup.checking import check_files
from pairselect.backup.files import data_folder, named_by, pin, pin_loose
from pairselect.backup.manifest import DATABASE, Manifest
from pairselect.backup.snapshots import committed_rows, migrations_of, snapshot, tables_of

PATTERN = f"pairselect-{'[0-9]' * 8}T{'[0-9]' * 6}Z.tar.gz"  # of the names by their times
MOST_TRIES = 5
ABANDONED_AFTER = 24 * 3600  # seconds
Told = Callable[[str, int, int], None]  # what is done, how far, of how much


@dataclass(frozen=True)
class Made:
    path: Path
    bytes: int
    sha256: str
    manifest: Manifest
    removed: list[str]  # older backups


def make_backup(to: Path, *, secrets: bool, keep: int | None, told: Told) -> Made:
    """Write a backup, read it again from the disk, and only then give it its name.

    Parameters
    ----------
    to
        A folder, in which it is named by the time; or the file that it is to be.
    secrets
        Whether the secret key, and the demo's passwords, are in it.
    keep
        How many backups the folder keeps, this one among them; None: all.

    Raises
    ------
    BackupError
        When it cannot be made. What was there before is still there.
    """
    now = datetime.now(UTC)
    path = to / f"pairselect-{now:%Y%m%dT%H%M%SZ}.tar.gz" if to.is_dir() else to
    if not path.parent.is_dir():
        raise BackupError(f"There is no folder {path.parent}: make it first.")
    if path.exists():
        raise BackupError(f"{path} is there already: name another file, or a folder.")
    part = path.with_name(f".{path.name}.part")
    held = data_folder() / "backup.part"
    with alone():
        try:
            for left_over in (part, held, *_abandoned(path.parent)):  # of one that was killed
                shutil.rmtree(left_over, ignore_errors=True)
            part.mkdir(mode=0o700)
            held.mkdir(mode=0o700)
            manifest, sources = _gather(part, held, now, secrets=secrets, told=told)
            unfinished = part / path.name
            _write(unfinished, manifest, sources, told)
            total = unfinished.stat().st_size
            sha256 = facts_of(unfinished, lambda size: None).sha256
            check_files(unfinished, lambda done: told("reading it again", done, manifest.size))
            unfinished.rename(path)
            sync(path.parent)
        except OSError as problem:
            raise BackupError(
                f"The backup could not be written: {problem.strerror or problem}."
            ) from problem
        finally:
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(held, ignore_errors=True)
    return Made(path, total, sha256, manifest, _thin_out(path, keep))


def _abandoned(folder: Path) -> list[Path]:
    """What killed backups left there, of any installation: those that are written are younger."""
    late = time.time() - ABANDONED_AFTER
    return [path for path in folder.glob(f".{PATTERN}.part") if path.stat().st_mtime < late]


@contextmanager
def alone() -> Iterator[None]:
    """One backup or restore at a time in a data folder."""
    with (data_folder() / "backup.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise BackupError(
                "Another backup or restore of this data folder is under way: wait for its end."
            ) from problem
        yield


def _gather(
    part: Path, held: Path, now: datetime, *, secrets: bool, told: Told
) -> tuple[Manifest, dict[str, Path]]:
    """The database's copy and the files that its rows speak of, all of one moment."""
    for _ in range(MOST_TRIES):
        shutil.rmtree(held)
        held.mkdir(mode=0o700)
        with snapshot() as found:
            copy = part / DATABASE[found.kind]
            copy.unlink(missing_ok=True)
            told("copying the database", 0, 0)
            names = named_by(found.rows)
            pinned = pin(names, held)
            if not set(names) <= set(named_by(committed_rows)):
                continue  # rows went since that moment, and some of their files may have: again
            found.copy(copy, lambda done, total: told("copying the database", done, total))
            facts = (found.kind, found.server, migrations_of(found), tables_of(found))
        break
    else:
        raise BackupError("Files were deleted again and again meanwhile: try again later.")
    sources = {copy.name: copy, **pinned.paths, **pin_loose(held, secrets=secrets).paths}
    whole = sum(path.stat().st_size for path in sources.values())
    done = 0

    def reading(size: int) -> None:
        nonlocal done
        done += size
        told("reading the files", done, whole)

    files = {name: facts_of(path, reading) for name, path in sources.items()}
    kind, server, migrations, tables = facts
    manifest = Manifest(
        version=__version__,
        made_at=now.isoformat(timespec="seconds"),
        database=kind,
        server=server,
        migrations=migrations,
        tables=tables,
        files=files,
        lost=sorted(set(pinned.missing)),
        secrets=secrets,
    )
    return manifest, sources


def _write(path: Path, manifest: Manifest, sources: dict[str, Path], told: Told) -> None:
    done = 0

    def written(size: int) -> None:
        nonlocal done
        done += size
        told("writing the archive", done, manifest.size)

    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        write_archive(file, manifest, sources, written)
        file.flush()
        os.fsync(file.fileno())


def _thin_out(made: Path, keep: int | None) -> list[str]:
    """Remove all but the newest: their names tell their times."""
    if keep is None:
        return []
    old = [path for path in sorted(made.parent.glob(PATTERN))[:-keep] if path != made]
    for path in old:
        with suppress(FileNotFoundError):
            path.unlink()
    return [str(path) for path in old]
