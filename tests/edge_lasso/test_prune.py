"""Pruning by certificate: the closed-form costs are those of refitting on the rows."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.prune import input_losses, prune
from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.inputs import numeric_inputs, term_names
from edge_lasso.statistics.plans import forward_chain, kfold
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.models import provenance, to_model
from edge_lasso_runtime.format import dumps, loads
from edge_lasso_runtime.model import Factor


def rows(seed, n=400, p=8, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4 * rng.normal(size=(p, p))) + 10 * rng.normal(size=p)
    return X, X @ rng.uniform(-1, 1, p) + noise * rng.normal(size=n)


def fitted(seed, **options):
    X, y = rows(seed)
    return LassoRegressor(**{"select": "min", "refit": False, **options}).fit(X, y), X, y


def coefficients(model, output=0):
    coef = np.zeros(len(model.columns))
    for term in model.outputs[output].terms:
        coef[model.inputs[term.factors[0].input].column] = term.coef
    return coef


def least_squares_error(X, y, columns):
    A = np.column_stack([np.ones(len(X)), X[:, columns]])
    return float(np.mean((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_costs_are_those_of_refitting_on_the_rows(seed):
    estimator, X, y = fitted(seed)
    model = estimator.model_
    used = [one.column for one in model.inputs]
    full = least_squares_error(X, y, used)
    losses = input_losses(model, estimator.statistics_)
    for one in model.inputs:
        without = least_squares_error(X, y, [column for column in used if column != one.column])
        assert losses[one.name] == pytest.approx(without - full, rel=1e-8, abs=1e-10 * full)
    assert list(losses.values()) == sorted(losses.values(), reverse=True)
    plain = input_losses(model, estimator.statistics_, refit=False)
    now = np.mean((y - estimator.predict(X)) ** 2)
    for one in model.inputs:
        lost = X.copy()
        lost[:, one.column] = np.nan
        assert plain[one.name] == pytest.approx(np.mean((y - estimator.predict(lost)) ** 2) - now, abs=1e-8)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), budget=st.integers(1, 6))
def test_a_pruned_model_is_the_refit_of_what_is_left(seed, budget):
    estimator, X, y = fitted(seed)
    if len(estimator.model_.inputs) <= budget:
        return
    pruned = prune(estimator.model_, estimator.statistics_, max_inputs=budget)
    assert len(pruned.inputs) == budget
    used = [one.column for one in pruned.inputs]
    A = np.column_stack([np.ones(len(X)), X[:, used]])
    wanted = np.linalg.lstsq(A, y, rcond=None)[0]
    assert np.allclose(coefficients(pruned)[used], wanted[1:], rtol=1e-7, atol=1e-9)
    assert pruned.outputs[0].intercept == pytest.approx(wanted[0], rel=1e-7, abs=1e-8)
    assert loads(dumps(pruned)) == pruned


def test_a_budget_gets_the_best_pair():
    estimator, X, y = fitted(1)
    model = estimator.model_
    pairs = combinations([one.column for one in model.inputs], 2)
    left = list(min(pairs, key=lambda pair: least_squares_error(X, y, list(pair))))
    pruned = prune(model, estimator.statistics_, max_inputs=2)
    assert [one.column for one in pruned.inputs] == left


def test_long_eliminations_stay_exact():
    """Past the point where the inverse is computed anew."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 60)) + 3 * rng.normal(size=(500, 1))
    y = X @ rng.uniform(0.2, 1, 60) + rng.normal(size=500)
    estimator = LassoRegressor(select="min", eps=1e-6).fit(X, y)
    assert len(estimator.model_.inputs) > 45
    pruned = prune(estimator.model_, estimator.statistics_, max_inputs=5)
    used = [one.column for one in pruned.inputs]
    wanted = np.linalg.lstsq(np.column_stack([np.ones(500), X[:, used]]), y, rcond=None)[0]
    assert np.allclose(coefficients(pruned)[used], wanted[1:], rtol=1e-10)


def test_keeping_the_shrinkage_changes_the_prediction_least():
    """Without a refit the remaining terms take over what they can of the dropped ones, and nothing else changes."""
    estimator, X, _ = fitted(3, alphas=[0.3])
    model = estimator.model_
    pruned = prune(model, estimator.statistics_, max_inputs=len(model.inputs) - 1, refit=False)
    used = [one.column for one in pruned.inputs]
    before = estimator.predict(X)
    A = np.column_stack([np.ones(len(X)), X[:, used]])
    wanted = np.linalg.lstsq(A, before, rcond=None)[0]
    assert np.allclose(coefficients(pruned)[used], wanted[1:], rtol=1e-8)


def test_max_loss_is_measured_on_held_out_folds():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(600, 10))
    y = X @ [3, 2, 1, 0.3, 0.1, 0.05, 0.02, 0.01, 0.01, 0.01] + rng.normal(size=600)
    model = LassoRegressor(select="min", eps=1e-4, cv="time").fit(X, y)
    start = [one.column for one in model.model_.inputs]
    pruned = prune(model.model_, model.statistics_, max_loss=20)
    record = pruned.provenance["pruned"]
    assert record["measured_on"] == "held-out folds"
    assert 0 < len(pruned.inputs) < len(start)
    assert record["error_rise_percent"] <= 20
    plan = forward_chain(600, 5)
    parts = [np.arange(600)[part] for part in plan.rows(600)]

    def error(train, test, size):
        left = list(start)
        while len(left) > size:
            costs = {c: least_squares_error(X[train], y[train], [o for o in left if o != c]) for c in left}
            left.remove(min(costs, key=costs.get))
        A = np.column_stack([np.ones(len(train)), X[np.ix_(train, left)]])
        coef = np.linalg.lstsq(A, y[train], rcond=None)[0]
        return np.mean((y[test] - coef[0] - X[np.ix_(test, left)] @ coef[1:]) ** 2)

    mean = {
        size: np.mean(
            [
                error(np.concatenate([parts[i] for i in a]), np.concatenate([parts[i] for i in b]), size)
                for a, b in plan.splits
            ]
        )
        for size in range(len(start) + 1)
    }
    allowed = [size for size in mean if mean[size] <= 1.2 * mean[len(start)]]
    assert len(pruned.inputs) == min(allowed)
    rise = 100 * (mean[len(pruned.inputs)] / mean[len(start)] - 1)
    assert record["error_rise_percent"] == pytest.approx(rise, rel=1e-6, abs=1e-6)
    total = model.statistics_.total
    assert prune(model.model_, total, max_loss=20).provenance["pruned"]["measured_on"] == "training rows"


def test_dependent_terms_go_first():
    X, y = rows(5)
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    names = [f"x{j}" for j in range(9)]
    folds = collect(X, y, kfold(400, 5), names)
    fit = fit_statistics(folds, TrainOptions(select="min", l1_ratio=0.5, eps=1e-5, refit=False))[0]
    model = to_model([fit], numeric_inputs(folds.total, names), names)
    assert len(model.inputs) == 9
    pruned = prune(model, folds, max_inputs=8)
    assert abs(pruned.provenance["pruned"]["error_rise_percent"]) < 1e-6
    assert np.allclose(
        [np.mean((y - pruned.outputs[0].intercept - X @ coefficients(pruned)) ** 2)],
        [least_squares_error(X, y, list(range(8)))],
        rtol=1e-9,
    )


def test_an_input_takes_all_its_terms_with_it():
    rng = np.random.default_rng(6)
    a, b, c = rng.normal(size=(3, 500))
    y = a + 2 * b + 0.1 * c + 0.5 * a * b + 0.05 * b * c + 0.1 * rng.normal(size=500)
    terms = [(Factor(0),), (Factor(1),), (Factor(2),), (Factor(0), Factor(1)), (Factor(1), Factor(2))]
    names = term_names("abc", terms)
    folds = collect(np.column_stack([a, b, c, a * b, b * c]), y, kfold(500, 5), names)
    options = TrainOptions(select="min")
    fits = fit_statistics(folds, options, terms)
    model = to_model(fits, numeric_inputs(folds.total, "abc"), "abc", terms, provenance(fits, folds, options))
    pruned = prune(model, folds, max_inputs=2)
    assert [one.name for one in pruned.inputs] == ["a", "b"]
    assert [term.factors for term in pruned.outputs[0].terms] == [(Factor(0),), (Factor(1),), (Factor(0), Factor(1))]
    losses = input_losses(model, folds)
    assert list(losses) == ["b", "a", "c"]


def test_several_outputs_lose_an_input_together():
    X, y = rows(7)
    Y = np.column_stack([y, X[:, 0] + 0.01 * y])
    estimator = LassoRegressor(select="min").fit(X, Y)
    pruned = prune(estimator.model_, estimator.statistics_, max_inputs=3)
    assert len(pruned.inputs) == 3
    assert len(pruned.outputs) == 2


def test_nothing_to_do_returns_the_model():
    estimator, _, _ = fitted(8)
    assert prune(estimator.model_, estimator.statistics_, max_inputs=50) is estimator.model_


def test_refitted_coefficients_are_not_called_rounded():
    estimator, _, _ = fitted(9)
    rounded = quantize(estimator.model_, "float16")
    assert "quantized" not in prune(rounded, estimator.statistics_, max_inputs=2).provenance


def test_statistics_from_a_file(tmp_path):
    estimator, _, _ = fitted(9)
    estimator.statistics_.save(tmp_path / "m.stats.npz")
    again = FoldStatistics.load(tmp_path / "m.stats.npz")
    assert prune(estimator.model_, again, max_inputs=3) == prune(estimator.model_, estimator.statistics_, max_inputs=3)


def test_what_cannot_be_pruned_is_refused():
    estimator, X, y = fitted(10)
    model, statistics = estimator.model_, estimator.statistics_
    other = Statistics([f"z{j}" for j in range(8)]).update(X, y)
    bare = model.replace(provenance={})
    cases = [
        ((model, other), {"max_inputs": 2}, "other columns than the model's"),
        ((bare, other), {"max_inputs": 2}, "have no column 'x"),
        ((bare, Statistics([f"x{j}" for j in range(8)], ("z",)).update(X, y)), {"max_inputs": 2}, "no column 'y'"),
        ((model, statistics), {}, "either max_inputs or max_loss"),
        ((model, statistics), {"max_inputs": 2, "max_loss": 1.0}, "either max_inputs or max_loss"),
        ((model, statistics), {"max_inputs": 0}, "max_inputs is 0"),
        ((model, statistics), {"max_loss": -1.0}, "max_loss is -1.0"),
        ((model, statistics), {"max_loss": float("nan")}, "max_loss is nan"),
        ((model, statistics), {"max_loss": 1.0, "refit": False}, "refitted"),
        ((model.replace(sections={"fixed_point/1": {}}), statistics), {"max_inputs": 2}, "fixed_point/1"),
        ((model.replace(classes=("a", "b")), statistics), {"max_inputs": 2}, "know no classes"),
    ]
    for arguments, options, message in cases:
        with pytest.raises(DataError, match=message):
            prune(*arguments, **options)
