"""Training from a table: the same model as from rows in memory, exactly what the board will compute, honest folds."""

import hashlib
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.model_selection import TimeSeriesSplit

from edge_lasso import LassoRegressor
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.tables.tables import model_rows
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso_runtime import dumps, loads, model_hash, predict

NOISELESS = TrainOptions(select="min")


def frame(n=600, seed=0, gaps=0.0):
    """Four inputs of different scales, two of them used, and a time."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [1.0, 50.0, 1e-3, 1.0] + [0.0, 1000.0, 0.0, -5.0]
    y = 3.0 * X[:, 0] - 0.1 * X[:, 1] + rng.normal(size=n) * 0.3
    X[rng.random(X.shape) < gaps] = np.nan
    table = pd.DataFrame(X, columns=list("abcd"))
    table.insert(0, "time", pd.date_range("2024-01-01", periods=n, freq="h").astype(str))
    return table.assign(y=y)


def coefficients(model, output=0):
    return {
        model_term_names(model)[output][j]: term.coef for j, term in enumerate(model.outputs[output].terms)
    }  # fmt: skip


def test_the_same_model_as_from_rows_in_memory():
    table = frame(gaps=0.1)
    result = train_table(table.drop(columns="time"), "y")
    fitted = LassoRegressor().fit(table[list("abcd")].to_numpy(), table["y"].to_numpy())
    wanted = [term.coef for term in fitted.model_.outputs[0].terms]
    assert list(coefficients(result.model).values()) == pytest.approx(wanted, rel=1e-12)
    assert result.model.outputs[0].intercept == pytest.approx(fitted.intercept_, rel=1e-12)
    assert [one.default for one in result.model.inputs] == pytest.approx([one.default for one in fitted.model_.inputs])


def test_the_same_bytes_from_every_source(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    table = frame(5000, gaps=0.05)
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet", index=False, row_group_size=1100)
    (tmp_path / "folder").mkdir()
    for i in range(2):
        table[2500 * i : 2500 * (i + 1)].to_csv(tmp_path / "folder" / f"{i}.csv", index=False)
    sources = [table, tmp_path / "t.csv", tmp_path / "t.parquet", tmp_path / "folder"]
    made = [train_table(source, "y", Training.of(time="time")).model for source in sources]
    assert len({model_hash(one) for one in made}) == 1
    first = dumps(made[1])
    assert first == dumps(
        train_table(tmp_path / "t.csv", "y", Training.of(time="time", method=TrainOptions(workers=2))).model
    )
    about = json.loads(first)["provenance"]
    assert about["date"] == "2023-11-14T22:13:20Z"
    assert about["data"]["sha256"] == hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()
    assert about["data"]["from"] == "2024-01-01T00:00:00"
    assert about["data"]["to"] == table["time"].iloc[-1].replace(" ", "T")


def test_rows_in_any_order_give_the_same_folds_and_model():
    table = frame()
    ordered = train_table(table, "y", Training.of(time="time", holdout=0.25))
    shuffled = train_table(table.sample(frac=1.0, random_state=1), "y", Training.of(time="time", holdout=0.25))
    assert coefficients(shuffled.model) == pytest.approx(coefficients(ordered.model), rel=1e-9)
    assert shuffled.model.provenance["data"] == ordered.model.provenance["data"]
    assert "rows put in the order of 'time'" in shuffled.notes
    assert ordered.notes == []
    assert (shuffled.held.times == ordered.held.times).all()
    assert (shuffled.held.truth == ordered.held.truth).all()
    for k, (train, test) in enumerate(TimeSeriesSplit(5).split(np.zeros(450))):
        for folds in (ordered.folds, shuffled.folds):
            assert folds.forward
            assert folds.held_out(k).rows == len(test)
            mean = folds.training(k).moments().mean[-1]
            assert mean == pytest.approx(table["y"][:450].to_numpy()[train].mean(), rel=1e-12)


def test_times_that_repeat_or_cannot_be_parsed_are_reported():
    table = frame()
    table.loc[[10, 11], "time"] = ["soon", table["time"][0]]
    result = train_table(table, "y", Training.of(time="time"))
    assert result.notes == [
        "1 row without a time in 'time' left out (first: row 11, 'soon')",
        "rows put in the order of 'time'",
        "1 row repeats a time in 'time' (first: 2024-01-01T00:00:00); all are used",
    ]
    assert result.model.provenance["data"]["rows"] == 599


def test_rows_without_a_target_are_dropped_and_counted():
    table = frame()
    table.loc[3:12, "y"] = [np.nan, np.inf] * 5
    result = train_table(table, "y", Training.of(drop=["time"]))
    assert "10 rows without a target left out" in result.notes
    assert result.model.provenance["data"]["rows_without_target"] == 10
    kept = table.drop(index=range(3, 13))
    assert coefficients(result.model) == coefficients(train_table(kept, "y", Training.of(drop=["time"])).model)


def residual_is_orthogonal(table, model, target="y"):
    """Least squares on what the board computes: no term explains what is left, gaps and categories included."""
    rows = model_rows(table, model)
    left = table[target].to_numpy() - linear_rows(model, rows)[0][:, 0]
    assert abs(left.mean()) <= 1e-9 * np.abs(table[target]).max()
    for term in model.outputs[0].terms:
        alone = model.replace(outputs=(model.outputs[0].replace(intercept=0.0, terms=(term.replace(coef=1.0),)),))
        value = linear_rows(alone, rows)[0][:, 0]
        value = value - value.mean()
        assert abs(value @ left) <= 1e-8 * np.linalg.norm(value) * np.linalg.norm(table[target])


@pytest.mark.parametrize("degree", [1, 2])
def test_training_fills_gaps_as_the_board_does(degree):
    table = frame(gaps=0.15).assign(kind=np.array(["red", "green", "blue", None])[np.arange(600) % 4])
    table["y"] += 4.0 * (table["kind"] == "red")
    if degree == 2:
        table["y"] += 0.02 * (table["a"].fillna(0.0) * table["b"].fillna(0.0))
    options = TrainOptions(select="bic")  # chooses a refit: least squares on its terms
    result = train_table(table, "y", Training.of(drop=["time"], categorical=["kind"], degree=degree, method=options))
    assert result.fits[0].gamma == 0.0
    residual_is_orthogonal(table, result.model)
    assert "kind = red" in coefficients(result.model)
    assert ("a * b" in coefficients(result.model)) == (degree == 2)
    for one in result.model.inputs:
        if one.categories is None:
            assert one.default == pytest.approx(table[one.name].mean(), rel=1e-12)
            assert [one.low, one.high] == [table[one.name].min(), table[one.name].max()]
    assert loads(dumps(result.model)) == result.model
    names = {name for names in model_term_names(result.model) for name in names}
    assert names <= set(result.folds.columns)


def test_categories_predict_their_means_and_a_missing_one_is_none_of_them():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, size=900)
    table = pd.DataFrame({"kind": np.array(["x", "y", "z"])[kind], "noise": rng.normal(size=900)})
    table["y"] = np.array([10.0, 20.0, -5.0])[kind] + rng.normal(size=900) * 0.01
    model = train_table(table, "y", Training.of(categorical=["kind"], method=NOISELESS)).model
    assert model.inputs[[one.name for one in model.inputs].index("kind")].categories == ("x", "y", "z")
    for name in "xyz":
        found = predict(model, {"kind": name, "noise": 0.0}).values[0]
        assert found == pytest.approx(table.loc[table["kind"] == name, "y"].mean(), abs=0.05)
    assert predict(model, {"noise": 0.0}).status == "degraded"


def test_held_out_rows_are_not_trained_on():
    table = frame()
    other = table.copy()
    other.loc[480:, "y"] += 1e4
    other.loc[480:, "a"] = 77.0
    for cv, select in ((5, "1se"), (0, "bic")):
        for time in ("time", None):
            options = TrainOptions(select=select)
            kwargs = {
                "time": time,
                "drop": ["time"] if time is None else [],
                "cv": cv,
                "holdout": 0.2,
                "method": options,
            }
            found = [train_table(one, "y", Training.of(**kwargs)) for one in (table, other)]
            assert model_hash(found[0].model) == model_hash(found[1].model)
            assert found[0].held.quality()["rows"] == 120
    held = found[0].held
    rows = model_rows(table[480:], found[0].model)
    np.testing.assert_array_equal(held.prediction, linear_rows(found[0].model, rows)[0])
    np.testing.assert_array_equal(held.truth[:, 0], table["y"][480:])
    error = held.prediction[:, 0] - held.truth[:, 0]
    assert held.quality()["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert held.quality()["r2"] == pytest.approx(1 - np.var(error) / np.var(held.truth), abs=0.01)


def test_a_single_held_out_row_has_a_quality():
    result = train_table(frame(20), "y", Training.of(time="time", holdout=0.05, cv=2))
    assert result.held.quality()["rows"] == 1
    assert loads(dumps(result.model)).provenance["held_out"]["r2"] == 0.0


def test_several_targets():
    table = frame().assign(z=lambda t: 2.0 * t["d"] + 1.0)
    result = train_table(table, ["y", "z"], Training.of(time="time", drop=["c"]))
    assert [one.name for one in result.model.outputs] == ["y", "z"]
    assert set(coefficients(result.model, 1)) == {"d"}
    assert coefficients(result.model, 1)["d"] == pytest.approx(2.0, rel=1e-6)


def test_columns_that_say_nothing_are_left_out_and_named():
    table = frame().assign(empty=np.nan, still=7.0, twin=lambda t: 2.0 * t["a"] + 1.0, copy=lambda t: t["y"])
    for degree in (1, 2):
        result = train_table(table.drop(columns="copy"), "y", Training.of(time="time", degree=degree))
        assert "1 column without a reading left out (first: 'empty')" in result.notes
        assert any("not vary left out (first: 'still')" in note for note in result.notes)
        assert any("others left out" in note for note in result.notes)
        assert {one.name for one in result.model.inputs} <= set("abcd")
    notes = train_table(table, "y", Training.of(time="time")).notes
    assert (
        "input 'copy' has a correlation of 1.00000 with target 'y'; leave it out with --drop if it is a copy" in notes
    )


def test_row_numbers_are_no_input(root):
    path = root / "tests" / "data" / "occupancy.txt"
    result = train_table(path, "Temperature", Training.of(time="date"))
    assert "row" not in result.model.columns
    assert result.notes[0].startswith("column 'row' has no name in the file; it seems to count the rows")
    asked = train_table(path, "Temperature", Training.of(time="date", inputs=["row", "Light"]))
    assert asked.model.columns == ("row", "Light")


def test_patterns_choose_and_drop_columns():
    result = train_table(frame(), "y", Training.of(inputs=["[a-d]"], drop=["b", "c*"]))
    assert result.model.columns == ("a", "d")


def test_noise_is_not_chosen(root):
    result = train_table(
        root / "tests" / "data" / "appliances.csv", "RH_1", Training.of(time="date", drop=["Appliances", "lights"])
    )
    assert {"rv1", "rv2"} <= set(result.model.columns)
    assert not {"rv1", "rv2"} & {one.name for one in result.model.inputs}
    assert result.fits[0].cv_error < 0.3 * result.fits[0].cv_null


@pytest.mark.long
def test_the_failed_sensor_is_rebuilt_from_six_inputs(beijing):
    options = TrainOptions(max_inputs=6, workers=2)
    result = train_table(
        beijing, "Dongsi.PM2.5", Training.of(time="time", drop=["Dongsi.*"], holdout=0.3, method=options)
    )
    assert result.held.quality()["rows"] == 10_295
    assert result.held.quality()["r2"] >= 0.961
    assert len(result.model.inputs) <= 6
    assert len(result.model.columns) == 121


def test_options_and_statistics_are_kept(tmp_path):
    result = train_table(frame(), "y", Training.of(time="time", drop=["c"], cv=3, seed=11))
    about = result.model.provenance
    assert about["seed"] == 11
    assert about["options"]["drop"] == ["c"]
    assert about["options"]["cv"] == 3
    assert about["folds"] == {"count": 3, "forward": True, "repeats": 1}
    result.folds.save(tmp_path / "m.stats.npz")
    assert FoldStatistics.load(tmp_path / "m.stats.npz").columns == ("a", "b", "d")


def test_progress_is_told_of_every_row():
    seen = []
    train_table(
        frame(), "y", Training.of(time="time"), progress=lambda done, total, text: seen.append((done, total, text))
    )
    assert seen[-1][:2] == (600, 600)
    assert seen[-1][2].startswith("600 rows, ")


def changed(**columns):
    return frame().assign(**columns)


BAD = [
    (frame(1), {}, "the table has 1 row with a target to train on; at least 2 are needed"),
    (frame(3), {}, "3 rows are too few for cv=5"),
    (frame(0), {}, "the table has no rows; there is nothing to learn from"),
    (changed(y=1.5), {"time": "time"}, "target 'y' is constant in the 600 training rows"),
    (changed(y=np.nan), {}, "target 'y' has no readings in the 600 rows of the table"),
    (changed(y="warm"), {}, "column 'y' holds 'warm' (row 1), which is not a number; a target of a regression must hold numbers"),
    (frame(), {"targets": "yy"}, "column 'yy' is not in the table; it has 6 columns, the nearest is 'y'"),
    (frame(), {"targets": []}, "no target is given; name the column to predict with --target"),
    (frame(), {"inputs": ["aa"]}, "--inputs: column 'aa' is not in the table"),
    (frame(), {"drop": ["x"]}, "--drop: column 'x' is not in the table"),
    (frame(), {"categorical": ["x"]}, "--categorical: column 'x' is not in the table"),
    (frame(), {"categorical": ["y"]}, "--categorical: 'y' is a target; a target of a regression must hold numbers"),
    (frame(), {"time": "when"}, "--time: column 'when' is not in the table"),
    (frame(), {"time": "y"}, "--time: 'y' is a target; the column of times must be another one"),
    (frame(), {}, "column 'time' holds '2024-01-01 00:00:00' (row 1), which is not a number; declare it with --categorical"),
    (changed(time="soon"), {"time": "time"}, "--time: no value of column 'time' is a time, the first is 'soon'; allowed are ISO"),
    (frame(1500), {"categorical": ["time"]}, "--categorical: column 'time' has more than 1000 values, allowed are 1 to 1000"),
    (changed(kind=None), {"categorical": ["kind"], "time": "time"}, "--categorical: column 'kind' has 0 values"),
    (frame(), {"drop": ["*"]}, "no inputs are left; the table has the columns time, a, b"),
    (changed(a=np.nan), {"inputs": ["a"]}, "no input of the table has a reading in the rows to train on"),
    (frame(), {"degree": 3}, "degree is 3; allowed are 1 and 2"),
    (frame(), {"holdout": 1.0}, "holdout is 1.0; it must be 0 or more and less than 1"),
    (frame(), {"cv": 1, "time": "time"}, "cv is 1; cross-validation needs 2 folds or more (0 switches it off)"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "options", "message"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_trained_on(table, options, message):
    options = {"targets": "y", **options}
    with pytest.raises(DataError) as caught:
        train_table(table, options.pop("targets"), Training.of(**options))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_degree_2_of_many_inputs_is_refused_with_its_size(beijing):
    with pytest.raises(DataError) as caught:
        train_table(beijing, "Dongsi.PM2.5", Training.of(time="time", degree=2))
    assert str(caught.value) == (
        "the statistics of 8,777 columns (131 inputs, degree 2) take 3.7 GB in 6 parts, allowed are 2.1 GB; "
        "choose fewer inputs with --inputs or --drop, fewer folds with --cv, or --degree 1"
    )


@pytest.mark.parametrize("degree", [1, 2])
def test_more_columns_than_rows(degree):
    rng = np.random.default_rng(0)
    count = 300 if degree == 1 else 30
    table = pd.DataFrame(rng.normal(size=(120, count)) + 5.0, columns=[f"s{j}" for j in range(count)])
    table["y"] = 3.0 * table["s3"] * (table["s4"] if degree == 2 else 1.0) - table["s7"] + rng.normal(size=120) * 0.1
    table[rng.random(table.shape) < 0.02] = np.nan
    table["empty"] = np.nan
    result = train_table(table, "y", Training.of(degree=degree, method=TrainOptions(select="min", max_inputs=8)))
    assert "1 column without a reading left out (first: 'empty')" in result.notes
    assert result.model.columns == tuple(f"s{j}" for j in range(count))
    assert set(coefficients(result.model)) >= ({"s3 * s4"} if degree == 2 else {"s3", "s7"})
    assert len(result.folds.columns) < (300 if degree == 1 else 30 + 465)
    for one in result.model.inputs:
        kept = table.loc[table["y"].notna(), one.name]
        assert one.default == pytest.approx(kept.mean(), rel=1e-12)
        assert [one.low, one.high] == [kept.min(), kept.max()]
        assert one.name == result.model.columns[one.column]
    if degree == 1:
        kept = table[table["y"].notna()]
        X, y = kept[list(result.model.columns)].to_numpy(), kept["y"].to_numpy()
        fitted = LassoRegressor(select="min", max_inputs=8).fit(X, y)
        assert linear_rows(result.model, model_rows(kept, result.model))[0][:, 0] == pytest.approx(fitted.predict(X))


@pytest.mark.long
def test_ten_thousand_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 10_000))
    table = pa.table({f"x{j}": X[:, j] for j in range(10_000)} | {"y": X[:, 77] + rng.normal(size=50) * 0.1})
    model = train_table(table, "y", Training.of(method=TrainOptions(max_inputs=3))).model
    assert "x77" in coefficients(model)


def test_too_many_columns_are_refused_with_their_size():
    column = pa.array(np.arange(12_000.0))
    wide = pa.table({f"x{j}": column for j in range(10_000)})
    with pytest.raises(
        DataError, match=r"^the statistics of 9,999 columns \(9,999 inputs, degree 1\) take 4.0 GB in 5"
    ):
        train_table(wide, "x0")
