"""The sentiment setting where a real trainer takes part, on a model that knows nothing."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.proof.lora import LoraLearner
from benchmarks.proof.pools import Question
from benchmarks.proof.sentiment.scales import Learning
from benchmarks.proof.sentiment.training import Studio
from benchmarks.proof.sentiment.tuning import TEMPLATE
from benchmarks.proof.sources import Source
from benchmarks.proof.task import Split, task_of
from pairselect.core.arrays import FloatArray

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = "pairselect.settings"  # a data folder by its variable, as anybody runs it
BEGINNINGS = [f"Film {k}" for k in range(24)]
LEARNING = Learning(1e-2, 4, 4)


class ShareOfE:
    """The reward: the share of the letter e."""

    def of(self, texts: Sequence[str]) -> FloatArray:
        return np.array([text.count("e") / len(text) for text in texts])


@pytest.fixture(scope="module")
def studio(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("sft")
    AutoModelForCausalLM.from_pretrained(tiny_model).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return Studio(folder, data=folder)


def rows(count: int) -> list[dict[str, list[dict[str, str]]]]:
    return [
        {
            "prompt": [{"role": "user", "content": f"Review {k}"}],
            "chosen": [{"role": "assistant", "content": "eeee" + "e" * (k % 3)}],
            "rejected": [{"role": "assistant", "content": "zuzu" + "z" * (k % 3)}],
        }
        for k in range(count)
    ]


class SumOfCodes:
    """Hardly two texts have the same."""

    def of(self, texts: Sequence[str]) -> FloatArray:
        return np.array([sum(map(ord, text)) for text in texts], dtype=np.float64)


def write(
    studio: Studio, seed: int = 0, reward: ShareOfE | SumOfCodes | None = None
) -> tuple[FloatArray, FloatArray]:
    judge: Any = reward or ShareOfE()
    found = studio.write(BEGINNINGS, judge, seed=seed, most_tokens=12)
    assert found.tokens.max() <= 12
    return found.reward, found.log_ratio


def test_the_reference_has_no_kl_to_itself(studio: Studio) -> None:
    studio.restart()
    codes = SumOfCodes()
    written, ratio = write(studio, reward=codes)
    assert np.all(ratio == 0)
    assert np.array_equal(write(studio, reward=codes)[0], written)  # the same draws
    assert not np.array_equal(write(studio, seed=1, reward=codes)[0], written)


def test_dpo_learns_what_was_chosen_and_begins_anew_each_time(studio: Studio) -> None:
    studio.restart()
    before, _ = write(studio)
    studio.train(rows(16), LEARNING, beta=0.1, seed=0)
    reward, ratio = write(studio)
    assert reward.mean() > before.mean()
    assert ratio.mean() > 4 * ratio.std() / np.sqrt(ratio.size)  # a KL above 0
    studio.train(rows(16), LEARNING, beta=0.1, seed=0)
    assert np.allclose(write(studio)[1], ratio, atol=1e-3)
    studio.restart()
    assert np.all(write(studio)[1] == 0)


def test_a_large_beta_stays_near_the_reference(studio: Studio) -> None:
    kl = {}
    for beta in (0.05, 5.0):
        studio.train(rows(16), LEARNING, beta=beta, seed=0)
        kl[beta] = write(studio)[1].mean()
    assert kl[5.0] < kl[0.05]


def test_a_fine_tuned_reward_follows_its_labels(studio: Studio) -> None:
    """Of pools of four with one, two, three and four e, people like the most."""
    questions = [Question(f"Word {k}?", ("e zz", "e e", "e e e", "e e e e")) for k in range(24)]
    pairs = np.array([(q, a, b) for q in range(24) for a, b in combinations(range(4), 2)])
    score = np.tile(np.arange(4.0), (24, 1))
    source = Source(tuple(questions), pairs, np.zeros(len(pairs)), score, {})
    rows = np.arange(96)
    features = np.random.default_rng(0).standard_normal((96, 4))
    task = task_of(source, features, log_probs=-1.0 - rows, token_counts=np.full(96, 3))
    split = Split.of(task, 0)
    folder = Path(studio.reference.name)
    learner = LoraLearner(folder, questions, rate=1e-2, epochs=6, dimension=4)
    pairs = split.pool(4).pair_rows(split.pool(4).candidate_ids())
    reward = learner.rewards(split, pairs)
    held_out = np.isin(task.prompt, split.test)
    assert np.isnan(reward[~held_out]).all()
    assert task.right(reward, split.test).sum() > 0.9 * task.judged[split.test].sum()
    assert np.allclose(learner.rewards(split, pairs)[held_out], reward[held_out], atol=1e-4)

    tied = Split.of(replace(task, preferred=np.full(len(task.pairs), 0.5)), 0)
    assert not learner.rewards(tied, pairs)[held_out].any()


@pytest.mark.timeout(1500)
def test_the_command_goes_from_reviews_to_a_page_and_goes_on_where_it_was(
    tiny_model: str, tmp_path: Path
) -> None:
    files = {}
    for name in ("train", "test"):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_bytes(b"".join(reviews(name, 60)))

    def command(*options: str) -> str:
        words = [sys.executable, "-m", "benchmarks.proof.sentiment", "--scale", "tiny"]
        words += ["--train", str(files["train"]), "--test", str(files["test"])]
        words += ["--folder", str(tmp_path / "work"), "--output", str(tmp_path / "docs")]
        words += ["--base", tiny_model, "--machine", "a test", *options]
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "DJANGO_SETTINGS_MODULE": SETTINGS},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stderr

    assert "16 of 16 runs" in command()
    page = (tmp_path / "docs" / "sentiment.md").read_text()
    assert "on a test" in page
    assert page.count("| trace, exact (the default) |") == 1
    assert "## Label ratio: (iii) 5 prompts × 4, bradley-terry" in page
    assert (tmp_path / "docs" / "sentiment.svg").read_text().count("trace, exact") == 1
    results = tmp_path / "work" / "tiny" / "results.jsonl"
    lines = results.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2 + 2 + 16  # searched, references, policies
    keys = {orjson.loads(line)["key"] for line in lines}
    results.write_bytes(b"".join(lines)[:-20])  # killed in the last one
    said = command("--workers", "2")  # one of the two has nothing to do
    assert "1 of 1 runs" in said
    assert "2 of" not in said
    curves = tmp_path / "work" / "tiny" / "curves.jsonl"
    assert not curves.exists()
    command("--stages", "curves")
    assert [len(row["completions"]) for row in map(orjson.loads, curves.open())] == [3] * 8
    again = [orjson.loads(line) for line in results.read_bytes().splitlines()]
    assert {record["key"] for record in again} == keys
    assert len(again) == len(keys)


def reviews(name: str, count: int) -> list[bytes]:
    rng = np.random.default_rng(len(name))
    found = []
    for k in range(count):
        words = rng.choice(["film", "plot", "cast", "song"], 6).tolist()
        mood = ["awful", "lovely"][k % 2]
        text = f"{name} {k} {' '.join(words[:2])}. {mood} {' '.join(words[2:])}. {mood} end."
        found.append(orjson.dumps({"text": text, "label": ["neg", "pos"][k % 2]}) + b"\n")
    return found
