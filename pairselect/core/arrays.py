"""Array types, and the one error that bad input raises."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class DesignError(ValueError):
    """The request cannot be met; the message says in a sentence what to change."""
