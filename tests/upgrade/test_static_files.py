"""Static files under names that tell their content: no page mixes two versions."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import RequestFactory
from pytest_django import Settings
from whitenoise.middleware import WhiteNoiseMiddleware

from pairselect import fingerprints

HASHED = re.compile(r"\.[0-9a-f]{12}(\.\w+)?$")
IMPORT = r"""^import[^"']*?|^\}\s*from\s*|^export[^"']*?from\s*|\bimport\(|new URL\("""
REFERENCES = {  # what a file asks for, by its suffix
    ".js": re.compile(rf"""(?:{IMPORT})["']([./][^"']+)["']""", re.MULTILINE),
    ".css": re.compile(r"""(?:url\(|@import\s)\s*["']?([^"')]+)["']?"""),
}


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    _forget()
    yield settings.STATIC_ROOT
    _forget()


def _forget() -> None:
    """As in a new process."""
    fingerprints.version.cache_clear()
    finders.get_finder.cache_clear()


def storage() -> fingerprints.FingerprintedStorage:
    return fingerprints.FingerprintedStorage()


def published(root: Path) -> set[str]:
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in found if HASHED.search(name)}


@dataclass
class Answer:
    headers: dict[str, str]
    body: bytes


def ask(address: str, **headers: str) -> Answer | None:
    """Of a web process that starts now; None where there is no such file."""
    middleware = WhiteNoiseMiddleware(lambda request: None)
    response = middleware(RequestFactory().get(address, headers=headers))
    if response is None:
        return None
    assert response.status_code == 200
    found = Answer(dict(response.items()), b"".join(response))
    response.file_to_stream.close()  # not the response: that would look after the database
    return found


def test_every_file_is_published_under_its_content(root: Path) -> None:
    fingerprints.publish()
    names = published(root)
    checkout = Path(__file__).resolve().parent.parent.parent / "static"
    for path in checkout.rglob("*"):
        name = path.relative_to(checkout).as_posix()
        if path.is_file():
            stored = storage().stored_name(name)
            assert HASHED.search(stored), name
            assert stored in names
    assert storage().url("js/desk/main.js") != "/static/js/desk/main.js"


def test_what_a_file_asks_for_is_published_too(root: Path) -> None:
    """Each import, address and font: none leads to a plain name."""
    fingerprints.publish()
    seen: dict[str, int] = {".js": 0, ".css": 0}
    for name in sorted(published(root)):
        path = root / name
        if path.suffix not in REFERENCES or name.startswith("admin/"):
            continue
        without_comments = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for asked in REFERENCES[path.suffix].findall(without_comments):
            if asked.startswith(("data:", "#")):
                continue
            seen[path.suffix] += 1
            assert HASHED.search(asked), f"{name} asks for {asked}"
            assert (path.parent / asked).resolve().is_file(), f"{name} asks for {asked}"
    assert seen[".js"] > 50
    assert seen[".css"] > 15


def test_no_script_names_a_static_file_in_another_way() -> None:
    scripts = Path(__file__).resolve().parent.parent.parent / "static" / "js"
    for path in scripts.rglob("*.js"):
        text = path.read_text()
        assert "/static/" not in text, path.name
        for address in re.findall(r"new URL\(([^)]*\.(?:js|css|woff2|svg)[^)]*)\)", text):
            assert re.fullmatch(r'"\.[^"]+", import\.meta\.url', address), path.name


def test_named_files_are_kept_for_ever_and_packed(root: Path) -> None:
    fingerprints.publish()
    address = staticfiles_url("js/desk/main.js")
    found = ask(address, accept_encoding="gzip")
    assert found is not None
    assert found.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert found.headers["Content-Encoding"] == "gzip"
    plain = ask("/static/js/desk/main.js")
    assert plain is not None
    assert plain.headers["Cache-Control"] == "max-age=60, public"


def staticfiles_url(name: str) -> str:
    return str(storage().url(name))


def test_without_them_names_are_plain(root: Path) -> None:
    """As in tests, and by a server that was started without `serve`."""
    assert storage().url("css/app.css") == "/static/css/app.css"
    assert staticfiles_storage.url("css/app.css") == "/static/css/app.css"
    assert ask("/static/css/app.css") is not None


@pytest.fixture
def source(root: Path, settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "js").mkdir(parents=True)
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    (folder / "js" / "same.js").write_text("export const same = 1;\n")
    return folder


def release(source: Path, number: int) -> str:
    """Publish a version as its server does at its start; gives the address of its script."""
    (source / "js" / "part.js").write_text(f"export const number = {number};\n")
    (source / "js" / "page.js").write_text('import { number } from "./part.js";\n')
    _forget()
    fingerprints.publish()
    return staticfiles_url("js/page.js")


def test_a_page_of_the_version_before_finds_its_files(root: Path, source: Path) -> None:
    first = release(source, 1)
    assert published(root) == set(fingerprints._names(next(root.glob("names-*"))))
    second = release(source, 2)
    # The script itself is the same, but asks for another part: so it has another name.
    assert first != second
    for address in (first, second):
        found = ask(address)
        assert found is not None
        assert "immutable" in found.headers["Cache-Control"]
        part = re.search(rb'"\./(part\.[0-9a-f]{12}\.js)"', found.body)
        assert part
        assert ask(f"/static/js/{part[1].decode()}") is not None
    third = release(source, 3)
    assert ask(first) is None
    assert ask(second) is not None
    assert ask(third) is not None
    assert len(list(root.glob("names-*"))) == 2


def test_going_back_a_version_keeps_what_it_needs(root: Path, source: Path) -> None:
    first, second = release(source, 1), release(source, 2)
    assert release(source, 1) == first
    third = release(source, 3)
    assert [ask(one) is not None for one in (first, second, third)] == [True, False, True]


def test_published_again_nothing_is_made_again(root: Path, source: Path) -> None:
    release(source, 1)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.js")}
    release(source, 1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.js")} == before
    assert not (root / ".part").exists()


def test_one_that_was_cut_off_is_made_anew(root: Path, source: Path) -> None:
    """Without its list of names a version is not there, whatever files are."""
    (root / ".part" / "js").mkdir(parents=True)
    (root / ".part" / "js" / "half.js").write_text("half")
    address = release(source, 1)
    assert ask(address) is not None
    assert not list(root.rglob("half*"))
    listed = json.loads(next(root.glob("names-*")).read_text())
    assert set(listed["paths"]) == {"js/page.js", "js/part.js", "js/same.js"}


def test_a_process_with_other_files_uses_plain_names(root: Path, source: Path) -> None:
    """A server that was not restarted by `serve` after an update mixes nothing."""
    release(source, 1)
    (source / "js" / "part.js").write_text("export const number = 9;\n")
    _forget()
    assert staticfiles_url("js/page.js") == "/static/js/page.js"


def test_a_reference_that_leads_nowhere_is_an_error(root: Path, source: Path) -> None:
    (source / "js" / "page.js").write_text('import { x } from "./gone.js";\n')
    _forget()
    with pytest.raises(ValueError, match="gone.js"):
        fingerprints.publish()
    assert list(root.glob("names-*")) == []
