"""Databases with every table and no rows of ours: those of the test processes, and of servers and
workers of a test's own, are copies of them.

Migrating takes seconds, so it is done once a run, by whichever test process comes first.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from pairselect.backup.postgres import program

ROOT = Path(__file__).resolve().parent.parent
NAME = "pairselect.sqlite3"  # in a data folder


def migrated_in(folder: Path) -> Path:
    """The file, in a folder that all processes of the run share; to be copied, never opened."""
    folder.mkdir(exist_ok=True)
    file = folder / NAME
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            making = folder / "making"
            _migrate(making, "")
            (making / NAME).rename(file)
    return file


def migrate_postgres(address: str, folder: Path) -> None:
    """Give an empty PostgreSQL database every table.

    The first one of the run is migrated, the others get what was dumped of it, within a second.
    """
    folder.mkdir(exist_ok=True)
    dump = folder / "postgresql.dump"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not dump.exists():
            _migrate(folder / "making", address)
            making = str(folder / "dumping")
            options = ["--format=custom", "--file", making, address]
            subprocess.run([program("pg_dump", at_least=0), *options], check=True)
            Path(making).rename(dump)
            return
    options = ["--no-owner", "--no-acl", "--exit-on-error", "--dbname", address]
    subprocess.run([program("pg_restore", at_least=0), *options, str(dump)], check=True)


def _migrate(folder: Path, address: str) -> None:
    """The product's command, with a data folder and a database; "" for SQLite in the folder."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.unsynced",
        "PAIRSELECT_DATA_DIR": str(folder),
        "DATABASE_URL": address,
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
