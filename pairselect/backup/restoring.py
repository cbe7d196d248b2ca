"""A backup put into an empty installation: all of it, or nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from pairselect import __version__
from pairselect.backup import BackupError
from pairselect.backup.archive import read_archive, sync, write_durably
from pairselect.backup.checking import Checked, check_database, refuse_without_room
from pairselect.backup.files import data_folder
from pairselect.backup.making import alone
from pairselect.backup.manifest import FOLDERS, POSTGRES, SQLITE, Manifest
from pairselect.backup.postgres import restore_dump

Told = Callable[[str, int, int], None]
# What `migrate` itself, and a look at the login page, leave in an installation's tables.
BUILT_IN = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "django_session",
    "django_site",
)
BEGUN = "restore.begun"  # there while files are put in place: those of an unfinished restore


def restore_backup(path: Path, *, told: Told) -> Checked:
    """Unpack beside the data, check, bring up to date, and only then put in place.

    Until the last step, which is one rename of the SQLite file or the commit of one transaction
    of PostgreSQL, the installation is as empty as it was.

    Raises
    ------
    BackupError
        When the installation is not empty, or the backup is not whole or not of this database.
    """
    with alone():
        refuse_unless_empty()
        manifest, files = read_archive(path)
        older = _refuse_unless_fitting(manifest)
        staged = data_folder() / "restore.part"
        shutil.rmtree(staged, ignore_errors=True)
        try:
            staged.mkdir(mode=0o700)
            done = 0
            for name, chunks in files:
                write_durably(staged / name, chunks)
                done += manifest.files[name].bytes
                told("unpacking", done, manifest.size)
            told("looking into the database", 0, 0)
            checked = check_database(staged / manifest.database_file, manifest)
            told("putting it in place", 0, 0)
            if manifest.database == SQLITE:
                if older:
                    _bring_up_to_date(staged)
                _put_files(staged, manifest)
                _swap_in(staged / manifest.database_file)
            else:
                _put_files(staged, manifest)
                restore_dump(staged / manifest.database_file, manifest.server)
                if older:
                    _migrate_here()
            (data_folder() / BEGUN).unlink(missing_ok=True)
        except OSError as problem:
            raise BackupError(
                f"It could not be restored: {problem.strerror or problem}."
            ) from problem
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    return checked


def refuse_unless_empty() -> None:
    """
    Raises
    ------
    BackupError
        When rows or files are there that would be lost, or somebody has the database open.
    """
    advice = (
        "A backup is restored into an empty installation: set PAIRSELECT_DATA_DIR to a new folder, "
        "and with PostgreSQL DATABASE_URL to a new database."
    )
    for table in connection.introspection.table_names():
        if table in BUILT_IN:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608  # nosec B608
            if cursor.fetchone():
                raise BackupError(f"The database has rows in {table}. {advice}")
    if not (data_folder() / BEGUN).exists():
        for folder in FOLDERS:
            if any(one.is_file() for one in (data_folder() / folder).rglob("*")):
                raise BackupError(f"{data_folder() / folder} holds files. {advice}")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(OTHERS)
            if cursor.fetchone()[0]:
                raise BackupError(IN_USE)
        connection.close()
    else:
        _let_go(Path(str(connection.settings_dict["NAME"])))


IN_USE = "Others use the database: stop web server and workers first."


OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def _refuse_unless_fitting(manifest: Manifest) -> bool:
    """Whether it is of an older version than this."""
    here = POSTGRES if connection.vendor == "postgresql" else SQLITE
    if manifest.database != here:
        raise BackupError(
            f"The backup is of {manifest.database} and this installation has {here}: restore it "
            "into its own kind first. docs/operating.md tells how to move from one to the other."
        )
    known = MigrationLoader(None).disk_migrations
    applied = {(app, name) for app, names in manifest.migrations.items() for name in names}
    replaced = {one for found in known.values() for one in found.replaces}
    if newer := applied - set(known) - replaced:
        app, name = min(newer)
        raise BackupError(
            f"The backup is of pairselect {manifest.version}, newer than this {__version__}: it "
            f"has the migration {app}.{name}. Update this installation first."
        )
    refuse_without_room(data_folder(), manifest.size)
    return not set(known) <= applied


def _bring_up_to_date(staged: Path) -> None:
    """Migrate the copy before it is anybody's: by a process of its own, whose database it is."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {
        "PAIRSELECT_DATA_DIR": str(staged.resolve()),
        "PAIRSELECT_SECRET_KEY": settings.SECRET_KEY,
    }
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--verbosity=0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[-500:]
        raise BackupError(f"The backup could not be brought up to date: {said}")


def _migrate_here() -> None:
    connection.close()  # it may hold what it knew of the tables before
    call_command("migrate", verbosity=0, interactive=False)


def _put_files(staged: Path, manifest: Manifest) -> None:
    """Move the folders and files in place. No row speaks of them until the database is there."""
    (data_folder() / BEGUN).touch()
    for folder in FOLDERS:
        shutil.rmtree(data_folder() / folder, ignore_errors=True)
        if (staged / folder).is_dir():
            (staged / folder).rename(data_folder() / folder)
    for name in manifest.files:
        if "/" not in name and name != manifest.database_file:
            (staged / name).replace(data_folder() / name)
    sync(data_folder())


def _swap_in(copy: Path) -> None:
    """Put the SQLite file in the place of the empty one, with one rename."""
    place = Path(str(connection.settings_dict["NAME"]))
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA journal_mode = DELETE")  # what migrations wrote, into the file
    beside = place.with_name(f"{place.name}.restore")
    try:
        shutil.move(copy, beside)
        beside.chmod(0o600)
        sync(beside)
        _let_go(place)
        beside.replace(place)
        sync(place.parent)
    finally:
        beside.unlink(missing_ok=True)


def _let_go(place: Path) -> None:
    """Empty the log of the database that is there: it would be taken for the new one's."""
    connection.close()
    if not place.exists():
        return
    try:
        with closing(sqlite3.connect(place, timeout=2, isolation_level=None)) as database:
            (mode,) = database.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode != "delete":
        raise BackupError(IN_USE)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            place.with_name(place.name + suffix).unlink()
