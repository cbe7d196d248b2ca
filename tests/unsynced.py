"""The product's settings, but that no commit to SQLite waits for the disk.

A power cut would lose no more than a test run. `tests/test_env.py` holds the product to syncing,
and the sites and installations that tests start as processes of their own sync as it does.
"""

from pairselect.settings import *  # noqa: F403

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    OPTIONS = DATABASES["default"]["OPTIONS"]  # noqa: F405
    command = f"{OPTIONS['init_command']} PRAGMA synchronous=OFF;"
    DATABASES["default"]["OPTIONS"] = OPTIONS | {"init_command": command}  # noqa: F405
