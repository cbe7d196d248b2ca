"""The bad rows of a file: counted, the first in words, all of them in a table to download."""

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage

from pairselect.pools.models import Upload
from pairselect.pools.reading import RowProblem

IN_WORDS = 5  # in the job's error
ON_PAGE = 100
# What a spreadsheet would run, in the wide writing of East Asia too.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
QUOTE = "'"
FOLDER = "problems"


class Problems:
    """Written to a file as they come, so that a million of them take no memory."""

    def __init__(self, path: Path) -> None:
        self.count, self.first = 0, list[RowProblem]()
        # Excel takes a CSV file for UTF-8 only by its mark.
        self._file = open(path, "w", encoding="utf-8-sig", errors="replace", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self._writer.writerow(["row", "problem"])

    def add(self, problem: RowProblem) -> None:
        self.count += 1
        if len(self.first) < IN_WORDS:
            self.first.append(problem)
        self._writer.writerow([problem.row, harmless(problem.message)])

    def close(self) -> None:
        self._file.close()

    def sentence(self) -> str:
        shown = " ".join(f"Row {one.row:,}: {one.message.rstrip('.')}." for one in self.first)
        more = self.count - len(self.first)
        return shown + (f" And {more:,} more." if more else "")


@contextmanager
def collect_problems(upload: Upload) -> Iterator[Problems]:
    """Problems that the upload keeps, in place of those of an earlier try."""
    forget_problems(upload)
    folder = Path(default_storage.path(FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    path = Path(name)
    problems = Problems(path)
    try:
        yield problems
    finally:
        problems.close()
        if problems.count:
            with path.open("rb") as file:
                upload.problems.save(f"{upload.pk}.csv", File(file), save=False)
        path.unlink(missing_ok=True)
        Upload.objects.filter(pk=upload.pk).update(
            problem_count=problems.count, problems=upload.problems.name or ""
        )


def forget_problems(upload: Upload) -> None:
    if upload.problems:
        upload.problems.delete(save=False)
    upload.problem_count = None
    upload.save(update_fields=["problems", "problem_count"])


def first_problems(upload: Upload) -> list[RowProblem]:
    """The first hundred, for the page."""
    try:
        with upload.problems.open("rb") as file:
            text = (line.decode("utf-8-sig", "replace") for line in file)
            rows = islice(csv.reader(text), 1, 1 + ON_PAGE)
            return [RowProblem(int(row), message.removeprefix(QUOTE)) for row, message in rows]
    except (FileNotFoundError, ValueError):
        return []


def harmless(cell: str) -> str:
    """The cell, such that no spreadsheet takes it for a formula, if it drops the blanks before."""
    begins = cell.lstrip().startswith((*FORMULA, QUOTE)) or cell[:1].isspace()
    return QUOTE + cell if begins else cell
