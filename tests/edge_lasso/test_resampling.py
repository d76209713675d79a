"""Stability, bootstrap and repeated folds, from the statistics of blocks."""

import numpy as np
import pandas
import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.plans import forward_chain, kfold, repeated_kfold
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.resampling import blocks_of, bootstrap, noise_bound, refined, stability
from edge_lasso_runtime import load


def rows(n=2000, p=12, seed=0, gaps=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    y = 3.0 * X[:, 0] - X[:, 1] + 0.5 * X[:, 2] + rng.normal(size=n)
    if gaps:
        X[rng.random((n, p)) < 0.1] = np.nan
    return X, y


def names(X):
    return [f"x{j}" for j in range(X.shape[1])]


def folds_and_blocks(X, y, plan):
    fine, owner = refined(plan, len(X))
    found = collect(X, y, fine, names(X))
    return found.joined(plan, owner), blocks_of(found)


@pytest.mark.parametrize("plan", [kfold(2000, 5), forward_chain(2000, 5, 7), kfold(2000, 3)])
@pytest.mark.parametrize("gaps", [False, True])
def test_blocks_add_up_to_the_folds(plan, gaps):
    X, y = rows(gaps=gaps)
    whole = collect(X, y, plan, names(X))
    folds, blocks = folds_and_blocks(X, y, plan)
    for split in range(len(plan.splits)):
        for ours, theirs in ((folds.training, whole.training), (folds.held_out, whole.held_out)):
            assert ours(split).moments().covariance == pytest.approx(theirs(split).moments().covariance, rel=1e-12)
    every = blocks.drawn(np.ones(len(blocks.weight)))
    assert every.covariance == pytest.approx(whole.total.moments().covariance, rel=1e-10)
    assert 30 <= len(blocks.weight) <= 50


def test_a_drawn_block_counts_as_often_as_it_is_drawn():
    X, y = rows()
    _, blocks = folds_and_blocks(X, y, kfold(2000, 5))
    counts = np.zeros(40)
    counts[[3, 7]] = 2.0, 1.0
    at = np.concatenate([np.arange(150, 200), np.arange(150, 200), np.arange(350, 400)])
    moments = Statistics(names(X)).update(X[at], y[at]).moments()
    assert blocks.drawn(counts).covariance == pytest.approx(moments.covariance, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "options", [TrainOptions(), TrainOptions(l1_ratio=0.9), TrainOptions(select="1se", signs=[1, -1] + [0] * 10)]
)
def test_true_inputs_are_chosen_always_and_noise_is_not(options):
    X, y = rows()
    folds, blocks = folds_and_blocks(X, y, kfold(2000, 5))
    fit = fit_statistics(folds, options)[0]
    share = stability(blocks, fit, 0, options, pairs=20)
    assert share[[0, 1]].min() == 1.0
    assert share[3:].mean() < 0.3
    assert share.sum() <= np.count_nonzero(fit.coef) + 1e-9
    assert (share == stability(blocks, fit, 0, options, pairs=20)).all()


def test_the_bootstrap_error_is_that_of_least_squares():
    X, y = rows()
    folds, blocks = folds_and_blocks(X, y, kfold(2000, 5))
    fit = fit_statistics(folds, TrainOptions(max_inputs=3))[0]
    result = bootstrap(blocks, fit, 0, draws=400)
    at = result["columns"]
    A = np.column_stack([np.ones(len(X)), X[:, at]])
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    error = np.sqrt(np.diagonal(np.linalg.inv(A.T @ A))[1:] * residual.var())
    assert result["error"] == pytest.approx(error, rel=0.35)
    assert (result["low"] < fit.coef[at]).all()
    assert (fit.coef[at] < result["high"]).all()


@pytest.mark.parametrize("shrunken", [False, True])
@pytest.mark.long
def test_intervals_of_coefficients_hold_the_truth_as_often_as_they_say(shrunken):
    options = TrainOptions(refit=False, select="1se") if shrunken else TrainOptions(method="relaxed", max_inputs=3)
    held = []
    for seed in range(60):
        X, y = rows(1000, 6, seed)
        folds, blocks = folds_and_blocks(X, y, kfold(1000, 5))
        fit = fit_statistics(folds, options)[0]
        result = bootstrap(blocks, fit, 0, draws=200, seed=seed)
        truth = np.array([3.0, -1.0, 0.5, 0.0, 0.0, 0.0])[result["columns"]]
        held += ((result["low"] <= truth) & (truth <= result["high"]))[truth != 0.0].tolist()
    assert 0.84 < np.mean(held) < 0.97


def test_blocks_that_are_alike_widen_the_intervals():
    rng = np.random.default_rng(4)
    slow = np.repeat(rng.normal(size=(8, 2)), 500, axis=0)  # a block of eight holds one state
    X = slow[:, :1] + 0.1 * rng.normal(size=(4000, 1))
    y = X[:, 0] + slow[:, 1] + 0.1 * rng.normal(size=4000)
    folds, blocks = folds_and_blocks(X, y, kfold(4000, 5))
    fit = fit_statistics(folds, TrainOptions(select="min"))[0]
    result = bootstrap(blocks, fit, 0, draws=200)
    A = np.column_stack([np.ones(8), slow[::500, 0]])
    residual = slow[::500, 1] - A @ np.linalg.lstsq(A, slow[::500, 1], rcond=None)[0]
    error = np.sqrt(np.linalg.inv(A.T @ A)[1, 1] * (residual @ residual) / 6.0)
    assert result["error"][0] == pytest.approx(error, rel=0.5)


def test_the_expected_noise():
    assert noise_bound(0.9, 4, 100) == pytest.approx(0.2)
    assert noise_bound(0.5, 4, 100) == float("inf")


def test_repeated_folds_hold_out_every_row_as_often():
    plan = repeated_kfold(1000, 5, 3, seed=1)
    assert len(plan.splits) == 15
    held = np.concatenate([test for _, test in plan.splits])
    assert (np.bincount(held) == 3).all()
    assert all(set(train) | set(test) == set(range(plan.parts)) for train, test in plan.splits)
    assert plan.splits != repeated_kfold(1000, 5, 3, seed=2).splits
    assert repeated_kfold(1000, 5, 1).splits == kfold(1000, 5).splits


def test_repeating_steadies_the_error_and_does_not_feign_precision():
    X, y = rows(1000)
    fits = [fit_statistics(collect(X, y, repeated_kfold(1000, 5, r), names(X)))[0] for r in (1, 10)]
    assert fits[1].cv_error == pytest.approx(fits[0].cv_error, rel=0.05)
    assert len(fits[1].fold_errors) == 50
    assert fits[1].cv_se == pytest.approx(fits[1].fold_errors.std(ddof=1) / np.sqrt(5.0))


def test_a_budget_is_scored_by_folds_of_its_own_size():
    """Twins come together: where the path of all rows has no model of a size, none is offered."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=900)
    X = np.column_stack([z + 0.01 * rng.normal(size=900), z + 0.01 * rng.normal(size=900), rng.normal(size=(900, 3))])
    fit = fit_statistics(collect(X, X[:, 0] + X[:, 1], kfold(900, 5), names(X)), TrainOptions(max_inputs=4))[0]
    assert fit.n_inputs > 0
    assert fit.cv_error < 0.5 * fit.cv_null


@pytest.fixture
def here(tmp_path, monkeypatch):
    X, y = rows(800, 5)
    pandas.DataFrame(X, columns=list("abcde")).assign(y=y).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_from_the_command_line(here, capsys):
    trusted = ["--stability", "20", "--bootstrap", "100", "--repeat", "2"]
    assert main(["train", "t.csv", "--target", "y", *trusted, "--json"]) == 0
    capsys.readouterr()
    one = load("model.json").provenance["trust"][0]
    assert one["chosen"]["a"] == one["chosen"]["b"] == 1.0
    coef = load("model.json").outputs[0].terms[0].coef
    assert one["coefficients"]["a"][0] < coef < one["coefficients"]["a"][1]
    assert FoldStatistics.load("model.stats.npz").repeats == 2
    assert main(["show", "model.json"]) == 0
    assert "100 %" in capsys.readouterr().out
    assert main(["train", "t.csv", "--target", "y", "--out", "plain.json", "--repeat", "2"]) == 0
    assert load("plain.json").outputs == load("model.json").outputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--repeat", "0"], "repeat is 0"),
        (["--repeat", "2", "--cv", "0"], "--repeat deals rows out to folds anew"),
        (["--stability", "-1"], "numbers of draws"),
        (["--bootstrap", "9", "--cluster", "local"], "do not go with --cluster"),
    ],
)
def test_bad_options_are_one_line(here, capsys, options, message):
    assert main(["train", "t.csv", "--target", "y", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_few_blocks_say_nothing():
    X, y = rows()
    with pytest.raises(DataError, match="hold 5 blocks of rows; resampling needs 10"):
        blocks_of(collect(X, y, kfold(2000, 5), names(X)))
