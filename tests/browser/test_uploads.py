"""A file from the form to its prompts, in a real browser."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pairselect.pools.models import Prompt, PromptSet, Upload
from tests.browser.conftest import Desk
from tests.conftest import People, run_queued_jobs

Sit = Callable[..., Desk]


def write(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def upload(desk: Desk, file: str, name: str = "mine") -> None:
    desk.open("/prompts/")
    desk.page.fill("[name=name]", name)
    desk.page.set_input_files("[name=file]", file)
    desk.page.click("main button:has-text('Upload')")
    desk.page.locator(".job").wait_for()
    run_queued_jobs()


def test_a_file_is_mapped_corrected_and_imported(people: People, sit: Sit, tmp_path: Path) -> None:
    rows = [{"frage": f"Question {i}?", "thema": ""} for i in range(30)]
    desk = sit(people.admin)
    upload(desk, write(tmp_path / "a.jsonl", *rows))
    # The page that polls fetches itself anew when the job has ended.
    desk.page.locator(".mapping").wait_for(timeout=10_000)
    assert "None of the columns" in desk.text(".flash[data-level=warning]")
    desk.page.select_option("[name=prompts-prompt]", "thema")
    desk.page.click("button:has-text('Import')")
    desk.page.locator(".job").wait_for()
    run_queued_jobs()
    # A failed import leads back to the file.
    desk.page.locator("h2:has-text('30 bad rows')").wait_for(timeout=10_000)
    with desk.page.expect_download() as download:
        desk.page.click("a:has-text('Download as CSV')")
    assert len(Path(download.value.path()).read_text("utf-8-sig").splitlines()) == 31
    desk.page.select_option("[name=prompts-prompt]", "frage")
    desk.page.click("button:has-text('Import again')")
    desk.page.locator(".job").wait_for()
    run_queued_jobs()
    desk.page.locator("a:has-text('Generate completions')").wait_for(timeout=10_000)
    assert PromptSet.objects.get().prompt_count == 30
    assert desk.console == []


def test_the_columns_follow_the_kind_by_keyboard(people: People, sit: Sit, tmp_path: Path) -> None:
    desk = sit(people.admin)
    upload(desk, write(tmp_path / "a.jsonl", {"prompt": "Q", "pool": "a", "b": "b"}))
    desk.page.locator(".mapping").wait_for(timeout=10_000)

    def shown() -> list[str]:
        legends = desk.page.locator(".mapping > fieldset > legend")
        return [one.inner_text() for one in legends.all() if one.is_visible()]

    assert shown() == ["Columns of prompts"]
    # A column called as a kind of file is, once chosen, changes nothing.
    desk.page.select_option("[name=prompts-id]", "pool")
    assert shown() == ["Columns of prompts"]
    desk.page.focus("[name=kind][value=prompts]")
    desk.page.keyboard.press("ArrowDown")
    assert shown() == ["Columns of a ready pool"]
    assert desk.page.locator("[name=model]").is_visible()
    desk.page.keyboard.press("ArrowDown")
    assert shown() == ["Columns of preferences"]
    desk.page.keyboard.press("ArrowDown")
    assert shown() == ["Columns of prompts"]
    assert not desk.page.locator("[name=model]").is_visible()
    desk.page.focus("[name=name]")
    desk.page.keyboard.press("Enter")
    desk.page.locator(".job").wait_for()
    run_queued_jobs()
    assert Prompt.objects.get().external_id == "a"


@pytest.mark.parametrize("width", [1366, 390])
def test_hostile_text_runs_nothing_and_stays_in_its_table(
    people: People, sit: Sit, tmp_path: Path, width: int
) -> None:
    evil = "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
    row = {"prompt": evil + "W" * 3000, evil: evil, "W" * 400: "x"}
    desk = sit(people.admin, viewport={"width": width, "height": 768})
    upload(desk, write(tmp_path / "a.jsonl", row, row), name="W" * 100)
    desk.page.locator(".mapping").wait_for(timeout=10_000)
    assert desk.page.evaluate("window.hit") is None
    assert desk.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert desk.page.locator("main script, main img").count() == 0
    assert desk.console == []


def test_the_path_works_without_javascript(people: People, sit: Sit, tmp_path: Path) -> None:
    desk = sit(people.admin, java_script_enabled=False)
    upload(desk, write(tmp_path / "a.jsonl", {"prompt": "Q"}))
    desk.page.reload()
    desk.page.click("button:has-text('Import')")
    desk.page.locator(".job").wait_for()
    run_queued_jobs()
    desk.page.reload()
    assert "1 prompt from a.jsonl" in desk.text(".lede")
    assert Upload.objects.get().prompt_set.prompt_count == 1
