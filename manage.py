#!/usr/bin/env python
"""Django's command line for pairselect."""

import os
import sys

if __name__ == "__main__":
    # NumPy and SciPy each bring a BLAS with threads of its own. Two such pools waiting for each
    # other on two cores made a 128 × 128 Cholesky factorisation a thousand times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pairselect.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
