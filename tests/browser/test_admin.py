"""The buyer's path by pages only, from a file to a file."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from django.test import override_settings

from tests.browser.conftest import Desk
from tests.conftest import People, run_queued_jobs

Sit = Callable[..., Desk]


def test_from_prompts_to_a_dataset_by_pages(
    people: People, sit: Sit, tmp_path: Path, tiny_model: str
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"Question {i}?"}) for i in range(6)))
    admin, anna = sit(people.admin), sit(people.anna)

    admin.open("/")
    admin.page.click("main a:has-text('Upload prompts')")
    admin.page.fill("[name=name]", "mine")
    admin.page.set_input_files("[name=file]", str(file))
    admin.page.click("main button:has-text('Upload')")
    admin.page.locator(".job").wait_for()
    run_queued_jobs()
    # The page that polls fetches itself anew when the job has ended.
    admin.page.click("main button:has-text('Import')", timeout=10_000)
    admin.page.locator(".job").wait_for()
    run_queued_jobs()
    with override_settings(PAIRSELECT_MODEL=tiny_model):
        admin.page.locator("a:has-text('Generate completions')").click(timeout=10_000)
        admin.page.fill("[name=name]", "pool")
        admin.page.fill("[name=completions]", "4")
        admin.page.fill("[name=max_new_tokens]", "12")
        admin.page.click("main button:has-text('Generate')")
        admin.page.locator(".job").first.wait_for()
    run_queued_jobs()
    admin.page.locator("a:has-text('Choose pairs')").click(timeout=10_000)

    admin.page.fill("[name=name]", "design")
    admin.page.fill("[name=budget]", "8")
    admin.page.click("main button:has-text('Choose')")
    admin.page.locator(".job").wait_for()
    run_queued_jobs()
    admin.page.locator("h2:has-text('Receipt')").wait_for(timeout=10_000)
    admin.page.click("a:has-text('Open a campaign')")

    admin.page.fill("[name=name]", "campaign")
    admin.page.get_by_label("anna").check()
    admin.page.click("main button:has-text('Open')")
    admin.page.locator(".job").wait_for()
    run_queued_jobs()
    admin.page.locator("h2:has-text('How it goes')").wait_for(timeout=10_000)

    anna.open("/")
    anna.page.click("a:has-text('Start')")
    for key in "1212":
        anna.ready()
        anna.press(key)

    admin.page.reload()
    admin.page.get_by_role("link", name="Export", exact=True).click()
    admin.page.get_by_role("button", name="Export", exact=True).click()
    admin.page.locator(".job").wait_for()
    run_queued_jobs()
    link = admin.page.locator("a:has-text('Download')")
    link.wait_for(timeout=10_000)
    with admin.page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        train = next(name for name in archive.namelist() if name.endswith("/train.jsonl"))
        rows = [json.loads(line) for line in archive.read(train).splitlines()]
    assert len(rows) == 4
    assert {row["prompt"][0]["content"] for row in rows} <= {f"Question {i}?" for i in range(6)}
    assert admin.console == []
