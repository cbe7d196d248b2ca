"""What importing the core brings along."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["django", "torch"])
def test_core_imports_neither_django_nor_torch(module):
    code = f"import sys, pairselect.core; sys.exit({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
