"""The curve's coordinates: inside the picture, and where the numbers say."""

from itertools import pairwise

import pytest

from pairselect.designs.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, draw
from pairselect.designs.facts import CurveFacts


def facts(
    budget: int, *, worth: float | None, knee: int | None = None, chosen: float | None = None
) -> CurveFacts:
    """Losses 100/n by design from 10 on, and 200/n at random from 1 on."""
    budgets = sorted({10, 100, 1000, budget})
    return CurveFacts(
        budgets=budgets,
        designed=[100 / n for n in budgets],
        lower_bound=[99 / n for n in budgets],
        uniform=[200 / n for n in budgets],
        equivalent=[min(2.0 * n, 1000) for n in budgets],
        uniform_budgets=[1, 3, *budgets],
        uniform_losses=[200 / n for n in (1, 3, *budgets)],
        chosen=100 / budget if chosen is None else chosen,
        worth=worth,
        knee=knee,
    )


def drawn(curve: CurveFacts, budget: int) -> Chart:
    found = draw(curve, budget)
    assert found is not None
    return found


def inside(x: float, y: float) -> bool:
    return LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM


@pytest.mark.parametrize(
    ("budget", "worth"), [(10, 20), (10, 1000), (100, 200), (100, 50), (1000, 1000), (1000, None)]
)
def test_everything_is_inside_the_picture(budget: int, worth: float | None) -> None:
    chart = drawn(facts(budget, worth=worth, knee=300), budget)
    for mark in (chart.own, chart.worth, chart.knee):
        assert mark is None or inside(mark.x, mark.y)
    for line in (chart.designed, chart.uniform):
        assert all(inside(*map(float, point.split(","))) for point in line.split())
    for mark in (chart.own, chart.worth):
        assert mark is None or 0 < mark.label_y < HEIGHT
        assert mark is None or LEFT <= mark.label_x <= WIDTH - RIGHT


def test_equal_ratios_are_equal_distances() -> None:
    chart = drawn(facts(100, worth=200, knee=100), 100)
    x = [float(point.split(",")[0]) for point in chart.designed.split()]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert chart.knee is not None
    assert chart.knee.x == chart.own.x == pytest.approx(x[1], abs=0.1)
    assert chart.knee.y == pytest.approx(chart.own.y)


def test_as_many_random_pairs_stand_at_the_same_loss() -> None:
    chart = drawn(facts(100, worth=200), 100)
    assert chart.worth is not None
    assert chart.worth.y == chart.own.y
    assert chart.worth.x > chart.own.x
    assert (chart.own.label, chart.worth.label) == ("your 100", "200 random")


def test_losses_are_in_percent_of_random_pairs_at_the_budget() -> None:
    rows = {row.budget: row for row in drawn(facts(100, worth=200), 100).rows}
    assert (rows[100].designed, rows[100].uniform, rows[100].worth) == (50, 100, "200")
    assert (rows[10].uniform, rows[10].is_own, rows[100].is_own) == (1000, False, True)


def test_random_pairs_are_drawn_from_where_the_design_begins() -> None:
    chart = drawn(facts(100, worth=200), 100)
    assert len(chart.uniform.split()) == len(chart.designed.split()) == 3
    assert chart.uniform.split(",")[0] == chart.designed.split(",")[0]


@pytest.mark.parametrize("worth", [1, 2, 5])
def test_a_choice_far_worse_than_random_has_its_mark_in_the_picture(worth: int) -> None:
    chart = drawn(facts(100, worth=worth, chosen=200 / worth), 100)
    assert chart.worth is not None
    assert chart.worth.label == f"{worth} random"
    assert chart.worth.x < chart.own.x
    assert chart.worth.y == chart.own.y
    for line in (chart.designed, chart.uniform):
        assert all(inside(*map(float, point.split(","))) for point in line.split())
    assert inside(chart.own.x, chart.own.y)
    assert inside(chart.worth.x, chart.worth.y)


@pytest.mark.parametrize("worth", [2, 12, 13])
def test_the_label_of_a_worse_choice_keeps_clear_of_its_mark(worth: int) -> None:
    chart = drawn(facts(14, worth=worth, chosen=200 / worth), 14)
    assert chart.worth is not None
    assert not chart.worth.label_x < chart.own.x < chart.worth.label_x + 90


@pytest.mark.parametrize("worth", [0, 0.4, 1])
def test_a_loss_above_that_of_one_random_pair_has_no_mark(worth: float) -> None:
    chart = drawn(facts(100, worth=worth, chosen=500), 100)
    assert chart.worth is None
    assert inside(chart.own.x, chart.own.y)


def test_labels_of_an_axis_keep_their_distance() -> None:
    chart = drawn(facts(100, worth=200), 100)
    x = [tick.at for tick in chart.x_ticks]
    assert all(b - a >= 74 for a, b in pairwise(x))
    assert [tick.label for tick in chart.x_ticks][-1] == "1,000"


def test_one_point_is_no_curve() -> None:
    one = facts(10, worth=10) | {"budgets": [10]}
    assert draw(one, 10) is None  # type: ignore[arg-type]


def test_a_flat_curve_has_more_than_one_number_beside_it() -> None:
    """As with a prior, where labels take little off the loss: 110% to 72% of it."""
    flat = facts(60, worth=None) | {
        "budgets": [30, 60, 108],
        "designed": [0.98, 0.84, 0.72],
        "uniform": [1.1, 1.0, 0.87],
        "equivalent": [60.0, 108.0, None],
        "uniform_budgets": [30, 60, 108],
        "uniform_losses": [1.1, 1.0, 0.87],
        "chosen": 0.84,
    }
    chart = drawn(flat, 60)  # type: ignore[arg-type]
    assert {"80%", "90%", "100%"} <= {tick.label for tick in chart.y_ticks}
    assert all(abs(a - b) >= 38 for a, b in pairwise([tick.at for tick in chart.y_ticks]))
