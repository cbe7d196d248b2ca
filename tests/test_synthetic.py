"""The synthetic benchmark: its exact gap, its labels, its label ratio, its pages."""

import numpy as np
import pytest

from benchmarks.synthetic import designs, experiments, settings, statistics


def objective(candidates, log_policy):
    """J(π) = E_x[E_π r − β KL(π‖π₀)], from the definition."""
    p = np.exp(log_policy)
    kl = np.sum(p * (log_policy - candidates.log_reference), axis=1)
    return float(np.mean(np.sum(p * candidates.reward, axis=1) - settings.BETA * kl))


@pytest.mark.parametrize("setting", list(settings.SETTINGS))
def test_the_gap_is_the_loss_of_the_objective(setting):
    held_out = settings.SETTINGS[setting](3).held_out
    coefficient = np.random.default_rng(0).standard_normal(held_out.features.shape[2])
    best = objective(held_out, held_out.log_policy(held_out.reward))
    ours = objective(held_out, held_out.log_policy(held_out.features @ coefficient))
    assert held_out.gap(coefficient) == pytest.approx(best - ours, rel=1e-9)


def test_near_the_truth_the_gap_is_the_quadratic_form_of_the_target():
    """β KL ≈ (θ − θ*)ᵀ W (θ − θ*)/2β for a small error; here an error of the reward."""
    instance = settings.tabular(0)
    error = 1e-4 * np.random.default_rng(1).standard_normal(settings.ITEMS)
    reward = instance.train.reward
    W = instance.train.target(reward)
    expected = error @ W @ error / (2 * settings.BETA)
    assert instance.train.gap(reward[0] + error) == pytest.approx(expected, rel=1e-3)


def test_the_held_out_contexts_share_the_reward_and_nothing_else():
    instance = settings.contextual(1)
    train, held_out = instance.train, instance.held_out
    assert len(held_out.reward) == settings.HELD_OUT
    coefficient = np.linalg.lstsq(
        train.features.reshape(-1, 24), train.reward.reshape(-1), rcond=None
    )[0]
    assert held_out.gap(coefficient) == pytest.approx(0, abs=1e-12)
    assert not np.any(np.isin(held_out.features[:, :, 8], train.features[:, :, 8]))


def test_labels_follow_bradley_terry_and_flips():
    instance = settings.tabular(2)
    pool = instance.pool()
    pairs = pool.pair_rows(pool.candidate_ids())
    reward = instance.train.reward[0]
    p = 1 / (1 + np.exp(reward[pairs[:, 1]] - reward[pairs[:, 0]]))
    error = np.sqrt(np.sum(p * (1 - p)))
    for replicate in range(settings.REPLICATES):
        labels = instance.labels(pool, pairs, replicate)
        assert abs(labels.sum() - p.sum()) < 4 * error
        flipped = instance.labels(pool, pairs, replicate, 0.25) != labels
        assert flipped.mean() == pytest.approx(0.25, abs=0.03)


def test_a_pair_has_the_same_label_whoever_chose_it():
    instance = settings.contextual(0)
    pool = instance.pool()
    every = pool.pair_rows(pool.candidate_ids())
    some = np.random.default_rng(0).choice(len(every), 50, replace=False)
    np.testing.assert_array_equal(
        instance.labels(pool, every[some], 1), instance.labels(pool, every, 1)[some]
    )


@pytest.mark.parametrize("name", list(designs.DESIGNS))
def test_every_design_chooses_distinct_pairs_within_the_budget(name):
    instance = settings.contextual(0)
    for pairs in designs.Chooser().pairs(instance, name, 40):
        assert len(np.unique(pairs, axis=0)) == 40


def test_rounds_never_ask_twice():
    instance = settings.contextual(0)
    pairs = designs.choose_in_rounds(designs.Chooser(), instance, 42, 4, 0)
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == 42


def test_labels_needed_inverts_a_power_law():
    budgets = np.array([10, 30, 100, 300, 1000])
    gap = 7.0 * budgets**-0.8
    for n in (10, 17, 444, 1000):
        needed = statistics.labels_needed(7.0 * n**-0.8, budgets, gap)
        assert needed == pytest.approx(n)
    assert statistics.labels_needed(2.0, budgets, gap) == 0
    assert statistics.labels_needed(1e-3, budgets, gap) == np.inf


def test_labels_needed_looks_past_a_dip():
    """The budget from which on the gap stays below, not the first that touches it."""
    budgets, gap = np.array([10, 20, 40, 80]), np.array([0.5, 0.4, 0.6, 0.2])
    assert 40 < statistics.labels_needed(0.5, budgets, gap) < 80


def test_the_label_ratio_of_uniform_is_one():
    rng = np.random.default_rng(0)
    budgets = np.array([10, 100, 1000])
    gaps = budgets**-0.5 * np.exp(0.1 * rng.standard_normal((20, 3)))
    uniform = statistics.Curve(budgets / 2000, budgets, gaps)
    estimate = statistics.label_ratio(uniform.at(100), 100, uniform)
    assert estimate == pytest.approx((1, 1, 1))


def test_ratio_of_pairs_the_seeds():
    """Seeds that differ a hundredfold leave no spread in a ratio that is the same in each."""
    others = np.geomspace(0.01, 1, 20)
    estimate = statistics.ratio_of(0.7 * others, others)
    assert estimate == pytest.approx((0.7, 0.7, 0.7))


def test_pages_and_figures_are_written_the_same_twice(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.synthetic.__main__ import write

    records = [
        record
        for seed in range(2)
        for record in experiments.run((("distance",), "contextual", seed))["distance"]
    ]
    texts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write("distance", records, folder, 2)
        texts.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(texts[0]) == {"distance.md", "distance.svg"}
    assert texts[0] == texts[1]
    assert b"| contextual | 4 |" in texts[0]["distance.md"]
