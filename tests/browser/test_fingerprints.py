"""The comparison page as `serve` gives it out: every script and style under a published name."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response

from tests.backup.installations import Installation
from tests.browser.conftest import SETTLED

pytestmark = pytest.mark.timeout(1800)  # processes, on a machine that may be busy
NAMED = re.compile(r"/static/.+\.[0-9a-f]{12}\.\w+$")
FILL = """
from django.contrib.auth.models import Group, User
from tests.conftest import make_campaign
from pairselect.pools.models import Completion
anna = User.objects.create_user("anna", password="secret-enough")
anna.groups.add(Group.objects.get(name="annotator"))
campaign = make_campaign(anna, prompts=3)
Completion.objects.update(text="So $$x^2 = 4$$ it is.")
print(campaign.pk)
"""


def test_a_comparison_by_published_names(
    browser: Browser, tmp_path: Path, migrated_file: Path
) -> None:
    shutil.copy(migrated_file, tmp_path)
    here = Installation(tmp_path)
    campaign = here.run(FILL)
    with here.served("--no-workers", "--web-processes", "1") as address:
        page = browser.new_context().new_page()
        console: list[str] = []
        files: list[Response] = []
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.on("response", lambda one: files.append(one) if "/static/" in one.url else None)
        page.goto(f"{address}/login/")
        page.locator("[name=username]").fill("anna")
        page.locator("[name=password]").fill("secret-enough")
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(f"{address}/work/")
        page.goto(f"{address}/work/{campaign}/")
        page.locator("html[data-ready]").wait_for(state="attached")
        page.locator("#desk .katex").first.wait_for()
        page.wait_for_timeout(SETTLED)
        token = page.locator("#answer [name=token]").input_value()
        page.keyboard.press("1")
        page.wait_for_function(
            "token => document.querySelector('#answer [name=token]')?.value !== token", arg=token
        )
        page.wait_for_function(
            "() => Object.keys(localStorage).every(key => !key.endsWith(':outbox'))"
        )
        page.context.close()
    assert console == []
    assert {one.status for one in files} <= {200, 304}
    assert [one.url for one in files if not NAMED.search(one.url)] == []
    assert {Path(one.url).suffix for one in files} >= {".js", ".css", ".woff2", ".svg"}
    assert any("/vendor/katex/katex.min." in one.url for one in files)
    for one in files:
        assert "immutable" in one.headers["cache-control"]
    stored = "from annotate.models import Judgement\nprint(Judgement.objects.count())"
    assert here.run(stored) == 1
