"""Static files under names that tell their content, so that no page mixes two versions.

`publish` puts a copy of every static file into the data folder, named by its content
(``main.4f1c….js``), with the names that it is asked for by other files changed to match, and packed
by gzip. Each version has its own list of names there, under a name that is a digest of all of the
version's static files: a process whose list is not there, as in tests, serves plain names from the
checkout. Files of the version before stay, for pages that were opened before an upgrade.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from whitenoise.storage import CompressedManifestStaticFilesStorage

UNUSED = ["django_htmx"]  # no page names its files, and some of these name what is not there
KEPT = 2  # versions: this one and the one before
LISTS = "names-*.json"
LOCK = ".lock"
MODULE_ADDRESS = (  # how a module names a file beside it that it does not import
    r"""(?P<matched>new URL\(["'](?P<url>[./].*?)["'], import\.meta\.url\))""",
    """new URL("%(url)s", import.meta.url)""",
)


class FingerprintedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names as `publish` gave them; plain ones where it did not run for these very files."""

    support_js_module_import_aggregation = True
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("*.js", (MODULE_ADDRESS,)),
    )
    keep_only_hashed_files = True

    @property
    def manifest_name(self) -> str:
        return f"names-{version()}.json"

    @manifest_name.setter
    def manifest_name(self, name: str) -> None:
        """Django's class has an attribute of that name, which is never set."""

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name


@cache
def version() -> str:
    """A digest of all static files of this version, and of how their names are made."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name, path in sorted(_sources().items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def publish() -> None:
    """Make this version's named files, if they are not there yet, and remove those of old ones.

    Files come into their place whole, the list of names last, so that other processes may serve
    from the folder meanwhile.
    """
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listed = root / f"names-{version()}.json"
        if listed.exists():
            listed.touch()  # the newest
        else:
            part = root / ".part"
            shutil.rmtree(part, ignore_errors=True)
            _make(part)
            for path in sorted(part.rglob("*")):
                if path.is_file() and path.name != listed.name:
                    place = root / path.relative_to(part)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(place)
            (part / listed.name).replace(listed)
            shutil.rmtree(part)
        _thin_out(root)


def _make(folder: Path) -> None:
    """As `collectstatic` would."""
    storage = FingerprintedStorage(location=folder)
    found = _sources()
    for name, path in found.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    for _, _, done in storage.post_process({name: (storage, name) for name in found}):
        if isinstance(done, Exception):
            raise done


def _sources() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for finder in get_finders():
        for name, storage in finder.list(UNUSED):
            found.setdefault(str(name), Path(_path(storage, name)))
    return found


def _path(storage: Any, name: str) -> str:
    return str(storage.path(name))


def _thin_out(root: Path) -> None:
    """Remove what only versions use that are older than the one before."""
    lists = sorted(root.glob(LISTS), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    used = {name for path in lists[:KEPT] for name in _names(path)}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix().removesuffix(".gz")
        if path.is_file() and name not in used and name != LOCK and not path.match(LISTS):
            with suppress(FileNotFoundError):
                path.unlink()
    for path in lists[KEPT:]:
        path.unlink()


def _names(listed: Path) -> Iterator[str]:
    yield from json.loads(listed.read_text())["paths"].values()
