"""What importing the core brings along."""

import subprocess
import sys


def test_core_imports_neither_django_nor_torch():
    code = "import sys, pairselect.core; sys.exit(str({'django', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.stderr.decode().strip() == "set()"
