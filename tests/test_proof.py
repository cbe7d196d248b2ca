"""The benchmark of real labels: its files, splits, learner, choices and statistics."""

import gzip
import itertools
from dataclasses import replace

import numpy as np
import orjson
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks.proof import plans, sources, statistics, theory
from benchmarks.proof.learner import Learner
from benchmarks.proof.measuring import Bench
from benchmarks.proof.plans import Plan
from benchmarks.proof.records import Cell, Results
from benchmarks.proof.task import Split, gained, relabelled, task_of, tempered
from pairselect.core.bradley_terry import PRIOR_GRID
from pairselect.core.gap_weights import slope
from tests.proving import PROMPTS, SIZE, WIDTH, source_of, task

# --- files ----------------------------------------------------------------------------------


def test_people_s_answers_become_labels_and_wins(tmp_path):
    row = {
        "question": "When?", "passages": [["Title", "It was 1990.", "Then."]], "gold": "In 1990",
        "completions": ["in 1990", "then\u2028ended", "never", "It was"],
        "preference": [1, 1, 0, 1, 2, 2],
    }  # fmt: skip
    file = tmp_path / "prefs.jsonl.gz"
    file.write_bytes(gzip.compress(orjson.dumps(row) + b"\n"))
    found = sources.human_preferences(file)
    assert found.preferred.tolist() == [1, 1, 0.5, 1, 0, 0]
    assert found.pairs[:, 1:].tolist() == [list(p) for p in itertools.combinations(range(4), 2)]
    assert found.score.tolist() == [[2.5, 1, 0, 2.5]]
    assert found.questions[0].prompt == "Title\nIt was 1990. Then.\n\nQuestion: When?"
    assert found.at_hand["passages"][0].tolist() == [0.5, 0.5, 0, 1]
    assert found.at_hand["reference"][0].tolist() == [1, 0, 0, 0]


def test_equal_solutions_tie_and_votes_count_equal_last_numbers(tmp_path):
    texts = [("A: 1,200", True), ("so 1200.0", True), ("it is 7", False), ("none", False)]
    row = {"prompt": "p", "completions": [{"text": t, "correct": c} for t, c in texts]}
    file = tmp_path / "gsm.jsonl"
    file.write_bytes(orjson.dumps(row) + b"\n" + orjson.dumps(row) + b"\n")
    found = sources.correctness(file, most=1)
    assert len(found.questions) == 1
    assert found.preferred.tolist() == [0.5, 1, 1, 1, 1, 0.5]
    assert found.at_hand["votes"].tolist() == [[1, 1, 0, 0]]


# --- the split ------------------------------------------------------------------------------


def test_rewards_become_labels_that_the_better_text_wins_as_often_as_bradley_terry_says(tmp_path):
    rng = np.random.default_rng(0)
    rewards = [[0.0, 2.0, *rng.normal(size=2).tolist()] for _ in range(800)]
    rows = [
        {
            "prompt": f"p{q}",
            "completions": [{"text": f"{k}", "reward": r} for k, r in enumerate(of)],
        }
        for q, of in enumerate(rewards)
    ]
    file = tmp_path / "curves.jsonl"
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    found, again = sources.rewarded(file), sources.rewarded(file)
    assert np.array_equal(found.preferred, again.preferred)
    assert found.score.tolist() == rewards
    of_first_two = (found.pairs[:, 1] == 0) & (found.pairs[:, 2] == 1)
    share = found.preferred[of_first_two].mean()
    assert abs(share - 1 / (1 + np.exp(2))) < 0.04  # three standard errors
    assert sources.rewarded(file, 3).score.shape == (3, 4)


def test_a_split_trains_on_no_held_out_prompt():
    one = Split.of(task(), 3)
    assert one.test.size == 10
    assert not np.isin(one.task.prompt[one.rows], one.test).any()
    pool = one.pool(4)
    assert pool.dimension == 4
    assert pool.n_pairs == 30 * 6
    assert not np.array_equal(one.test, Split.of(task(), 4).test)


def test_labels_are_those_of_the_same_texts():
    one = Split.of(task(), 0)
    pairs = one.pool(WIDTH).pair_rows(one.pool(WIDTH).candidate_ids())
    gap = one.scores("true")[pairs[:, 0]] - one.scores("true")[pairs[:, 1]]
    expected = np.where(np.abs(gap) < 2, 0.5, gap > 0)
    assert np.array_equal(one.labels(pairs), expected)
    assert np.array_equal(one.scores("rounded"), np.round(one.scores("true")))
    assert one.scores("log_prob")[0] == -one.rows[0] / 3


def test_the_truth_is_right_about_every_decided_pair_and_its_reverse_about_none():
    whole = task()
    truth, prompts = whole.score, np.arange(PROMPTS)
    assert np.array_equal(whole.right(truth, prompts), whole.judged)
    assert not whole.right(-truth, prompts).any()
    assert np.array_equal(whole.right(np.zeros_like(truth), prompts), whole.judged / 2)


def test_labels_of_other_quality_follow_the_truth_as_they_say():
    whole, every = task(prompts=400), np.arange(400)
    exact, flipped = (relabelled(whole, kind, 0) for kind in ("noise-free", "25% flipped"))
    assert not np.any(exact.preferred == 0.5)
    assert np.array_equal(exact.right(whole.score, every), exact.judged)
    assert np.array_equal(flipped.decided, whole.decided)
    assert flipped.right(whole.score, every).sum() == pytest.approx(
        0.75 * whole.judged.sum(), rel=0.03
    )
    gap = whole.score[whole.pairs[:, 0]] - whole.score[whole.pairs[:, 1]]
    drawn, turned = (
        relabelled(whole, kind, 0).right(whole.score, every).sum() / len(gap)
        for kind in ("bradley-terry", "bradley-terry, 25% flipped")
    )
    assert drawn == pytest.approx(expit(np.abs(gap)).mean(), abs=0.01)
    assert turned == pytest.approx(0.25 + 0.5 * drawn, abs=0.02)
    with pytest.raises(ValueError, match="other"):
        relabelled(whole, "other", 0)


def test_labels_that_chance_decides_are_the_seeds(tmp_path):
    whole = task()
    bench = Bench(whole, "data", "f", Results(tmp_path / "r"), 2, labels="25% flipped")
    one, other = (bench.split(seed).task.preferred for seed in range(2))
    assert not np.array_equal(one, other)
    again = Bench(whole, "data", "f", Results(tmp_path / "r"), 2, labels="25% flipped")
    assert np.array_equal(again.split(1).task.preferred, other)
    plain = Bench(whole, "data", "f", Results(tmp_path / "r"), 2)
    assert plain.split(1).task is whole
    assert plain.cell(Plan(), 5, 0).key != again.cell(Plan(), 5, 0).key


@pytest.mark.parametrize("kl", [0.02, 0.5])
def test_a_policy_has_the_kl_that_was_asked_for_and_the_truth_gains_most(kl):
    rng = np.random.default_rng(0)
    score = rng.normal(size=(60, SIZE))
    other = score + 2 * rng.normal(size=score.shape)
    for reward in (score, other, 100 * other):
        weights = tempered(reward, kl)
        assert np.allclose(weights.sum(axis=1), 1)
        assert np.mean(np.sum(weights * np.log(SIZE * weights), axis=1)) == pytest.approx(kl)
    best, learnt = (gained(reward, score, kl).mean() for reward in (score, other))
    assert best > learnt > 0 > gained(-other, score, kl).mean()
    assert np.array_equal(gained(np.zeros_like(score), score, kl), np.zeros(60))


def test_more_than_the_sharpest_policy_is_not_had():
    """Of two completions, one of which is sure: ln 2 nats."""
    assert tempered(np.array([[0.0, 1.0]]), 5.0).tolist() == [[0.0, 1.0]]


def test_gains_are_of_the_prompts_that_are_asked_for():
    whole = task()
    reward = whole.features[:, 0]
    prompts = np.array([3, 7])
    rows = np.flatnonzero(np.isin(whole.prompt, prompts)).reshape(2, -1)
    expected = gained(reward[rows], whole.score[rows], 0.1)
    assert np.array_equal(whole.gains(reward, prompts, 0.1), expected)


@pytest.mark.parametrize("correlation", [0.2, 0.46, 0.9])
def test_a_noisy_score_correlates_as_asked(correlation):
    whole = task(prompts=3000)
    score = whole.noisy_score(correlation, np.random.default_rng(0))
    gaps = [s[whole.pairs[:, 0]] - s[whole.pairs[:, 1]] for s in (whole.score, score)]
    found = np.sum(gaps[0] * gaps[1]) / np.sqrt(np.sum(gaps[0] ** 2) * np.sum(gaps[1] ** 2))
    assert found == pytest.approx(correlation, abs=0.03)


# --- the learner ----------------------------------------------------------------------------


@pytest.mark.parametrize("ties", ["half", "dropped"])
def test_the_learner_maximises_the_penalised_likelihood(ties):
    """Against a general optimiser, with the width of the prior that the learner was given."""
    one = Split.of(task(), 0)
    pool = one.pool(WIDTH)
    pairs = pool.pair_rows(pool.candidate_ids())[::3]
    theta = Learner(ties=ties, prior_sd=PRIOR_GRID[4]).fit(one, pairs)
    y = one.labels(pairs)
    assert (y == 0.5).any()
    keep = y != 0.5 if ties == "dropped" else np.ones(len(y), dtype=bool)
    x = one.task.features[one.rows]
    g = (x[pairs[:, 0]] - x[pairs[:, 1]])[keep]
    every = pool.pair_rows(np.arange(pool.n_pairs))
    variance = PRIOR_GRID[4] ** 2 / np.mean(np.sum((x[every[:, 0]] - x[every[:, 1]]) ** 2, axis=1))

    def loss(t):
        u = g @ t
        return np.sum(np.logaddexp(0, u) - y[keep] * u) + t @ t / (2 * variance)

    expected = minimize(loss, np.zeros(WIDTH), method="BFGS", options={"gtol": 1e-8}).x
    assert theta == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_labels_that_are_all_ties_teach_nothing_when_dropped():
    one = Split.of(task(), 0)
    pool = one.pool(WIDTH)
    pairs = pool.pair_rows(pool.candidate_ids())
    tied = pairs[one.labels(pairs) == 0.5]
    assert not Learner(ties="dropped").fit(one, tied).any()


# --- choices --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        Plan("uniform"),
        Plan("trace_gap", scores="true"),
        Plan("trace_gap", rounds=4),
        Plan("uncertainty", rounds=3),
        Plan("trace_weighted", scores="rounded", agreement=0.7),
    ],
    ids=lambda plan: str(plan.facts()),
)
def test_a_plan_chooses_distinct_pairs_of_training_prompts(plan):
    one = Split.of(task(), 1)
    chosen = plans.choose(one, plan, 50, 0).pairs
    assert len(np.unique(chosen, axis=0)) == 50
    rows = one.rows[chosen]
    prompts = one.task.prompt[rows]
    assert np.array_equal(prompts[:, 0], prompts[:, 1])
    assert not np.isin(prompts, one.test).any()


@pytest.mark.parametrize("strategy", ["uniform", "first_two", "trace", "trace_vertex"])
def test_where_responses_are_chosen_each_of_so_many_prompts_has_one_pair(strategy):
    one = Split.of(task(), 1)
    plan = Plan(strategy, within="responses", max_per_prompt=1)
    chosen, others = (
        set(one.task.prompt[one.rows[plans.choose(one, plan, n, 0).pairs[:, 0]]]) for n in (20, 15)
    )
    assert len(chosen) == 20
    assert others < chosen
    assert chosen != set(sorted(set(one.task.prompt[one.rows]))[:20])


@pytest.mark.parametrize("strategy", ["uniform", "trace", "trace_vertex"])
def test_where_prompts_are_chosen_two_completions_of_each_may_be_compared(strategy):
    one = Split.of(task(), 1)
    plan = Plan(strategy, within="prompts")
    every = plans.choose(one, plan, 30, 0).pairs
    assert len(set(one.task.prompt[one.rows[every[:, 0]]])) == 30
    assert len({(a % SIZE, b % SIZE) for a, b in every}) > 1
    chosen = plans.choose(one, plan, 20, 0).pairs
    assert set(map(tuple, chosen)) < set(map(tuple, every))


def test_later_rounds_know_the_labels_of_earlier_ones():
    """With every label turned round, the first round stays and the others change."""
    whole = task()
    one, other = Split.of(whole, 1), Split.of(task(), 1)
    turned = np.random.default_rng(0).permutation(whole.preferred)
    object.__setattr__(other.task, "preferred", turned)
    plan = Plan("trace_gap", rounds=2)
    pairs = [plans.choose(s, plan, 40, 0).pairs for s in (one, other)]
    assert np.array_equal(pairs[0][:20], pairs[1][:20])
    assert not np.array_equal(pairs[0][20:], pairs[1][20:])


def test_a_design_may_see_other_features_than_the_learner():
    whole = task()
    other = task(seed=5).features
    split = Split.of(replace(whole, designed_on=other), 1)
    alone = Split.of(replace(whole, features=other), 1)
    chosen, same, plain = (
        plans.choose(one, Plan(), 50, 0).pairs for one in (split, alone, Split.of(whole, 1))
    )
    assert np.array_equal(chosen, same)
    assert not np.array_equal(chosen, plain)
    learner = Learner(WIDTH)
    assert np.array_equal(learner.fit(split, chosen), learner.fit(Split.of(whole, 1), chosen))


@pytest.mark.parametrize("agreement", [0.55, 0.65, 0.8, 0.95])
def test_the_derived_slope_is_the_limit_of_the_whole_one(agreement):
    gap = np.linspace(0.05, 3, 40)
    whole = theory.whole_slope(gap, agreement, share=1e-5)
    limit = slope(gap, agreement)
    assert whole / whole[0] == pytest.approx(limit / limit[0], rel=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_whole_slope_is_that_of_labels(share):
    for _, measured, derived, _ in theory.slopes(share, 0.8):
        assert measured == pytest.approx(derived, abs=0.08)


@pytest.mark.django_db
@pytest.mark.parametrize("strategy", ["trace", "trace_gap", "k_center"])
def test_a_plan_chooses_what_the_product_chooses(strategy):
    """With no prompt held out, the pairs are those of `manage.py design_pairs`."""
    from pairselect.designs import bridge, solution
    from pairselect.designs.models import PRIOR_SD, Design
    from tests.conftest import make_pool
    from tests.designs.conftest import give_features

    pool = make_pool(prompts=12, completions=4)
    features = give_features(pool, dimension=10)
    arrays = bridge.pool_arrays(features, dimension=solution.MOST_DIMENSIONS)
    x = np.zeros((48, arrays.candidates.dimension))
    x[arrays.candidates.rows] = arrays.candidates.centred
    _, source = source_of(prompts=12)
    whole = task_of(source, x, log_probs=arrays.log_probs, token_counts=arrays.token_counts)
    everything = Split(whole, 0, np.zeros(0, dtype=np.int64), np.arange(48))

    design = Design(pool=pool, budget=16, strategy=strategy, seed=0, tolerance=plans.TOLERANCE)
    design.prior_sd = PRIOR_SD
    plan = replace(plans.DEFAULT, strategy=strategy, scores="true")
    ours = plans.choose(everything, plan, 16, 0).pairs
    at = bridge.pool_arrays(features, dimension=solution.dimension_for(design.budget))
    at.candidates.scores = whole.score[at.candidates.rows]
    theirs, _ = solution.choose(design, at, [], np.random.default_rng(0))
    assert np.array_equal(ours, theirs.pairs)


# --- records --------------------------------------------------------------------------------


def bench(folder, seeds=2):
    return Bench(task(), "data", "x", Results(folder / "results.jsonl"), seeds, Learner(WIDTH))


SMALL = {"uniform": Plan("uniform", draws=2), "trace": Plan()}
AT = {"uniform": [20, 60, 180], "trace": [20]}


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = bench(tmp_path / "whole")
    whole.measure(SMALL, AT)
    lines = (tmp_path / "whole" / "results.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 8

    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "results.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:40])
    again = bench(cut)
    made = []
    choose = plans.choose
    monkeypatch.setattr(
        "benchmarks.proof.measuring.choose",
        lambda *args, **kw: made.append(args[1:3]) or choose(*args, **kw),
    )
    again.measure(SMALL, AT)
    assert 3 <= len(made) <= 5  # three cells, of one or two draws
    curves = [one.curve(SMALL["trace"], [20]) for one in (whole, again)]
    assert np.array_equal(curves[0].right, curves[1].right)
    made.clear()
    bench(cut).measure(SMALL, AT)
    assert not made


def test_whatever_decides_a_measurement_is_in_its_key():
    one = Cell("data", "x", "{}", 10, 0, "128:half:evidence")
    others = [
        Cell("other", "x", "{}", 10, 0, "128:half:evidence"),
        Cell("data", "y", "{}", 10, 0, "128:half:evidence"),
        Cell("data", "x", '{"keep":0.5}', 10, 0, "128:half:evidence"),
        Cell("data", "x", "{}", 11, 0, "128:half:evidence"),
        Cell("data", "x", "{}", 10, 1, "128:half:evidence"),
        Cell("data", "x", "{}", 10, 0, "64:half:evidence"),
    ]
    assert len({cell.key for cell in [one, *others]}) == 7


# --- statistics -----------------------------------------------------------------------------


def curve(accuracy, budgets=(10, 100, 1000), seeds=12, prompts=60, noise=0.0):
    rng = np.random.default_rng(0)
    judged = np.where(rng.random((seeds, prompts)) < 0.5, 6.0, 0.0)
    shape = (len(budgets), seeds, prompts)
    share = np.clip(np.array(accuracy)[:, None, None] + noise * rng.standard_normal(shape), 0, 1)
    return statistics.Curve(np.array(budgets), share * judged, judged)


def test_labels_needed_are_read_from_a_curve_made_monotone():
    budgets = np.array([10, 100, 1000])
    needed = statistics.labels_needed
    assert needed(0.65, budgets, np.array([0.6, 0.7, 0.8])) == pytest.approx(10**1.5)
    assert needed(0.7, budgets, np.array([0.6, 0.7, 0.8])) == pytest.approx(100)
    assert needed(0.5, budgets, np.array([0.6, 0.7, 0.8])) == 0
    assert needed(0.9, budgets, np.array([0.6, 0.7, 0.8])) == np.inf
    # the dip and the bump before it are one plateau at .65, met in its middle
    assert needed(0.65, budgets, np.array([0.7, 0.6, 0.8])) == pytest.approx(10**1.5)


def test_the_label_ratio_of_uniform_is_one_and_of_a_shifted_curve_its_shift():
    uniform = curve([0.6, 0.7, 0.8])
    assert statistics.label_ratio(uniform, 100, uniform) == pytest.approx((1, 1, 1))
    better = curve([0.7], budgets=(10,))
    assert statistics.label_ratio(better, 10, uniform) == pytest.approx((10, 10, 10))


def test_a_difference_is_paired_and_its_interval_holds_what_is_common_to_both():
    """Prompts and seeds that are easy for both leave no spread in the difference."""
    one = curve([0.6], budgets=(10,), noise=0.2)
    other = statistics.Curve(one.budgets, one.right - 0.1 * one.judged, one.judged)
    found = statistics.difference(one, other, 10)
    assert found == pytest.approx((0.1, 0.1, 0.1))
    alone = statistics.estimate(one.accuracies()[0])
    assert alone.high - alone.low > 0.01


def test_an_interval_over_prompts_and_seeds_covers_both_kinds_of_luck():
    """Half of the spread is the prompts' own, which more seeds on the same prompts do not lower."""
    rng = np.random.default_rng(1)
    judged = np.full((200, 30), 6.0)
    easy = np.clip(0.7 + 0.2 * rng.standard_normal(30), 0, 1)
    right = np.broadcast_to(easy * judged, (1, 200, 30))
    found = statistics.estimate(statistics.Curve(np.array([5]), right, judged).accuracies()[0])
    expected = 2 * 1.96 * easy.std() / np.sqrt(30)
    assert found.high - found.low == pytest.approx(expected, rel=0.15)
