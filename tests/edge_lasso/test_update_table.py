"""New rows added to old statistics give what training on all rows gives."""

import numpy as np
import pandas as pd
import pytest

from edge_lasso.errors import DataError
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso.training.update_table import compare, update_table
from edge_lasso_runtime import dumps, loads


def readings(n, gaps=0.05):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)) + np.array([0.0, 1000.0, -3.0, 0.0, 5.0])
    table = pd.DataFrame(X, columns=list("abcde"))
    table["kind"] = np.array(["red", "green", "blue"])[rng.integers(0, 3, size=n)]
    table["y"] = X[:, 0] - 2.0 * X[:, 1] + 3.0 * (table["kind"] == "red") + rng.normal(size=n)
    table = table.mask(rng.random(table.shape) < gaps)
    table.insert(0, "time", pd.date_range("2024-01-01", periods=n, freq="h").astype(str))
    return table.dropna(subset="y", ignore_index=True)


def same(a, b):
    assert model_term_names(a.model) == model_term_names(b.model)
    for one, other in zip(a.model.outputs, b.model.outputs, strict=True):
        assert [term.coef for term in one.terms] == pytest.approx([term.coef for term in other.terms], rel=1e-9)
        assert one.intercept == pytest.approx(other.intercept, rel=1e-9)
    for one, other in zip(a.model.inputs, b.model.inputs, strict=True):
        assert (one.name, one.low, one.high) == (other.name, other.low, other.high)
        assert one.default == (other.default and pytest.approx(other.default, rel=1e-12))
    assert a.fits[0].cv_error == pytest.approx(b.fits[0].cv_error, rel=1e-9, nan_ok=True)
    assert a.fits[0].path.alphas == pytest.approx(b.fits[0].path.alphas, rel=1e-9)


@pytest.mark.parametrize(("options", "old_rows", "new_rows", "together"), [
    ({"time": "time", "cv": 5, "categorical": ["kind"]}, 600, 100, 6),
    ({"drop": ["time"], "cv": 4, "categorical": ["kind"]}, 800, 200, 5),
    ({"drop": ["time", "kind"], "cv": 0, "method": TrainOptions(select="bic")}, 500, 77, 0),
    ({"drop": ["time", "kind"], "cv": 4, "degree": 2}, 400, 100, 5),
], ids=["forward in time", "K-fold", "without folds", "degree 2"])  # fmt: skip
def test_as_training_on_old_and_new_rows_together(tmp_path, options, old_rows, new_rows, together):
    table = readings(1100, gaps=0.0 if "degree" in options else 0.05)
    old, new = table[:old_rows], table[old_rows : old_rows + new_rows]
    assert len(new) == new_rows
    before = train_table(old, "y", Training.of(**options))
    before.folds.save(tmp_path / "old.stats.npz")
    after = update_table(FoldStatistics.load(tmp_path / "old.stats.npz"), new)
    both = train_table(table[: old_rows + new_rows], "y", Training.of(**{**options, "cv": together}))
    if "degree" in options:
        assert [one.name for one in after.model.inputs] == [one.name for one in both.model.inputs]
        wanted = [term.coef for term in both.model.outputs[0].terms]
        assert [term.coef for term in after.model.outputs[0].terms] == pytest.approx(wanted, rel=1e-9)
    else:
        same(after, both)
    assert len(after.folds.splits) == together
    about = after.model.provenance["data"]
    assert about["rows"] == old_rows + new_rows
    assert about["updates"][0]["rows"] == new_rows
    assert loads(dumps(after.model)) == after.model
    after.folds.save(tmp_path / "new.stats.npz")
    assert FoldStatistics.load(tmp_path / "new.stats.npz").about == after.folds.about


def test_the_old_statistics_stay_as_they_are():
    table = readings(700)
    before = train_table(table[:500], "y", Training.of(time="time", drop=["kind"]))
    rows = [part.rows for part in before.folds.parts]
    for forget in (1.0, 0.5):
        update_table(before.folds, table[500:], forget=forget)
        assert [part.rows for part in before.folds.parts] == rows


def test_small_updates_fill_up_a_fold_and_equal_one_large_update():
    table = readings(1000)
    at_once = train_table(table[:600], "y", Training.of(time="time", drop=["kind"], cv=5)).folds
    for start in range(600, len(table), 20):
        at_once = update_table(at_once, table[start : start + 20]).folds
    assert sum(part.rows for part in at_once.parts) == len(table)
    assert 8 <= len(at_once.parts) <= 11
    assert min(part.rows for part in at_once.parts[:-1]) >= 20
    whole = train_table(table, "y", Training.of(time="time", drop=["kind"])).folds.total.moments()
    np.testing.assert_allclose(at_once.total.moments().covariance, whole.covariance, rtol=1e-9, atol=1e-9)


def test_forgetting_follows_a_change():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2))
    slope = np.where(np.arange(4000) < 2000, 1.0, 3.0)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": slope * X[:, 0] + rng.normal(size=4000) * 0.1})
    before = train_table(table[:2000], "y", Training.of(method=TrainOptions(select="min"))).folds
    found = [update_table(before, table[2000:], forget=f).model.outputs[0].terms[0].coef for f in (1.0, 0.1, 1e-6)]
    assert 1.0 < found[0] < 2.1  # validated on rows of both kinds
    assert found[1:] == pytest.approx([(0.1 + 3.0) / 1.1, 3.0], abs=0.05)


def test_options_of_the_first_training_are_kept_and_can_be_changed():
    table = readings(900)
    first = train_table(
        table[:600], "y", Training.of(time="time", drop=["kind"], method=TrainOptions(max_inputs=1, select="min"))
    )
    again = update_table(first.folds, table[600:])
    assert again.model.provenance["max_inputs"] == 1
    assert len(again.model.inputs) == 1
    assert len(update_table(first.folds, table[600:], options=TrainOptions(max_inputs=2)).model.inputs) == 2


def test_comparison_of_old_and_new():
    table = readings(900, gaps=0.0)
    old = train_table(table[:600], "y", Training.of(inputs=["a"])).model
    new = train_table(table[:600], "y", Training.of(inputs=["a", "b"])).model
    found = compare(old, new, table[600:])
    assert (found.entered, found.left, list(found.coefficients)) == (["b"], [], ["a"])
    assert found.rows == len(table) - 600
    assert found.new_rmse < found.old_rmse
    assert found.percent_worse == pytest.approx(100 * (found.new_rmse**2 / found.old_rmse**2 - 1))
    assert compare(new, old, table[600:]).percent_worse > 50
    assert compare(new, new, table[600:]).percent_worse == 0.0
    with pytest.raises(DataError, match=r"^the old model predicts 'y' and the new one 'c'; compare like with like$"):
        compare(old, train_table(table, "c", Training.of(inputs=["a"])).model, table)
    with pytest.raises(DataError, match=r"^no row of the table has a value of 'y'"):
        compare(old, new, table.assign(y=np.nan))


def test_what_cannot_be_updated():
    table = readings(900)
    before = train_table(table[:600], "y", Training.of(time="time", categorical=["kind"])).folds
    with pytest.raises(
        DataError, match=r"^the new rows begin at 2024-01-01T00:00:00, before the old ones end at 2024-01-"
    ):
        update_table(before, table)
    with pytest.raises(DataError, match=r"^column 'c' is not in the table; it has 7 columns"):
        update_table(before, table[600:].drop(columns="c"))
    with pytest.raises(DataError, match=r"^forget is 0; it must be larger than 0"):
        update_table(before, table[600:], forget=0)
    with pytest.raises(DataError, match=r"^target 'y' has no readings in the \d+ rows of the table$"):
        update_table(before, table[600:].assign(y=np.nan))
    fitted = LassoRegressor().fit(table[list("ade")].fillna(0.0), table["y"])
    with pytest.raises(
        DataError, match=r"^these statistics cannot be updated: they were not made by 'edge-lasso train'"
    ):
        update_table(fitted.statistics_, table)


def test_new_categories_are_reported():
    table = readings(900)
    before = train_table(table[:600], "y", Training.of(time="time", categorical=["kind"]))
    new = table[600:].assign(kind="violet")
    update_table(before.folds, table[600:].assign(kind=None))
    assert any("has 1 new categories (first: 'violet')" in note for note in update_table(before.folds, new).notes)
