"""``make demo``: the installation that recovers, and the demo that goes on where it was."""

import json
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import Settings

from annotate.models import Campaign
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.pools.models import Pool, PromptSet

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = r"[a-z2-9]{4}(?:-[a-z2-9]{4}){3}"


@pytest.fixture
def folder(db: None, settings: Settings, tmp_path: Path) -> Path:
    settings.PAIRSELECT_DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.PAIRSELECT_MODEL = "a-model"
    return tmp_path


def load_demo() -> dict[str, str]:
    """The logins that it prints."""
    out = StringIO()
    call_command("load_demo", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Logins, made on this machine:"
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}


def made() -> list[list[int]]:
    models = (PromptSet, Pool, Design, Campaign, Job, User)
    return [list(model.objects.order_by("pk").values_list("pk", flat=True)) for model in models]


def test_loaded_again_it_makes_nothing_and_shows_the_same_passwords(folder: Path) -> None:
    logins = load_demo()
    assert list(logins) == ["admin", "annotator"]
    assert all(re.fullmatch(PASSWORD, password) for password in logins.values())
    before = made()
    assert [len(rows) for rows in before] == [1, 1, 1, 1, 7, 2]
    assert load_demo() == logins
    assert made() == before


def test_it_goes_on_with_a_demo_made_with_other_settings(folder: Path, settings: Settings) -> None:
    load_demo()
    before = made()
    settings.PAIRSELECT_MODEL = "another-model"
    Pool.objects.update(completions_per_prompt=4)
    Design.objects.update(budget=10)
    load_demo()
    assert made() == before
    pool, design = Pool.objects.get(), Design.objects.get()
    assert (pool.model, pool.completions_per_prompt, design.budget) == ("a-model", 4, 10)


def test_a_model_that_could_not_be_loaded_can_be_changed(folder: Path, settings: Settings) -> None:
    load_demo()
    Job.objects.exclude(status=Job.Status.DONE).update(status=Job.Status.FAILED)
    settings.PAIRSELECT_MODEL = "another-model"
    load_demo()
    assert Pool.objects.get().model == "another-model"
    assert Job.objects.filter(kind="generate_pool", status=Job.Status.QUEUED).count() == 1


def test_a_password_is_shown_only_while_it_holds(folder: Path) -> None:
    logins = load_demo()
    admin = User.objects.get(username="admin")
    admin.set_password("my own words")
    admin.save()
    shown = {"admin": "as you set it", "annotator": logins["annotator"]}
    assert load_demo() == shown
    stored = json.loads((folder / "demo_logins.json").read_text())
    assert stored == {"annotator": logins["annotator"]}


@pytest.mark.parametrize("damaged", [b'{"admin": "abc', b"", b"\xff", b"[]", b'{"admin": 1}'])
def test_a_damaged_file_of_logins_is_replaced(folder: Path, damaged: bytes) -> None:
    load_demo()
    file = folder / "demo_logins.json"
    file.write_bytes(damaged)
    assert load_demo() == {"admin": "as you set it", "annotator": "as you set it"}
    assert json.loads(file.read_text()) == {}


def test_the_file_of_logins_is_private_and_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "demo_logins.tmp").write_text("of a run that was killed")
    logins = load_demo()
    file = folder / "demo_logins.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not (folder / "demo_logins.tmp").exists()

    def full(*args: object) -> None:
        raise OSError("disk full")

    User.objects.get(username="annotator").delete()
    monkeypatch.setattr("json.dump", full)
    with pytest.raises(OSError, match="disk full"):
        load_demo()
    assert json.loads(file.read_text()) == logins
    assert not User.objects.filter(username="annotator").exists()


FAKE_PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit "$FAKE_TOO_OLD" ;;
*"-m venv"*)
    echo "$*" >>calls
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    exit "$FAKE_VENV" ;;
*"pip "*"--version"*) exit "$FAKE_PIP" ;;
*"pip "*"install"*)
    echo "pip install" >>calls
    if [ -n "$FAKE_CUT_OFF" ]; then kill -9 $PPID; fi
    exit "$FAKE_INSTALL" ;;
*metadata*) exit "$FAKE_NO_TORCH" ;;
esac
"""
WELL = {
    "FAKE_TOO_OLD": "0",
    "FAKE_VENV": "0",
    "FAKE_PIP": "0",
    "FAKE_INSTALL": "0",
    "FAKE_NO_TORCH": "1",
    "FAKE_CUT_OFF": "",
}


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
class TestMake:
    """The Makefile with a Python that only plays one."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        folder = tmp_path / "a check out"
        folder.mkdir()
        for name in ("Makefile", "requirements.txt", "requirements-model.txt", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        (folder / "python").write_text(FAKE_PYTHON)
        (folder / "python").chmod(0o755)
        return folder

    def make(self, checkout: Path, **how: str) -> tuple[int, list[str], str]:
        """Exit status, the calls that were made, and what was said on standard error."""
        (checkout / "calls").write_text("")
        result = subprocess.run(
            ["make", "install", "PYTHON=./python"],
            cwd=checkout,
            env={"PATH": "/usr/bin:/bin"} | WELL | how,
            capture_output=True,
            text=True,
        )
        calls = (checkout / "calls").read_text().splitlines()
        return result.returncode, calls, result.stderr

    def test_it_installs_once(self, checkout: Path) -> None:
        status, calls, said = self.make(checkout)
        assert (status, calls, said) == (0, ["-m venv .venv", *["pip install"] * 3], "")
        assert self.make(checkout) == (0, [], "")

    def test_it_keeps_a_torch_that_fits(self, checkout: Path) -> None:
        status, calls, _ = self.make(checkout, FAKE_NO_TORCH="0")
        assert status == 0
        assert calls == ["-m venv --system-site-packages .venv", *["pip install"] * 2]

    @pytest.mark.parametrize("failing", ["FAKE_VENV", "FAKE_PIP"])
    def test_it_says_what_a_failed_venv_needs_and_recovers(
        self, checkout: Path, failing: str
    ) -> None:
        status, _, said = self.make(checkout, **{failing: "1"})
        assert status != 0
        assert said.splitlines()[0] == (
            "./python -m venv failed: on Debian and Ubuntu it needs the package python3-venv."
        )
        assert not (checkout / ".venv").exists()
        assert self.make(checkout)[0] == 0

    def test_it_says_that_python_is_too_old(self, checkout: Path) -> None:
        status, calls, said = self.make(checkout, FAKE_TOO_OLD="1")
        assert (status != 0, calls) == (True, [])
        assert "pairselect needs Python 3.11 or newer: make install PYTHON=python3.11" in said

    def test_an_installation_that_was_cut_off_starts_anew(self, checkout: Path) -> None:
        assert self.make(checkout, FAKE_CUT_OFF="1")[0] != 0
        (checkout / ".venv" / "half").touch()
        assert self.make(checkout)[:2] == (0, ["-m venv .venv", *["pip install"] * 3])
        assert not (checkout / ".venv" / "half").exists()

    def test_an_installation_that_failed_goes_on(self, checkout: Path) -> None:
        assert self.make(checkout, FAKE_INSTALL="1")[0] != 0
        assert self.make(checkout)[:2] == (0, ["pip install"] * 3)
