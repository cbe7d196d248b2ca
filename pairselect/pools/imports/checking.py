"""The first pass over a file: every bad row is named, and every prompt counted, before a row is
stored."""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairselect.jobs.progress import JobError, JobProgress
from pairselect.pools.imports import NOTHING
from pairselect.pools.imports.duplicates import Digests, text_digest
from pairselect.pools.imports.inspecting import limits
from pairselect.pools.imports.problems import collect_problems
from pairselect.pools.imports.watching import Pace, open_watched
from pairselect.pools.models import Upload
from pairselect.pools.reading import MOST_COMPLETIONS, Columns, PoolRow, read_rows

LOOK_EVERY = 1000  # rows


@dataclass(frozen=True)
class Checked:
    """What a file holds that can be imported as it is.

    Attributes
    ----------
    rows
        Rows of the file.
    first
        (rows,) the first row with the same prompt; its own number where there is none before.
    scored
        Completions that have a score, of all ``completions``.
    """

    rows: int
    first: NDArray[np.int32]
    completions: int
    scored: int

    @property
    def duplicates(self) -> int:
        """Rows whose prompt was there before."""
        return int(np.count_nonzero(self.first != np.arange(self.first.size)))


class _Tally:
    """What is counted row by row, in some bytes each."""

    def __init__(self) -> None:
        self.rows = self.completions = self.scored = 0
        self.digests = Digests()
        self.has_choice = False  # a row with two different completions
        self._texts = bytearray()  # of each pool row's first completion
        self._counts = array("H")  # of each pool row's completions: MOST_COMPLETIONS fit

    def add_pool_row(self, row: PoolRow) -> None:
        texts = row.completions
        self.completions += len(texts)
        self._counts.append(len(texts))
        self.scored += sum(one.score is not None for one in texts)
        self.has_choice = self.has_choice or any(one.text != texts[0].text for one in texts[1:])
        self._texts += text_digest(texts[0].text if texts else "").to_bytes(8, "little")

    def would_have_choice(self, first: NDArray[np.int32]) -> bool:
        """Whether two rows of one prompt have different completions."""
        texts = np.frombuffer(self._texts, dtype=np.uint64)
        return bool((texts != texts[first]).any())

    def merged_counts(self, first: NDArray[np.int32]) -> NDArray[np.int64]:
        """(n,) completions of each prompt, at the number of its first row."""
        counts = np.zeros(first.size, dtype=np.int64)
        np.add.at(counts, first, np.frombuffer(self._counts, dtype=np.uint16))
        return counts


def check_file(upload: Upload, progress: JobProgress) -> Checked:
    """Read all of the file with the upload's mapping.

    Raises
    ------
    JobError
        With the first bad rows; the upload then keeps all of them.
    """
    try:
        columns = Columns.from_dict(upload.columns or {})
    except ValueError as problem:
        raise JobError(f"{NOTHING}. {problem}") from problem
    tally = _Tally()
    with collect_problems(upload) as problems, open_watched(upload, progress) as (file, watched):
        pace = Pace(watched, progress, "checked")
        for row in read_rows(file, columns, limits(), on_problem=problems.add):
            if isinstance(row, PoolRow):
                tally.add_pool_row(row)
                tally.digests.add(row.prompt.messages)
            else:
                tally.digests.add(row.messages)
            tally.rows += 1
            if tally.rows % LOOK_EVERY == 0:
                pace.rows = tally.rows
                pace.say()
        if problems.count:
            rows = f"{problems.count:,} of {problems.count + tally.rows:,} rows"
            raise JobError(f"{NOTHING}: {rows} cannot be used. {problems.sentence()}")
    if not tally.rows:
        raise JobError(f"{NOTHING}. The file holds no rows.")
    checked = Checked(tally.rows, tally.digests.first_equal(), tally.completions, tally.scored)
    _keep_counts(upload, checked)
    if columns.kind != "prompts":
        _check_choice(tally, checked, merge=upload.merge_duplicates)
        if upload.merge_duplicates:
            _check_merged(tally, checked)
    return checked


def _keep_counts(upload: Upload, checked: Checked) -> None:
    upload.row_count, upload.duplicate_count = checked.rows, checked.duplicates
    upload.save(update_fields=["row_count", "duplicate_count"])


def _check_choice(tally: _Tally, checked: Checked, *, merge: bool) -> None:
    if tally.has_choice or (merge and tally.would_have_choice(checked.first)):
        return
    sentence = "No prompt has two different completions, so there is nothing to compare."
    if not merge and tally.would_have_choice(checked.first):
        count = checked.duplicates
        rows = "1 row repeats" if count == 1 else f"{count:,} rows repeat"
        sentence += f" {rows} a prompt: import again and merge duplicate prompts."
    raise JobError(f"{NOTHING}. {sentence}")


def _check_merged(tally: _Tally, checked: Checked) -> None:
    counts = tally.merged_counts(checked.first)
    most = int(counts.argmax())
    if counts[most] > MOST_COMPLETIONS:
        raise JobError(
            f"{NOTHING}. Merged, the prompt of row {most + 1:,} has {counts[most]:,} completions; "
            f"keep at most {MOST_COMPLETIONS:,} of each prompt, or do not merge."
        )
