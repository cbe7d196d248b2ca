"""Features as memory-mapped arrays in the data folder, filled chunk by chunk."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pairselect.pools.models import FeatureSet


class FeaturesLost(Exception):
    """The message says of which pool, and what to do."""


ARRAYS = ("features", "log_probs", "token_counts")


def features_folder(feature_set: FeatureSet) -> Path:
    return Path(settings.PAIRSELECT_DATA_DIR) / "features" / str(feature_set.folder)


class FeatureStore:
    """The arrays of one feature set.

    ``features`` (n, d) float32, ``log_probs`` (n,) float64 in nats, ``token_counts`` (n,) int32,
    and ``written`` (n,) bool, which is set after a row's numbers are in place. Rows that are
    written stay; a run that was cut off goes on with the others.
    """

    def __init__(self, folder: Path, *, rows: int, dimension: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.features, had_features = _open(folder, "features", np.float32, (rows, dimension))
        self.log_probs, had_log_probs = _open(folder, "log_probs", np.float64, (rows,))
        self.token_counts, had_counts = _open(folder, "token_counts", np.int32, (rows,))
        self.written, _ = _open(folder, "written", np.bool_, (rows,))
        if not (had_features and had_log_probs and had_counts):
            self.written[:] = False  # an array was lost, and is zeros now
            self.written.flush()

    def missing(self, chunk: int) -> Iterator[NDArray[np.intp]]:
        """Row numbers not yet written, at most ``chunk`` at a time."""
        rows = np.flatnonzero(~self.written)
        for start in range(0, rows.size, chunk):
            yield rows[start : start + chunk]

    def write(
        self,
        rows: NDArray[np.intp],
        features: NDArray[np.float32],
        log_probs: NDArray[np.float64],
        token_counts: NDArray[np.integer],
    ) -> None:
        self.features[rows] = features
        self.log_probs[rows] = log_probs
        self.token_counts[rows] = token_counts
        for array in (self.features, self.log_probs, self.token_counts):
            array.flush()
        self.written[rows] = True
        self.written.flush()

    def seal(self, facts: dict[str, object]) -> None:
        """Write the manifest: what the arrays are, and their SHA-256."""
        manifest = facts | {
            "rows": self.features.shape[0],
            "dimension": self.features.shape[1],
            "sha256": {name: _sha256(self.folder / f"{name}.npy") for name in ARRAYS},
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=2))


def arrays_are_there(feature_set: FeatureSet) -> bool:
    """Whether the data folder holds the arrays whole, a row for each completion."""
    try:
        features, _, _ = load_arrays(feature_set)
    except FeaturesLost:
        return False
    return len(features) == feature_set.pool.completions.count()


def load_arrays(
    feature_set: FeatureSet,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int32]]:
    """Features, log-probabilities and token counts, memory-mapped, read-only.

    Raises
    ------
    FeaturesLost
        When the data folder has lost them, or part of them.
    """
    folder = features_folder(feature_set)
    try:
        features, log_probs, counts = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ARRAYS)
    except (OSError, ValueError) as problem:
        raise FeaturesLost(
            f"The features of “{feature_set.pool}” are gone from the data folder: extract them "
            "again with extract_features."
        ) from problem
    return features, log_probs, counts


def _open(folder: Path, name: str, dtype: type, shape: tuple[int, ...]) -> tuple[np.memmap, bool]:
    """The array, and whether it was there."""
    path = folder / f"{name}.npy"
    if path.exists():
        try:
            array = open_memmap(path, mode="r+")
        except ValueError:  # cut off while it was being made
            array = None
        if array is not None and array.shape == shape and array.dtype == dtype:
            return array, True
    try:
        array = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        _fill_disk(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return array, False


def _fill_disk(path: Path) -> None:
    """Give the sparse file its room now: writing to a map of a full disk would kill the process."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS: the map was made of zeros, and so it stays
            file.seek(min(size, 4096))  # after the header
            while (left := size - file.tell()) > 0:
                file.write(bytes(min(left, 1 << 20)))
            os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
