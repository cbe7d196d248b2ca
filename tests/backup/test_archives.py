"""Archives that are damaged, or that somebody made to do harm. Nothing of them is believed."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pairselect.backup import BackupError
from pairselect.backup.archive import facts_of, read_archive, write_archive
from pairselect.backup.checking import check_backup, check_files
from pairselect.backup.manifest import FileFacts, Manifest

DATABASE, UPLOAD = "pairselect.sqlite3", "uploads/uploads/abc"
CONTENT = {DATABASE: b"not much of a database", UPLOAD: "prompts, Grüße\n".encode() * 9000}


def quiet(*args: object) -> None: ...


def manifest_of(content: dict[str, bytes], folder: Path, **changed: Any) -> Manifest:
    files = {}
    for i, (name, data) in enumerate(content.items()):
        (folder / str(i)).write_bytes(data)
        files[name] = facts_of(folder / str(i), quiet)
    said = {
        "version": "1",
        "made_at": "2026-11-22T00:00:00+00:00",
        "database": "sqlite",
        "server": "3",
        "migrations": {},
        "tables": {},
        "files": files,
        "lost": [],
        "secrets": False,
    }
    return Manifest(**(said | changed))


def packed(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for header, data in members:
            if header.isreg():
                header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return gzip.compress(out.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    return header


@pytest.fixture
def manifest(tmp_path: Path) -> bytes:
    return manifest_of(CONTENT, tmp_path).to_json()


def whole(manifest: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    found = [(member("manifest.json"), manifest)]
    return found + [(member(name), data) for name, data in CONTENT.items()]


def read(path: Path) -> dict[str, bytes]:
    _, files = read_archive(path)
    return {name: b"".join(chunks) for name, chunks in files}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[bytes], str]:
    """Read it, as each command does; gives the sentence."""

    def of(content: bytes) -> str:
        path = tmp_path / "hostile.tar.gz"
        path.write_bytes(content)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(BackupError) as told:
            check_files(path, quiet)
        with pytest.raises(BackupError):
            check_backup(path, quiet)
        assert sorted(tmp_path.rglob("*")) == before
        assert str(told.value).endswith(".")
        return str(told.value)

    return of


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = CONTENT | {f"exports/{'x' * 300}/empty": b"", "identity_phrases.txt": b"As an AI"}
    manifest = manifest_of(content, tmp_path)
    sources = {name: tmp_path / str(i) for i, name in enumerate(content)}
    for name in ("one", "two"):
        with (tmp_path / name).open("wb") as file:
            write_archive(file, manifest, sources, quiet)
    assert read(tmp_path / "one") == content
    assert read_archive(tmp_path / "one")[0] == manifest
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:  # any tar unpacks it
        assert archive.getnames() == ["manifest.json", *content]


def test_a_whole_one_is_taken(tmp_path: Path, manifest: bytes) -> None:
    """The others differ from this one in what they are refused for."""
    path = tmp_path / "whole.tar.gz"
    path.write_bytes(packed(whole(manifest)))
    assert read(path) == CONTENT


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "../../secret_key"),
        (tarfile.DIRTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.GNUTYPE_SPARSE, ""),
        (tarfile.CONTTYPE, ""),
    ],
)
def test_only_plain_files_are_members(
    kind: bytes, link: str, manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    members = whole(manifest)
    members[2] = (member(UPLOAD, kind, link), b"")
    assert "no plain file" in refused(packed(members))


@pytest.mark.parametrize(
    "name",
    [
        "../secret_key",
        "/etc/passwd",
        "uploads/../../x",
        "uploads/./x",
        "uploads//x",
        "uploads/",
        "uploads",
        "uploads\\..\\x",
        "uploads/a\nb",
        "secret_key/x",
        "pairselect.sqlite3-wal",
        "static/app.js",
        "",
        "uploads/" + "x" * 600,
    ],
)
def test_no_name_leads_elsewhere(
    name: str, tmp_path: Path, refused: Callable[[bytes], str]
) -> None:
    content = CONTENT | {name: b"mine"}
    named = manifest_of(content, tmp_path).to_json()
    members = [*whole(named), (member(name), b"mine")]
    assert "has no place here" in refused(packed(members))


@pytest.mark.parametrize("name", ["../../outside", UPLOAD, "manifest.json", "uploads/other"])
def test_a_member_that_the_manifest_does_not_name_ends_it(
    name: str, manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    members = [*whole(manifest), (member(name), CONTENT[UPLOAD])]
    assert "is not as its manifest says" in refused(packed(members))


def test_a_member_has_the_length_that_is_declared(
    manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    """Else a few bytes could unpack to a full disk."""
    members = whole(manifest)
    members[2] = (member(UPLOAD), bytes(50_000_000))
    assert "is not as its manifest says" in refused(packed(members))


def test_what_would_not_fit_is_not_unpacked(
    tmp_path: Path, refused: Callable[[bytes], str]
) -> None:
    files = {DATABASE: FileFacts(10**18, "0" * 64)}
    huge = manifest_of({}, tmp_path, files=files).to_json()
    header = member(DATABASE)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        first = member("manifest.json")
        first.size = len(huge)
        archive.addfile(first, io.BytesIO(huge))
        header.size = 10**18
        out.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(100_000))
        content = out.getvalue()
    path = tmp_path / "huge.tar.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(BackupError, match="make room first"):
        check_backup(path, quiet)


def test_an_extended_header_is_not_read(manifest: bytes, refused: Callable[[bytes], str]) -> None:
    """tarfile would read all of it into memory, whatever its length."""
    long = member(UPLOAD)
    long.pax_headers = {"comment": "x" * 1000}
    members = [*whole(manifest)[:2], (long, CONTENT[UPLOAD])]
    assert "no plain file" in refused(packed(members, tarfile.PAX_FORMAT))
    name = member("uploads/" + "y" * 5000)
    assert "no plain file" in refused(packed([*whole(manifest), (name, b"")]))


def test_what_is_missing_is_said(manifest: bytes, refused: Callable[[bytes], str]) -> None:
    assert f"{UPLOAD!r} is not in it" in refused(packed(whole(manifest)[:2]))


def test_a_changed_byte_is_found(manifest: bytes, refused: Callable[[bytes], str]) -> None:
    members = whole(manifest)
    data = bytearray(CONTENT[UPLOAD])
    data[70_000] ^= 1
    members[2] = (member(UPLOAD), bytes(data))
    assert refused(packed(members)) == (
        f"The backup's {UPLOAD!r} has changed: its SHA-256 is another."
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_one_that_is_cut_off_is_refused(
    share: float, manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    content = packed(whole(manifest))
    refused(content[: int(len(content) * share)])


def test_one_that_goes_on_is_refused(manifest: bytes, refused: Callable[[bytes], str]) -> None:
    content = gzip.decompress(packed(whole(manifest)))
    assert "goes on after its end" in refused(gzip.compress(content + bytes(10_000_000)))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", gzip.compress(b"hello", mtime=0), gzip.compress(b"", mtime=0)],
    ids=["nothing", "text", "packed text", "packed nothing"],
)
def test_what_is_no_backup_is_refused(content: bytes, refused: Callable[[bytes], str]) -> None:
    refused(content)


def test_the_manifest_comes_first(manifest: bytes, refused: Callable[[bytes], str]) -> None:
    assert "begins with no manifest" in refused(packed(whole(manifest)[::-1]))


@pytest.mark.parametrize(
    "changed",
    [
        {"product": "another"},
        {"database": "mysql"},
        {"files": []},
        {"files": {DATABASE: {"bytes": -1, "sha256": "0" * 64}}},
        {"files": {DATABASE: {"bytes": True, "sha256": "0" * 64}}},
        {"files": {DATABASE: {"bytes": 1, "sha256": "0"}}},
        {"tables": {"a": "b"}},
        {"tables": []},
        {"migrations": {"a": "b"}},
        {"migrations": {"a": [1]}},
        {"version": None},
        {"version": "\x1b]0;a terminal obeys\x07"},
        {"made_at": "2026\nThe audit trail is whole."},
        {"lost": 3},
        {"lost": [3]},
        {"lost": ["exports/\x1b[2J"]},
        {"unknown": 1},
        {"form": "1"},
    ],
)
def test_a_manifest_of_other_types_is_refused(
    changed: dict[str, Any], manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    told = json.loads(manifest) | changed
    refused(packed([(member("manifest.json"), json.dumps(told).encode()), *whole(manifest)[1:]]))


@pytest.mark.parametrize("content", [b"[]", b"1", b"{", b"\xff", b"[" * 100_000, b"{}"])
def test_a_manifest_that_is_none_is_refused(
    content: bytes, manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    refused(packed([(member("manifest.json"), content), *whole(manifest)[1:]]))


def test_a_later_form_is_for_a_newer_version(
    manifest: bytes, refused: Callable[[bytes], str]
) -> None:
    told = json.dumps(json.loads(manifest) | {"form": 2}).encode()
    assert "newer pairselect" in refused(packed([(member("manifest.json"), told)]))
