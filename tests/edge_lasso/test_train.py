"""Training by certificate: LassoCV's numbers from statistics, honest budgets, clear errors."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, LassoCV
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from edge_lasso.errors import DataError
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.select import choose
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.inputs import numeric_inputs, term_names
from edge_lasso.statistics.plans import forward_chain, kfold
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.models import to_model
from edge_lasso_runtime.model import Factor
from edge_lasso_runtime.predict import predict


def rows(seed, n=300, p=10, true=4, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    coef = np.zeros(p)
    coef[:true] = rng.choice([-1, 1], true) * rng.uniform(0.5, 2, true)
    return X, X @ coef + noise * rng.normal(size=n)


@parametrize_with_checks([LassoRegressor(), LassoRegressor(select="bic", cv=0, l1_ratio=0.5)])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Array API|.*array_api")
        check(estimator)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    scales=st.sampled_from([0, 6]),
    l1_ratio=st.sampled_from([1.0, 0.7]),
    time=st.booleans(),
)
def test_the_cross_validated_path_is_that_of_the_rows(seed, scales, l1_ratio, time):
    X, y = rows(seed)
    X = X * 10.0 ** np.linspace(-scales, scales, X.shape[1])
    cv = TimeSeriesSplit(4) if time else KFold(4)
    model = LassoRegressor(l1_ratio, alphas=20, eps=0.02, cv=cv, select="min", refit=False, tol=1e-12).fit(X, y)
    errors = np.zeros((4, 20))
    total = StandardScaler().fit(X)
    for f, (train, test) in enumerate(cv.split(X)):
        scaler = StandardScaler().fit(X[train]) if time else total
        a, b = scaler.transform(X[train]), scaler.transform(X[test])
        centre, mean = a.mean(axis=0), y[train].mean()
        from sklearn.linear_model import enet_path

        _, coefs, _ = enet_path(
            a - centre, y[train] - mean, l1_ratio=l1_ratio, alphas=model.path_.alphas, tol=1e-13, max_iter=100_000
        )
        errors[f] = np.mean((y[test][:, None] - mean - (b - centre) @ coefs) ** 2, axis=0)
    assert np.allclose(model.path_.cv_mean, errors.mean(axis=0), rtol=1e-7)
    assert np.allclose(model.path_.cv_se, errors.std(axis=0, ddof=1) / 2, rtol=1e-5)
    assert model.alpha_ == model.path_.alphas[np.argmin(errors.mean(axis=0))]
    assert model.optimality_gap_ < 1e-12


def test_the_same_as_lasso_cv():
    X, y = rows(1)
    theirs = make_pipeline(StandardScaler(), LassoCV(cv=5, tol=1e-12, max_iter=100_000)).fit(X, y)
    ours = LassoRegressor(select="min", refit=False).fit(X, y)
    assert np.isclose(ours.alpha_, theirs[-1].alpha_, rtol=1e-12)
    assert np.allclose(ours.coef_, theirs[-1].coef_ / theirs[0].scale_, atol=1e-8)
    assert np.allclose(ours.predict(X), theirs.predict(X), atol=1e-8)
    assert np.isclose(ours.cv_error_, theirs[-1].mse_path_.mean(axis=1).min(), rtol=1e-8)


def test_forward_chains_scale_inside_the_fold():
    X, y = rows(2, n=240)
    X *= np.linspace(1, 9, 240)[:, None]
    ours = LassoRegressor(alphas=[0.3, 0.1, 0.03], cv="time", select="min", refit=False, tol=1e-12).fit(X, y)
    grid = {"lasso__alpha": [0.3, 0.1, 0.03]}
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Lasso(tol=1e-12)), grid, cv=TimeSeriesSplit(5), scoring="neg_mean_squared_error"
    ).fit(X, y)
    assert np.allclose(-search.cv_results_["mean_test_score"], ours.path_.cv_mean, rtol=1e-8)


def test_gaps_are_the_training_mean_in_training_and_in_the_model():
    X, y = rows(3, noise=0.2)
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.1] = np.nan
    ours = LassoRegressor(select="min").fit(X, y)
    mean = np.nanmean(X, axis=0)
    assert np.allclose(ours.feature_means_, mean, rtol=1e-14)
    filled = np.where(np.isnan(X), mean, X)
    same = LassoRegressor(select="min", cv=5, alphas=[ours.alpha_]).fit(filled, y)
    assert np.allclose(ours.path_.coefs[:, ours.path_.alphas == ours.alpha_], same.path_.coefs, atol=1e-9)
    names = [one.name for one in ours.model_.inputs]
    for i in range(20):
        row = {f"x{j}": None if np.isnan(v) else v for j, v in enumerate(X[i])}
        prediction = predict(ours.model_, row)
        assert np.isclose(prediction.values[0], ours.predict(X[i : i + 1])[0], rtol=1e-13)
        missing = {f"x{j}" for j in range(10) if np.isnan(X[i, j])} & set(names)
        assert {name for name, fault in prediction.faults.items() if fault == "missing"} == missing
    assert all(one.low <= one.default <= one.high for one in ours.model_.inputs)
    assert [one.low for one in ours.model_.inputs] == [np.nanmin(X[:, one.column]) for one in ours.model_.inputs]


def test_rows_with_a_missing_target_are_dropped_from_statistics():
    X, y = rows(4)
    y[::7] = np.nan
    folds = collect(X, y, kfold(300, 5), [f"x{j}" for j in range(10)])
    assert (folds.total.rows, folds.total.dropped) == (257, 43)
    known = np.isfinite(y)
    pairs = [(t[known[t]], v[known[v]]) for t, v in KFold(5).split(X)]
    at = np.cumsum(known) - 1
    same = LassoRegressor(cv=[(at[t], at[v]) for t, v in pairs]).fit(X[known], y[known])
    assert np.allclose(fit_statistics(folds)[0].coef, same.coef_, atol=1e-9)


def test_weights_are_repeated_rows():
    X, y = rows(5, n=120)
    weight = np.random.default_rng(0).integers(0, 4, 120)
    again = np.repeat(np.arange(120), weight)
    plan = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    repeated = [(np.flatnonzero(np.isin(again, t)), np.flatnonzero(np.isin(again, v))) for t, v in plan]
    a = LassoRegressor(cv=plan, select="min").fit(X, y, sample_weight=weight)
    b = LassoRegressor(cv=repeated, select="min").fit(X[again], y[again])
    assert np.allclose(a.coef_, b.coef_, atol=1e-9)
    assert np.isclose(a.cv_error_, b.cv_error_, rtol=1e-9)


def test_the_relaxed_lasso_competes_and_wins_where_shrinkage_hurts():
    X, y = rows(6, n=400, p=40, noise=0.3)
    refit, plain = LassoRegressor().fit(X, y), LassoRegressor(refit=False).fit(X, y)
    assert refit.gamma_ == 0.0
    assert refit.method_ == "refit"
    assert (plain.gamma_, plain.method_) == (1.0, "lasso")
    assert np.flatnonzero(refit.coef_).tolist() == [0, 1, 2, 3]
    wanted = np.linalg.lstsq(np.column_stack([np.ones(400), X[:, :4]]), y, rcond=None)[0]
    assert np.allclose([refit.intercept_, *refit.coef_[:4]], wanted, rtol=1e-10)


@pytest.mark.long
def test_budgets_are_honest_on_noise():
    """Each fold finds its own support: choosing five of a hundred noise columns on all rows would claim a gain."""
    claimed, dishonest = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(150, 100)), rng.normal(size=150)
        model = LassoRegressor(max_inputs=5, select="min").fit(X, y)
        five = model.fit_.curve[-1]
        assert 4 <= five.n_inputs <= 5
        claimed.append(five.cv_error / model.fit_.cv_null)
        support = np.flatnonzero(model.path_.coefs[:, np.flatnonzero(model.path_.n_nonzero <= 5)[-1]])
        folds = collect(X[:, support], y, kfold(150, 5), [f"x{j}" for j in support])
        least_squares = fit_statistics(folds, TrainOptions(alphas=[1e-9], select="min"))[0]
        dishonest.append(least_squares.cv_error / least_squares.cv_null)
    assert np.mean(claimed) > 0.99  # the truth is 1 or worse
    assert np.mean(dishonest) < 0.95


def test_a_budget_is_kept_and_used():
    X, y = rows(7, p=30, true=8, noise=0.1)
    for budget in (1, 3, 8):
        model = LassoRegressor(max_inputs=budget).fit(X, y)
        assert budget - 1 <= len(model.model_.inputs) <= budget
        assert all(one.n_inputs <= budget for one in model.fit_.curve)
    assert np.flatnonzero(model.coef_).tolist() == list(range(8))


@pytest.mark.parametrize("rule", ["auto", "1se", "paired", "min", "knee", "aic", "bic", "ebic"])
def test_every_rule_finds_the_true_inputs_among_its_own(rule):
    X, y = rows(8, p=20, noise=0.5)
    model = LassoRegressor(select=rule).fit(X, y)
    chosen = set(np.flatnonzero(model.coef_))
    assert chosen >= ({0, 1, 2, 3} if rule != "knee" else {int(np.argmax(np.abs(model.path_.coefs[:, 10])))})
    if rule in ("1se", "bic", "ebic"):
        assert len(chosen) <= 6


def test_choose_by_hand():
    errors = np.array([[9.0, 4.0, 3.1, 3.0, 3.2], [9.0, 5.0, 3.5, 3.2, 3.2]])[:, :, None]
    sizes = np.arange(5)
    assert choose(errors, sizes, "min").index == 3
    choice = choose(errors, sizes, "1se")
    assert (choice.index, choice.mean) == (3, pytest.approx(3.1))
    assert choice.se == pytest.approx(0.1)
    harder = errors + np.array([0.0, 2.0])[:, None, None]  # a fold that is harder for every model says nothing
    assert choose(harder, sizes, "1se").index == 2
    assert choose(harder, sizes, "paired").index == choose(harder, sizes, "auto").index == 3
    assert choose(errors, sizes, "knee").index == 1


def test_fewer_inputs_are_taken_that_cannot_be_told_from_the_best_and_cost_little():
    sizes = np.arange(3)
    noisy = np.array([[9.0, 3.2, 3.0], [9.0, 3.0, 3.1], [9.0, 3.1, 3.1]])[:, :, None]  # 1 % behind, se .09
    assert [choose(noisy, sizes, rule).index for rule in ("min", "auto", "paired")] == [2, 1, 1]
    dearer = noisy + np.array([0.0, 0.1, 0.0])[:, None]  # 4 % behind
    assert [choose(dearer, sizes, rule).index for rule in ("min", "auto", "paired")] == [2, 2, 2]
    wild = np.array([[9.0, 4.2, 3.0], [9.0, 3.0, 3.1], [9.0, 2.5, 3.1]])[:, :, None]  # 5 %, and the folds disagree
    assert [choose(wild, sizes, rule).index for rule in ("min", "auto", "paired")] == [2, 2, 1]
    sure = np.array([[3.05, 3.0, 2.99], [3.06, 3.0, 3.0], [3.04, 3.01, 2.99]])[:, :, None]  # .3 %, but in every fold
    assert choose(sure, sizes, "auto").index == 2
    assert choose(noisy[:1], sizes, "auto").index == 2  # a single fold has no standard error


@pytest.mark.parametrize("rule", ["min", "auto", "paired", "1se"])
def test_rounding_decides_no_choice(rule):
    """Where one fold tells two candidates apart, their difference is its own standard error: a tie but for rounding."""
    errors = np.array([[265.3, 299.7, 188.2], [259.1, 295.6, 184.1], [259.1, 294.2, 184.1], [259.1, 294.2, 184.1]]).T
    source = np.random.default_rng(0)
    chosen = {
        choose(errors[:, :, None] * (1.0 + 1e-14 * source.normal(size=(3, 4, 1))), np.arange(4), rule).index
        for _ in range(50)
    }
    assert len(chosen) == 1


def test_several_targets():
    X, y = rows(9)
    other = X[:, 5] - X[:, 6]
    both = LassoRegressor().fit(X, np.column_stack([y, other]))
    assert both.predict(X).shape == (300, 2)
    for j, target in enumerate((y, other)):
        one = LassoRegressor().fit(X, target)
        assert np.allclose(both.coef_[j], one.coef_, atol=1e-10)
        assert both.alpha_[j] == pytest.approx(one.alpha_)
    row = {f"x{j}": value for j, value in enumerate(X[0])}
    assert np.allclose(predict(both.model_, row).values, both.predict(X[:1])[0], rtol=1e-12)


def test_duplicates_are_needed_once_and_named():
    X, y = rows(10, noise=0.1)
    X = np.column_stack([X, X[:, 0], X[:, 1] * 1.8 + 32])
    model = LassoRegressor(select="min").fit(X, y)
    assert model.fit_.dependent == ("x10", "x11")
    assert (model.coef_[10:] == 0).all()
    assert model.score(X, y) > 0.98


def test_penalty_factors_prefer_the_cheaper_copy():
    X, y = rows(11)
    X[:, 9] = X[:, 0]
    model = LassoRegressor(penalty=[5.0] + [1.0] * 9).fit(X, y)
    assert model.coef_[0] == 0
    assert model.coef_[9] != 0


def test_products_and_categories_are_counted_as_their_inputs():
    rng = np.random.default_rng(12)
    a, b, c = rng.normal(size=(3, 500))
    red = rng.integers(0, 2, 500).astype(float)
    y = 2 * a * b + a + 0.5 * red + 0.1 * rng.normal(size=500)
    columns = ["a", "b", "c", "colour"]
    terms = [(Factor(0),), (Factor(1),), (Factor(2),), (Factor(0), Factor(1)), (Factor(3, 0),)]
    names = term_names(columns, terms, {3: ("red", "blue")})
    assert names == ("a", "b", "c", "a * b", "colour = red")
    folds = collect(np.column_stack([a, b, c, a * b, red]), y, kfold(500, 5), names)
    fit = fit_statistics(folds, TrainOptions(max_inputs=2), terms)[0]
    assert fit.n_inputs == 2
    fit = fit_statistics(folds, TrainOptions(select="1se"), terms)[0]
    assert fit.n_inputs == 3
    from edge_lasso_runtime.model import Input

    inputs = [*numeric_inputs(folds.total, columns[:3]), Input("colour", 3, None, None, None, "", ("red", "blue"))]
    model = to_model([fit], inputs, columns, terms)
    assert [one.name for one in model.inputs] == ["a", "b", "colour"]
    assert model.degree == 2
    row = {"a": a[0], "b": b[0], "colour": "red"}
    wanted = fit.intercept + fit.coef @ [a[0], b[0], 0.0, a[0] * b[0], 1.0]
    assert predict(model, row).values[0] == pytest.approx(wanted, rel=1e-13)


def test_training_from_saved_statistics_is_the_same(tmp_path):
    X, y = rows(13)
    folds = collect(X, y, forward_chain(300, 4), [f"x{j}" for j in range(10)])
    folds.save(tmp_path / "m.stats.npz")
    a, b = fit_statistics(folds)[0], fit_statistics(FoldStatistics.load(tmp_path / "m.stats.npz"))[0]
    assert (a.coef == b.coef).all()
    assert a.cv_error == b.cv_error


def test_the_number_of_workers_changes_nothing():
    X, y = rows(14, n=4000, p=30)
    a, b = LassoRegressor().fit(X, y), LassoRegressor(n_jobs=2).fit(X, y)
    assert (a.coef_ == b.coef_).all()


def test_wide_paths_end_early_and_say_why():
    rng = np.random.default_rng(15)
    X = rng.normal(size=(150, 250))
    y = X[:, 0] + rng.normal(size=150)
    model = LassoRegressor(select="min").fit(X, y)
    assert model.path_.ended == "held-out error past its minimum on every fold"
    assert len(model.path_.alphas) < 100
    assert model.coef_[0] != 0
    assert LassoRegressor(max_inputs=2).fit(X, y).path_.ended == "past the input budget"
    assert LassoRegressor().fit(X[:, :5], y).path_.ended == "last alpha"


X, Y = rows(16, n=60)


@pytest.mark.parametrize(
    ("parameters", "change", "message"),
    [
        ({}, {"y": np.full(60, 3.0)}, "target 'y' is constant in the 60 training rows"),
        ({}, {"y": np.where(np.arange(60) < 12, Y, 1.0)}, "constant in the training rows of fold 1"),
        ({"cv": 61}, {}, "60 rows are too few for cv=61"),
        ({"cv": 1}, {}, "needs 2 folds or more"),
        ({"cv": 0}, {}, "needs cross-validation"),
        ({}, {"X": np.where(np.arange(10) == 2, np.nan, X)}, "column 'x2' has no readings"),
        ({}, {"X": X[:1], "y": Y[:1]}, "minimum of 2 is required"),
        ({}, {"sample_weight": np.zeros(60)}, "zero"),
        ({}, {"sample_weight": -np.ones(60)}, "negative"),
        ({}, {"sample_weight": (np.arange(60) >= 12) * 1.0}, "fold 1 has no held-out rows"),
        ({}, {"y": np.where(np.arange(60) == 1, np.nan, Y)}, "NaN|missing"),
        ({"l1_ratio": 0.0}, {}, "l1_ratio is 0.0"),
        ({"select": "best"}, {}, "select is 'best'; allowed are auto, min, 1se"),
        ({"max_inputs": 0}, {}, "max_inputs is 0"),
        ({"alphas": 0}, {}, "alphas is 0"),
        ({"penalty": [1.0]}, {}, "penalty must be 10"),
        ({"eps": 2.0}, {}, "eps is 2.0"),
        ({"tol": 0.0}, {}, "tol is 0.0"),
    ],
)
def test_bad_input_is_one_clear_error(parameters, change, message):
    with pytest.raises(ValueError, match=message):
        LassoRegressor(**parameters).fit(**{"X": X, "y": Y, **change})


def test_beijing_keeps_its_promise(beijing):
    """Six of 121 inputs, fifteen of them exact copies of others, forward-chained folds: R2 >= .961 on the last 30 %."""
    import pandas as pd

    table = pd.read_csv(beijing)
    target = "Dongsi.PM2.5"
    table = table[table[target].notna()]
    X = table[[name for name in table if name != "time" and not name.startswith("Dongsi.")]]
    y = table[target]
    n = int(0.7 * len(table))
    model = LassoRegressor(max_inputs=6, cv="time").fit(X[:n], y[:n])
    assert len(y) - n == 10_295
    assert len(model.model_.inputs) <= 6
    assert model.score(X[n:], y[n:]) >= 0.961
    assert len(model.fit_.dependent) == 15
    assert model.optimality_gap_ < 1e-12
    assert model.model_.columns == tuple(X.columns)


@pytest.mark.parametrize("time", [False, True])
def test_more_columns_than_rows_are_solved_on_the_rows(time):
    rng = np.random.default_rng(17)
    X = rng.normal(size=(120, 400)) * rng.uniform(0.1, 9, 400) + 5
    y = X[:, 3] - X[:, 77] / 3 + rng.normal(size=120)
    cv = TimeSeriesSplit(3) if time else KFold(4)
    ours = LassoRegressor(cv=cv, select="min", refit=False).fit(X, y)
    assert ours.coef_.shape == (400,)
    assert ours.path_.coefs.shape[0] == 400
    assert ours.optimality_gap_ < 1e-12
    assert len(ours.statistics_.columns) < 400
    if not time:
        grid = ours.path_.alphas[: np.argmin(ours.path_.cv_mean) + 3]
        theirs = make_pipeline(StandardScaler(), LassoCV(cv=cv, alphas=grid, tol=1e-9, max_iter=20_000)).fit(X, y)
        assert ours.alpha_ == pytest.approx(theirs[-1].alpha_, rel=1e-9)
        assert np.allclose(ours.coef_, theirs[-1].coef_ / theirs[0].scale_, atol=1e-6)
        assert ours.cv_error_ == pytest.approx(theirs[-1].mse_path_.mean(axis=1).min(), rel=1e-3)
    names = {f"x{j}": float(value) for j, value in enumerate(X[0])}
    assert predict(ours.model_, names).values[0] == pytest.approx(ours.predict(X[:1])[0], rel=1e-10)
    budget = LassoRegressor(cv=cv, max_inputs=3).fit(X, y)
    assert {3, 77} <= set(np.flatnonzero(budget.coef_))
    assert len(budget.model_.inputs) <= 3
    from edge_lasso.compressing.prune import prune

    assert [one.name for one in prune(budget.model_, budget.statistics_, max_inputs=1).inputs] in (["x3"], ["x77"])
    X[rng.random(X.shape) < 0.05] = np.nan
    gaps = LassoRegressor(cv=cv).fit(X, np.column_stack([y, -y]))
    assert np.allclose(gaps.coef_[0], -gaps.coef_[1], atol=1e-8)
    assert np.allclose(gaps.feature_means_, np.nanmean(X, axis=0))
    with pytest.raises(DataError, match="column 'x5' has no readings"):
        LassoRegressor().fit(np.where(np.arange(400) == 5, np.nan, X), y)
