"""Records of Parquet, a few rows at a time. Only the worker imports this: it brings Arrow."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pairselect.pools.reading.rows import (
    MOST_COLUMNS,
    OnProblem,
    Record,
    RowProblem,
    TooLarge,
    UnreadableFile,
)

# Arrow holds the rows of one batch and one page of each column. A page of a few bytes can name
# one long text many times over, so a batch has as many rows as fit if each were as long as its
# whole row group. At 32 rows a batch costs little; smaller ones only large row groups get.
BATCH_BYTES = 128_000_000
MOST_BATCH_ROWS = 32
MOST_GROUP_BYTES = 1 << 30  # of one row group, unpacked: the most a page can have
MOST_ROW_GROUPS = 100_000
MOST_FOOTER_BYTES = 32_000_000
DAMAGED = "The Parquet file is damaged ({}); write it again, or copy it again."


class Table:
    """An open Parquet file.

    Raises
    ------
    UnreadableFile
        If its footer cannot be read, or promises more than ``most_bytes`` and ``most_rows``.
    """

    def __init__(self, file: IO[bytes], most_bytes: int, most_rows: int) -> None:
        self.most_bytes = most_bytes
        self.most_rows = most_rows
        _check_footer(file)
        # Not pre-buffered: that would hold a row group as a whole.
        self.file: Any = _arrow(
            lambda: pq.ParquetFile(
                pa.PythonFile(file, mode="r"), pre_buffer=False, buffer_size=1 << 20
            )
        )
        self.metadata: Any = self.file.metadata
        fields: list[tuple[str, Any]] = _arrow(
            lambda: [(field.name, field.type) for field in self.file.schema_arrow]
        )
        if len(fields) > MOST_COLUMNS:
            raise UnreadableFile(
                f"The file has {len(fields):,} columns; at most {MOST_COLUMNS:,} are read."
            )
        self.types = dict(fields)
        twice = [name for name, times in Counter(name for name, _ in fields).items() if times > 1]
        if twice:
            raise UnreadableFile(f'Two columns are named "{twice[0][:100]}"; rename one of them.')
        if not 0 <= self.metadata.num_rows <= most_rows:
            raise UnreadableFile(
                f"The file has {self.metadata.num_rows:,} rows; at most {most_rows:,} are read: "
                "split it."
            )
        if self.metadata.num_row_groups > MOST_ROW_GROUPS:
            raise UnreadableFile(
                f"The file has {self.metadata.num_row_groups:,} row groups; write larger ones."
            )

    @property
    def readable_columns(self) -> list[str]:
        """Columns that can hold a text; pictures and sounds are bytes, and cost the most."""
        return [name for name, type_ in self.types.items() if not _is_bytes(type_)]

    def records(
        self, columns: Sequence[str], on_problem: OnProblem
    ) -> Iterator[tuple[int, Record]]:
        """Rows with these columns, and their numbers from 1."""
        number = taken = 0
        for group in range(self.metadata.num_row_groups):
            # A row group at a time: a batch never spans two, and the size of each is known.
            size = self._promised(group)
            rows = max(1, min(MOST_BATCH_ROWS, BATCH_BYTES // max(1, size)))
            batches = self.file.iter_batches(
                batch_size=rows, row_groups=[group], columns=list(columns), use_threads=False
            )
            while (batch := _arrow(lambda: next(batches, None))) is not None:  # noqa: B023
                taken += batch.nbytes
                # What the footer promises can be a lie; what has come is not.
                if taken > self.most_bytes:
                    raise TooLarge(
                        f"The file unpacks to more than {self.most_bytes:,} bytes; "
                        "split it into smaller files."
                    )
                for record in _records(batch):
                    number += 1
                    if number > self.most_rows:
                        raise UnreadableFile(
                            f"The file has more than {self.most_rows:,} rows; split it."
                        )
                    if isinstance(record, str):
                        on_problem(RowProblem(number, record))
                    else:
                        yield number, record
        if number != self.metadata.num_rows:
            raise UnreadableFile(
                DAMAGED.format(f"it promises {self.metadata.num_rows:,} rows and has {number:,}")
            )

    def _promised(self, group: int) -> int:
        """Unpacked bytes of a row group, by the footer.

        Not of its single columns: on some damaged footers Arrow's accessor for those ends the
        process (an exception of C++ that nothing catches).
        """
        size = int(_arrow(lambda: self.metadata.row_group(group).total_byte_size))
        if size > MOST_GROUP_BYTES:
            raise TooLarge(
                f"Row group {group + 1} unpacks to {size:,} bytes; "
                "write the file with smaller row groups (10,000 rows, say)."
            )
        return size


def _check_footer(file: IO[bytes]) -> None:
    """The length of the footer is its last word but one; Arrow would allocate what it says."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    file.seek(0)
    if size < 12 or tail[4:] != b"PAR1":
        raise UnreadableFile("The Parquet file is cut short: its footer is missing; copy it again.")
    length = int.from_bytes(tail[:4], "little")
    if length > size - 12:
        raise UnreadableFile(DAMAGED.format("its footer is longer than the file"))
    if length > MOST_FOOTER_BYTES:
        raise UnreadableFile(
            f"The Parquet file has a footer of {length:,} bytes; "
            "write it with fewer columns or larger row groups."
        )


def _records(batch: Any) -> list[Record | str]:
    try:
        return list(batch.to_pylist(maps_as_pydicts="lossy"))
    except (UnicodeDecodeError, ValueError, OverflowError, pa.ArrowException):
        # One bad cell: row by row, so that the good ones are kept.
        return [_record(batch, place) for place in range(batch.num_rows)]


def _record(batch: Any, place: int) -> Record | str:
    try:
        [record] = batch.slice(place, 1).to_pylist(maps_as_pydicts="lossy")
    except UnicodeDecodeError:
        return "A text of the row is not UTF-8; write it as UTF-8."
    except (ValueError, OverflowError, pa.ArrowException) as error:
        return f"The row cannot be read ({_short(error)})."
    return dict(record)


def _is_bytes(type_: Any) -> bool:
    inner = type_
    while pa.types.is_nested(inner):
        if pa.types.is_struct(inner):
            return any(_is_bytes(field.type) for field in islice(inner, MOST_COLUMNS))
        if not hasattr(inner, "value_type"):
            return False
        inner = inner.value_type
    return bool(
        pa.types.is_binary(inner)
        or pa.types.is_large_binary(inner)
        or pa.types.is_fixed_size_binary(inner)
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")


def _arrow(call: Any) -> Any:
    """Call Arrow. On a damaged file it raises whatever its C++ and Python layers have."""
    try:
        return call()
    except Exception as error:
        raise UnreadableFile(DAMAGED.format(_short(error))) from None
