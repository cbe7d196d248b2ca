"""From a key pressed to the next comparison painted, in a real Chromium against a real server.

A campaign of Markdown answers with code, tables and formulas is answered by key at a person's
pace. The clock runs in the browser: from the event's own time stamp to the first task after the
frame that shows the other comparison. Beside it stands what the answer's request took: waiting
for the server, as a page that fetches the next comparison does, would cost at least that more.
"""

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PASSWORD = "only-for-this-run"
PROBE = """
window.presses = [];
window.requests = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    if (each.name.endsWith("/answer/")) window.requests.push(each.duration);
  }
}).observe({ type: "resource" });
addEventListener("keydown", (event) => {
  const before = document.querySelector("#desk")?.dataset.token;
  const started = event.timeStamp;
  const painted = new MessageChannel();
  painted.port1.onmessage = () => {
    const after = document.querySelector("#desk")?.dataset.token;
    window.presses.push({ ms: performance.now() - started, swapped: after !== before });
  };
  requestAnimationFrame(() => painted.port2.postMessage(null));
}, { capture: true });
"""
WORDS = (
    *("answer", "model", "policy", "gradient", "reward", "label", "design", "matrix", "estimate"),
    *("therefore", "however", "simple", "direct", "linear", "convex", "optimal", "variance"),
    *("choose", "compare", "better", "worse", "longer", "shorter", "proof", "bound", "the", "of"),
)


def main() -> None:
    options = read_options()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"PAIRSELECT_DATA_DIR": folder}
        prepare(environment, Path(folder), options.comparisons + 10)
        server = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--no-workers", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/login/")
            run(f"http://127.0.0.1:{port}", options)
            print(f"{'server, resident memory':<44}{resident(server.pid):8.0f} MB")
        finally:
            server.terminate()
            server.wait()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=60)
    parser.add_argument("--pace", type=float, default=0.7, help="seconds at each, about")
    parser.add_argument("--trace", type=Path, help="record it: a trace with a picture of each step")
    return parser.parse_args()


def prepare(environment: dict[str, str], folder: Path, prompts: int) -> None:
    """An open campaign with one annotator, made by the product's own commands where it can be."""
    chance = random.Random(0)
    pool = folder / "pool.jsonl"
    with pool.open("w") as file:
        for number in range(prompts):
            row = {
                "prompt": f"Question {number}: explain it with a formula and a program.",
                "completions": [answer(chance) for _ in range(2)],
            }
            file.write(json.dumps(row) + "\n")
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "import_pool", str(pool), "--name=pool", "--no-features")
    code = f"""
from django.contrib.auth.models import Group, User
from django.utils import timezone
from annotate.models import Campaign, Comparison
from pairselect.designs.models import Design, SelectedPair
from pairselect.pools.models import Pool
pool = Pool.objects.get()
design = Design.objects.create(name="d", pool=pool, feature_kind="mean_middle", strategy="uniform",
                               budget={prompts}, solved_at=timezone.now())
for place, prompt in enumerate(pool.prompt_set.prompts.all()):
    first, second = pool.completions.filter(prompt=prompt).order_by("index")
    SelectedPair.objects.create(design=design, position=place, prompt=prompt, first=first,
        second=second, inclusion_probability=1, sensitivity=1, feature_distance=1,
        first_log_prob=0, second_log_prob=0)
user = User.objects.create_user("anna", password={PASSWORD!r})
user.groups.add(Group.objects.get(name="annotator"))
"""
    manage(environment, "shell", "--verbosity=0", "--command", code)
    manage(environment, "open_campaign", "d", "--name=c", "--annotator=anna")


def answer(chance: random.Random) -> str:
    """About 250 words of Markdown, with a formula, a program and a table."""

    def sentence() -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(8, 20))).capitalize() + "."

    def paragraph() -> str:
        return " ".join(sentence() for _ in range(chance.randint(2, 4)))

    formula = f"$$\\int_0^{chance.randint(2, 9)} x^{chance.randint(2, 9)}\\,dx = \\frac{{a}}{{b}}$$"
    code = f"```python\ndef f(x):\n    return x ** {chance.randint(2, 9)}\n```"
    table = (
        f"| n | value |\n|---|---|\n| 1 | {chance.random():.3f} |\n| 2 | {chance.random():.3f} |"
    )
    inline = f"With $\\lambda = {chance.random():.2f}$ this is **{chance.choice(WORDS)}**."
    parts = [paragraph(), formula, paragraph(), inline, code, paragraph(), table, paragraph()]
    return "\n\n".join(parts)


def run(address: str, options: argparse.Namespace) -> None:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        if options.trace:
            context.tracing.start(screenshots=True, snapshots=True)
        page = context.new_page()
        page.add_init_script(PROBE)
        log_in(page, address)
        page.click("a:has-text('Start')")
        page.locator("html[data-ready]").wait_for(state="attached")
        page.wait_for_timeout(1500)
        chance = random.Random(1)
        before = heap(page)
        page.evaluate("window.presses.length = 0")
        for _ in range(options.comparisons):
            page.keyboard.press(chance.choice("1209"))
            page.wait_for_timeout(options.pace * 1000 * chance.uniform(0.7, 1.3))
        page.wait_for_timeout(1000)
        presses = page.evaluate("window.presses")
        requests = page.evaluate("window.requests")
        after = heap(page)
        if options.trace:
            context.tracing.stop(path=options.trace)
        browser.close()
    report(presses, requests)
    print(f"{'browser, JavaScript heap before, after':<44}{before:8.1f} {after:.1f} MB")


def log_in(page: Page, address: str) -> None:
    page.goto(f"{address}/login/")
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "login" not in url)


def report(presses: list[dict[str, float]], requests: list[float]) -> None:
    painted = [press["ms"] for press in presses if press["swapped"]]
    print(f"{'keys pressed':<44}{len(presses):8d}")
    print(f"{'of them, next comparison in the next frame':<44}{len(painted):8d}")
    print(
        "the first ten, ms from key to paint         "
        + " ".join(f"{ms:.0f}" for ms in painted[:10])
    )
    table("key to next comparison painted", painted)
    table("the answer's request", requests)
    waited = statistics.median(requests) + statistics.median(painted)
    ratio = waited / statistics.median(painted)
    print(f"{'a page that waits for the server, at least':<44}{waited:8.1f} ms  {ratio:.1f} times")


def table(title: str, values: list[float]) -> None:
    ordered = sorted(values)
    at = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    middle = statistics.median(ordered)
    print(f"{title:<44}{middle:8.1f} ms median, {at:.1f} ms 95%, {ordered[-1]:.1f} ms at most")


def heap(page: Page) -> float:
    """Megabytes that JavaScript holds after a collection."""
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {
        one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]
    }
    client.detach()
    return float(metrics["JSHeapUsedSize"]) / 1e6


def resident(pid: int) -> float:
    root = psutil.Process(pid)
    family = [root, *root.children(recursive=True)]
    return sum(process.memory_info().rss for process in family) / 1e6


def manage(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def wait_for(address: str) -> None:
    for _ in range(240):
        try:
            urlopen(address).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise SystemExit("The server did not answer within a minute.")


if __name__ == "__main__":
    main()
