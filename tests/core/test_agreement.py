"""Agreement: worked by hand, against the package krippendorff, against resampling by hand."""

import tracemalloc

import krippendorff
import numpy as np
import pytest

from pairselect.core.agreement import agreement, agreement_with_others, cross_agreement
from pairselect.core.arrays import DesignError


def rng():
    return np.random.default_rng(0)


def test_alpha_of_a_case_worked_by_hand():
    """Krippendorff (2011), two observers, nominal: his table gives α = 0.095 for 10 units."""
    one = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    two = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = np.zeros((10, 2), dtype=int)
    for unit in range(10):
        counts[unit, one[unit]] += 1
        counts[unit, two[unit]] += 1
    found = agreement(counts, rng=rng())
    assert found.alpha.value == pytest.approx(0.095, abs=5e-4)
    assert found.percent.value == pytest.approx(0.6)
    assert (found.units, found.labels) == (10, 20)


@pytest.mark.parametrize("ordinal", [False, True])
@pytest.mark.parametrize(("units", "categories", "most"), [(8, 2, 2), (60, 4, 3), (200, 7, 5)])
def test_alpha_is_that_of_the_package(ordinal, units, categories, most):
    counts = np.random.default_rng(units).integers(0, most, (units, categories))
    level = "ordinal" if ordinal else "nominal"
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement=level)
    assert agreement(counts, ordinal=ordinal, rng=rng()).alpha.value == pytest.approx(expected)


def test_the_interval_is_that_of_resampled_units():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 2, 80)
    counts = np.zeros((80, 2), dtype=int)
    for _ in range(3):
        said = np.where(generator.random(80) < 0.8, truth, 1 - truth)
        counts[np.arange(80), said] += 1
    found = agreement(counts, rng=rng())
    drawn = [
        krippendorff.alpha(
            value_counts=counts[generator.integers(0, 80, 80)], level_of_measurement="nominal"
        )
        for _ in range(1500)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.alpha.low == pytest.approx(low, abs=0.02)
    assert found.alpha.high == pytest.approx(high, abs=0.02)


def test_the_interval_covers_the_alpha_behind_it():
    """Two coders, each right at .85: α is (2·.85 − 1)² = .49 with even classes."""
    generator, covered = np.random.default_rng(4), 0
    for _ in range(200):
        truth = generator.random(150) < 0.5
        said = np.stack([truth ^ (generator.random(150) > 0.85) for _ in range(2)]).astype(int)
        counts = np.stack([(said == 0).sum(0), (said == 1).sum(0)], axis=1)
        found = agreement(counts, draws=400, rng=generator).alpha
        covered += found.low <= 0.49 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_units_with_one_label_tell_nothing():
    counts = np.array([[1, 0], [0, 1], [2, 0], [0, 2], [1, 1]])
    found = agreement(counts, rng=rng())
    assert (found.units, found.labels) == (3, 6)
    assert found.alpha.value == pytest.approx(agreement(counts[2:], rng=rng()).alpha.value)
    assert agreement(counts[:2], rng=rng()) == agreement(np.zeros((0, 2), dtype=int), rng=rng())
    assert agreement(counts[:2], rng=rng()).percent is None


def test_alpha_of_labels_that_are_all_the_same_is_not_defined():
    found = agreement([[2, 0], [3, 0]], rng=rng())
    assert found.alpha is None
    assert found.percent.value == 1.0
    assert found.percent.low < 0.6  # two units are no proof


def test_agreement_with_others_by_hand():
    """Unit 0: a, b say 0, c says 1. Unit 1: a, c say 1. Unit 2: b alone."""
    unit = [0, 0, 0, 1, 1, 2]
    annotator = [0, 1, 2, 0, 2, 1]
    category = [0, 0, 1, 1, 1, 0]
    a, b, c = agreement_with_others(unit, annotator, category)
    assert a.value == pytest.approx(2 / 3)  # b yes, c no, c yes
    assert b.value == pytest.approx(1 / 2)
    assert c.value == pytest.approx(1 / 3)
    assert agreement_with_others([0, 1], [0, 1], [0, 0]) == [None, None]
    assert agreement_with_others([], [], []) == []


def test_a_persons_own_second_label_is_nobody_elses():
    found = agreement_with_others([0, 0, 0], [0, 0, 1], [1, 1, 1])
    assert found[0].value == 1.0
    assert agreement_with_others([0, 0], [0, 0], [1, 1]) == [None]


def test_many_people_and_many_units_take_little_memory():
    """No table of people by units: that of 1,000,000 labels by 300 people is of 1.2 GB."""
    draws = rng()
    unit, person = np.repeat(np.arange(50_000), 2), draws.integers(0, 400, 100_000)
    tracemalloc.start()
    found = agreement_with_others(unit, person, draws.integers(0, 4, 100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 400
    assert peak < 30e6


def test_kappa_of_a_table_worked_by_hand():
    """Of 50 units: both yes 20, one yes two no 5, one no two yes 10, both no 15: κ = .4."""
    cells = [((1, 0), (1, 0), 20), ((1, 0), (0, 1), 5), ((0, 1), (1, 0), 10), ((0, 1), (0, 1), 15)]
    one = np.concatenate([[left] * times for left, _, times in cells])
    two = np.concatenate([[right] * times for _, right, times in cells])
    found = cross_agreement(one, two, rng=rng())
    assert found.kappa.value == pytest.approx(0.4)
    assert found.percent.value == pytest.approx(0.7)
    assert found.units == 50
    assert 0.1 < found.kappa.low < 0.2
    assert 0.6 < found.kappa.high < 0.7


@pytest.mark.parametrize("ordinal", [False, True])
def test_what_is_stored_first_is_nobodys_answer(ordinal):
    """α with a mirror is the package's of every unit stored both ways, for whose size n(n − 1)
    stands in the place of n(n − 1/2); and turning units round changes nothing."""
    counts = np.random.default_rng(5).integers(0, 3, (80, 5)) * [3, 1, 1, 0, 1]
    counts = counts[counts.sum(axis=1) >= 2]
    mirror = [4, 3, 2, 1, 0]
    found = agreement(counts, mirror=mirror, ordinal=ordinal, rng=rng()).alpha.value
    level = "ordinal" if ordinal else "nominal"
    both = np.concatenate([counts, counts[:, mirror]])
    n = counts.sum()
    expected = krippendorff.alpha(value_counts=both, level_of_measurement=level)
    assert 1 - found == pytest.approx((1 - expected) * (n - 1) / (n - 0.5))
    turned = counts.copy()
    turned[::2] = turned[::2, mirror]
    there = agreement(turned, mirror=mirror, ordinal=ordinal, rng=rng()).alpha.value
    assert there == pytest.approx(found)
    assert agreement(turned, ordinal=ordinal, rng=rng()).alpha.value != pytest.approx(found)


def test_kappa_does_not_know_what_is_stored_first():
    one, two = np.array([[1, 0]] * 9 + [[0, 1]]), np.array([[1, 0]] * 8 + [[0, 1]] * 2)
    found = cross_agreement(one, two, mirror=[1, 0], rng=rng()).kappa.value
    assert found == pytest.approx(2 * 0.9 - 1)
    one[::2], two[::2] = one[::2, ::-1].copy(), two[::2, ::-1].copy()
    assert cross_agreement(one, two, mirror=[1, 0], rng=rng()).kappa.value == pytest.approx(found)


def test_a_group_that_is_split_agrees_in_part():
    found = cross_agreement([[1, 1], [2, 0]], [[1, 0], [0, 1]], rng=rng())
    assert found.percent.value == pytest.approx(0.25)
    assert cross_agreement([[1, 0]], [[0, 0]], rng=rng()).units == 0
    assert cross_agreement([[1, 0]], [[2, 0]], rng=rng()).kappa is None


def test_bad_input_says_what_to_give():
    for mirror in ([0], [1, 2], [1, 1]):
        with pytest.raises(DesignError, match="changes places"):
            agreement([[2, 1]], mirror=mirror, rng=rng())
    with pytest.raises(DesignError, match="whole numbers"):
        agreement([[0.5, 1.5]], rng=rng())
    with pytest.raises(DesignError, match="whole numbers"):
        agreement([[-1, 1]], rng=rng())
    with pytest.raises(DesignError, match="same units"):
        cross_agreement([[1, 0]], [[1, 0, 0]], rng=rng())
    with pytest.raises(DesignError, match="one length"):
        agreement_with_others([0], [0, 1], [0, 1])
