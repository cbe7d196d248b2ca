"""Synthetic settings in which the optimality gap of a DPO policy is known exactly.

``python -m benchmarks.synthetic`` runs every experiment and writes tables and figures.
"""

import os

# Before NumPy is loaded: two processes on two cores, one thread each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
