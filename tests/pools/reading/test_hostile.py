"""Files made to break the reader: each is refused in a sentence, soon and in little memory."""

import io
import json
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from pairselect.pools.reading import (
    Columns,
    Limits,
    PromptRow,
    RowProblem,
    UnreadableFile,
    open_file,
    preview,
    read_rows,
)
from tests.pools.reading import hostile
from tests.pools.reading.test_formats import written

LIMITS = Limits(expanded_bytes=100_000_000, rows=100_000, characters=200_000)
PROMPT = Columns("prompts", prompt="prompt")
SECONDS = 20  # what takes more than two here hangs; the machine may be busy


def read(data: bytes, columns: Columns = PROMPT) -> tuple[list[object], list[RowProblem]]:
    problems: list[RowProblem] = []
    rows = list(read_rows(io.BytesIO(data), columns, LIMITS, on_problem=problems.append))
    return list(rows), problems


def is_a_sentence(message: str) -> bool:
    return message[0].isupper() and message.endswith(".") and len(message) < 500


@pytest.mark.parametrize("name", hostile.UNREADABLE)
def test_a_file_that_is_none_is_refused_in_a_sentence(name: str) -> None:
    make, said = hostile.UNREADABLE[name]
    data = make()
    started = time.process_time()
    for attempt in (lambda: preview(io.BytesIO(data), LIMITS), lambda: read(data)):
        with pytest.raises(UnreadableFile) as caught:
            attempt()
        assert said in str(caught.value)
        assert is_a_sentence(str(caught.value))
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("name", hostile.BROKEN_LATER)
def test_a_file_that_breaks_off_gives_its_good_rows_first(name: str) -> None:
    make, said = hostile.BROKEN_LATER[name]
    data = make()
    rows: list[object] = []
    started = time.process_time()
    with pytest.raises(UnreadableFile) as caught:
        rows.extend(read_rows(io.BytesIO(data), PROMPT, LIMITS, on_problem=lambda _: None))
    assert said in str(caught.value)
    assert is_a_sentence(str(caught.value))
    assert rows
    assert preview(io.BytesIO(data), LIMITS).mapping == PROMPT
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("name", hostile.BAD_ROW)
def test_a_bad_row_is_named_and_the_others_are_read(name: str) -> None:
    make, said = hostile.BAD_ROW[name]
    data = make()
    mapping = preview(io.BytesIO(data), LIMITS).mapping
    assert mapping is not None
    if b"metadata" in data:
        mapping = Columns("prompts", prompt="prompt", metadata="metadata")
    if b'"id"' in data:
        mapping = Columns("prompts", prompt="prompt", id="id")
    rows, problems = read(data, mapping)
    good = PromptRow([{"role": "user", "content": "good"}])
    assert {row.messages[0]["content"] for row in rows if isinstance(row, PromptRow)} == {"good"}
    assert len(rows) >= 2
    assert len(problems) == 1
    assert good.messages == rows[-1].messages  # type: ignore[attr-defined]
    assert problems[0].row == len(rows)  # the last but one
    assert said in problems[0].message
    assert is_a_sentence(problems[0].message)


def peak_bytes_over(action: Callable[[], object]) -> int:
    """How much more memory an action needs than there was before, at its most."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    except OSError:
        pytest.skip("the kernel does not tell the peak of the memory")
    before = memory("VmRSS")
    action()
    return memory("VmHWM") - before


def memory(which: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


def test_a_parquet_text_that_is_named_20000_times_does_not_fill_the_memory() -> None:
    data = hostile.parquet_bomb()
    assert len(data) < 10_000
    problems: list[RowProblem] = []

    def attempt() -> None:
        with pytest.raises(UnreadableFile, match="unpacks to more than"):
            list(read_rows(io.BytesIO(data), PROMPT, LIMITS, on_problem=problems.append))

    attempt()
    assert "10,000,000 characters" in problems[0].message
    assert peak_bytes_over(attempt) < 400_000_000


@pytest.mark.parametrize("format_", ["jsonl", "json", "csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(format_: str) -> None:
    def peak(count: int) -> int:
        with tempfile.TemporaryFile() as file:
            file.write(written(format_, [{"prompt": "word " * 40} for _ in range(count)]))
            rows = read_rows(file, PROMPT, LIMITS, on_problem=lambda _: None)
            return peak_bytes_over(lambda: deque(rows, maxlen=0))

    peak(100)  # what is imported and allocated once
    assert peak(90_000) - peak(9_000) < 8_000_000


def test_more_rows_than_the_limit_are_refused() -> None:
    few = Limits(expanded_bytes=10_000_000, rows=1999, characters=100)
    for data in (hostile.GOOD_LINES, hostile.good_parquet()):
        with pytest.raises(UnreadableFile, match="1,999"):
            list(read_rows(io.BytesIO(data), PROMPT, few, on_problem=lambda _: None))
    enough = Limits(expanded_bytes=10_000_000, rows=2000, characters=100)
    rows = read_rows(io.BytesIO(hostile.GOOD_LINES), PROMPT, enough, on_problem=lambda _: None)
    assert len(list(rows)) == 2000


@pytest.mark.timeout(SECONDS)
def test_a_header_that_is_never_closed_ends_soon() -> None:
    with pytest.raises(UnreadableFile, match="never closed"):
        read(b'prompt,"b' + b"\n" * 2_000_000)


@pytest.mark.timeout(SECONDS)
def test_a_dialogue_with_a_long_gap_is_read_soon() -> None:
    turn = "Human: a" + "\n" * 190_000 + "x\n\nAssistant: b"
    [row], problems = read(json.dumps({"prompt": turn}).encode())
    assert isinstance(row, PromptRow)
    assert [message["role"] for message in row.messages] == ["user"]
    assert problems == []


def test_a_folder_a_device_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path, said in [
        (tmp_path, "is a folder"),
        (Path("/dev/null"), "not an ordinary file"),
        (tmp_path / "none", "There is no file"),
    ]:
        with pytest.raises(UnreadableFile, match=said):
            open_file(path)


@pytest.mark.parametrize("data", [hostile.GOOD_LINES, hostile.zstd(hostile.GOOD_LINES)])
def test_the_file_stays_open(data: bytes) -> None:
    file = io.BytesIO(data)
    preview(file, LIMITS)
    assert len(list(read_rows(file, PROMPT, LIMITS, on_problem=lambda _: None))) == 2000
    assert not file.closed
