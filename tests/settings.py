"""The product's settings with a data folder of the test run's own, removed at its end."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as manage.py does
# Threads that wait for each other do so by spinning: two test processes on two cores would stall.
os.environ.setdefault("OMP_NUM_THREADS", "1")
folder = os.environ["PAIRSELECT_DATA_DIR"] = tempfile.mkdtemp(prefix="pairselect-test-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)

from tests.unsynced import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING: dict[str, object] = {"version": 1, "disable_existing_loggers": False}
