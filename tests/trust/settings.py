"""The product's settings, with kinds of job that write down when they run."""

import os

from pairselect.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.trust.kinds"]  # noqa: F405
TRUST_FOLDER = os.environ["TRUST_FOLDER"]
