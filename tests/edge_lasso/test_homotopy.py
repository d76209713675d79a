"""Exact paths: optimality is checked from the definition, and peers agree."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import lasso_path

from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.paths import row_path
from edge_lasso.paths.homotopy import paths
from edge_lasso.paths.problem import Problem, alpha_grid, gap
from edge_lasso.paths.row_path import Rows


def problem(X, y):
    X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0.0, X.std(axis=0), 1.0)
    y = y - y.mean()
    n, p = X.shape
    return Problem(X.T @ X / n, X.T @ y / n, float(y @ y) / n, np.ones(p), X.std(axis=0) == 0.0)


def random(seed, n=200, p=12, correlation=0.6):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + correlation * rng.standard_normal((n, 1))
    return X, X[:, :3] @ np.array([2.0, -1.0, 0.5][: min(p, 3)]) + rng.standard_normal(n)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 25), st.floats(0.0, 20.0))
def test_every_solution_has_no_duality_gap(seed, p, correlation):
    X, y = random(seed, p=max(p, 3), correlation=correlation)
    ours = [problem(X, y), problem(X[::2], y[::2]), problem(X[:100], y[:100])]
    alphas = alpha_grid(ours[0])
    for one, (coefs, exact) in zip(ours, paths(ours, alphas), strict=True):
        assert exact.all()
        assert max(gap(one, coef, alpha) for coef, alpha in zip(coefs, alphas, strict=True)) < 1e-12


def test_scikit_learn_finds_the_same():
    X, y = random(1)
    one = problem(X, y)
    alphas = alpha_grid(one)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    _, theirs, _ = lasso_path(standard, y - y.mean(), alphas=alphas, tol=1e-14, max_iter=100_000)
    assert paths([one], alphas)[0][0] == pytest.approx(theirs.T, abs=1e-9)


def test_columns_that_leave_the_path_and_come_back():
    rng = np.random.default_rng(5)
    left = 0
    for _ in range(50):
        X = rng.standard_normal((15, 10)) @ rng.standard_normal((10, 10))
        one = problem(X, X @ rng.standard_normal(10) + rng.standard_normal(15))
        alphas = alpha_grid(one)
        coefs, exact = paths([one], alphas)[0]
        assert exact.all()
        left += int(((coefs[1:] == 0.0) & (coefs[:-1] != 0.0)).any())
    assert left > 10


@pytest.mark.parametrize("spoil", ["copy", "sum", "constant", "more columns than rows", "nothing to explain", "ties"])
def test_what_is_not_exact_is_not_called_exact(spoil):
    X, y = random(3)
    if spoil == "copy":
        X[:, 4] = X[:, 0]
    elif spoil == "sum":
        X[:, 5] = X[:, 0] + X[:, 1] - X[:, 2]
    elif spoil == "constant":
        X[:, 0] = 1.0
    elif spoil == "more columns than rows":
        X, y = X[:8], y[:8]
    elif spoil == "nothing to explain":
        y = np.ones(len(y))
    else:
        X = np.sign(X[:, :3])
        X = np.concatenate([X, -X, X], axis=1)
    one = problem(X, y)
    alphas = alpha_grid(one)
    coefs, exact = paths([one], alphas)[0]
    assert np.isfinite(coefs[exact]).all()
    assert exact[0]
    for coef, alpha in zip(coefs[exact], alphas[exact], strict=True):
        assert gap(one, coef, alpha) < 1e-12


def test_alphas_above_the_largest_useful_one_give_nothing():
    one = problem(*random(4))
    top = alpha_grid(one)[0]
    coefs, exact = paths([one], np.array([3.0 * top, 1.5 * top, 0.9 * top]))[0]
    assert exact.all()
    assert not coefs[:2].any()
    assert np.count_nonzero(coefs[2]) >= 1


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(4, 30), st.integers(5, 80))
def test_rows_give_what_their_gram_matrix_gives(seed, n, p):
    X, y = random(seed, n=n, p=p)
    X[: n // 2, 0] = np.nan
    cut = [np.ones(n, dtype=bool), np.arange(n) % 4 > 0]
    rows = [Rows(X[keep], y[keep], np.ones(keep.sum()), None, np.ones(p)).problem() for keep in cut]
    alphas = alpha_grid(rows[0])
    for one, (coefs, exact) in zip(rows, paths(rows, alphas), strict=True):
        assert exact[: len(alphas) // 2].all()
        assert max(gap(one, coef, alpha) for coef, alpha in zip(coefs[exact], alphas[exact], strict=True)) < 1e-9
        if n > p + 5:
            gram = replace(one, gram=one.gram[np.arange(p)])
            assert coefs[exact] == pytest.approx(paths([gram], alphas)[0][0][exact], abs=1e-8)


def test_rows_and_descent_choose_the_same_model(monkeypatch):
    X, y = random(3, n=40, p=300)
    walked = LassoRegressor().fit(X, y)
    monkeypatch.setattr(row_path, "WALK_UP_TO", 0)
    descended = LassoRegressor().fit(X, y)
    assert walked.alpha_ == descended.alpha_
    assert walked.cv_error_ == pytest.approx(descended.cv_error_, rel=1e-3)
    assert (walked.coef_ != 0.0).tolist() == (descended.coef_ != 0.0).tolist()
