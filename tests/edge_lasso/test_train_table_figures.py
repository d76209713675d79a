"""Figures of a training from a table, each computed a second way with NumPy, pandas or scikit-learn."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from edge_lasso import LassoRegressor
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso_runtime import dumps, model_hash, predict

pytestmark = pytest.mark.long

OPTIONS = [TrainOptions(select=select) for select in ("1se", "min", "bic")]


def frame(n=500, seed=0, gaps=0.0):
    """Six inputs, three of them used; a time."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)) * [1.0, 30.0, 1e-2, 5.0, 1.0, 2.0] + [0.0, 500.0, 0.0, -5.0, 1e4, 0.0]
    y = 3.0 * X[:, 0] - 0.2 * X[:, 1] + X[:, 3] + rng.normal(size=n)
    X[rng.random(X.shape) < gaps] = np.nan
    table = pd.DataFrame(X, columns=list("abcdef"))
    table.insert(0, "time", pd.date_range("2024-01-01", periods=n, freq="10min").astype(str))
    return table.assign(y=y)


def figures(model):
    """Intercept and coefficients by name."""
    names = model_term_names(model)[0]
    found = {name: term.coef for name, term in zip(names, model.outputs[0].terms, strict=True)}
    return {"": model.outputs[0].intercept, **found}


@pytest.mark.parametrize("options", OPTIONS, ids=lambda one: one.select)
@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_shuffled_rows_give_the_same_coefficients(options, gaps):
    table = frame(gaps=gaps)
    wanted = figures(train_table(table, "y", Training.of(time="time", method=options)).model)
    for seed in range(3):
        shuffled = table.sample(frac=1.0, random_state=seed)
        found = figures(train_table(shuffled, "y", Training.of(time="time", method=options)).model)
        assert list(found) == list(wanted)
        assert list(found.values()) == pytest.approx(list(wanted.values()), rel=1e-12, abs=0)


@pytest.mark.parametrize("select", ["1se", "min", "knee", "bic"])
@pytest.mark.parametrize("cv", [3, 5])
def test_the_estimator_gives_the_same_on_the_same_rows(select, cv):
    table = frame(gaps=0.05)
    result = train_table(table, "y", Training.of(drop=["time"], cv=cv, method=TrainOptions(select=select)))
    fitted = LassoRegressor(select=select, cv=cv).fit(table[list("abcdef")], table["y"])
    found, wanted = figures(result.model), figures(fitted.model_)
    assert list(found) == list(wanted)
    assert list(found.values()) == pytest.approx(list(wanted.values()), rel=1e-12)


def test_least_squares_on_the_chosen_inputs_is_scikit_learns():
    table = frame()
    result = train_table(table, "y", Training.of(time="time", method=TrainOptions(select="bic")))
    assert result.fits[0].gamma == 0.0
    found = figures(result.model)
    names = [name for name in found if name]
    assert {"a", "b", "d"} <= set(names)
    fitted = LinearRegression().fit(table[names], table["y"])
    assert [found[name] for name in names] == pytest.approx(fitted.coef_, rel=1e-9)
    assert found[""] == pytest.approx(fitted.intercept_, rel=1e-9)


@pytest.mark.parametrize("holdout", [0.1, 0.3, 0.77])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_quality_on_held_out_rows_is_computed_from_their_predictions(holdout, shuffled):
    table = frame(gaps=0.05)
    given = table.sample(frac=1.0, random_state=1) if shuffled else table
    result = train_table(given, "y", Training.of(time="time", holdout=holdout))
    quality = result.held.quality()
    rows = table[-int(quality["rows"]) :]
    assert len(rows) == pytest.approx(holdout * len(table), abs=1)
    assert result.model.provenance["data"]["rows"] == len(table) - len(rows)
    inputs = rows.drop(columns=["time", "y"]).to_dict("records")
    predicted = [predict(result.model, {k: v for k, v in row.items() if v == v}).values[0] for row in inputs]
    assert result.held.prediction[:, 0].tolist() == predicted
    assert quality["r2"] == pytest.approx(r2_score(rows["y"], predicted), rel=1e-9)
    assert quality["rmse"] == pytest.approx(root_mean_squared_error(rows["y"], predicted), rel=1e-9)
    assert quality["mae"] == pytest.approx(mean_absolute_error(rows["y"], predicted), rel=1e-9)
    assert result.held.times.tolist() == pd.to_datetime(rows["time"]).dt.to_pydatetime().tolist()
    assert result.model.provenance["held_out"] == quality


def test_defaults_are_the_means_of_the_training_readings_that_are_there():
    table = frame(gaps=0.3)
    table.loc[5:9, "a"] = [np.inf, -np.inf, np.inf, np.nan, -np.inf]
    table.loc[20:29, "y"] = np.nan  # rows that are not trained on, with odd inputs
    table.loc[20:29, "b"] = 1e9
    table.loc[451:, "b"] = -1e9  # held out: the last 49 of the 490 rows with a target
    result = train_table(table, "y", Training.of(time="time", holdout=0.1))
    kept = table[table["y"].notna()].replace([np.inf, -np.inf], np.nan)[:441]
    assert result.model.provenance["data"]["rows"] == len(kept)
    assert {"a", "b", "d"} <= {one.name for one in result.model.inputs}
    for one in result.model.inputs:
        assert one.default == pytest.approx(kept[one.name].mean(), rel=1e-12)
        assert (one.low, one.high) == (kept[one.name].min(), kept[one.name].max())


def test_a_column_without_a_reading_in_the_training_rows_alone_is_left_out():
    table = frame()
    table.loc[:399, "f"] = np.nan
    result = train_table(table, "y", Training.of(time="time", holdout=0.2))
    assert "1 column without a reading left out (first: 'f')" in result.notes
    assert "f" not in {one.name for one in result.model.inputs}
    assert "f" not in result.folds.columns


def test_products_and_squares_are_found():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(800, 4)) + 2.0
    table = pd.DataFrame(X, columns=list("abcd"))
    table["y"] = 1.0 + 2.0 * X[:, 0] * X[:, 1] - 3.0 * X[:, 2] ** 2 + rng.normal(size=800) * 0.01
    straight = train_table(table, "y", Training.of(holdout=0.25))
    bent = train_table(table, "y", Training.of(holdout=0.25, degree=2, method=TrainOptions(select="bic")))
    found = figures(bent.model)
    assert found["a * b"] == pytest.approx(2.0, abs=0.01)
    assert found["c * c"] == pytest.approx(-3.0, abs=0.01)
    assert bent.held.quality()["r2"] > 0.9999 > straight.held.quality()["r2"]


def test_degree_2_of_the_demo_is_refused_with_its_size(beijing):
    with pytest.raises(DataError) as caught:
        train_table(beijing, "Dongsi.PM2.5", Training.of(time="time", drop=["Dongsi.*"], degree=2))
    message = str(caught.value)
    assert message.startswith("the statistics of 7,502 columns (121 inputs, degree 2) take ")
    assert message.endswith("choose fewer inputs with --inputs or --drop, fewer folds with --cv, or --degree 1")
    assert "\n" not in message


def test_two_processes_write_the_same_bytes(tmp_path, monkeypatch):
    """Also with other hash seeds and worker counts."""
    frame(gaps=0.1).assign(kind=np.array(["x", "y", "z"])[np.arange(500) % 3]).to_csv(tmp_path / "t.csv", index=False)
    program = (
        "import sys\nfrom edge_lasso.training.train_table import train_table\nfrom edge_lasso.paths.options import TrainOptions\n"
        "from edge_lasso.training.options import Training\nfrom edge_lasso_runtime import dumps\n"
        "result = train_table(sys.argv[1], 'y', Training.of(time='time', categorical=['kind'], degree=2, holdout=0.2, "
        "method=TrainOptions(workers=int(sys.argv[2]))))\nprint(dumps(result.model))"
    )
    made = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        arguments = [sys.executable, "-c", program, str(tmp_path / "t.csv"), seed]
        made.append(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert made[0] == made[1]
    here = train_table(tmp_path / "t.csv", "y", Training.of(time="time", categorical=["kind"], degree=2, holdout=0.2))
    assert made[0] == dumps(here.model) + "\n"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000001")
    later = train_table(tmp_path / "t.csv", "y", Training.of(time="time", categorical=["kind"], degree=2, holdout=0.2))
    assert dumps(later.model) != dumps(here.model)


@pytest.mark.parametrize("time", ["time", None])
def test_every_reader_and_cut_into_batches_gives_the_same_model(tmp_path, time):
    table = frame(5000, gaps=0.05).drop(columns=[] if time else ["time"])
    table.to_csv(tmp_path / "t.csv", index=False, float_format="%.17g")
    table.to_parquet(tmp_path / "small.parquet", row_group_size=777)
    table.to_parquet(tmp_path / "large.parquet", row_group_size=5000)
    sources = [table, *(tmp_path / name for name in ("t.csv", "small.parquet", "large.parquet"))]
    made = [train_table(source, "y", Training.of(time=time)).model for source in sources]
    assert len({model_hash(model) for model in made}) == 1


def test_the_number_of_blas_threads_leaves_no_trace(tmp_path):
    frame(3000).assign(on=np.arange(3000) % 7 < 3).to_csv(tmp_path / "t.csv", index=False)
    program = (
        "import sys\nfrom edge_lasso.training.train_table import train_table\nfrom edge_lasso.training.train_classes import train_classes\n"
        "from edge_lasso.training.options import Training\nfrom edge_lasso_runtime import dumps\n"
        "training = Training.of(time='time', drop=['on'], stability=5, bootstrap=20)\n"
        "print(dumps(train_table(sys.argv[1], 'y', training).model))\n"
        "print(dumps(train_classes(sys.argv[1], 'on', Training.of(time='time')).model))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "t.csv")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "SOURCE_DATE_EPOCH": "1700000000"},
        ).stdout
        for threads in ("1", "2")
    ]
    assert made[0] == made[1]


def test_a_default_of_the_demo_is_the_mean_of_its_readings(beijing):
    result = train_table(
        beijing,
        "Dongsi.PM2.5",
        Training.of(time="time", drop=["Dongsi.*"], holdout=0.3, method=TrainOptions(max_inputs=6)),
    )
    table = pd.read_csv(beijing).sort_values("time", kind="stable")
    table = table[table["Dongsi.PM2.5"].notna()]
    assert result.held.quality()["rows"] == 10_295
    kept = table[:-10_295]
    assert 1 <= len(result.model.inputs) <= 6
    for one in result.model.inputs:
        assert one.default == pytest.approx(kept[one.name].mean(), rel=1e-12)
    rows = table[-10_295:]
    names = [one.name for one in result.model.inputs]
    filled = rows[names].fillna({one.name: one.default for one in result.model.inputs})
    found = figures(result.model)
    predicted = found[""] + filled.to_numpy() @ [found[name] for name in names]
    score = r2_score(rows["Dongsi.PM2.5"], predicted)
    assert score >= 0.961
    assert result.held.quality()["r2"] == pytest.approx(score, rel=1e-9)


FORMS = {
    "ISO": lambda when: when.strftime("%Y-%m-%dT%H:%M:%S"),
    "with a zone": lambda when: (when.tz_localize("UTC").tz_convert("Asia/Tokyo")).map(lambda one: one.isoformat()),
    "seconds": lambda when: when.astype("datetime64[s]").astype("int64"),
    "milliseconds": lambda when: when.astype("datetime64[ms]").astype("int64"),
    "timestamps": lambda when: when,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_form_of_time_gives_the_same_order_and_the_same_notes(tmp_path, form, kind):
    table = frame()
    wanted = train_table(table, "y", Training.of(time="time", holdout=0.2))
    when = pd.DatetimeIndex(pd.to_datetime(table["time"]))
    given = table.assign(time=FORMS[form](when)).sample(frac=1.0, random_state=2)
    path = tmp_path / f"t.{kind}"
    given.to_csv(path, index=False) if kind == "csv" else given.to_parquet(path, index=False)
    result = train_table(path, "y", Training.of(time="time", holdout=0.2))
    assert list(figures(result.model).values()) == pytest.approx(list(figures(wanted.model).values()), rel=1e-12)
    assert result.notes == ["rows put in the order of 'time'"]
    assert (result.held.times == wanted.held.times).all()
    assert result.model.provenance["data"]["from"] == "2024-01-01T00:00:00"


def test_dates_that_repeat_and_words_that_are_no_dates(tmp_path):
    table = frame()
    table["time"] = pd.date_range("2020-01-01", periods=500).strftime("%Y-%m-%d")
    table.loc[[7, 9], "time"] = ["2020-01-07", "yesterday"]
    table.to_csv(tmp_path / "t.csv", index=False)
    result = train_table(tmp_path / "t.csv", "y", Training.of(time="time"))
    assert result.notes == [
        "1 row without a time in 'time' left out (first: row 10, 'yesterday')",
        "1 row repeats a time in 'time' (first: 2020-01-07T00:00:00); all are used",
    ]
    assert result.model.provenance["data"]["rows"] == 499
    without = train_table(table.drop(index=9), "y", Training.of(time="time"))
    assert figures(result.model) == figures(without.model)
