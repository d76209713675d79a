"""Paths of folds and of all rows side by side: as good as each solved alone, at every alpha."""

import numpy as np
import pytest

from edge_lasso.paths.curvature import Gram, switching_solution
from edge_lasso.paths.logistic import LogisticSolver, duality_gap, linear, losses
from edge_lasso.paths.logistic_rows import FoldRows
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.plans import forward_chain, kfold
from edge_lasso.training.class_paths import RIDGE, FoldPaths
from edge_lasso.training.fit_classes import fit_logistic, one_hot

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # conditions are checked


def noisy(seed, n=400, p=12, classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    B = np.where(np.arange(p)[:, None] < 4, rng.normal(size=(p, classes)), 0.0)
    return X, (X @ B + rng.gumbel(size=(n, classes))).argmax(axis=1), rng.uniform(0.5, 2.0, n)


def paths(X, code, weight, plan, classes, **options):
    rows = FoldRows(X, lambda Z: Z, one_hot(code, classes), weight / weight.sum(), plan.rows(len(X)))
    return FoldPaths(rows, plan.splits, TrainOptions(**options), None)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.long
def test_every_alpha_is_optimal_and_its_gap_is_the_definition_s(classes, l1_ratio):
    path = paths(*noisy(classes, classes=classes), kfold(400, 4), classes, l1_ratio=l1_ratio)
    path.follow(path.top * np.geomspace(1.0, 0.02, 23))
    assert path.gaps.max() < 1e-7
    rows = path.rows.some(path.whole.parts)
    for alpha, coefs, gap in zip(path.alphas, path.coefs[-1], path.gaps, strict=True):
        assert duality_gap(rows, coefs, alpha, l1_ratio) == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize("plan", [kfold(400, 5), forward_chain(400, 4)], ids=["k-fold", "forward"])
@pytest.mark.parametrize("classes", [2, 3])
def test_folds_are_those_solved_alone(plan, classes):
    X, code, weight = noisy(7, classes=classes)
    path = paths(X, code, weight, plan, classes)
    path.follow(path.top * np.geomspace(1.0, 0.05, 12))
    for fold, (train, test) in enumerate(plan.splits):
        alone = LogisticSolver(path.rows.some(train), 1.0, 1e-9)
        held = path.rows.some(test)
        for i, alpha in enumerate(path.alphas):
            coefs = alone.solve(float(alpha))
            expected = sum(weight @ losses(linear(Z, coefs), Y) for Z, Y, weight in held.blocks())
            assert path.errors[fold, i] == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_refits_are_maximum_likelihood_on_each_support(classes):
    X, code, weight = noisy(8, classes=classes)
    path = paths(X, code, weight, kfold(400, 4), classes)
    path.follow(path.top * np.geomspace(1.0, 0.2, 8))
    refits, errors = path.refits(path.coefs)
    assert errors.shape == path.errors.shape
    for training, lasso, refit in zip([*path.folds, path.whole], path.coefs, refits, strict=True):
        gradients = training.gradients(refit)[:, :, :-1] + RIDGE * refit[:, :, :-1]
        support = lasso[:, :, :-1].any(axis=1, keepdims=True)
        assert np.abs(gradients * support).max() < 2e-5 * path.whole.top
        assert not (refit[:, :, :-1] * ~support).any()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.long
def test_columns_that_repeat_each_other_do_not_matter(classes):
    X, code, weight = noisy(9, classes=classes)
    X = np.column_stack([X, X[:, :5], X[:, 0] - X[:, 1], np.zeros(len(X))])
    path = paths(X, code, weight, kfold(400, 4), classes)
    path.follow(path.top * np.geomspace(1.0, 0.02, 20))
    assert path.gaps.max() < 1e-7


def test_more_columns_than_rows():
    rng = np.random.default_rng(10)
    X = rng.normal(size=(60, 150))
    code = (X[:, 0] + rng.logistic(size=60) > 0.0).astype(int)
    path = paths(X, code, np.ones(60), kfold(60, 3), 2)
    path.follow(path.top * np.geomspace(1.0, 0.1, 15))
    assert path.gaps.max() < 1e-7


def test_classes_apart_end_the_path():
    X, _, _ = noisy(11, n=600)
    X = X[np.abs(X[:, 0]) > 0.3][:400]
    code = (X[:, 0] > 0.0).astype(int)
    fit, _ = fit_logistic(X, code, ["a", "b"], np.ones(400), kfold(400, 4), TrainOptions(alphas=100, eps=1e-4))
    assert "deviance explained" in fit.ended
    assert fit.gaps.max() < 1e-6


def test_sets_that_switch_end_at_the_solution_of_the_definition():
    rng = np.random.default_rng(12)
    for seed in range(30):
        A = rng.normal(size=(40, 10)) + rng.normal(size=(40, 1))
        gram, xy = A.T @ A / 40, A.T @ rng.normal(size=40) / 40 + 0.1 * rng.normal(size=10)
        l1 = 0.2 * float(np.abs(xy).max())
        w = switching_solution(Gram(gram), xy, np.zeros(10), l1)
        if w is None:  # it may give up, never be wrong
            continue
        slope = xy - gram @ w
        assert np.abs(slope).max() <= l1 * (1.0 + 1e-6), seed
        assert slope[w != 0.0] == pytest.approx(l1 * np.sign(w[w != 0.0]), rel=1e-6)
