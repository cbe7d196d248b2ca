"""Real files with their bytes changed at random: rows or a sentence, and nothing between."""

import gzip
import io
import json
import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from annotate.gold import GoldRefused, read_gold
from pairselect.jobs.models import Job
from pairselect.pools.imports import NOTHING
from pairselect.pools.imports.confirming import begin_import
from pairselect.pools.models import Completion, Prompt, PromptSet, Upload
from pairselect.pools.naming import NameRefused
from pairselect.pools.reading import (
    Columns,
    Limits,
    Preview,
    UnreadableFile,
    preview,
    read_rows,
)
from tests.conftest import People, run_queued_jobs
from tests.pools.reading.hostile import zstd
from tests.pools.support import send
from tests.trust.fuzzing import PATIENTLY, tried
from tests.trust.watching import nothing_stays, row_counts

pytestmark = PATIENTLY
LIMITS = Limits(expanded_bytes=20_000_000, rows=2_000, characters=10_000)
ROWS = [
    {"id": f"r{n}", "prompt": f"Frage {n}: wie groß?", "completions": [f"{n} µm", f"“{n}”", "\n"],
     "system": "Be brief.", "metadata": {"n": n, "deep": [{"a": None}, 1e-9, True]}}
    for n in range(12)
]  # fmt: skip
TALKS = [
    {"chosen": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "yes"}],
     "rejected": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "no"}]}
    for n in range(8)
]  # fmt: skip
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
TABLE = b"".join(
    f'{n},"Was ist, {n}?","a ""quoted"" one\nover lines",b{n}\r\n'.encode() for n in range(12)
)


def parquet(rows: list[dict[str, object]], compression: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, compression=compression)
    return file.getvalue()


PLAIN = [{"prompt": f"number {n}", "response_a": "x" * n, "response_b": "y"} for n in range(20)]
SEEDS: dict[str, bytes] = {
    "jsonl": LINES,
    "preferences": b"".join(json.dumps(row).encode() + b"\n" for row in TALKS),
    "json": json.dumps(ROWS, indent=1).encode(),
    "csv": b"id,prompt,response_a,response_b\r\n" + TABLE,
    "csv by semicolons": (b"id,prompt,response_a\n" + b"1,a,b\n" * 9).replace(b",", b";"),
    "parquet": parquet(PLAIN, "none"),
    "parquet, packed": parquet(PLAIN, "zstd"),
    "gzip": gzip.compress(LINES, mtime=0),
    "zstd": zstd(LINES),
    "gzip of csv": gzip.compress(b"id,prompt\n1,a\n2,b\n", mtime=0),
}
PIECES = [b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b"'", b",", b";", b"\t", b"\n",
          b"\r", b"{", b"}", b"[", b"]", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"null", b"=1+1",
          b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xff\xff\x7f", b"\x80" * 9, b"-1",
          b"prompt", b'"prompt":', b"9" * 400, b"A" * 11_000, b"[" * 2_000,
          b"\n" * 500]  # fmt: skip
Change = tuple[str, int, int, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "cut", "repeat", "end"]),
        st.integers(0, 1 << 16),
        st.integers(0, 600),
        st.one_of(st.sampled_from(PIECES), st.binary(min_size=1, max_size=6)),
    ),
    min_size=1,
    max_size=6,
)


def changed(data: bytes, done: list[Change]) -> bytes:
    made = bytearray(data)
    for what, place, length, piece in done:
        at = place % (len(made) + 1)
        if what == "set":
            made[at : at + len(piece)] = piece
        elif what == "insert":
            made[at:at] = piece
        elif what == "cut":
            del made[at : at + length]
        elif what == "repeat":
            made[at:at] = made[at : at + length] * 3
        else:
            del made[at:]
    return bytes(made)


files = st.builds(changed, st.sampled_from(sorted(SEEDS)).map(SEEDS.__getitem__), changes)


def is_a_sentence(text: str) -> bool:
    return text[:1].isprintable() and text.endswith((".", "…")) and len(text) < 1_000


def told(read: Callable[[], object]) -> str:
    """What is said where the file is refused; anything else that is raised fails the test."""
    try:
        read()
    except UnreadableFile as problem:
        said = str(problem)
    else:
        said = ""
    assert not said or is_a_sentence(said), said
    return said


@tried()
@given(data=files, columns=st.sampled_from([None, "prompts", "pool"]))
def test_a_reader_gives_rows_or_a_sentence(data: bytes, columns: str | None) -> None:
    found: list[Preview] = []
    told(lambda: found.append(preview(io.BytesIO(data), LIMITS)))
    mapping = found[0].mapping if found else None
    if columns == "prompts" or mapping is None:
        mapping = Columns("prompts", prompt="prompt")
    elif columns == "pool":
        mapping = Columns("pool", prompt="prompt", completions="completions")
    problems: list[str] = []

    def read() -> None:
        for row in read_rows(
            io.BytesIO(data), mapping, LIMITS, on_problem=lambda one: problems.append(one.message)
        ):
            json.dumps(str(row)).encode()  # whatever comes can be written down

    told(read)
    assert all(one and one[0].isprintable() and len(one) < 1_000 for one in problems)


@override_settings(
    PAIRSELECT_MAX_UNPACKED=20_000_000, PAIRSELECT_MAX_ROWS=2_000, PAIRSELECT_MAX_CHARACTERS=10_000
)
@pytest.mark.django_db
@tried(0.1)
@given(data=files)
def test_an_import_is_whole_or_nothing(people: People, data: bytes) -> None:
    """By the upload page and the workers: a refused file leaves no prompt and no completion."""
    with nothing_stays():
        before = row_counts()
        if not data:
            return
        upload = send(people.client(people.admin), data)
        job = Job.objects.latest("pk")
        if upload.preview is not None:
            mapping = upload.preview["mapping"] or {"kind": "prompts", "prompt": "prompt"}
            try:
                begin_import(upload, columns=Columns.from_dict(mapping), name="mine")
            except NameRefused:
                return
            Job.objects.filter(kind__in=("extract_features", "report_pool")).update(
                status=Job.Status.CANCELLED  # of models, not of files
            )
            run_queued_jobs()
            job = Job.objects.filter(kind__startswith="import_").latest("pk")
        assert job.status in ("done", "failed")
        if job.status == "failed":
            assert job.error.startswith(NOTHING) or upload.preview is None
            assert not re.search(r"Unexpected \w+: ", job.error)
            assert "database refused" not in job.error
            after = row_counts()
            for table in ("pools_prompt", "pools_completion"):
                assert after[table] == before[table]
        elif job.kind != "inspect_upload":
            stored = PromptSet.objects.get()
            assert stored.prompt_count == Prompt.objects.count() > 0
            assert "\x00" not in "".join(Completion.objects.values_list("text", flat=True))
            assert Upload.objects.get().row_count is not None


@pytest.mark.django_db
@tried(0.5)
@given(done=changes)
def test_a_file_of_gold_pairs_gives_pairs_or_a_sentence(done: list[Change]) -> None:
    pairs = [{"prompt": f"{n} + 2?", "better": f"{n + 2}", "worse": "5", "explanation": "By hand."}
             for n in range(6)]  # fmt: skip
    data = changed(b"".join(json.dumps(one).encode() + b"\n" for one in pairs), done)
    found, said = [], ""
    try:
        found = list(read_gold(data))
    except GoldRefused as problem:
        said = str(problem)
    assert bool(found) != bool(said)
    assert not said or is_a_sentence(said), said
