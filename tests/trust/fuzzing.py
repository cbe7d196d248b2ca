"""How much is tried: some dozens of inputs of each kind, or ``PAIRSELECT_FUZZ`` of them.

``PAIRSELECT_FUZZ=50000 nice pytest tests/trust -k fuzz`` is the long run: files for the reader,
requests to the API and forms, 50,000 each, and a tenth as many whole imports.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

USUAL = 60
COUNT = int(os.environ.get("PAIRSELECT_FUZZ", str(USUAL)))
QUIETLY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
           HealthCheck.filter_too_much, HealthCheck.large_base_example]  # fmt: skip
PATIENTLY = pytest.mark.timeout(0 if COUNT > USUAL else 300)


def tried(share: float = 1.0) -> settings:
    """So many examples; the usual ones are the same on each run, those of a long run are new."""
    return settings(
        max_examples=max(USUAL, int(COUNT * share)),
        derandomize=COUNT == USUAL,
        database=None,
        deadline=None,
        suppress_health_check=QUIETLY,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
    )
