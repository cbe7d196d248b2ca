"""The whole path by its pages alone, in a real Chromium, from an empty install to a dataset.

An admin uploads prompts, has a pool written, predicts and chooses pairs, opens a campaign and
makes two annotators. They compare by key, each in a browser of their own; the labels are
assessed, a second round is designed from them and labelled, and the dataset is exported. What it
prints is what each step took, and what a person would find in the file. ``--pictures`` keeps a
picture of every page that was seen.
"""

import argparse
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.desk import CHROMIUM, ROOT, manage, wait_for

DEMO = ROOT / "pairselect" / "demo_prompts.jsonl"
PASSWORD = "Only-for-this-run-1"
SIZE = {"width": 1366, "height": 768}
LONG = 20 * 60 * 1000  # ms


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"PAIRSELECT_DATA_DIR": folder}
        manage(environment, "migrate", "--verbosity=0")
        make_admin(environment)
        server = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/login/")
            with sync_playwright() as playwright:
                path = next(found for name in CHROMIUM if (found := shutil.which(name)))
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                Walk(browser, address, Path(folder), options).run()
                browser.close()
        finally:
            server.terminate()
            server.wait()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, default=DEMO, help="a file of prompts")
    parser.add_argument("--rows", type=int, default=200, help="its first so many")
    parser.add_argument("--completions", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--second", type=int, default=50, help="the second round's budget")
    parser.add_argument("--pictures", type=Path, help="a folder for them")
    return parser.parse_args()


def make_admin(environment: dict[str, str]) -> None:
    """The one thing that has no page: whoever installs it makes the first account."""
    code = (
        "from django.contrib.auth.models import Group, User\n"
        f"user = User.objects.create_user('ada', password={PASSWORD!r})\n"
        "user.groups.add(Group.objects.get(name='admin'))\n"
    )
    manage(environment, "shell", "--verbosity=0", "--command", code)


class Walk:
    """One admin and two annotators, each in a browser of their own."""

    def __init__(
        self, browser: Browser, address: str, folder: Path, options: argparse.Namespace
    ) -> None:
        self.browser, self.address, self.folder, self.options = browser, address, folder, options
        self.chance = random.Random(0)
        self.number = itertools.count(1)
        self.problems: list[str] = []
        self.admin = self.sit()

    def run(self) -> None:
        with self.step("log in, an empty home"):
            self.log_in(self.admin, "ada", PASSWORD)
            self.picture("home-empty")
        with self.step("upload the prompts"):
            self.upload()
        with self.step("write the pool, with its features"):
            self.write_pool()
        with self.step("predict, and choose the pairs"):
            self.choose()
        with self.step("two accounts, and a campaign"):
            people = self.make_people()
            campaign = self.open_campaign("First round", "First choice", people)
        with self.step("labels of the first round"):
            count = self.label(campaign, people)
        print(f"{'':<40}{count} answers by key")
        with self.step("quality"):
            self.assess(campaign)
        with self.step("a second round"):
            self.next_round(campaign)
            second = self.open_campaign("Second round", "Second choice", people)
            count = self.label(second, people)
        print(f"{'':<40}{count} answers by key")
        with self.step("the dataset"):
            self.export(second)
        self.go("/")
        self.picture("home")
        print("\n".join(self.problems) or "nothing on a console, no address that failed")

    # --- the machinery

    def sit(self) -> Page:
        page = self.browser.new_context(viewport=SIZE, accept_downloads=True).new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda said: self.problems.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on(
            "response",
            lambda got: got.status >= 400 and self.problems.append(f"{got.status} {got.url}"),
        )
        return page

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        print(f"{title:<40}{time.monotonic() - started:8.1f} s", flush=True)

    def picture(self, name: str, page: Page | None = None, *, whole: bool = True) -> None:
        if self.options.pictures:
            self.options.pictures.mkdir(parents=True, exist_ok=True)
            path = self.options.pictures / f"{next(self.number):02}-{name}.png"
            (page or self.admin).screenshot(path=path, full_page=whole)

    def go(self, path: str) -> None:
        self.admin.goto(self.address + path)

    def log_in(self, page: Page, name: str, password: str) -> None:
        page.goto(f"{self.address}/login/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)

    def press(self, name: str) -> None:
        self.admin.locator("main").get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.admin.locator("main").get_by_role("link", name=name, exact=True).first.click()

    def until(self, selector: str) -> None:
        """Wait for what a worker's work brings onto the page by itself."""
        self.admin.locator(selector).first.wait_for(timeout=LONG)

    # --- the steps

    def upload(self) -> None:
        file = self.folder / "prompts.jsonl"
        lines = self.options.prompts.read_text().split("\n")[: self.options.rows]
        file.write_text("\n".join(lines))
        self.go("/prompts/uploads/new/")
        self.admin.fill("[name=name]", "Questions")
        self.admin.set_input_files("[name=file]", file)
        self.picture("upload")
        self.press("Upload")
        self.until("button:text-is('Import')")
        self.picture("upload-recognised")
        self.press("Import")
        self.until("main a[href*='/pools/new/']")

    def write_pool(self) -> None:
        self.go("/pools/new/")
        self.admin.select_option("[name=prompt_set]", label="Questions")
        self.admin.fill("[name=name]", "Answers")
        self.admin.fill("[name=completions]", str(self.options.completions))
        self.admin.fill("[name=max_new_tokens]", str(self.options.tokens))
        self.picture("pool-new")
        self.press("Generate")
        self.until("progress")
        self.admin.wait_for_timeout(5000)
        self.picture("pool-at-work")
        self.until("a:text-is('Choose pairs')")
        self.admin.reload()
        self.picture("pool")

    def choose(self) -> None:
        self.follow("Choose pairs")
        self.admin.fill("[name=name]", "First choice")
        self.admin.fill("[name=budget]", str(self.options.budget))
        self.press("Predict")
        self.until("h3:text-is('Strategies side by side')")
        self.picture("predicted")
        self.admin.get_by_role("button", name="Choose", exact=True).first.click()
        self.until("h2:text-is('Receipt')")
        self.picture("design")

    def make_people(self) -> dict[str, str]:
        people = {}
        for name in ("berta", "carl"):
            self.go("/people/")
            self.admin.fill("[name=username]", name)
            self.admin.locator("main [name=role]").last.select_option("annotator")
            self.press("Make the account")
            said = self.admin.locator(".flash").first.inner_text()
            found = re.search(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", said)
            assert found, said
            people[name] = found[0]
        self.picture("people")
        return people

    def open_campaign(self, name: str, design: str, people: dict[str, str]) -> str:
        self.go("/campaigns/new/")
        self.admin.select_option("[name=design]", label=design)
        self.admin.fill("main [name=name]", name)
        for one in people:
            self.admin.get_by_label(one, exact=True).check()
        self.admin.fill("[name=guidelines]", "Which answer **helps** more with the prompt?")
        self.admin.fill("[name=labels_per_pair]", "2")
        self.admin.fill("[name=repeat_share]", "10")
        self.picture("campaign-new")
        self.press("Open")
        self.until("h2:text-is('Annotators')")
        self.admin.locator(".badge[data-status=open]").first.wait_for(timeout=LONG)
        return self.admin.url.removeprefix(self.address)

    def label(self, campaign: str, people: dict[str, str]) -> int:
        """Both answer by key until nothing is left for either, turn by turn."""
        number = campaign.strip("/").rpartition("/")[2]
        desks = {}
        for name, password in people.items():
            page = self.sit()
            self.log_in(page, name, password)
            page.goto(f"{self.address}/work/{number}/")
            page.locator("html[data-ready]").wait_for(state="attached")
            desks[name] = page
        self.picture("desk", desks["berta"], whole=False)
        given = 0
        while desks:
            for name, page in list(desks.items()):
                if page.locator("#desk").count() == 0:
                    page.context.close()
                    del desks[name]
                    continue
                self.answer(page)
                given += 1
                if given == 40:
                    self.go(campaign)
                    self.picture("campaign-at-work")
        return given

    def answer(self, page: Page) -> None:
        """As a hurried person might: mostly the text with more different words."""
        page.locator("#desk:not([aria-busy=true])").wait_for()
        token = page.locator("#answer [name=token]").input_value()
        sides = [
            len(set(page.locator(f".pane[data-side={side}] .prose").inner_text().split()))
            for side in ("left", "right")
        ]
        better = "1" if sides[0] >= sides[1] else "2"
        worse = "2" if better == "1" else "1"
        page.wait_for_timeout(320)  # the page takes no answer within its first moment
        page.keyboard.press(self.chance.choices([better, worse, "0"], [80, 15, 5])[0])
        page.wait_for_function(
            "token => document.querySelector('#answer [name=token]')?.value !== token", arg=token
        )

    def assess(self, campaign: str) -> None:
        self.go(f"{campaign}quality/")
        self.press("Assess the labels")
        self.until("button:text-is('Assess again')")
        self.picture("quality")
        self.go(f"{campaign}disagreements/")
        self.picture("disagreements")

    def next_round(self, campaign: str) -> None:
        self.go(f"{campaign}next-round/")
        self.admin.fill("[name=name]", "Second choice")
        self.admin.fill("[name=budget]", str(self.options.second))
        self.picture("next-round")
        self.press("Choose")
        self.until("h2:text-is('Receipt')")
        self.picture("second-design")

    def export(self, campaign: str) -> None:
        self.go(f"{campaign}exports/")
        self.admin.check("[name=rounds]")
        self.admin.fill("[name=test_share]", "10")
        self.admin.locator("[name=test_share]").press("Tab")
        self.until("dt:text-is('Rows to test on')")
        self.picture("export")
        self.press("Export")
        with self.admin.expect_download(timeout=LONG) as coming:
            self.until("a[download]")
            self.admin.locator("a[download]").first.click()
        path = self.folder / "dataset.zip"
        coming.value.save_as(path)
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                print(f"{'':<40}{name}, {archive.getinfo(name).file_size:,} bytes")
            train = next(name for name in archive.namelist() if name.endswith("train.jsonl"))
            rows = [json.loads(line) for line in archive.read(train).splitlines()]
        print(f"{'':<40}{len(rows)} rows to train on, with {', '.join(rows[0])}")
        self.go(f"{campaign}exports/")
        self.follow("Report")
        self.picture("acceptance-report")


if __name__ == "__main__":
    main()
