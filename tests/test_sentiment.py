"""The sentiment setting: reviews, reward, labels, choices, what its statistics say."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from transformers import AutoTokenizer

from annotate.exporting.checking import two_texts
from benchmarks.proof.plans import Plan
from benchmarks.proof.records import Results
from benchmarks.proof.sentiment.frontier import Frontier, averages, equal_kl, ratio_of_labels
from benchmarks.proof.sentiment.labels import KINDS, label_pairs
from benchmarks.proof.sentiment.pools import Material, preference_rows
from benchmarks.proof.sentiment.reviews import (
    Review,
    continuations,
    read_reviews,
    shuffled,
    slices,
    whole_sentences,
)
from benchmarks.proof.sentiment.reward import load_reward, save_reward, train_reward
from benchmarks.proof.sentiment.runs import Archive, Bench, Run, best_learning, runs_of, share_of
from benchmarks.proof.sentiment.scales import FULL, PLANS, REDUCED, Learning, Part
from benchmarks.proof.sentiment.training import Written
from benchmarks.proof.statistics import RESAMPLES
from pairselect.core import CandidatePool

LEARNING = Learning(1e-5, 2)

# --- reviews ----------------------------------------------------------------------------------


def test_reviews_lose_their_html_and_keep_their_words(tmp_path: Path) -> None:
    rows = [{"text": "Good.<br /><br />Very  good, 1 < 2.", "label": "pos"}]
    file = tmp_path / "some.jsonl"
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    assert read_reviews(file) == [Review("Good. Very good, 1 < 2.", positive=True)]


def test_no_two_reviews_begin_alike_and_each_goes_on() -> None:
    texts = ["a b c d", "a b x y", "a b", "e f g", "e f", "h"]
    found = shuffled([Review(text, True) for text in texts], words=2, seed=0)
    assert sorted(one.beginning(2) for one in found) == ["a b", "e f"]
    assert all(len(one.text.split()) > 2 for one in found)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: str) -> object:
    return AutoTokenizer.from_pretrained(tiny_model)  # a token a character


@pytest.mark.parametrize(
    ("text", "tokens", "kept"),
    [
        ("One. Two. Three.", 12, "One. Two."),
        ("One. Two. Three.", 16, "One. Two. Three."),  # all of it
        ("One. Two...", 9, "One."),  # cut within an end
        ("Mr.X and more", 12, ""),  # no end
        ('He said "no." Then', 14, 'He said "no."'),
    ],
)
def test_a_text_is_cut_at_its_last_sentence(
    text: str, tokens: int, kept: str, tokenizer: object
) -> None:
    assert whole_sentences(text, tokens, tokenizer) == kept


def test_a_row_goes_on_where_its_beginning_ends(tokenizer: object) -> None:
    reviews = [Review("It was a fine film. Really it was.", True), Review("It was ok.", True)]
    rows = list(continuations(reviews, words=3, tokens=14, tokenizer=tokenizer))
    assert rows == [
        {
            "prompt": [{"role": "user", "content": "It was a"}],
            "completion": [{"role": "assistant", "content": "fine film."}],
        }
    ]


def test_slices_share_no_review() -> None:
    reviews = [Review(str(k), True) for k in range(10)]
    found = slices(reviews, {"a": 3, "b": 4})
    assert [one.text for one in found["a"]] == ["0", "1", "2"]
    assert [one.text for one in found["b"]] == ["3", "4", "5", "6"]
    with pytest.raises(SystemExit, match="11 reviews are needed"):
        slices(reviews, {"a": 11})


# --- the reward -------------------------------------------------------------------------------


def test_the_reward_is_learnt_and_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good, bad, neutral = ("fine", "lovely"), ("dull", "awful"), ("film", "plot", "it", "was", "a")

    def reviews(count: int) -> list[Review]:
        found = []
        for k in range(count):
            words = [*rng.choice(neutral, 8), *rng.choice(good if k % 2 else bad, 3)]
            found.append(Review(" ".join(rng.permutation(words)), bool(k % 2)))
        return found

    reward = train_reward(reviews(200), reviews(60), words=11)
    assert reward.accuracy == 1.0
    better, worse = reward.of(["a lovely film", "a dull film"])
    assert better > 0 > worse
    probability = reward.pipeline.predict_proba(["a lovely film"])[0, 1]
    assert better == pytest.approx(np.log(probability / (1 - probability)))
    save_reward(reward, tmp_path / "reward.joblib")
    again = load_reward(tmp_path / "reward.joblib")
    assert again.mark == reward.mark
    assert again.of(["a lovely film"]) == pytest.approx([better])
    assert train_reward(reviews(200), reviews(60), words=11).mark != reward.mark


# --- labels -----------------------------------------------------------------------------------

PAIRS = np.array([(2 * k, 2 * k + 1) for k in range(4000)])
REWARD = np.tile([1.0, 0.0], 4000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_has_one_label_whichever_way_it_is_written(kind: str) -> None:
    reward = np.random.default_rng(0).standard_normal(100)
    pairs = np.array([(a, b) for a in range(20) for b in range(a + 1, 20)])
    ahead = label_pairs(pairs, reward, kind=kind, seed=3)
    assert np.array_equal(label_pairs(pairs[:, ::-1], reward, kind=kind, seed=3), ~ahead)
    some = np.array([100, 7, 55])
    assert np.array_equal(label_pairs(pairs[some], reward, kind=kind, seed=3), ahead[some])


@pytest.mark.parametrize(
    ("kind", "chance"),
    [
        ("bradley-terry", 0.7311),
        ("noise-free", 1.0),
        ("25% flipped", 0.75 * 0.7311 + 0.25 * 0.2689),
    ],
)
def test_labels_follow_the_reward_as_often_as_they_should(kind: str, chance: float) -> None:
    labels = label_pairs(PAIRS, REWARD, kind=kind, seed=0)
    assert abs(labels.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / 4000) + 1e-12


def test_a_coin_decides_between_equal_rewards() -> None:
    labels = label_pairs(PAIRS, np.zeros(8000), kind="noise-free", seed=0)
    assert abs(labels.mean() - 0.5) < 0.04


def test_seeds_have_labels_of_their_own() -> None:
    one, other = (label_pairs(PAIRS, REWARD, seed=seed) for seed in (0, 1))
    assert 0.3 < np.mean(one != other) < 0.48  # 2 p (1 − p) = .39


# --- what may be chosen -----------------------------------------------------------------------


def material(prompts: int, size: int, cap: int | None = None) -> Material:
    rng = np.random.default_rng(1)
    rows = prompts * size
    prompt = np.repeat(np.arange(prompts), size)
    pool = CandidatePool(rng.standard_normal((rows, 4)), prompt, -rng.random(rows))
    return Material(
        name="some",
        part=Part("some", prompts, size, cap),
        feature_set=None,
        prompts=[[{"role": "user", "content": f"beginning {p}"}] for p in prompt],
        texts=[f"text {k}" for k in range(rows)],
        ended=np.ones(rows),
        reward=rng.standard_normal(rows),
        prompt=prompt,
        _pools=dict.fromkeys(range(4, 129), pool),
    )


@pytest.mark.parametrize("name", PLANS)
def test_one_pair_of_each_prompt_where_the_part_says_so(name: str) -> None:
    some = material(12, 4, cap=1)
    pairs = some.choose(PLANS[name][1], 12, 0)
    assert sorted(some.prompt[pairs[:, 0]]) == list(range(12))
    assert np.array_equal(some.prompt[pairs[:, 0]], some.prompt[pairs[:, 1]])


def test_the_gap_is_that_of_the_reward() -> None:
    some = material(12, 4)
    gaps = np.abs(np.diff(some.reward[some.choose(Plan("max_gap", scores="true"), 5, 0)]))
    every = [
        abs(some.reward[a] - some.reward[b])
        for p in range(12)
        for a in range(4 * p, 4 * p + 4)
        for b in range(a + 1, 4 * p + 4)
    ]
    assert sorted(gaps.ravel()) == pytest.approx(sorted(every)[-5:])


def test_a_noisy_score_has_the_correlation_that_it_says() -> None:
    some = material(4000, 2)
    score = some.scores("noisy:0.46", 0).reshape(-1, 2)
    truth = some.reward.reshape(-1, 2)
    found = np.corrcoef(np.diff(score).ravel(), np.diff(truth).ravel())[0, 1]
    assert found == pytest.approx(0.46, abs=0.04)
    assert not np.array_equal(score, some.scores("noisy:0.46", 1).reshape(-1, 2))


def test_rows_are_those_of_the_export() -> None:
    some = material(2, 3)
    some.texts[2] = some.texts[0]  # type: ignore[index]
    pairs = np.array([(0, 1), (0, 2), (3, 5)])
    rows = preference_rows(some, pairs, [False, True, True])
    assert two_texts(some.texts[0], some.texts[2])  # so the export leaves it out
    assert rows == [
        {
            "prompt": [{"role": "user", "content": "beginning 0"}],
            "chosen": [{"role": "assistant", "content": "text 1"}],
            "rejected": [{"role": "assistant", "content": "text 0"}],
        },
        {
            "prompt": [{"role": "user", "content": "beginning 1"}],
            "chosen": [{"role": "assistant", "content": "text 3"}],
            "rejected": [{"role": "assistant", "content": "text 5"}],
        },
    ]


# --- runs and their results -------------------------------------------------------------------


@pytest.mark.parametrize("scale", [FULL, REDUCED])
def test_every_policy_has_uniform_beside_it(scale) -> None:
    runs = set(runs_of(scale))
    for run in runs:
        beside = Run(run.seed, run.part, run.budget, "uniform", run.labels, scale.main_beta)
        assert beside in runs
        assert Run(*[*vars(beside).values()][:3], run.plan, run.labels, scale.main_beta) in runs


def test_the_budgets_can_be_had() -> None:
    for scale in (FULL, REDUCED):
        for run in runs_of(scale):
            part = scale.parts[run.part]
            pairs = part.completions * (part.completions - 1) // 2
            assert run.budget <= part.prompts * min(pairs, part.max_per_prompt or pairs)


def test_workers_share_the_runs_without_sharing_a_choice() -> None:
    runs = runs_of(FULL)
    shares = [share_of(runs, k, 4) for k in range(4)]
    assert sorted(run for share in shares for run in share) == runs
    groups = [{(r.seed, r.part, r.budget, r.plan) for r in share} for share in shares]
    assert all(not groups[a] & groups[b] for a in range(4) for b in range(a))
    assert max(map(len, shares)) < 1.3 * min(map(len, shares))


class SomeReward:
    mark = "m"


def bench(archive: Archive, **changes) -> Bench:
    facts = {
        "scale": REDUCED,
        "materials": {"anywhere": material(3, 3)},
        "reward": SomeReward(),
        "beginnings": ["one", "two"],
        "archive": archive,
        "device": "cpu",
    }
    return Bench(**(facts | changes))


def test_a_result_is_that_of_everything_that_decides_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "results.jsonl")
    run = Run(0, "anywhere", 100, "trace", "bradley-terry", 0.1)
    other = material(3, 3)
    other.texts[0] = "another"  # type: ignore[index]
    here = bench(archive)
    cells = [
        here.cell(run, LEARNING),
        *(
            here.cell(Run(*parts), LEARNING)
            for parts in (
                (1, "anywhere", 100, "trace", "bradley-terry", 0.1),
                (0, "anywhere", 101, "trace", "bradley-terry", 0.1),
                (0, "anywhere", 100, "uniform", "bradley-terry", 0.1),
                (0, "anywhere", 100, "trace", "noise-free", 0.1),
                (0, "anywhere", 100, "trace", "bradley-terry", 0.3),
            )
        ),
        *(here.cell(run, Learning(*one)) for one in ((2e-5, 2), (1e-5, 3), (1e-5, 2, 8))),
        bench(archive, device="cuda").cell(run, LEARNING),
        bench(archive, beginnings=["one", "three"]).cell(run, LEARNING),
        bench(archive, materials={"anywhere": other}).cell(run, LEARNING),
        bench(archive, materials={"anywhere": material(3, 3, cap=1)}).cell(run, LEARNING),
        here.reference_cell(0),
        here.reference_cell(1),
    ]
    assert len({cell.key for cell in cells}) == len(cells)
    assert bench(archive).cell(run, LEARNING) == cells[0]


def written(reward: list[float]) -> Written:
    values = np.array(reward)
    return Written(values, values / 2, np.full(values.size, 7.0), np.ones(values.size))


def test_what_is_missing_goes_on_after_a_kill(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "results.jsonl")
    here = bench(archive)
    every = here.missing(LEARNING)
    assert every == runs_of(REDUCED)
    for run in every[:2]:
        archive.keep(here.cell(run, LEARNING), written([1.0, -2.0]), {"rows": 3})
    whole = archive.file.read_bytes()
    archive.file.write_bytes(whole[:-10])  # killed in its second line
    again = bench(Archive(archive.file))
    assert again.missing(LEARNING) == every[1:]
    found = again.archive.measured(again.cell(every[0], LEARNING))
    assert found is not None
    assert found.reward.tolist() == [1.0, -2.0]
    assert found.log_ratio.tolist() == [0.5, -1.0]
    assert found.facts["rows"] == 3
    assert again.archive.measured(again.cell(every[1], LEARNING)) is None


def test_what_workers_wrote_is_taken_over_once(tmp_path: Path) -> None:
    here = bench(Archive(tmp_path / "results.jsonl"))
    cells = [here.cell(run, LEARNING) for run in runs_of(REDUCED)[:3]]
    here.archive.keep(cells[0], written([1.0]), {})
    worker = Archive(tmp_path / "results-0.jsonl")
    for cell in cells:  # the first was measured twice
        worker.keep(cell, written([2.0]), {})
    worker.file.write_bytes(worker.file.read_bytes() + b'{"key": "cut')
    here.archive.merge(worker.file)
    assert not worker.file.exists()
    here.archive.merge(worker.file)  # nothing is left
    for archive in (here.archive, Results(tmp_path / "results.jsonl")):
        assert [archive.right(cell).tolist() for cell in cells] == [[1.0], [2.0], [2.0]]


def test_the_search_takes_what_dpo_is_after() -> None:
    one, other = Learning(1e-5, 1), Learning(2e-5, 1)
    assert best_learning([(one, 1.0, 1.0), (other, 1.2, 4.0)], 0.1) == one
    assert best_learning([(one, 1.0, 1.0), (other, 1.2, 2.0)], 0.1) == other


# --- statistics -------------------------------------------------------------------------------


def square_root_frontier(gain: float, kls: list[float]) -> Frontier:
    """Rewards 1 + gain·√KL, of every resample."""
    kl = np.array(kls)[:, None] * np.ones(1 + RESAMPLES)
    betas = tuple(0.1 * (k + 1) for k in range(len(kls)))
    start = np.ones(1 + RESAMPLES)
    return Frontier(betas, 1 + gain * np.sqrt(kl), kl, start, np.zeros(len(kls)))


def test_rewards_at_equal_kl_are_read_along_the_frontier() -> None:
    one = square_root_frontier(2.0, [4.0, 1.0, 0.25])  # the smallest β has the largest KL
    for kl in (0.0, 0.1, 0.25, 0.7, 3.0, 4.0):
        assert one.at(kl) == pytest.approx(1 + 2 * np.sqrt(kl))
    assert one.at(9.0) == pytest.approx(5.0)  # not further than it was measured
    assert equal_kl([one, square_root_frontier(1.0, [2.0])]) == pytest.approx(1.8)
    assert one.objective(0.1) == pytest.approx(5.0 - 0.1 * 4.0)
    kl, rewards = one.points()
    assert kl == [0.0, 0.25, 1.0, 4.0]
    assert [reward.value for reward in rewards] == pytest.approx([1.0, 2.0, 3.0, 5.0])


def test_averages_are_means_of_the_resamples() -> None:
    values = np.arange(12.0).reshape(3, 4)
    found = averages(values)
    assert found[0] == values.mean()
    assert found.shape == (1 + RESAMPLES,)
    assert averages(np.full((3, 4), 2.5)) == pytest.approx(2.5)
    assert 0.4 * values.std() < found[1:].std() < values.std()


def test_a_plan_that_is_uniform_with_twice_the_labels_has_a_ratio_of_two() -> None:
    levels = {n: np.full(1 + RESAMPLES, np.log(n)) for n in (50, 100, 200, 400)}
    found = ratio_of_labels(np.full(1 + RESAMPLES, np.log(200)), 100, levels)
    assert found == pytest.approx((2.0, 2.0, 2.0))
    assert ratio_of_labels(np.full(1 + RESAMPLES, 7.0), 100, levels).value == float("inf")
