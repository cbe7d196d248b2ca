"""What is counted of rows by their prompts."""

from __future__ import annotations

from array import array

import numpy as np

from annotate.exporting.deciding import Picked
from pairselect.core.clustered import Estimate, clustered_share


class Tally:
    """How often something was so, with the prompts that it was looked at for."""

    def __init__(self) -> None:
        self._so, self._prompts = array("b"), array("q")

    def add(self, so: bool, prompt_id: int) -> None:
        self._so.append(so)
        self._prompts.append(prompt_id)

    def share(self) -> Estimate | None:
        """Over prompts, whose rows are alike; None of nothing."""
        return clustered_share(self._so, np.ones(len(self._so)), self._prompts)

    @property
    def count(self) -> int:
        return sum(self._so)

    def __len__(self) -> int:
        return len(self._so)


class Cap:
    """How many rows each prompt of what was picked may still have."""

    def __init__(self, picked: Picked, most: int | None) -> None:
        self._limits = most is not None
        prompts, place = np.unique(picked.prompts if self._limits else [], return_inverse=True)
        self._place, self._left = place, np.full(len(prompts), most or 0)
        self.over = 0  # rows that it let go

    def takes(self, pick: int) -> bool:
        """Whether one more row of that entry is within it."""
        if not self._limits:
            return True
        place = self._place[pick]
        self._left[place] -= 1
        self.over += bool(self._left[place] < 0)
        return bool(self._left[place] >= 0)
