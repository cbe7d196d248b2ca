"""The pages of the benchmark of real labels."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.proof import command, experiments
from benchmarks.proof.experiments import LORA_PLANS
from benchmarks.proof.lora import LoraLearner
from benchmarks.proof.pools import RawPool, Workshop
from tests.proving import SIZE, source_of


@pytest.fixture
def setting(monkeypatch):
    """One whose pool is imported and read already."""
    pytest.importorskip("matplotlib")
    x, source = source_of(prompts=24)
    rows = np.arange(len(x))
    raw = RawPool(x, -1.0 - rows, np.full(len(x), 3), rows // SIZE, rows % SIZE, "model")
    monkeypatch.setattr(Workshop, "import_pool", lambda self: self.folder.mkdir(exist_ok=True))
    monkeypatch.setattr(Workshop, "extract", lambda self, kinds, model: None)
    monkeypatch.setattr(Workshop, "read", lambda self, kind, model: raw)
    monkeypatch.setattr(experiments, "PAPER_BUDGETS", (5, 12, 30))
    return command.Setting("preferences", "T", lambda *_: source, lambda s: "Facts.", "fig")


def test_pages_are_written_the_same_twice_and_nothing_is_measured_again(tmp_path, setting):
    texts = []
    for name in ("one", "two"):
        output = tmp_path / name
        command.run(
            setting,
            [
                "file",
                f"--folder={tmp_path / 'cache'}",
                f"--output={output}",
                "--seeds=2",
                "--features",
                "length",
            ],
        )
        texts.append({path.name: path.read_bytes() for path in output.iterdir()})
    others = ("features", "kinds", "policy", "gap", "prior", "settings", "noise", "paper")
    pages = {"preferences.md", *(f"preferences-{name}.md" for name in others)}
    assert set(texts[0]) == pages | {"preferences.svg", "preferences-policy.svg"}
    assert texts[0] == texts[1]
    main = texts[0]["preferences.md"].decode()
    assert "--seeds 2" in main
    assert main.count("| trace_gap, rounded |") == 2
    paper = texts[0]["preferences-paper.md"].decode()
    assert paper.count("|  | 5 | 12 |\n") == 4  # there are 18 prompts to choose from


def test_a_fine_tuned_reward_has_a_page_where_it_is_asked_for(tmp_path, setting, monkeypatch):
    """The longer text is better, it says, whatever it has learnt."""
    monkeypatch.setattr(command, "setup", lambda folder: None)
    where = "pairselect.pools.engine.embedded.embedded_folder"
    monkeypatch.setattr(where, lambda folder: folder / "model")
    told = []

    def learnt(self, preferences, texts, *, seed):
        told.append(len(preferences))
        return np.array([float(len(text)) for text in texts])

    monkeypatch.setattr(LoraLearner, "_learnt", learnt)
    monkeypatch.setattr(
        command, "LORA_PLANS", {k: replace(v, budgets=(20, 60)) for k, v in LORA_PLANS.items()}
    )
    folders = [f"--folder={tmp_path / 'cache'}", f"--output={tmp_path}"]
    command.run(setting, ["file", *folders, "--seeds=2", "--only=lora"])
    assert len(told) == 2 * 2 * 2
    assert 0 < max(told) <= 60
    page = (tmp_path / "preferences-lora.md").read_text()
    assert "RewardTrainer" in page
    assert page.count("+.000 [+.000, +.000]") == 2
    command.run(setting, ["file", *folders, "--seeds=2", "--only=lora"])
    assert len(told) == 8
