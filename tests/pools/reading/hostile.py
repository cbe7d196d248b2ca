"""Files that must be refused in a sentence, quickly and in little memory; also for the pages."""

import gzip
import io
import json
import pickle
import random
import zipfile
import zlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

GOOD_LINES = b"".join(b'{"prompt": "number %d"}\n' % number for number in range(2000))


def gzip_bomb(size: int = 10_000_000_000, *, start: bytes = b"") -> bytes:
    """``size`` zero bytes (after ``start``) as 10 MB of gzip, made in no time.

    A block that is flushed in full is the same bytes wherever it stands, so it is repeated.
    """
    block = 1 << 24
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    beginning = squeeze.compress(start) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(bytes(block)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    # The checksum at the end is wrong; nobody may get so far.
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return header + beginning + zeros * (size // block) + b"\x03\x00" + bytes(8)


def zstd(data: bytes) -> bytes:
    packed = pa.compress(data, "zstd", asbytes=True)
    assert isinstance(packed, bytes)
    return packed


def zstd_bomb(size: int = 10_000_000_000, *, start: bytes = b"") -> bytes:
    """``size`` zero bytes (after ``start``) as frames of 64 MB each."""
    block = 1 << 26
    return (zstd(start) if start else b"") + zstd(bytes(block)) * (size // block)


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def good_parquet() -> bytes:
    return parquet(pa.table({"prompt": [f"number {number}" for number in range(2000)]}))


def parquet_bomb() -> bytes:
    """One text of 10 MB that a few bytes name 20,000 times."""
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 10_000_000])
    )
    table = pa.table({"prompt": text})
    return parquet(table, compression="zstd", dictionary_pagesize_limit=100_000_000)


def corrupt_footer() -> bytes:
    data = bytearray(good_parquet())
    for place in range(len(data) - 300, len(data) - 8):
        data[place] ^= 0x5A
    return bytes(data)


def huge_footer() -> bytes:
    return good_parquet()[:-8] + (0xFFFFFFF0).to_bytes(4, "little") + b"PAR1"


def more_rows_promised() -> bytes:
    """The footer says 3,000 rows where there are 2,000: its first varint of 2,000 is changed."""
    data = good_parquet()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    of_2000, of_3000 = b"\x16\xa0\x1f", b"\x16\xf0\x2e"  # type i64, then zigzag
    assert of_2000 in data[footer:]
    return data[:footer] + data[footer:].replace(of_2000, of_3000, 1)


def office_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def zip_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("prompts.jsonl", GOOD_LINES)
    return file.getvalue()


# Files of which nothing can be read: how each is made, and what the refusal says.
UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "mark_only": (lambda: b"\xef\xbb\xbf", "blank"),
    "blank_lines": (lambda: b"\n \r\n\t\n" * 50, "blank"),
    "megabytes_of_blank_lines": (lambda: b"\n" * 5_000_000, "blank"),
    "empty_gzip": (lambda: gzip.compress(b""), "holds nothing"),
    "truncated_gzip": (lambda: gzip.compress(random.Random(1).randbytes(9000))[:4000], "cut short"),
    "truncated_zstd": (lambda: zstd(random.Random(1).randbytes(9000))[:4000], "cut short"),
    "damaged_gzip": (lambda: b"\x1f\x8b\x08\x00" + b"\xff" * 500, "damaged"),
    "damaged_zstd": (lambda: b"\x28\xb5\x2f\xfd" + b"\xff" * 500, "zstd"),
    "packed_twice": (lambda: gzip.compress(gzip.compress(GOOD_LINES)), "packed twice"),
    "zeros_gzip_bomb": (gzip_bomb, "NUL"),
    "zeros_zstd_bomb": (zstd_bomb, "NUL"),
    "utf16": (lambda: GOOD_LINES.decode().encode("utf-16"), "UTF-16"),
    "utf16_without_mark": (lambda: GOOD_LINES.decode().encode("utf-16-le"), "UTF-16"),
    "latin1_header": (lambda: "prömpt,id\na,1\n".encode("latin-1"), "not UTF-8"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    "zip": (zip_file, "zip archive"),
    "xlsx": (office_file, "Excel"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
    "pickle": (lambda: pickle.dumps([{"prompt": "a"}]), "pickle"),
    "web_page": (lambda: b"\n<!DOCTYPE html><html></html>", "web page"),
    "lfs_pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull"),
    "bytes_without_sense": (lambda: random.Random(2).randbytes(5000), "not"),
    "pretty_printed_object": (
        lambda: json.dumps({"prompt": "a", "id": 1}, indent=2).encode(),
        "one JSON object over several lines",
    ),
    "csv_header_quote_never_closed": (lambda: b'"prompt,id\n' + b"a,1\n" * 3, "never closed"),
    "csv_of_a_million_columns": (
        lambda: ",".join(f"c{place}" for place in range(1_000_000)).encode() + b"\n",
        "1,000,000 columns",
    ),
    "csv_with_a_column_twice": (lambda: b"prompt,prompt\na,b\n", "Two columns"),
    "parquet_truncated": (lambda: good_parquet()[:-500], "cut short"),
    "parquet_corrupt_footer": (corrupt_footer, "damaged"),
    "parquet_huge_footer": (huge_footer, "longer than the file"),
    "parquet_only_magic": (lambda: b"PAR1", "cut short"),
    "parquet_with_a_column_twice": (
        lambda: parquet(pa.table([["a"], ["b"]], names=["prompt", "prompt"])),
        "Two columns",
    ),
}

# Files that are good at first: what the refusal says when a reader gets to the fault.
BROKEN_LATER: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip_bomb": (lambda: gzip_bomb(start=GOOD_LINES), "unpacks to more than"),
    "zstd_bomb": (lambda: zstd_bomb(start=GOOD_LINES), "unpacks to more than"),
    "gzip_without_its_end": (lambda: gzip.compress(GOOD_LINES * 50)[:-9], "cut short"),
    "json_never_closed": (lambda: b'[{"prompt": "a"},{"prompt": "b"}', "never closed"),
    "json_cut_in_a_text": (lambda: b'[{"prompt": "a"},{"prompt": "b', "never closed"),
    "json_with_junk_behind": (lambda: b'[{"prompt": "a"}] [1]', "goes on after"),
    "json_without_comma": (lambda: b'[{"prompt": "a"}{"prompt": "b"}]', "no comma"),
    "json_with_a_comma_too_many": (lambda: b'[{"prompt": "a"},]', "comma too many"),
    "json_with_an_endless_text": (
        lambda: b'[{"prompt": "a"},{"prompt": "' + b"a" * 11_000_000,
        "longer than 10,000,000",
    ),
    "json_with_endless_brackets": (lambda: b'[{"prompt": "a"},' + b"[" * 100_000, "never closed"),
    "csv_quote_never_closed": (
        lambda: b'prompt\nfirst\n"second\n' + b"more\n" * 1000,
        "line 3 is never closed",
    ),
    "csv_endless_quote": (
        lambda: b'prompt\nfirst\n"second\n' + b"more\n" * 3_000_000,
        "begins on line 3 is longer",
    ),
    "parquet_more_rows_promised": (more_rows_promised, "damaged"),
}

# Files with one bad row between good ones: what is said of that row.
BAD_ROW: dict[str, tuple[Callable[[], bytes], str]] = {
    name: (lambda line=line: b'{"prompt": "good"}\n' + line + b'\n{"prompt": "good"}\n', said)
    for name, line, said in [
        (
            "ten_megabytes_on_a_line",
            b'{"prompt": "' + b"a" * 10_000_001 + b'"}',
            "10,000,000 bytes",
        ),
        ("too_many_characters", b'{"prompt": "' + b"a" * 200_001 + b'"}', "200,001 characters"),
        ("latin1", '{"prompt": "é"}'.encode("latin-1"), "not UTF-8"),
        ("nul_byte", b'{"prompt": "a\x00b"}', "NUL"),
        ("nul_escape", b'{"prompt": "a\\u0000b"}', "NUL"),
        ("nul_in_metadata", b'{"prompt": "a", "metadata": {"k": ["b\\u0000"]}}', "NUL"),
        ("lone_surrogate", b'{"prompt": "\\ud800"}', "surrogate"),
        ("not_json", b"{prompt: 3}", "not JSON"),
        ("not_an_object", b"[1]", "not a JSON object"),
        ("not_a_number", b'{"prompt": "a", "metadata": {"k": NaN}}', "not JSON"),
        ("infinite_number", b'{"prompt": "a", "metadata": {"k": 1e999}}', "too large"),
        ("empty_prompt", b'{"prompt": " \\n"}', "is empty"),
        ("no_prompt", b'{"id": 1}', 'no "prompt"'),
        ("number_for_a_prompt", b'{"prompt": 3}', "not a text"),
        ("huge_identifier", b'{"prompt": "a", "id": ' + b"9" * 40 + b"}", "neither a text"),
        (
            "nested_1000_deep",
            b'{"prompt": "a", "metadata": ' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
            "nested",
        ),
        (
            "nested_100000_deep",
            b'{"prompt": "a", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "nested",
        ),
    ]
}
BAD_ROW |= {
    "csv_short_row": (lambda: b"id,prompt\n1,good\n2\n3,good\n", "1 cells, the header 2"),
    "csv_long_row": (lambda: b"id,prompt\n1,good\n2,a,b,c\n3,good\n", "4 cells"),
    "csv_text_after_a_quote": (lambda: b'id,prompt\n1,good\n2,"a"b\n3,good\n', "quotes"),
    "csv_latin1": (lambda: b"id,prompt\n1,good\n2,\xe9\n3,good\n", "not UTF-8"),
    "csv_nul": (lambda: _late_nul(), "NUL"),
    "json_item_too_deep": (
        lambda: b'[{"prompt": "good"},' + b"[" * 5000 + b"]" * 5000 + b',{"prompt": "good"}]',
        "nested too deep",
    ),
    "json_item_a_text": (lambda: b'[{"prompt": "good"}, "a,]", {"prompt": "good"}]', "object"),
    "parquet_not_utf8": (
        lambda: parquet(
            pa.table(
                {
                    "prompt": pa.Array.from_buffers(
                        pa.string(), 3, pa.array([b"good", b"\xff", b"good"]).buffers()
                    )
                }
            )
        ),
        "not UTF-8",
    ),
    "parquet_null": (lambda: parquet(pa.table({"prompt": ["good", None, "good"]})), "missing"),
}


def _late_nul() -> bytes:
    """A NUL behind the beginning by which a text is told from other files."""
    return b"prompt\n" + b"good\n" * 20_000 + b"a\x00\n" + b"good\n"
