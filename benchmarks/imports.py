"""Rows/s of an import, beside reading alone and beside orjson alone; memory of the worker."""

import argparse
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from pairselect.pools.reading import Columns, Limits, read_rows

COLUMNS = Columns("prompts", prompt="prompt", id="id")
BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=["jsonl", "json", "csv", "parquet"], default="jsonl")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--import-only", type=Path, help=argparse.SUPPRESS)  # the child's
    options = parser.parse_args()
    if options.import_only:
        print(json.dumps(import_file(options.import_only)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "lines"
        with lines.open("wb") as file:
            write_jsonl(file, options.rows)
        source = lines
        if options.format != "jsonl" or options.gzip:
            source = write(folder, options.rows, options.format, packed=options.gzip)
        size = source.stat().st_size
        print(f"{options.rows:,} prompts, {size / 1e6:,.0f} MB of {options.format}")
        alone = options.rows / parse_alone(lines)
        reading = options.rows / read_alone(source)
        child = in_child(source, folder)
        whole = options.rows / child["seconds"]
        print(f"orjson alone, its lines  {alone:12,.0f} rows/s")
        print(f"reading alone            {reading:12,.0f} rows/s, {reading / alone:.2f} of that")
        print(f"the whole import         {whole:12,.0f} rows/s, {whole / alone:.2f} of that")
        print(f"  in                     {child['seconds']:12.1f} s")
        print(f"  of the processor's     {child['processor']:12.1f} s")
        print(f"peak memory of the worker{child['peak_mb']:12,.0f} MB")
        print(f"  before the import      {child['idle_mb']:12,.0f} MB")
        print(f"the database             {child['database_mb']:12,.0f} MB")


def prompts(rows: int) -> Iterator[dict[str, str]]:
    for i in range(rows):
        what = f"a bicycle with {i % 977} wheels and {i} bells"
        yield {"id": f"p{i}", "prompt": f"Explain to a careful reader what {what} would be for."}


def write_jsonl(file: IO[bytes], rows: int) -> None:
    for row in prompts(rows):
        file.write(orjson.dumps(row) + b"\n")


def write(folder: Path, rows: int, form: str, *, packed: bool) -> Path:
    path = folder / "source"
    if form == "parquet":
        write_parquet(path, rows)
        return path
    with gzip.open(path, "wb", compresslevel=6) if packed else path.open("wb") as opened:
        file: Any = opened
        if form == "jsonl":
            write_jsonl(file, rows)
        elif form == "csv":
            with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
                table = csv.DictWriter(text, ["id", "prompt"])
                table.writeheader()
                table.writerows(prompts(rows))
        else:
            file.write(b"[")
            for place, row in enumerate(prompts(rows)):
                file.write(b",\n" * (place > 0) + orjson.dumps(row))
            file.write(b"]")
    return path


def write_parquet(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.string()), ("prompt", pa.string())])
    source = prompts(rows)
    with pq.ParquetWriter(path, schema) as file:
        while batch := list(islice(source, 10 * BATCH)):
            file.write_table(pa.Table.from_pylist(batch, schema))


def parse_alone(lines: Path) -> float:
    started = time.perf_counter()
    with lines.open("rb") as file:
        for line in file:
            orjson.loads(line)
    return time.perf_counter() - started


def read_alone(source: Path) -> float:
    limits = Limits(expanded_bytes=20_000_000_000, rows=10_000_000, characters=200_000)
    started = time.perf_counter()
    with source.open("rb") as file:
        for _ in read_rows(file, COLUMNS, limits, on_problem=print):
            pass
    return time.perf_counter() - started


def in_child(source: Path, folder: Path) -> dict[str, float]:
    """The import as a worker runs it, in a process and a database of its own."""
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
        "PAIRSELECT_MAX_ROWS": "100000000",
    }
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(manage, env=environment, check=True)
    child = [sys.executable, "-m", "benchmarks.imports", "--import-only", str(source)]
    done = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE)
    facts: dict[str, float] = json.loads(done.stdout)
    size = sum(path.stat().st_size for path in (folder / "data").glob("pairselect.sqlite3*"))
    return facts | {"database_mb": size / 1e6}


def import_file(source: Path) -> dict[str, float]:
    import django

    django.setup()
    from pairselect.jobs.actions import run_now
    from pairselect.pools.imports.confirming import confirm_upload
    from pairselect.pools.imports.staging import open_local, stage_upload

    with open_local(str(source)) as file:
        upload = stage_upload(file, name="benchmark", file_name=source.name)
    run_now("inspect_upload", upload.pk)
    prompt_set = confirm_upload(upload, columns=COLUMNS, name="benchmark")
    idle = peak_mb()
    started, processor = time.perf_counter(), time.process_time()
    run_now("import_prompts", prompt_set.pk)
    return {
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - processor,
        "idle_mb": idle,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """Of this process alone: what `getrusage` says includes the parent's before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]


if __name__ == "__main__":
    main()
