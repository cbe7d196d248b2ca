"""Which format a file is in, by its content; what it is instead, where it is none of ours."""

import codecs
import io
import re
from dataclasses import dataclass
from typing import IO, Any

from pairselect.pools.reading.rows import UnreadableFile
from pairselect.pools.reading.source import BUFFER, Source, compression_of

BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n\f\v"
TAKEN = "give a JSONL, JSON, CSV or Parquet file"

# What is uploaded by mistake: first bytes, and what to say.
STRANGERS = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF89a", "a GIF picture"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"\xfd7zXZ", "an xz file"),
    (b"ARROW1\x00", "an Arrow (Feather) file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GGUF\x03", "a GGUF model"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "a rich-text document"),
)
PICKLE = re.compile(rb"\x80[\x02-\x05]")
CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a]")
BZIP2 = re.compile(rb"BZh[1-9]1AY")
WEB_PAGE = re.compile(rb"<(!doctype|html|\?xml)", re.IGNORECASE)


@dataclass
class Opened:
    """A file whose format is known. ``reader`` stands after the byte order mark.

    ``format`` is ``jsonl``, ``json``, ``csv`` or ``parquet``; ``compression`` is ``gzip``,
    ``zstd`` or empty.
    """

    format: str
    compression: str
    reader: "io.BufferedReader[Any]"
    file: IO[bytes]
    source: Source


def recognise(file: IO[bytes], most: int) -> Opened:
    """Unpack a file and tell its format.

    Raises
    ------
    UnreadableFile
        If it is empty, damaged, or in none of the four formats.
    """
    source = Source(file, most)
    reader: io.BufferedReader[Any] = io.BufferedReader(source, BUFFER)
    # One read of the source fills the buffer. (TooLarge can only come where `most` is tiny.)
    head = reader.peek(1)
    return Opened(
        _format(head, source.compression, reader), source.compression, reader, file, source
    )


def _format(head: bytes, compression: str, reader: "io.BufferedReader[Any]") -> str:
    if not head:
        raise UnreadableFile(
            f"The {compression} file holds nothing; {TAKEN}."
            if compression
            else f"The file is empty; {TAKEN}."
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    _refuse_strangers(head)
    if head.startswith(BOM):
        reader.read(len(BOM))
        head = head.removeprefix(BOM)
    text = head.lstrip(BLANK)
    if not text:
        raise UnreadableFile(
            f"The file begins with {len(head):,} blank characters and no row; {TAKEN}."
            if len(head) > 1000
            else f"The file holds blank lines only; {TAKEN}."
        )
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        _refuse_one_object(text)
        return "jsonl"
    _refuse_binary(text)
    return "csv"


def _refuse_strangers(head: bytes) -> None:
    for magic, what in STRANGERS:
        if head.startswith(magic):
            raise UnreadableFile(f"This is {what}; {TAKEN}.")
    if head.startswith(b"PK\x03\x04"):
        what = "a zip archive; unpack it first"
        if b"xl/" in head or b"[Content_Types].xml" in head[:200]:
            what = "an Excel or other Office file; save it as CSV (UTF-8)"
        elif b".pkl" in head[:200] or b"data.pkl" in head:
            what = f"a PyTorch file; {TAKEN}"
        raise UnreadableFile(f"This is {what}.")
    if head.startswith(b"PARE"):
        raise UnreadableFile("The Parquet file is encrypted; write it without encryption.")
    if BZIP2.match(head):
        raise UnreadableFile("This is a bzip2 file; unpack it first, or pack it with gzip.")
    if PICKLE.match(head):
        raise UnreadableFile(f"This is a Python pickle, which is never opened here; {TAKEN}.")
    if head[257:262] == b"ustar":
        raise UnreadableFile("This is a tar archive; unpack it first.")
    if again := compression_of(head):
        raise UnreadableFile(f"The file is packed twice; unpack the {again} file in it first.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile("The file is in UTF-16; save it as UTF-8.")
    if head.startswith(b"version https://git-lfs"):
        raise UnreadableFile("This is a Git LFS pointer, not the data; fetch it with git lfs pull.")
    if WEB_PAGE.match(head.removeprefix(BOM).lstrip(BLANK)):
        raise UnreadableFile(f"This is a web page or XML; {TAKEN}.")
    if re.match(rb"[{\[]\x00|\x00[{\[]", head):
        raise UnreadableFile("The file is in UTF-16 without a byte order mark; save it as UTF-8.")


def _refuse_one_object(text: bytes) -> None:
    first, _, rest = text.partition(b"\n")
    if first.strip() == b"{" and rest.strip():
        raise UnreadableFile(
            "The file is one JSON object over several lines; "
            "write one object a line, or one list of objects."
        )


def _refuse_binary(text: bytes) -> None:
    start = text[:65536]
    if b"\x00" in start:
        raise UnreadableFile(f"The file holds NUL bytes, so it is not a text; {TAKEN}.")
    line = start.splitlines()[0]
    if CONTROL.search(line):
        raise UnreadableFile(f"The file is not a text; {TAKEN}.")
    try:
        # Incremental: a character cut in two by the end of the block is no fault.
        codecs.getincrementaldecoder("utf-8")().decode(line, final=len(line) < len(start))
    except UnicodeDecodeError:
        raise UnreadableFile("The first line is not UTF-8; save the file as UTF-8.") from None
