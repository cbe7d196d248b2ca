"""The exact line search against dense grids, on lines that end inside, at an end, and singular."""

import numpy as np
import pytest

from pairselect.core.line_search import log_det_step, trace_step

CRITERIA = ["trace", "log_det"]


def random_line(rng, d=4):
    """M positive definite, a direction of both signs, R (d, 2), and where M turns singular."""
    A, B = rng.standard_normal((2, d, d))
    M, direction = A @ A.T + 0.1 * np.eye(d), B @ B.T - 2 * A @ A.T
    nu = np.linalg.eigvals(np.linalg.solve(M, direction)).real
    return M, direction, rng.standard_normal((d, 2)), -1 / nu.min()


def step_and_value(criterion, M, direction, root, limit):
    """The step, and the function of α that it is to minimise, by the definition."""
    if criterion == "trace":
        step = trace_step(M, direction, root, limit)
        return step, lambda a: float(np.trace(root.T @ np.linalg.inv(M + a * direction) @ root))
    step = log_det_step(M, direction, limit)
    return step, lambda a: -float(np.linalg.slogdet(M + a * direction)[1])


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("share", [1e-3, 0.3, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_no_point_of_a_dense_grid_is_better(criterion, share, seed):
    M, direction, root, end = random_line(np.random.default_rng(seed))
    limit = share * end
    step, value = step_and_value(criterion, M, direction, root, limit)
    assert 0 <= step <= limit
    best = min(value(a) for a in np.linspace(0, limit, 501))
    assert value(step) <= best + 1e-12 * abs(best)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_slope_is_zero_at_an_inner_step_in_any_unit(rng, criterion, unit):
    inner = 0
    for _ in range(20):
        M, direction, root, end = random_line(rng)
        step, value = step_and_value(criterion, unit * M, unit * direction, root, 0.999 * end)
        if 0.01 * end < step < 0.9 * end:
            inner += 1
            h = 1e-5 * end
            down, up = value(step) - value(step - h), value(step + h) - value(step)
            curvature = up - down
            assert curvature > 0
            assert abs(up + down) < 1e-2 * curvature + 1e-12 * abs(value(step))
    assert inner >= 5


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_line_along_which_information_only_grows_is_walked_to_its_end(rng, criterion):
    M, _, root, _ = random_line(rng)
    grow = np.outer(root[:, 0], root[:, 0])
    assert step_and_value(criterion, M, grow, root, 7.5)[0] == 7.5
    assert step_and_value(criterion, M, -0.01 * grow, root, 1.0)[0] == 0.0
    assert step_and_value(criterion, M, grow, root, 0.0)[0] == 0.0


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_step_stays_off_the_singular_end(criterion):
    """diag(1, 1) towards diag(2, 0): what is lost at α near 1 is unbounded."""
    M, direction = np.eye(2), np.diag([1.0, -1.0])
    root = np.diag([2.0, 0.25])
    step, value = step_and_value(criterion, M, direction, root, 1.0)
    # trace: 4/(1+α) + (1/16)/(1−α) is least where 2/(1+α) = (1/4)/(1−α); log det at α = 0.
    assert step == pytest.approx({"trace": 7 / 9, "log_det": 0.0}[criterion], abs=1e-9)
    assert np.isfinite(value(step))


def test_a_direction_that_the_target_does_not_see_may_be_given_up():
    step = trace_step(np.eye(2), np.diag([1.0, -1.0]), np.array([[1.0], [0.0]]), 1.0)
    assert step == 1.0


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(10))
def test_spectra_over_many_decades_end_at_a_minimum(criterion, seed):
    """ν from 1e-9 to 1e9 of either sign, to the singular end of the line."""
    rng = np.random.default_rng(seed)
    nu = 10 ** rng.uniform(-9, 9, 8) * rng.choice([-1, 1], 8)
    nu[0] = -abs(nu[0])
    limit = -1 / nu.min()
    p = 10 ** rng.uniform(-9, 9, 8)
    step, _ = step_and_value(criterion, np.eye(8), np.diag(nu), np.diag(np.sqrt(p)), limit)
    assert 0 <= step <= limit

    def value(a):  # the definition, for diagonal matrices
        rest = 1 + a * nu
        return np.sum(p / rest) if criterion == "trace" else -np.sum(np.log(rest))

    grid = limit * np.concatenate([np.linspace(0, 0.999, 1000), 1 - np.logspace(-3, -9, 50)])
    best = min(value(a) for a in grid)
    assert value(min(step, grid[-1])) <= best + 1e-9 * abs(best)
