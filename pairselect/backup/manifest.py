"""What a backup says of itself: the first member of its archive."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from pairselect.backup import BackupError

NAME = "manifest.json"
FORM = 1  # of the archive; a later one is refused
MOST_BYTES = 256 << 20  # of the manifest itself: a million files and more
SQLITE, POSTGRES = "sqlite", "postgresql"
DATABASE = {SQLITE: "pairselect.sqlite3", POSTGRES: "pairselect.dump"}
FOLDERS = ("features", "exports", "uploads")  # of the data folder, whose files rows speak of
SECRETS = ("secret_key", "demo_logins.json")
LOOSE = ("identity_phrases.txt", *SECRETS)  # files of the data folder itself
LONGEST = 500  # characters of a path, or of anything else that is shown
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileFacts:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    version: str  # of pairselect
    made_at: str  # ISO 8601, in UTC
    database: str  # SQLITE or POSTGRES
    server: str  # the database's own version
    migrations: Mapping[str, list[str]]  # applied, of each app
    tables: Mapping[str, int]  # rows of each
    files: Mapping[str, FileFacts]  # path in the archive, the database's copy among them
    lost: list[str]  # files that rows speak of and that were gone before
    secrets: bool  # whether files of `SECRETS` are in it
    form: int = FORM

    @property
    def database_file(self) -> str:
        return DATABASE[self.database]

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(one.bytes for one in self.files.values())

    def to_json(self) -> bytes:
        return json.dumps({"product": "pairselect", **asdict(self)}, indent=1).encode()


def read_manifest(content: bytes) -> Manifest:
    """
    Raises
    ------
    BackupError
        When it is none of ours, or says what no backup says: whoever wrote the archive may have
        meant harm.
    """
    try:
        told = json.loads(content)
        if told.pop("product") != "pairselect":
            raise ValueError
        if told["form"] != FORM:
            raise BackupError("The backup has a later form: restore it with a newer pairselect.")
        files = {str(name): _facts(facts) for name, facts in told.pop("files").items()}
        manifest = Manifest(files=files, **told)
        whole = _is_well_typed(manifest)
    except BackupError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise BackupError("The backup's manifest is damaged, or the file is no backup.")
    for name in manifest.files:
        if not is_ours(name) and name != manifest.database_file:
            raise BackupError(f"The backup names the file {name[:200]!r}, which has no place here.")
    if manifest.database_file not in manifest.files:
        raise BackupError("The backup holds no database.")
    return manifest


def is_ours(name: str) -> bool:
    """Whether a backup may hold a file of this path: none that leaves the data folder."""
    path = PurePosixPath(name)
    if name in LOOSE:
        return True
    if str(path) != name or "\\" in name or not name.isprintable() or len(name) > LONGEST:
        return False
    return len(path.parts) > 1 and path.parts[0] in FOLDERS and ".." not in path.parts


def _facts(told: Any) -> FileFacts:
    facts = FileFacts(**told)
    if type(facts.bytes) is not int or facts.bytes < 0 or not SHA256.fullmatch(facts.sha256):
        raise ValueError
    return facts


def _is_well_typed(manifest: Manifest) -> bool:
    return (
        manifest.database in DATABASE
        and all(map(_is_line, (manifest.version, manifest.made_at, manifest.server)))
        and isinstance(manifest.secrets, bool)
        and isinstance(manifest.lost, list)
        and all(map(_is_line, manifest.lost))
        and all(_is_line(name) and isinstance(n, int) for name, n in manifest.tables.items())
        and all(
            isinstance(names, list) and all(map(_is_line, names))
            for names in manifest.migrations.values()
        )
    )


def _is_line(told: Any) -> bool:
    """Whether it can be shown on a terminal as it is."""
    return isinstance(told, str) and told.isprintable() and len(told) <= LONGEST
