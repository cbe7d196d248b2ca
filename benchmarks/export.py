"""Rows/s of an export, beside orjson alone writing the same rows; memory of the worker."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

CHUNK = 20_000
HELD = 20_000  # rows that orjson is given again and again
SENTENCE = (
    "the answer depends on how much water the pan holds and whether the lid is on so begin "
    "with a small flame stir twice and keep some salt back until the very end of it all"
)
WORDS = SENTENCE.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--labels-per-pair", type=int, default=1)
    parser.add_argument("--words", type=int, default=100, help="of a completion, on average")
    parser.add_argument("--everything", action="store_true", help="filters, split and extras too")
    parser.add_argument("--parquet", action="store_true")
    parser.add_argument("--folder", help="where to work; a folder of its own if not said")
    parser.add_argument("--child", choices=["fill", "export"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "fill":
        fill(options)
    elif options.child == "export":
        print(json.dumps(export(options)))
    else:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            compare(Path(name), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
    }
    environment.pop("DATABASE_URL", None)
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(manage, env=environment, check=True)
    same = [sys.executable, "-m", "benchmarks.export", *sys.argv[1:]]
    subprocess.run([*same, "--child", "fill"], env=environment, check=True)
    done = subprocess.run(
        [*same, "--child", "export"], env=environment, check=True, stdout=subprocess.PIPE
    )
    found = json.loads(done.stdout)
    files = [Path(found["folder"]) / name for name in found["files"]]
    written = sum(path.stat().st_size for path in files)
    rows = found["rows"]
    print(f"{options.labels:,} labels, {rows:,} rows, {written / 1e6:,.0f} MB")
    if not options.parquet:
        seconds, processor = orjson_alone(files, folder)
        print(
            f"orjson alone         {rows / seconds:12,.0f} rows/s, {seconds:.1f} s, "
            f"{processor:.1f} s of the processor's"
        )
        ratio, of_processor = seconds / found["seconds"], processor / found["processor"]
        print(
            f"the export           {rows / found['seconds']:12,.0f} rows/s, {ratio:.2f} of that, "
            f"{of_processor:.2f} by the processor's time"
        )
    print(f"  in                 {found['seconds']:12.1f} s")
    print(f"  of the processor's {found['processor']:12.1f} s")
    print(f"peak memory          {found['peak_mb']:12,.0f} MB")
    before = f"{found['idle_anonymous_mb']:,.0f} before the export"
    print(f"  of the process's   {found['anonymous_mb']:12,.0f} MB, {before}")
    print(f"  of mapped files    {found['file_mb']:12,.0f} MB")


def orjson_alone(files: list[Path], folder: Path) -> tuple[float, float]:
    """Seconds, and those of the processor, to write rows that are in memory, with orjson alone.

    They are held by the thousand: a million of them would not fit. Reading is not counted.
    """
    spent, worked = 0.0, 0.0
    with (folder / "alone").open("wb") as out:
        for path in files:
            with path.open("rb") as lines:
                while rows := [orjson.loads(line) for line in islice(lines, HELD)]:
                    processor, started = time.process_time(), time.perf_counter()
                    for row in rows:
                        out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                    spent += time.perf_counter() - started
                    worked += time.process_time() - processor
        processor, started = time.process_time(), time.perf_counter()
        out.flush()
        os.fsync(out.fileno())
        spent += time.perf_counter() - started
        return spent, worked + time.process_time() - processor


def export(options: argparse.Namespace) -> dict[str, Any]:
    """What a worker does, in a process of its own."""
    import django

    django.setup()
    from annotate.exporting.job import export_dataset, export_folder
    from annotate.exporting.options import Options
    from annotate.models import Campaign, Export

    class Silent:
        def report(self, done: int, total: int, message: str = "") -> None: ...

    asked = Options(extras=(), file_type="parquet" if options.parquet else "jsonl")
    if options.everything:
        asked = Options(
            min_agreement=0.5, max_per_prompt=50, test_share=0.1, file_type=asked.file_type
        )
    made = Export.objects.create(
        campaign=Campaign.objects.get(), format="trl", options=asked.to_json()
    )
    memory = Memory()
    idle = memory.highest["RssAnon"]
    processor, started = time.process_time(), time.perf_counter()
    export_dataset(made.pk, Silent())  # type: ignore[arg-type]
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    memory.stop()
    made.refresh_from_db()
    data = [one for one in made.files if one["rows"] is not None]
    return {
        "folder": str(export_folder(made)),
        "files": [one["name"] for one in data],
        "rows": sum(one["rows"] for one in data),
        "seconds": seconds,
        "processor": processor,
        "idle_anonymous_mb": idle / 1e3,
        "anonymous_mb": memory.highest["RssAnon"] / 1e3,
        "file_mb": memory.highest["RssFile"] / 1e3,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


class Memory:
    """The most of either kind of resident memory in KiB, looked at twenty times a second.

    Mapped files, the code of libraries among them, are the system's to take back.
    """

    def __init__(self) -> None:
        self.highest = {"RssAnon": 0, "RssFile": 0}
        self._stopped = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, said = line.partition(":")
            if name in self.highest:
                self.highest[name] = max(self.highest[name], int(said.split()[0]))

    def _work(self) -> None:
        while not self._stopped.wait(0.05):
            self._look()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._look()


def text(i: int, words: int) -> str:
    """Of about so many words, with a few marks that JSON escapes."""
    count = words // 2 + i * 7919 % words
    said = " ".join((WORDS * (count // len(WORDS) + 2))[i % len(WORDS) :][:count])
    return f'{i}. "{said[:40]}"\n\n{said[40:]}'


def fill(options: argparse.Namespace) -> None:
    """A campaign with its labels, by bulk inserts: ten pairs a prompt, each text in one pair."""
    import django

    django.setup()
    from uuid import UUID

    from django.contrib.auth.models import User
    from django.db import connection, transaction
    from django.utils import timezone

    from annotate.models import Campaign, Comparison, Judgement
    from pairselect.designs.models import Design, SelectedPair
    from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Variant

    each = options.labels_per_pair
    pairs = options.labels // each
    prompts, now = -(-pairs // 10), timezone.now()
    prompt_set = PromptSet.objects.create(name="bench", prompt_count=prompts, imported_at=now)
    pool = Pool.objects.create(
        name="bench", prompt_set=prompt_set, source="generated", model="a-model", completed_at=now
    )
    variant = Variant.objects.create(
        pool=pool, position=0, model="a-model", temperature=1.0, top_p=1.0,
        completions_per_prompt=20, fingerprint={"revision": "0" * 40, "torch": "2.13.0"},
    )  # fmt: skip
    design = Design.objects.create(
        name="bench", pool=pool, feature_kind="mean_middle", strategy="trace", budget=pairs,
        solved_at=now,
    )  # fmt: skip
    campaign = Campaign.objects.create(
        name="bench", design=design, labels_per_pair=each, strengths=2, opened_at=now
    )
    people = [User.objects.create(username=f"person{i}") for i in range(20)]

    def in_bulk(model: Any, fixed: dict[str, Any], rows: Iterator[dict[str, Any]]) -> None:
        """Without model instances: ten million rows of them would take an hour."""
        first = next(rows)
        columns = [*fixed, *first]
        marks = ", ".join(["%s"] * len(columns))
        names = ", ".join(f'"{name}"' for name in columns)
        insert = f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})"
        values = ((*fixed.values(), *row.values()) for row in chain([first], rows))
        with transaction.atomic(), connection.cursor() as cursor:
            while chunk := list(islice(values, CHUNK)):
                cursor.executemany(insert, chunk)

    in_bulk(
        Prompt,
        {"prompt_set_id": prompt_set.pk},
        (
            {
                "id": i + 1,
                "position": i,
                "external_id": f"p{i}",
                "messages": json.dumps([{"role": "user", "content": text(i, 40)}]),
                "metadata": json.dumps({"n": i}),
            }
            for i in range(prompts)
        ),
    )
    in_bulk(
        Completion,
        {"pool_id": pool.pk, "variant_id": variant.pk, "finish_reason": "stop", "model": "",
         "token_count": 100, "created_at": str(now)},
        (
            {"id": i + 1, "prompt_id": i // 20 + 1, "index": i % 20, "seed": i,
             "text": text(i, options.words)}
            for i in range(2 * pairs)
        ),
    )  # fmt: skip
    step = 7919  # the queue goes over the prompts in another order than the tables
    assert pairs % step, "choose another number of labels"
    in_bulk(
        SelectedPair,
        {"design_id": design.pk, "inclusion_probability": 1.0, "feature_distance": 1.23456789,
         "first_log_prob": -101.23456789, "second_log_prob": -98.7654321, "is_random": False,
         "rationale": "{}"},
        (
            {"id": i + 1, "position": i, "prompt_id": at // 10 + 1, "first_id": 2 * at + 1,
             "second_id": 2 * at + 2, "sensitivity": 0.123456789 * i}
            for i, at in ((i, i * step % pairs) for i in range(pairs))
        ),
    )  # fmt: skip
    in_bulk(
        Comparison,
        {"campaign_id": campaign.pk, "kind": "label", "attempt": 0, "labelled_at": str(now)},
        (
            {"id": i + 1, "pair_id": i // each + 1, "position": i // each, "slot": i % each,
             "first_on_left": i % 2 == 0, "annotator_id": people[(i // each + i % each) % 20].pk}
            for i in range(pairs * each)
        ),
    )  # fmt: skip
    choices = ("left", "right", "left", "right", "left", "right", "left", "tie")
    in_bulk(
        Judgement,
        {"criteria": "{}", "reason": "", "skip_reason": "", "seconds": 20.123,
         "active_seconds": 12.5, "created_at": str(now)},
        (
            {"id": i + 1, "comparison_id": i + 1, "choice": choices[i % 8],
             "annotator_id": people[(i // each + i % each) % 20].pk,
             "strength": None if i % 8 == 7 else 1 + i % 2, "first_on_left": i % 2 == 0,
             "lease": UUID(int=i + 1).hex}
            for i in range(pairs * each)
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
