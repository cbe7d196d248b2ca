"""The house rules that can be checked by a machine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each part may import the parts before it; the engine and the core stand on nothing.
ORDER = [
    *("core", "engine", "trail", "jobs", "accounts", "pools", "designs", "annotate", "api", "top"),
]
ALLOWED = {
    "core": {"core"},
    "engine": {"engine"},
    "trail": {"trail"},
    "accounts": {"accounts", "trail"},
    "jobs": {"jobs", "accounts", "trail"},
    "pools": {"pools", "engine", "core", "jobs", "accounts", "trail"},
    "designs": {"designs", "pools", "core", "jobs", "accounts", "trail"},
    "annotate": {"annotate", "designs", "pools", "engine", "core", "jobs", "accounts", "trail"},
    "api": {"api", "annotate", "designs", "pools", "core", "jobs", "accounts", "trail"},
    "top": set(ORDER),
}


def part_of(module: str) -> str | None:
    names = module.split(".")
    if names[0] == "annotate":
        return "annotate"
    if names[0] != "pairselect":
        return None
    if names[1:3] == ["pools", "engine"]:
        return "engine"
    return names[1] if len(names) > 1 and names[1] in ORDER else "top"


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def sources() -> list[Path]:
    return [p for top in ("pairselect", "annotate") for p in (ROOT / top).rglob("*.py")]


def test_imports_flow_one_way() -> None:
    wrong = []
    for path in sources():
        here = part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        assert here is not None
        for module in imports_of(path):
            there = part_of(module)
            if there is not None and there not in ALLOWED[here]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []


def loaded_after(code: str, modules: list[str], folder: Path) -> str:
    """Which of the modules a fresh process holds once it has run the code."""
    look = f"[m for m in {modules} if m in sys.modules]"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint({look})"],
        cwd=ROOT,
        env={"PAIRSELECT_DATA_DIR": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("pairselect.core", ["django", "torch"]),
        ("pairselect.pools.engine", ["django", "torch"]),
        ("pairselect.wsgi", ["torch", "transformers"]),
    ],
)
def test_a_fresh_process_stays_light(module: str, absent: list[str], tmp_path: Path) -> None:
    assert loaded_after(f"import {module}", absent, tmp_path) == "[]"


def test_the_web_process_stays_light_after_its_first_page(tmp_path: Path) -> None:
    page = (
        "import pairselect.wsgi\n"
        "from django.test import Client\n"
        "assert Client().get('/login/', headers={'host': 'localhost'}).status_code == 200"
    )
    assert loaded_after(page, ["torch", "transformers"], tmp_path) == "[]"
    assert loaded_after(page, ["pairselect.urls"], tmp_path) == "['pairselect.urls']"


def test_no_migration_is_missing(db: None) -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_templates_hold_no_inline_script_or_style() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        for forbidden in ("<style", " style=", " onclick=", "hx-on", "javascript:", "|safe"):
            assert forbidden not in text, f"{path.name} has {forbidden}"
        assert text.count("<script") == text.count("<script src="), path.name


def test_a_table_that_may_scroll_is_reached_by_keyboard() -> None:
    """By a link or a button in it, or by a stop of its own, which has a name."""
    for path in (ROOT / "templates").rglob("*.html"):
        for wrap in re.finditer(
            r'<div class="table-wrap([^>]*)>(.*?)</table>', path.read_text(), re.S
        ):
            is_stop = re.search(r'tabindex="0" role="(region|group)" aria-label', wrap[1])
            assert is_stop or re.search(r"<(a|button|summary)\b", wrap[2]), (
                path.name,
                wrap[2][:90],
            )


def test_the_comparison_page_asks_for_all_its_modules_at_once() -> None:
    page = (ROOT / "templates" / "annotate" / "compare.html").read_text()
    asked = set(re.findall(r"modulepreload\" href=\"{% static 'js/desk/(\w+\.js)' %}", page))
    there = {path.name for path in (ROOT / "static" / "js" / "desk").glob("*.js")}
    assert asked == there - {"main.js", "leftovers.js"}
