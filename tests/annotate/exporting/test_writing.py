"""Files written as their rows come."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from annotate.exporting.writing import GROUP, Parquet


def written(path: Path, texts: list[str]) -> pq.FileMetaData:
    file = Parquet(path, {"text": str})
    for text in texts:
        file.add({"text": text})
    assert file.close().rows == len(texts)
    assert pq.read_table(path)["text"].to_pylist() == texts
    return pq.read_metadata(path)


def test_a_parquet_group_is_as_large_as_fits_in_little_memory(tmp_path: Path) -> None:
    long = [os.urandom(250_000).hex() for _ in range(80)]  # 40 MB
    found = written(tmp_path / "long.parquet", long)
    sizes = [found.row_group(i).num_rows for i in range(found.num_row_groups)]
    assert len(sizes) == 3
    assert max(sizes) * 500_000 < 20e6


def test_short_rows_are_a_few_thousand_in_a_group(tmp_path: Path) -> None:
    found = written(tmp_path / "short.parquet", [f"{i}" for i in range(GROUP + 1)])
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [GROUP, 1]
