"""Optimality of the logistic lasso, from the definition, and against scikit-learn's solvers."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from edge_lasso.paths import curvature
from edge_lasso.paths.logistic import LogisticSolver, Rows, duality_gap, losses


def random(seed, n=150, p=8, classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.6 * rng.normal(size=(n, 1))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    B = np.where(np.arange(p)[:, None] < 4, rng.normal(size=(p, classes)), 0.0)
    code = (X @ B + rng.gumbel(size=(n, classes))).argmax(axis=1)
    code[:classes] = np.arange(classes)
    return X, code


def rows_of(X, code, classes):
    Y = np.equal(code[:, None], np.arange(classes) if classes > 2 else 1).astype(float)
    weight = np.full(len(X), 1.0 / len(X))
    cut = len(X) // 3
    return Rows(
        lambda: iter([(X[:cut], Y[:cut], weight[:cut]), (X[cut:], Y[cut:], weight[cut:])]), X.shape[1], Y.shape[1]
    )


def objective(rows, coefs, alpha, l1_ratio):
    w = coefs[:, :-1]
    return rows.at(coefs).loss + alpha * (l1_ratio * np.abs(w).sum() + 0.5 * (1.0 - l1_ratio) * (w**2).sum())


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 5]), st.sampled_from([1.0, 0.5]), st.integers(2, 12))
@pytest.mark.long
def test_no_duality_gap_along_the_path(seed, classes, l1_ratio, p):
    rows = rows_of(*random(seed, p=p, classes=classes), classes)
    solver = LogisticSolver(rows, l1_ratio, 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for alpha in solver.top * np.geomspace(1.0, 0.02, 12):
            coefs = solver.solve(alpha)
            assert duality_gap(rows, coefs, alpha, l1_ratio) < 1e-7
    assert solver.converged


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_the_objective_is_that_of_saga(classes, l1_ratio):
    X, code = random(1, 400, 10, classes)
    rows = rows_of(X, code, classes)
    solver = LogisticSolver(rows, l1_ratio, 1e-10)
    for alpha in solver.top * np.array([0.5, 0.1, 0.02]):
        coefs = solver.solve(alpha)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = LogisticRegression(
                C=1.0 / (alpha * 400),
                l1_ratio=l1_ratio,
                penalty="elasticnet",
                solver="saga",
                tol=1e-10,
                max_iter=20_000,
            ).fit(X, code)
        theirs = np.append(peer.coef_, peer.intercept_[:, None], axis=1)
        best = objective(rows, theirs, alpha, l1_ratio)
        assert objective(rows, coefs, alpha, l1_ratio) <= best * (1.0 + 1e-9)
        assert coefs[:, :-1] == pytest.approx(theirs[:, :-1], abs=2e-4)


def test_liblinear_without_its_penalty_on_the_intercept():
    X, code = random(2, 300, 6)
    rows = rows_of(X, code, 2)
    solver = LogisticSolver(rows, 1.0, 1e-10)
    alpha = 0.1 * solver.top
    peer = LogisticRegression(
        C=1.0 / (alpha * 300), penalty="l1", solver="liblinear", intercept_scaling=1e5, tol=1e-10, max_iter=10_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(X, code)
    assert solver.solve(alpha)[0, :-1] == pytest.approx(peer.coef_[0], abs=1e-4)


def test_classes_one_by_one_reach_the_same_solution_as_jointly(monkeypatch):
    X, code = random(3, 200, 6, 4)
    rows = rows_of(X, code, 4)
    together = LogisticSolver(rows, 1.0, 1e-8)
    jointly = together.solve(0.1 * together.top)
    monkeypatch.setattr(curvature, "JOINT_UP_TO", 0)
    alone = LogisticSolver(rows, 1.0, 1e-8)
    alpha = 0.1 * alone.top  # with an even number of classes only the objective is unique
    assert objective(rows, alone.solve(alpha), alpha, 1.0) == pytest.approx(
        objective(rows, jointly, alpha, 1.0), rel=1e-9
    )
    assert alone.passes > together.passes


def test_the_gap_sees_a_wrong_solution():
    X, code = random(4)
    rows = rows_of(X, code, 2)
    solver = LogisticSolver(rows)
    coefs = solver.solve(0.2 * solver.top).copy()
    coefs[0, np.flatnonzero(coefs[0, :-1])[0]] *= 1.2
    assert duality_gap(rows, coefs, 0.2 * solver.top) > 1e-4


def test_log_losses_are_finite_far_out():
    z = np.array([[1e4], [-1e4]])
    assert losses(z, np.array([[1.0], [0.0]])).tolist() == [0.0, 0.0]
    assert losses(z, np.array([[0.0], [1.0]])).tolist() == [1e4, 1e4]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_refit_is_exact_also_where_other_columns_pull_and_classes_are_apart(classes):
    X, code = random(5, 120, 6, classes)
    X[:, 0] += 4.0 * code
    rows = rows_of(X, code, classes)
    solver = LogisticSolver(rows, 1.0, 1e-9)
    coefs = solver.solve(0.5 * solver.top)
    assert 0 < coefs[:, :-1].any(axis=0).sum() < 6
    found = solver.refit(coefs)
    assert solver.violation < 1e-12
    assert (found[:, :-1].any(axis=0) == coefs[:, :-1].any(axis=0)).all()
    assert np.abs(found[:, :-1].sum(axis=0)).max() < 1e-9 or classes == 2  # ridge: no class moves alone
