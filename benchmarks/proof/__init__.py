"""What a designed label is worth on real completions with real labels.

``python -m benchmarks.proof.preferences FILE`` and ``python -m benchmarks.proof.correctness FILE``
take a data file each, and write the tables and figures of ``docs/proof/``.
"""

import os

# Before NumPy and torch are loaded. One process is one core; a machine has more for the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
