"""What docs/ says of settings, tables and commands, held to the code."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps

from pairselect import env
from tests.test_deployment import parse
from tests.test_operator_site import OURS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SETTINGS = (DOCS / "settings.md").read_text()
DATA_MODEL = (DOCS / "data-model.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SETTINGS.splitlines()
    if re.match(r"\| `[A-Z]", line)
]


def test_every_setting_has_a_row() -> None:
    named = [name.strip("`") for name, *_ in ROWS]
    assert sorted(named) == sorted({*env.KNOWN, "DATABASE_URL", f"{env.SERVER_KEY}LAB"})


def settings_with(folder: Path, **environment: str) -> dict[str, object]:
    show = (
        "import json, pairselect.settings as s\n"
        "print(json.dumps({k: v for k, v in vars(s).items() if k.isupper()}, default=str))"
    )
    said = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT,
        env={"PATH": "", "PAIRSELECT_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(said.stdout)
    assert isinstance(found, dict)
    return found


def test_the_defaults_are_those_of_the_code(tmp_path: Path) -> None:
    """Setting everything to what the table calls its default changes nothing."""
    defaults = {
        name.strip("`"): match[1]
        for name, _meaning, default, _accepted in ROWS
        if (match := re.fullmatch(r"`([^`]+)`", default)) and match[1] not in env.KNOWN
    }
    https = {name: defaults.pop(name) for name in env.HTTPS_ONLY if name in defaults}
    assert {"PAIRSELECT_MODEL", "PAIRSELECT_MAX_UPLOAD", "PAIRSELECT_HTTPS"} <= set(defaults)
    assert settings_with(tmp_path, **defaults) == settings_with(tmp_path)
    served = {"PAIRSELECT_HTTPS": "true", "PAIRSELECT_ALLOWED_HOSTS": "label.example.org"}
    assert "PAIRSELECT_HSTS_SECONDS" in https
    assert settings_with(tmp_path, **served, **https) == settings_with(tmp_path, **served)


@pytest.mark.parametrize("name", sorted({*env.KNOWN} - {"PAIRSELECT_DATA_DIR"}))
def test_every_setting_changes_something(name: str, tmp_path: Path) -> None:
    """A row for a setting that nothing reads would be a lie."""
    others = {
        "PAIRSELECT_SERVERS": "lab=http://a/v1",
        "PAIRSELECT_SECRET_KEY": "a1b2c3d4e5" * 6,
        "PAIRSELECT_ALLOWED_HOSTS": "a.org",
        "PAIRSELECT_HTTPS": "true",
        "PAIRSELECT_DEBUG": "true",
        "PAIRSELECT_HSTS_SUBDOMAINS": "true",
        "PAIRSELECT_TRUSTED_PROXY": "nonsense",
        "PAIRSELECT_LOG_FORMAT": "json",
        "PAIRSELECT_METRICS_TOKEN": "a-token-of-20-letters",
        "PAIRSELECT_PASSWORD_LOGIN": "off",
        "PAIRSELECT_OIDC_DOMAINS": "example.org",
    }
    provider = {
        "PAIRSELECT_OIDC_ISSUER": "https://id.example.org",
        "PAIRSELECT_OIDC_CLIENT_ID": "pairselect",
        "PAIRSELECT_OIDC_CLIENT_SECRET": "a secret",
    }
    others |= provider
    before: dict[str, str] = {}
    if name in (*env.HTTPS_ONLY, "PAIRSELECT_HTTPS"):
        before = {"PAIRSELECT_ALLOWED_HOSTS": "a.org"}
    if name in env.HTTPS_ONLY:
        before["PAIRSELECT_HTTPS"] = "true"
    if name.startswith("PAIRSELECT_OIDC_") or name == "PAIRSELECT_PASSWORD_LOGIN":
        before |= provider | {name: f"{provider[name]}.org"} if name in provider else provider
    after = before | {name: others.get(name, "7")}
    if name == "PAIRSELECT_TRUSTED_PROXY":  # read by gunicorn; here it is only refused
        with pytest.raises(subprocess.CalledProcessError):
            settings_with(tmp_path, **after)
    else:
        assert settings_with(tmp_path, **after) != settings_with(tmp_path, **before)


def test_every_table_is_described_once() -> None:
    described = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .+ \| .+ \|$", DATA_MODEL, re.MULTILINE)
    ours = [model for model in apps.get_models() if model._meta.app_label in OURS]
    assert sorted(described) == sorted((m.__name__, m._meta.db_table) for m in ours)


def test_the_picture_names_every_model_that_a_label_stands_on() -> None:
    picture = DATA_MODEL.split("```")[1]
    apart = {"Entry", "Seal", "Invitation", "Job", "Token", "Replay", "Preferences"}
    ours = {m.__name__ for m in apps.get_models() if m._meta.app_label in OURS}
    assert set(re.findall(r"\b[A-Z]\w+", picture)) == ours - apart


def commands() -> list[tuple[str, str]]:
    found = []
    for name in (
        "install.md",
        "backup.md",
        "audit.md",
        "monitoring.md",
        "operating.md",
        "settings.md",
        "servers.md",
        "files.md",
        "tutorial.md",
    ):
        text = (DOCS / name).read_text()
        for block in re.findall(r"```\n(.*?)```", text, re.DOTALL):
            for line in block.splitlines():
                if match := re.search(r"(?:manage\.py|^manage) ([a-z_]+\b.*)", line):
                    found.append((name, match[1]))
    return found


@pytest.mark.parametrize(("file", "line"), commands())
def test_every_command_of_the_manuals_exists(file: str, line: str) -> None:
    assert parse(["manage.py", *shlex.split(line)])


def test_the_manuals_have_commands() -> None:
    lines = [line for file, line in commands() if file in ("install.md", "operating.md")]
    assert len(lines) > 10


@pytest.mark.parametrize("name", sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")))
def test_links_lead_somewhere(name: str) -> None:
    page = DOCS / name
    text = page.read_text()
    for address in re.findall(r"\]\(([^)]+)\)", text):
        if address.startswith("https://"):
            continue
        file, _, place = address.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), address
        if place:
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads}


@pytest.mark.parametrize("name", ["install.md", "operating.md"])
def test_files_that_are_named_exist(name: str) -> None:
    text = (DOCS / name).read_text()
    named = set(
        re.findall(r"`((?:deploy/|\.env)[\w./*-]+|compose[\w.]*\.yaml|CHANGELOG\.md)`", text)
    )
    assert named
    for path in named:
        assert os.path.exists(ROOT / path), path
