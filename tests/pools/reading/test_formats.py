"""The same rows come out of every format, however it is packed."""

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pairselect.pools.reading import (
    Columns,
    Limits,
    PromptRow,
    UnreadableFile,
    preview,
    read_rows,
)
from tests.pools.reading.hostile import GOOD_LINES, good_parquet, zstd

LIMITS = Limits(expanded_bytes=100_000_000, rows=100_000, characters=1000)
PACKINGS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "zstd": zstd}
FORMATS = ["jsonl", "json", "csv", "parquet"]


def written(format_: str, rows: list[dict[str, str]], *, delimiter: str = ",") -> bytes:
    if format_ == "jsonl":
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    if format_ == "json":
        return json.dumps(rows, ensure_ascii=False, indent=1).encode()
    if format_ == "csv":
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        return file.getvalue().encode()
    packed = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), packed)
    return packed.getvalue()


def read(data: bytes, columns: Columns) -> list[Any]:
    def fail(problem: object) -> None:
        raise AssertionError(problem)

    return list(read_rows(io.BytesIO(data), columns, LIMITS, on_problem=fail))


# What the database takes: no lone surrogates, no NUL; a prompt is not blank.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
PROMPTS = TEXTS.filter(lambda text: bool(text.strip()))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.fixed_dictionaries({"prompt": PROMPTS, "id": TEXTS}), min_size=1, max_size=5))
@example([{"prompt": "one\u2028still one\u0085\x0b", "id": "a\r\nb\rc\n"}])
@example([{"prompt": '"quoted", and; more\t', "id": '""'}, {"prompt": "[x", "id": "\ufeff"}])
def test_rows_come_back_as_they_were(
    format_: str, packing: str, rows: list[dict[str, str]]
) -> None:
    data = PACKINGS[packing](written(format_, rows))
    assert read(data, Columns("prompts", prompt="prompt", id="id")) == [
        PromptRow([{"role": "user", "content": row["prompt"]}], row["id"]) for row in rows
    ]
    seen = preview(io.BytesIO(data), LIMITS)
    assert (seen.format, seen.compression) == (format_, packing)
    assert sorted(seen.columns) == ["id", "prompt"]
    assert seen.mapping == Columns("prompts", prompt="prompt", id="id")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [{"id": "1", "prompt": 'a, b; c\t"d"\nnew line', "kind of it, or so": "x"}]
    data = written("csv", rows, delimiter=delimiter)
    [row] = read(data, Columns("prompts", prompt="prompt", id="id"))
    assert row.messages[0]["content"] == rows[0]["prompt"]


@pytest.mark.parametrize("format_", ["jsonl", "json", "csv"])
def test_a_byte_order_mark_and_windows_line_ends_are_fine(format_: str) -> None:
    data = written(format_, [{"prompt": "a"}, {"prompt": "b"}])
    data = b"\xef\xbb\xbf" + data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    rows = read(data, Columns("prompts", prompt="prompt"))
    assert [row.messages[0]["content"] for row in rows] == ["a", "b"]


def test_a_row_of_jsonl_is_named_by_its_line() -> None:
    problems: list[Any] = []
    data = io.BytesIO(b'\n\n{"prompt": "a"}\n\nnonsense\n')
    columns = Columns("prompts", prompt="prompt")
    rows = list(read_rows(data, columns, LIMITS, on_problem=problems.append))
    assert len(rows) == 1
    assert [problem.row for problem in problems] == [5]


def test_of_two_keys_the_last_counts_in_both_forms_of_json() -> None:
    for data in (b'{"prompt": "a", "prompt": "b"}', b'[{"prompt": "a", "prompt": "b"}]'):
        [row] = read(data, Columns("prompts", prompt="prompt"))
        assert row.messages[0]["content"] == "b"


def test_a_cell_longer_than_the_limit_of_csv_is_read() -> None:
    text = "a" * 150_000
    data = written("csv", [{"prompt": text}])
    limits = Limits(expanded_bytes=10_000_000, rows=10, characters=200_000)
    columns = Columns("prompts", prompt="prompt")
    [row] = read_rows(io.BytesIO(data), columns, limits, on_problem=print)
    assert isinstance(row, PromptRow)
    assert row.messages[0]["content"] == text


@pytest.mark.parametrize("size", [(1 << 18) - 20, (1 << 18) - 1, 1 << 18, 600_000])
def test_an_item_of_a_json_list_may_lie_over_the_end_of_a_block(size: int) -> None:
    texts = ["a" * size, 'b\\"]}' * 1000, "c"]
    data = json.dumps([{"prompt": text} for text in texts]).encode()
    limits = Limits(expanded_bytes=10_000_000, rows=10, characters=1_000_000)
    columns = Columns("prompts", prompt="prompt")
    rows = read_rows(io.BytesIO(data), columns, limits, on_problem=print)
    assert [row.messages[0]["content"] for row in rows if isinstance(row, PromptRow)] == texts


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    for format_ in ("csv", "parquet"):
        with pytest.raises(UnreadableFile, match='no column "query"; it has "prompt"'):
            read(written(format_, [{"prompt": "a"}]), Columns("prompts", prompt="query"))


def only_unreadable(data: bytes) -> None:
    """Whatever the bytes, the reader gives rows or a sentence."""
    columns = Columns("prompts", prompt="prompt", metadata="metadata")
    for attempt in (
        lambda: preview(io.BytesIO(data), LIMITS).as_dict(),
        lambda: list(read_rows(io.BytesIO(data), columns, LIMITS, on_problem=lambda _: None)),
    ):
        with contextlib.suppress(UnreadableFile):
            attempt()


STARTS = [b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PAR1", b"{", b"[", b'[{"prompt":"a"}',
          b"prompt,metadata\n", b'"', b"\xef\xbb\xbf"]  # fmt: skip


@settings(max_examples=250, deadline=None)
@example(b"", b"\x1c")  # blank to Python, not to the eye
@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(start: bytes, rest: bytes) -> None:
    only_unreadable(start + rest)


SAMPLES = [GOOD_LINES, good_parquet(), gzip.compress(GOOD_LINES, mtime=0), zstd(GOOD_LINES),
           written("json", [{"prompt": "a", "metadata": "{}"}] * 9),
           written("csv", [{"prompt": "a", "metadata": "{}"}] * 9)]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255))))
def test_damaged_files_raise_nothing_else(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    only_unreadable(bytes(damaged))


def test_no_byte_of_a_parquet_footer_can_end_the_process() -> None:
    """Arrow's accessor for single columns does, on some of these (an uncaught C++ exception)."""
    good = written("parquet", [{"prompt": "a", "metadata": "{}"}] * 9)
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for place in range(footer, len(good)):
        damaged = bytearray(good)
        damaged[place] ^= 0x55
        only_unreadable(bytes(damaged))
