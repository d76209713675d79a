"""Budgets of classifiers: best subsets on the quadratic at the path's best point, refitted exactly, compete."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from edge_lasso import LassoClassifier
from edge_lasso.errors import DataError


def misleading(n=1500):
    """What matters is the difference of two columns; six noisy copies of it are what the lasso sees first."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n))
    shared = 5.0 * rng.normal(size=n)
    log_odds = 3.0 * (a - b)
    noisy = log_odds[:, None] + 4.0 * rng.normal(size=(n, 6))
    return np.column_stack([shared + a, shared + b, noisy]), (log_odds + rng.logistic(size=n) > 0.0).astype(int)


def test_a_budget_takes_the_pair_that_the_lasso_does_not_see():
    X, y = misleading()
    model = LassoClassifier(max_inputs=2).fit(X, y)
    assert model.fit_.method == "logistic, best subset"
    assert model.fit_.n_inputs == 2
    assert np.flatnonzero(model.coef_[0]).tolist() == [0, 1]
    assert model.optimality_gap_ < 1e-8
    wanted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X[:, :2], y)
    uncalibrated = model.fit_.coefs[0, :2]
    assert np.allclose(
        uncalibrated / uncalibrated[0],
        wanted.coef_[0] * X[:, :2].std(axis=0) / (wanted.coef_[0, 0] * X[:, 0].std()),
        rtol=1e-3,
    )
    assert LassoClassifier(max_inputs=2, refit=False).fit(X, y).fit_.method == "logistic lasso"


def test_several_classes_share_their_inputs_and_gain():
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    best, lasso = (LassoClassifier(max_inputs=3, refit=refit).fit(X, y) for refit in (True, False))
    assert best.fit_.method == "logistic, best subset"
    assert len(best.model_.inputs) <= 3
    assert best.cv_error_ < lasso.cv_error_


def test_a_budget_larger_than_the_columns_and_a_rare_class():
    X, y = misleading(300)
    assert LassoClassifier(max_inputs=50).fit(X, y).fit_.n_inputs <= 8
    assert LassoClassifier(max_inputs=2).fit(np.column_stack([X[:, 0]] * 4), y).fit_.n_inputs <= 2
    y[1:] = 0
    y[0] = 1
    with pytest.raises(DataError, match="the rarest class has 1 row"):
        LassoClassifier(max_inputs=2).fit(X, y)
