"""Features that generation leaves behind, when the model that writes is the reference model."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pairselect.pools.models import FeatureSet, Pool, Variant
from pairselect.pools.storage import FeatureStore, features_folder

if TYPE_CHECKING:
    from pairselect.pools.engine.contract import Finished

FLUSH_ROWS = 64
SAME_MODEL = ("weights", "chat_template")


class SideFeatures:
    """Puts captured features where the extraction will look for them.

    Extraction then reads only what is missing: completions whose text has other tokens than were
    drawn, and those of other variants. A system prompt of the variant is no part of the prompt
    that features are taken with, so such a variant leaves none.
    """

    def __init__(self, pool: Pool, variant: Variant) -> None:
        self._sets: dict[str, FeatureSet] = {}
        if not variant.system_prompt:
            sets = pool.feature_sets.filter(model=variant.model, completed_at=None)
            self._sets = {one.kind: one for one in sets}
        self._pool = pool
        self._stores: dict[str, FeatureStore] = {}
        self._row: dict[int, int] = {}
        self._waiting: list[tuple[int, Finished]] = []

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._sets)

    def accept(self, fingerprint: dict[str, Any]) -> None:
        """Whose features they are: arrays by another revision of the model are begun anew."""
        for one in self._sets.values():
            keep_or_begin_anew(one, fingerprint)

    def add(self, finished: "Finished") -> None:
        if not self._sets or finished.features is None or finished.log_prob is None:
            return
        prompt_id, index = cast(tuple[int, int], finished.key)
        if not self._row:
            ids = self._pool.prompt_set.prompts.order_by("position").values_list("pk", flat=True)
            self._row = {pk: place for place, pk in enumerate(ids)}
        row = self._row[prompt_id] * (self._pool.completions_per_prompt or 0) + index
        self._waiting.append((row, finished))

    def stored(self, *, all_of_them: bool = False) -> None:
        """Called once the completions are in the database: features of none other are written."""
        if not all_of_them and len(self._waiting) < FLUSH_ROWS:
            return
        for kind, one in self._sets.items():
            having = [(r, f) for r, f in self._waiting if f.features and kind in f.features]
            if not having:
                continue
            rows = np.array([row for row, _ in having])
            vectors = np.stack([(f.features or {})[kind] for _, f in having])
            if kind not in self._stores:
                self._stores[kind] = FeatureStore(
                    features_folder(one),
                    rows=len(self._row) * (self._pool.completions_per_prompt or 0),
                    dimension=vectors.shape[1],
                )
            self._stores[kind].write(
                rows,
                vectors,
                np.array([f.log_prob for _, f in having], dtype=np.float64),
                np.array([f.token_count for _, f in having]),
            )
        self._waiting = []


def keep_or_begin_anew(feature_set: FeatureSet, fingerprint: dict[str, Any]) -> None:
    """Note whose features the folder will hold; forget those of another revision of the model."""
    # As it is stored: whoever slept since it read the row would remove what another has written.
    known = FeatureSet.objects.values_list("fingerprint", flat=True).get(pk=feature_set.pk)
    if known and all(known.get(key) == fingerprint.get(key) for key in SAME_MODEL):
        return
    for file in features_folder(feature_set).glob("*.npy"):
        file.unlink()
    feature_set.fingerprint = fingerprint
    feature_set.save(update_fields=["fingerprint"])
