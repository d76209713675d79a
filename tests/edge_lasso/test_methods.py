"""The sparse methods beside the lasso, by certificate: optimality conditions, identities, scikit-learn's own."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import orthogonal_mp_gram

from edge_lasso.errors import DataError
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.paths.adaptive import reweighted, ridge
from edge_lasso.paths.greedy import GreedySolver
from edge_lasso.paths.group_path import GroupSolver, group_alpha_max, group_gap, norms
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.path import PathSolver
from edge_lasso.paths.problem import alpha_grid, alpha_max, problems
from edge_lasso.statistics.statistics import Statistics

SEEDS = st.integers(0, 2**31)


def rows(seed, n=200, p=12, correlation=0.4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + np.sqrt(correlation / (1 - correlation)) * rng.normal(size=(n, 1))
    coef = np.where(rng.random(p) < 0.4, rng.normal(size=p), 0.0)
    coef[0] = 1.0
    return X, X @ coef + 0.5 * rng.normal(size=n)


def problem_of(X, y):
    return problems(Statistics([f"c{j}" for j in range(X.shape[1])]).update(X, y).moments(), X.shape[1])[0]


@settings(max_examples=15)
@given(seed=SEEDS, l1_ratio=st.sampled_from([1.0, 0.6]), correlation=st.sampled_from([0.0, 0.9]))
def test_group_lasso_is_optimal(seed, l1_ratio, correlation):
    problem = problem_of(*rows(seed, correlation=correlation))
    groups = np.random.default_rng(seed).integers(0, 5, 12)
    groups = np.unique(groups, return_inverse=True)[1]
    solver = GroupSolver(problem, groups, l1_ratio)
    alphas = np.geomspace(1.0, 1e-2, 12) * group_alpha_max(problem, groups, l1_ratio)
    solver.extend(alphas)
    weights = np.sqrt(np.bincount(groups))
    assert not solver.solution.coefs[0].any()
    assert solver.solution.coefs[1].any()
    for coef, alpha in zip(solver.solution.coefs, alphas, strict=True):
        gradient = problem.xy - problem.gram @ coef - alpha * (1 - l1_ratio) * coef
        size, limit = norms(groups, coef), alpha * l1_ratio * weights
        for g, length in enumerate(size):
            if length:
                wanted = limit[g] * coef[groups == g] / length
                assert np.abs(gradient[groups == g] - wanted).max() < 1e-7 * np.sqrt(problem.yy)
                assert (coef[groups == g] != 0).all()
            else:
                assert np.linalg.norm(gradient[groups == g]) <= limit[g] + 1e-7 * np.sqrt(problem.yy)
        assert group_gap(problem, groups, coef, alpha, l1_ratio) < 1e-7
    assert group_gap(problem, groups, coef * 1.05, alpha, l1_ratio) > 1e-5


@settings(max_examples=10)
@given(seed=SEEDS, l1_ratio=st.sampled_from([1.0, 0.6]))
def test_group_lasso_of_single_columns_is_the_lasso(seed, l1_ratio):
    problem = problem_of(*rows(seed))
    alphas = alpha_grid(problem, 10, l1_ratio, 0.01)
    alone, lasso = GroupSolver(problem, np.arange(12), l1_ratio), PathSolver(problem, l1_ratio, tol=1e-13)
    alone.extend(alphas)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # slow descent is finished by an exact solve
        lasso.extend(alphas)
    assert np.abs(alone.solution.coefs - lasso.solution.coefs).max() < 1e-7


@settings(max_examples=15)
@given(seed=SEEDS, correlation=st.sampled_from([0.0, 0.8]))
def test_matching_pursuit_is_that_of_scikit_learn(seed, correlation):
    problem = problem_of(*rows(seed, correlation=correlation))
    solver = GreedySolver(problem, np.arange(12))
    solver.extend(np.zeros(4))
    solver.extend(np.zeros(3))
    assert not solver.solution.coefs[0].any()
    for k in range(1, 7):
        wanted = orthogonal_mp_gram(problem.gram, problem.xy, n_nonzero_coefs=k)
        assert np.abs(solver.solution.coefs[k] - wanted).max() < 1e-9
    assert solver.pulls[0] == pytest.approx(alpha_max(problem))
    assert (np.diff(solver.pulls) <= 0).all()


def test_matching_pursuit_passes_over_copies_and_ends():
    X, y = rows(1, p=4)
    problem = problem_of(np.column_stack([X, X[:, 0], X[:, 1] * -3 + 7, np.ones(200)]), y)
    solver = GreedySolver(problem, np.arange(7))
    solver.extend(np.zeros(8))
    assert np.count_nonzero(solver.solution.coefs, axis=1).tolist() == [0, 1, 2, 3, 4, 4, 4, 4]


@settings(max_examples=10)
@given(seed=SEEDS)
def test_adaptive_lasso_is_the_lasso_of_rescaled_columns(seed):
    X, y = rows(seed)
    problem = problem_of(X, y)
    own = reweighted(problem)
    weight = np.abs(ridge(problem))
    weight = np.where(weight < 1e-4 * weight.max(), 0.0, weight / weight.max())
    Z = (X - X.mean(axis=0)) / X.std(axis=0) * weight
    again = problems(Statistics(list("abcdefghijkl")).update(Z, y).moments(), 12, np.ones(12))[0]
    alphas = alpha_grid(own, 10, 1.0, 0.01)
    found = []
    for one in (own, again):
        solver = PathSolver(one, tol=1e-13)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solver.extend(alphas)
        found.append(solver.solution.coefs)
    assert np.abs(found[0] - found[1]).max() < 1e-8
    raw = found[0] / own.scale
    assert np.abs(raw * X.std(axis=0) - found[1] * weight).max() < 1e-8


def test_ridge_is_that_of_the_rows():
    X, y = rows(3)
    problem = problem_of(X, y)
    coef = ridge(problem)
    residual = problem.xy - problem.gram @ coef  # = penalty * coef
    penalty = residual @ coef / (coef @ coef)
    assert penalty > 0
    assert np.abs(residual - penalty * coef).max() < 1e-10


METHODS = ("lasso", "relaxed", "adaptive", "omp", "group")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("select", ["1se", "min", "bic"])
def test_every_method_finds_the_true_inputs(method, select):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 15))
    y = 3 * X[:, 1] - 2 * X[:, 4] + X[:, 7] + 0.3 * rng.normal(size=400)
    model = LassoRegressor(method=method, select=select).fit(X, y)
    assert set(np.flatnonzero(model.coef_)) >= {1, 4, 7}
    assert model.score(X, y) > 0.98
    assert model.optimality_gap_ < 1e-8
    assert model.model_.provenance["method"] == method
    wanted = {"adaptive": "adaptive lasso", "omp": "orthogonal matching pursuit", "group": "group lasso"}.get(method)
    assert wanted is None or model.method_.startswith(wanted)
    assert method != "relaxed" or model.method_ in ("relaxed lasso", "refit")
    small = LassoRegressor(method=method, max_inputs=2).fit(X, y)
    assert np.flatnonzero(small.coef_).tolist() == [1, 4]


@pytest.mark.parametrize("method", ["group", "omp"])
def test_inputs_of_one_sensor_come_together(method):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 9))
    y = X[:, 0] + 0.5 * X[:, 1] + 0.2 * rng.normal(size=300)
    sensors = [5, 5, 5, 2, 2, 2, 7, 7, 7]
    model = LassoRegressor(method=method, sensors=sensors).fit(X, y)
    assert np.flatnonzero(model.coef_).tolist() == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_equal_costs_change_nothing_and_a_dearer_copy_is_not_bought(method):
    X, y = rows(7)
    plain = LassoRegressor(method=method).fit(X, y)
    same = LassoRegressor(method=method, penalty=np.full(12, 4.0)).fit(X, y)
    assert np.allclose(plain.coef_, same.coef_, atol=1e-6)
    X[:, 11] = X[:, 0] + 0.02 * np.random.default_rng(0).normal(size=200)
    model = LassoRegressor(method=method, penalty=[9.0] + [1.0] * 11, max_inputs=3).fit(X, y)
    assert model.coef_[0] == 0
    assert model.coef_[11] != 0


def test_no_coefficient_is_negative_when_positive_is_asked_for():
    X, y = rows(8)
    y = y - 2 * X[:, 3]
    for method in ("lasso", "adaptive"):
        assert (LassoRegressor(method=method, positive=True).fit(X, y).coef_ >= 0).all()
        signs = np.where(np.arange(12) % 2, 1, -1)
        signs[0] = 0
        coef = LassoRegressor(method=method, signs=signs).fit(X, y).coef_
        assert (coef * signs >= 0).all()
        assert coef[0] != 0


@pytest.mark.parametrize("method", METHODS)
def test_real_readings(root, method):
    import pandas

    table = pandas.read_csv(root / "tests/data/appliances.csv").drop(columns=["date", "rv2"])
    X, y = table.drop(columns="T_out"), table["T_out"]
    model = LassoRegressor(method=method, max_inputs=5).fit(X, y)
    assert len(model.model_.inputs) <= 5
    assert model.cv_error_ < 0.2 * model.fit_.cv_null


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "method is 'best'; allowed are lasso, relaxed, adaptive, group, omp"),
        ({"groups": [0, 1]}, "groups need method 'group' or 'omp'"),
        ({"method": "omp", "l1_ratio": 0.5}, "method 'omp' has no l1_ratio"),
        ({"method": "omp", "alphas": [0.1]}, "no alphas"),
        ({"method": "group", "positive": True}, "positive and signs need method 'lasso' or 'adaptive'"),
        ({"positive": True, "signs": [1]}, "give positive or signs, not both"),
        ({"method": "relaxed", "refit": False}, "'relaxed' is a refit"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(DataError, match=message):
        TrainOptions(**options)


@pytest.mark.parametrize("sensors", [[0, 1], [0.5] * 12])
def test_sensors_that_are_no_groups(sensors):
    with pytest.raises(DataError, match="groups must be 12 whole numbers"):
        LassoRegressor(method="group", sensors=sensors).fit(*rows(9))


def test_the_knee_weighs_what_inputs_cost():
    """Four equally useful inputs, two of them dear: the knee buys the cheap ones first and stops there."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6))
    y = X[:, 0] + X[:, 1] + 0.5 * X[:, 2] + 0.5 * X[:, 3] + 0.3 * rng.normal(size=800)
    cost = [1.0, 1.0, 3.0, 3.0, 1.0, 1.0]
    bought = LassoRegressor(select="knee", penalty=cost).fit(X, y).coef_
    assert np.flatnonzero(bought).tolist() == [0, 1]
    assert np.count_nonzero(LassoRegressor(select="min", penalty=cost).fit(X, y).coef_) >= 4
