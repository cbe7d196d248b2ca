"""A disk that is full, a model that is gone, memory that is not there: for real, then mended."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.trust.desk import Annotator, Ledger, losses
from tests.trust.jobs import enqueue, wait_for_all
from tests.trust.kinds.tasks import STEPS
from tests.trust.serving import Site, kill_group, wait_until

PROMPTS, EACH = 40, 8
FULL = "The disk is full. Make room, then retry: what was finished is kept."
NO_MEMORY = "There is not enough memory"


class SmallDisk:
    """A file system of its own, in memory, as small as it is told."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")

    def resize(self, size: str) -> None:
        options = f"remount,size={size}"
        subprocess.run(["mount", "-o", options, str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave no page free."""
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], SmallDisk]]:
    made: list[SmallDisk] = []

    def mount(folder: Path, size: str) -> SmallDisk:
        made.append(SmallDisk(folder, size))
        return made[-1]

    yield mount
    for disk in made:
        disk.unmount()


def generate(site: Site, folder: Path, model: str, *words: str) -> None:
    """Queue a pool by that model, of a few seconds' work."""
    prompts = folder / "prompts.jsonl"
    prompts.write_text("\n".join(json.dumps({"prompt": f"Say {k}"}) for k in range(PROMPTS)))
    site.manage("import_prompts", str(prompts), "--name=prompts")
    options = [f"--completions={EACH}", "--max-new-tokens=32", f"--model={model}", *words]
    site.manage("generate_pool", "prompts", "--name=pool", "--enqueue", *options)


def retry(site: Site, kind: str) -> None:
    site.python(
        "from pairselect.jobs.actions import retry_job\n"
        "from pairselect.jobs.models import Job\n"
        f"retry_job(Job.objects.filter(kind={kind!r}).get())"
    )


def job(site: Site, kind: str) -> tuple[str, str]:
    """How the one job of that kind ended, and why."""
    found = wait_for_all(site, seconds=400)
    (ended,) = [one[:2] for name, one in found.items() if name.startswith(kind)]
    return ended


def completions(site: Site) -> int:
    return int(site.rows("select count(*) from pools_completion")[0][0])


@pytest.mark.timeout(900)
def test_features_on_a_full_disk_fail_in_a_sentence_and_go_on_when_there_is_room(
    make_site: Callable[..., Site],
    small_disk: Callable[[Path, str], SmallDisk],
    tmp_path: Path,
    tiny_model: str,
) -> None:
    site = make_site("sqlite")
    disk = small_disk(site.folder / "features", "16k")
    generate(site, tmp_path, tiny_model)
    site.start_worker("gpu")
    site.start_worker("cpu")
    assert job(site, "generate_pool") == ("failed", FULL)  # its features come with its completions
    assert job(site, "extract_features")[0] == "cancelled"
    before = completions(site)
    disk.resize("4m")
    retry(site, "generate_pool")
    assert job(site, "extract_features") == ("done", "")
    assert completions(site) == PROMPTS * EACH >= before > 0
    assert len(list((site.folder / "features").glob("*/manifest.json"))) == 1


@pytest.mark.timeout(900)
def test_a_full_disk_under_the_database_takes_no_answer_and_loses_none(
    make_site: Callable[..., Site], small_disk: Callable[[Path, str], SmallDisk]
) -> None:
    site = make_site("sqlite", TRUST_STEP_SECONDS="0.2")
    shutil.move(site.folder / "pairselect.sqlite3", site.folder.with_suffix(".sqlite3"))
    disk = small_disk(site.folder, "16m")
    shutil.move(site.folder.with_suffix(".sqlite3"), site.folder / "pairselect.sqlite3")
    made = site.set_up(people=1, pairs=40, labels_per_pair=1)
    enqueue(site, ("rows", 1))
    site.start_serve()
    ledger, name = Ledger(), "annotator-00"
    anna = Annotator(site, name, made["sessions"][name], made["campaign"], ledger)
    anna.open()
    for _ in range(3):
        assert anna.say(anna.ahead[0], "left") == "stored"
    wait_until(lambda: (site.folder / "rows-1.lines").exists(), site.said())
    disk.fill()

    status, said = wait_until(lambda: refusal(anna), "an answer that is not taken")
    assert status == 503
    assert said["error"]["code"] == "busy"
    page = anna.http.get(site.address + anna.home)
    assert "Traceback" not in page.text
    if page.status_code == 200:  # it had nothing to write: the same comparison, to be answered yet
        assert anna.ahead[0].lease in page.text
    else:
        assert page.status_code == 503
        assert "<h1>Not at the moment</h1>" in page.text

    disk.make_room()
    for choice in ("right", "left", "tie"):
        assert anna.say(anna.ahead[0], choice) == "stored"
    if job(site, "rows") == ("failed", FULL):  # it had something to write meanwhile
        retry(site, "rows")
    assert job(site, "rows") == ("done", "")
    rows = site.rows("select name from auth_group where name like 'rows-1-%'")
    assert sorted(rows) == sorted((f"rows-1-{step}",) for step in range(STEPS))
    assert losses(site, ledger, labels_per_pair=1) == []


def refusal(anna: Annotator) -> tuple[int, Any] | None:
    """Until the disk takes no more: the log of the database had room for some pages."""
    sheet = anna.ahead[0]
    fields = {"choice": "left", "token": sheet.lease, "csrfmiddlewaretoken": anna.csrf}
    headers = {"Accept": "application/json"}
    anna.ledger.say(sheet.lease, anna.name, ("left", sheet.texts["left"]), None)
    response = anna.http.post(anna.site.address + sheet.url, data=fields, headers=headers)
    if response.status_code != 200:
        del anna.ledger.given[sheet.lease.replace("-", "")]  # what it says next is another matter
        return response.status_code, response.json()
    state = response.json()
    anna.ledger.heard(sheet.lease, ("left", sheet.texts["left"]), state["outcome"])
    anna.take(state, without=sheet)
    return None


@pytest.mark.timeout(900)
def test_a_model_that_is_gone_in_mid_run_is_named_and_the_pool_goes_on_when_it_is_back(
    make_site: Callable[..., Site], tmp_path: Path, tiny_model: str
) -> None:
    site, model = make_site("sqlite"), tmp_path / "model"
    shutil.copytree(tiny_model, model)
    generate(site, tmp_path, str(model), "--no-features")
    site.start_sweep()
    worker = site.start_worker("gpu")
    wait_until(lambda: completions(site), f"a completion: {site.said()}")
    model.rename(tmp_path / "elsewhere")
    kill_group(worker)
    kept = dict(site.rows("select id, created_at from pools_completion"))
    assert 0 < len(kept) < PROMPTS * EACH
    site.start_worker("gpu")
    status, error = job(site, "generate_pool")
    assert status == "failed"
    assert str(model) in error
    assert error.endswith(".")
    (tmp_path / "elsewhere").rename(model)
    retry(site, "generate_pool")
    assert job(site, "generate_pool") == ("done", "")
    after = dict(site.rows("select id, created_at from pools_completion"))
    assert len(after) == PROMPTS * EACH
    assert kept.items() <= after.items()


@pytest.mark.timeout(900)
def test_memory_that_is_not_there_fails_in_a_sentence_and_the_worker_goes_on(
    make_site: Callable[..., Site], tmp_path: Path, tiny_model: str
) -> None:
    """A real refusal of the kernel's, on the CPU."""
    site = make_site("sqlite")
    big = save_big_model(tmp_path / "big", tiny_model)
    worker = site.start_worker("gpu")
    generate(site, tmp_path, tiny_model, "--no-features")
    assert job(site, "generate_pool") == ("done", "")
    most = psutil.Process(worker.pid).memory_info().vms + 200_000_000
    before = resource.prlimit(worker.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    site.manage("extract_features", "pool", f"--model={big}", "--enqueue")
    status, error = job(site, "extract_features")
    assert status == "failed"
    assert error.startswith(NO_MEMORY), error
    resource.prlimit(worker.pid, resource.RLIMIT_AS, before)
    retry(site, "extract_features")
    assert job(site, "extract_features") == ("done", "")
    assert worker.poll() is None


def save_big_model(folder: Path, tiny: str) -> Path:
    """The tiny model's tokenizer with 100 million random weights, 400 MB."""
    from transformers import AutoConfig, AutoModelForCausalLM

    shutil.copytree(tiny, folder)
    for old in folder.glob("*.safetensors"):
        os.unlink(old)
    config = AutoConfig.from_pretrained(tiny)
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 1024, 8192, 4
    config.num_attention_heads = config.num_key_value_heads = 8
    config.head_dim = 128
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder
