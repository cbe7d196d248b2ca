"""The database that the first release left behind, and what became of it then.

``first_release.sql.gz`` was made by the code of commit b8c4047, the first that held the whole path,
with this script, run in a checkout of it; `pack` then wrote the files that are here:

    call_command("migrate")
    call_command("import_prompts", "p.jsonl", name="first prompts")  # 8, one of odd characters
    call_command("generate_pool", "first prompts", name="first pool", model=TINY, completions=3,
                 max_new_tokens=12, seed=7)  # TINY: the random Llama of tests/pools/engine
    call_command("import_pool", "r.jsonl", "--name", "ready pool", "--no-features")  # 3 × 2, scored
    call_command("design_pairs", "first pool", name="first design", budget=9, seed=3)
    call_command("create_person", "maria"); call_command("create_person", "otto")
    call_command("create_person", "ada", role="admin")  # passwords are unusable
    call_command("open_campaign", "first design", "--name", "first campaign",
                 "--annotator", "maria", "--annotator", "otto",
                 "--instructions", "Prefer what is *true*.", "--seed", "5")
    # answers by annotate.actions: maria left, otto right, maria tie, otto both bad, maria right,
    # which she takes back and makes left, otto skips and says left; otto has the next one open
    call_command("export_dataset", "first campaign", "--output", "out.jsonl")

``first_release.jsonl`` has of each row of that file the prompt, both texts, the seconds and the
place in the queue.
"""

import gzip
import io
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SQL = FOLDER / "first_release.sql.gz"
ROWS = FOLDER / "first_release.jsonl"
APPS = ("annotate", "designs", "jobs", "pools")  # of that release, with migrations of ours


def load(path: Path) -> None:
    """Make the database anew, as it was."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(gzip.decompress(SQL.read_bytes()).decode())


def exported() -> list[dict[str, Any]]:
    return [row_of(json.loads(line)) for line in ROWS.read_text().splitlines()]


def row_of(row: dict[str, Any]) -> dict[str, Any]:
    """What every release says of a label in the same words."""
    if "metadata" not in row:
        return row
    kept = {name: row[name] for name in ("prompt", "chosen", "rejected")}
    return kept | {name: row["metadata"][name] for name in ("seconds", "queue_position")}


def pack(database: Path, rows: Path) -> None:
    """Write the two files; the same database gives the same bytes."""
    with closing(sqlite3.connect(database)) as found:
        script = "\n".join(found.iterdump()).encode()
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, packed, mtime=0) as file:
        file.write(script)
    SQL.write_bytes(packed.getvalue())
    lines = [json.dumps(row_of(json.loads(line))) for line in rows.read_text().splitlines()]
    ROWS.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    pack(*map(Path, sys.argv[1:]))
