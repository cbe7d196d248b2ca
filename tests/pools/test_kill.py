"""A worker killed at any moment: no finished completion is lost, none is made twice."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROMPTS, EACH, TOKENS = 30, 8, 48
ALL = PROMPTS * EACH
KILLS = 3

# One process for what takes none of the kills: starting Python costs more than the work.
BEGIN = """
import sys, django
django.setup()
from django.core.management import call_command
call_command("import_prompts", sys.argv[1], "--name", "prompts")
"""
Row = tuple[int, str, int, int, str]


class Site:
    """An installation of its own in a folder, driven as an operator would."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder, self.model = folder, model
        self.env = os.environ | {
            "PAIRSELECT_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "pairselect.settings",
            "DATABASE_URL": "",
        }

    def begin(self, prompts: Path) -> None:
        command = [sys.executable, "-c", BEGIN, str(prompts)]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)

    def generate(self, name: str) -> "subprocess.Popen[str]":
        options = [f"--completions={EACH}", f"--max-new-tokens={TOKENS}", f"--model={self.model}"]
        command = [sys.executable, "manage.py", "generate_pool", "prompts", "--name", name]
        return subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self, pool: str) -> list[Row]:
        """Key, prompt, index and text of the pool's completions, as another process sees them."""
        query = """
            select c.id, c.created_at, c.prompt_id, c."index", c.text
            from pools_completion c join pools_pool p on p.id = c.pool_id
            where p.name = ? order by c.prompt_id, c."index"
        """
        path = f"file:{self.folder / 'pairselect.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=30)) as connection:
            return connection.execute(query, [pool]).fetchall()


def kill_with(site: Site, pool: str, count: int) -> list[Row]:
    """Kill the worker with SIGKILL once it has stored so many; what it leaves behind."""
    process = site.generate(pool)
    deadline = time.monotonic() + 120
    while len(site.rows(pool)) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return site.rows(pool)


def test_a_pool_survives_kills_at_random_moments(
    tmp_path: Path, tiny_model: str, migrated_file: Path
) -> None:
    seed = random.randrange(10**6)  # which pytest shows when the test fails
    prompts = tmp_path / "prompts.jsonl"
    lines = [json.dumps({"prompt": f"Say {'very ' * (k % 7)}little {k}"}) for k in range(PROMPTS)]
    prompts.write_text("\n".join(lines))
    site = Site(tmp_path / "data", tiny_model)
    site.folder.mkdir()
    shutil.copy(migrated_file, site.folder)
    site.begin(prompts)
    moments = sorted(random.Random(seed).sample(range(1, ALL * 3 // 4), KILLS))
    kept: list[Row] = []
    for moment in moments:
        left = kill_with(site, "cut", moment)
        assert set(kept) <= set(left)  # the same rows, not others like them
        kept = left
    for pool in ("cut", "whole"):
        process = site.generate(pool)
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
    cut, whole = site.rows("cut"), site.rows("whole")
    assert set(kept) <= set(cut)
    assert len({(prompt, index) for _, _, prompt, index, _ in cut}) == len(cut) == ALL
    assert [row[2:] for row in cut] == [row[2:] for row in whole]
