"""The path by certificate: optimality conditions, identities, and agreement with scikit-learn on the full rows."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import enet_path

from edge_lasso.errors import DataError
from edge_lasso.paths.cross_validation import refits_of
from edge_lasso.paths.path import PathSolver
from edge_lasso.paths.problem import Problem, alpha_grid, alpha_max, gap, problems, pull
from edge_lasso.paths.refit import inverse, least_squares, nested_least_squares
from edge_lasso.statistics.statistics import Statistics


def rows(seed, n, p, correlation=0.3):
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    coef = np.where(rng.random(p) < min(0.4, 10 / p), rng.normal(size=p), 0.0)
    return X, X @ coef + 0.5 * rng.normal(size=n)


def standardized(X):
    deviation = X.std(axis=0)
    constant = deviation <= 1e-13 * np.abs(X).max(axis=0)
    return np.where(constant, 0.0, (X - X.mean(axis=0)) / np.where(constant, 1.0, deviation))


def problem_of(X, y):
    return problems(Statistics([f"c{j}" for j in range(X.shape[1])]).update(X, y).moments(), X.shape[1])[0]


def solve(problem, alphas, **options):
    solver = PathSolver(problem, tol=1e-13, saturated=1.0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solver.extend(alphas)
    return solver.solution.coefs


def scikit_learn(X, y, alphas, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = dict(l1_ratio=1.0, tol=1e-14, max_iter=200_000) | options
        return enet_path(np.asfortranarray(standardized(X)), y - y.mean(), alphas=alphas, precompute=False, **settings)[
            1
        ].T


def assert_optimal(problem, coef, alpha, l1_ratio=1.0, signs=None):
    """The optimality conditions: gradient = penalty * sign where non-zero, no larger than the penalty elsewhere."""
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    gradient = problem.xy - problem.gram @ coef - l2 * coef
    scale = np.sqrt(problem.yy)
    active = coef != 0
    assert np.abs(gradient[active] - l1 * np.sign(coef[active])).max(initial=0.0) < 1e-8 * scale
    assert pull(gradient, signs)[~active].max(initial=0.0) < l1 + 1e-8 * scale
    assert signs is None or not (coef * signs < 0).any()


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**31),
    shape=st.sampled_from([(300, 8), (60, 30), (40, 60), (120, 260), (700, 230)]),
    correlation=st.sampled_from([0.0, 0.6, 0.97]),
    l1_ratio=st.sampled_from([1.0, 0.5]),
)
def test_coefficients_are_those_of_scikit_learn_on_the_rows(seed, shape, correlation, l1_ratio):
    X, y = rows(seed, *shape, correlation)
    problem = problem_of(X, y)
    alphas = alpha_grid(problem, 12, l1_ratio, 0.02)
    mine = solve(problem, alphas, l1_ratio=l1_ratio)
    for coef, alpha in zip(mine, alphas, strict=True):
        assert_optimal(problem, coef, alpha, l1_ratio)
        assert gap(problem, coef, alpha, l1_ratio) < 1e-12
    if correlation < 0.9:  # where descent on the rows converges in reasonable time
        theirs = scikit_learn(X, y, alphas, l1_ratio=l1_ratio)
        assert np.abs(mine - theirs).max() <= 1e-8 * np.abs(theirs).max()


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**31),
    offset=st.sampled_from([0.0, 1e6]),
    spread=st.sampled_from([0.0, 6.0]),
    wide=st.booleans(),
)
@pytest.mark.long
def test_objective_and_fitted_values_where_the_solution_is_not_unique(seed, offset, spread, wide):
    X, y = rows(seed, 150, 220 if wide else 12)
    X[:, 3] = X[:, 0]
    X[:, 4] = -2.0 * X[:, 1]
    X[:, 5] = 3.0
    X = X * 10.0 ** np.linspace(-spread, spread, X.shape[1]) + offset * (spread == 0.0)
    problem = problem_of(X, y)
    assert problem.constant.nonzero()[0].tolist() == [5]
    alphas = alpha_grid(problem, 10, 1.0, 0.05)
    mine, theirs = solve(problem, alphas), scikit_learn(X, y, alphas)
    Z, centred = standardized(X), y - y.mean()
    assert np.abs(Z @ (mine - theirs).T).max() < 1e-7 * np.abs(centred).max()
    for a, b, alpha in zip(mine, theirs, alphas, strict=True):
        objective = [0.5 * np.mean((centred - Z @ w) ** 2) + alpha * np.abs(w).sum() for w in (a, b)]
        assert objective[0] <= objective[1] * (1 + 1e-9)
        assert gap(problem, a, alpha) < 1e-9


def test_scikit_learn_reads_only_the_gram_matrix_when_it_does_not_check_its_input():
    """`path.py` relies on ``check_input=False`` with a Gram matrix: zeros in place of the rows give the same path."""
    X, y = rows(0, 200, 15)
    Z, centred = standardized(X), y - y.mean()
    gram, xy = np.ascontiguousarray(Z.T @ Z / 200), Z.T @ centred / 200
    alphas = np.abs(xy).max() * np.geomspace(1.0, 1e-3, 20)
    length = np.array([np.sqrt(centred @ centred / 200)])
    options = dict(l1_ratio=0.8, tol=1e-14, max_iter=100_000)
    on_gram = enet_path(np.zeros((1, 15)), length, alphas=alphas, precompute=gram, Xy=xy, check_input=False, **options)
    on_rows = enet_path(np.asfortranarray(Z), centred, alphas=alphas, precompute=False, **options)
    assert np.abs(on_gram[1] - on_rows[1]).max() < 1e-10
    assert np.abs(on_gram[2] - on_rows[2]).max() < 1e-10


def test_screening_changes_nothing(monkeypatch):
    X, y = rows(1, 400, 60, 0.5)
    problem = problem_of(X, y)
    alphas = alpha_grid(problem, 40)
    plain = solve(problem, alphas)
    monkeypatch.setattr("edge_lasso.paths.path.SCREEN_FROM", 0)
    assert np.abs(solve(problem, alphas) - plain).max() < 1e-10


def test_largest_alpha_is_the_first_with_all_zero():
    X, y = rows(2, 100, 10)
    problem = problem_of(X, y)
    top = alpha_max(problem)
    coefs = solve(problem, np.array([top * 1.001, top, top * 0.99]))
    assert np.count_nonzero(coefs, axis=1).tolist() == [0, 0, 1]


def test_elastic_net_at_ratio_one_is_the_lasso():
    X, y = rows(3, 100, 10)
    problem = problem_of(X, y)
    alphas = alpha_grid(problem, 20)
    assert np.abs(solve(problem, alphas, l1_ratio=1.0 - 1e-12) - solve(problem, alphas)).max() < 1e-9


@pytest.mark.parametrize("p", [12, 230])
def test_positive_coefficients(p):
    X, y = rows(4, 300, p)
    problem = problem_of(X, y)
    positive = np.ones(p, dtype=int)
    alphas = alpha_grid(problem, 15, eps=0.02, signs=positive)
    mine = solve(problem, alphas, signs=positive)
    assert (mine >= 0).all()
    assert np.abs(mine - scikit_learn(X, y, alphas, positive=True)).max() < 1e-8
    for coef, alpha in zip(mine, alphas, strict=True):
        assert_optimal(problem, coef, alpha, signs=positive)


@pytest.mark.parametrize("p", [12, 230])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_a_sign_for_each_coefficient(p, l1_ratio):
    X, y = rows(4, 300, p)
    problem = problem_of(X, y)
    free = solve(problem, alpha_grid(problem, 15, l1_ratio, eps=0.02), l1_ratio=l1_ratio)
    signs = np.arange(p) % 3 - 1
    largest = np.abs(free[-1]).argsort()[-3:]
    signs[largest] = -np.sign(free[-1][largest])  # what the free solution wants most is forbidden
    alphas = alpha_grid(problem, 15, l1_ratio, eps=0.02, signs=signs)
    mine = solve(problem, alphas, l1_ratio=l1_ratio, signs=signs)
    for coef, alpha in zip(mine, alphas, strict=True):
        assert_optimal(problem, coef, alpha, l1_ratio, signs)
        assert gap(problem, coef, alpha, l1_ratio, signs) < 1e-9
    assert (mine[-1] != 0).sum() > 5
    assert not mine[:, largest].any()


def test_the_gap_sees_a_wrong_solution():
    X, y = rows(5, 100, 10)
    problem = problem_of(X, y)
    alphas = alpha_grid(problem, 10, eps=0.1)
    coef = solve(problem, alphas)[-1]
    assert gap(problem, coef, alphas[-1]) < 1e-14
    wrong = coef.copy()
    wrong[np.argmax(np.abs(coef))] *= 1.01
    assert gap(problem, wrong, alphas[-1]) > 1e-7


@pytest.mark.parametrize("alphas", [0, -3, [], [1.0, np.nan], [-0.1]])
def test_alphas_that_cannot_be(alphas):
    problem = problem_of(*rows(6, 20, 3))
    with pytest.raises(DataError, match="alphas"):
        alpha_grid(problem, alphas)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), copies=st.integers(0, 6))
def test_least_squares_with_dependent_columns(seed, copies):
    """The plain solve is silently wrong here; the fitted values are those of numpy's least squares on the rows."""
    X, y = rows(seed, 80, 8)
    rng = np.random.default_rng(seed)
    extra = [X[:, rng.integers(8)] for _ in range(copies)] + [X[:, 0] + 2 * X[:, 1]] * (copies > 3)
    Z = standardized(np.column_stack([X, *extra])[:, rng.permutation(8 + len(extra))])
    gram, xy = Z.T @ Z / 80, Z.T @ (y - y.mean()) / 80
    coef, dependent = least_squares(gram, xy, np.arange(Z.shape[1]))
    assert len(dependent) == len(extra)
    assert (coef[dependent] == 0).all()
    wanted = Z @ np.linalg.lstsq(Z, y - y.mean(), rcond=1e-10)[0]
    assert np.abs(Z @ coef - wanted).max() < 1e-9


def test_inverse_of_badly_scaled_columns():
    X, _ = rows(7, 100, 5)
    X = X * np.array([1e-6, 1.0, 1e6, 1e3, 1e-3])
    gram = X.T @ X
    scale = np.sqrt(np.diagonal(gram))
    unit = gram / np.outer(scale, scale)
    assert np.allclose(inverse(gram) * np.outer(scale, scale) @ unit, np.eye(5), atol=1e-12)
    with pytest.raises(ValueError, match="singular"):
        inverse(np.ones((2, 2)))


def test_refits_of_nested_supports_are_those_of_each():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 12)) + rng.normal(size=(200, 1))
    gram, xy = X.T @ X, X.T @ rng.normal(size=200)
    order = rng.permutation(12)[:9]
    nested = nested_least_squares(gram, xy, order)
    for count in range(1, 10):
        assert nested[count - 1, :count] == pytest.approx(least_squares(gram, xy, order[:count])[0], rel=1e-9)
        assert not nested[count - 1, count:].any()
    X[:, order[5]] = X[:, order[1]] + X[:, order[2]]
    assert nested_least_squares(X.T @ X, xy, order) is None


def test_refits_along_a_path_that_drops_a_column_and_repeats_another():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(200, 6))
    X = np.column_stack([X, X[:, 0]])
    gram, xy = X.T @ X / 200, X.T @ rng.normal(size=200) / 200
    problem = Problem(gram, xy, 1.0, np.ones(7), np.zeros(7, dtype=bool))
    supports = [[], [1], [1, 3], [1, 3], [3, 4], [0, 3, 4], [0, 3, 4, 6], [0, 2, 3, 4, 6]]
    coefs = np.array([np.isin(np.arange(7), one) for one in supports], dtype=float)
    refits = refits_of(problem, coefs)
    for support, refit in zip(supports, refits, strict=True):
        expected = np.zeros(7)
        expected[support] = least_squares(gram, xy, np.array(support, dtype=int))[0]
        assert refit == pytest.approx(expected, abs=1e-12)
