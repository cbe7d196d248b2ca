"""A SQLite file with every table and no rows of ours, for servers and workers of a test's own.

Migrating takes seconds, so it is done once a run, by whichever test process comes first.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

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
            environment = os.environ | {
                "DJANGO_SETTINGS_MODULE": "pairselect.settings",
                "PAIRSELECT_DATA_DIR": str(making),
                "DATABASE_URL": "",
            }
            command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            (making / NAME).rename(file)
    return file
