"""Inputs computed from earlier rows: batches against the board's definition, gaps, order, and training on them."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from edge_lasso.compressing.prune import prune
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.sensors import Sensors
from edge_lasso.predicting.predict_table import linear_rows, predict_table
from edge_lasso.statistics.collect import collect_table
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.plans import forward_chain
from edge_lasso.tables.derived_columns import History, stream_name
from edge_lasso.tables.series import Past, expand, lags, parse_past, series
from edge_lasso.tables.survey import survey
from edge_lasso.tables.tables import model_rows, open_table
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table
from edge_lasso.training.update_table import update_table
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import Delays

STREAMS = (
    ("lag", "a", 2), ("difference", "a", 3), ("mean", "b", 4), ("ewma", "b", 5), ("lag", "b", 1), ("mean", "a", 24),
    ("ewma", "a", 3),
)  # fmt: skip


def model_of(streams, policy="extrapolate"):
    """A model that reads a, b and everything derived."""
    inputs = [Input("a", 0, 0.0, -2.0, 2.0), Input("b", 1, 0.0, -2.0, 2.0)]
    inputs += [Input(stream_name(one), i, 0.0, -9.0, 9.0, stream=one) for i, one in enumerate(streams, 2)]
    terms = tuple(Term(0.5 + 0.25 * i, (Factor(i),)) for i in range(len(inputs)))
    return loads(dumps(Model(tuple(one.name for one in inputs), tuple(inputs), (Output("y", 0.1, terms),), policy)))


def readings(rows, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    x[rng.random((rows, 2)) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("sizes", [[1000], [1, 2, 0, 7, 390, 600], [500, 500]])
def test_batches_are_what_a_board_computes_row_by_row(sizes):
    x, breaks, at, found = readings(1000), np.array([3, 4, 100, 600, 601]), 0, []
    history = History(STREAMS, ["a", "b"], breaks)
    for n in sizes:
        found.append(history.step(x[at : at + n]))
        at += n
    delays = Delays(model_of(STREAMS))
    want = []
    for t, row in enumerate(x.tolist()):
        if t in breaks:
            delays = Delays(model_of(STREAMS))
        every = [*row, *([float("nan")] * len(STREAMS))]
        delays.step(every)
        want.append(every[2:])
    np.testing.assert_array_equal(np.concatenate(found), want)


@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
def test_predicting_a_table_is_stepping_through_it(policy):
    x = readings(200)
    x[7, 0] = 2.0**101
    model = model_of(STREAMS, policy)
    state, want = start(model), []
    for row in x.tolist():
        result, state = step(model, state, row)
        want.append(result.linear)
    rows = model_rows(pa.table({"b": x[:, 1], "a": x[:, 0]}), model)
    np.testing.assert_array_equal(linear_rows(model, rows)[0], want)


def plant(rows=600, seed=0, minutes=None):
    """y follows u of two rows ago; v is noise."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, rows))
    y = 3.0 * np.roll(u, 2) + 0.1 * rng.normal(size=rows)
    minutes = np.arange(rows) if minutes is None else minutes
    time = np.datetime64("2024-01-01T00:00:00") + minutes * np.timedelta64(60, "s")
    return pa.table({"time": time, "u": u, "v": v, "y": y})


def test_a_lag_is_found_and_its_source_is_kept():
    result = train_table(plant(), "y", Training.of(time="time", past=lags(3), holdout=0.2))
    model = result.model
    assert [one.name for one in model.inputs] == ["u", "u.lag2"]
    assert model.inputs[1].stream == ("lag", "u", 2)
    assert model.columns == ("u", "v", "u.lag1", "v.lag1", "u.lag2", "v.lag2", "u.lag3", "v.lag3")
    assert [model.inputs[term.factors[0].input].name for term in model.outputs[0].terms] == ["u.lag2"]
    assert result.held.quality()["r2"] > 0.99
    assert loads(dumps(model)) == model
    state = start(model)
    for value in (1.0, 0.0, 0.0):
        found, state = step(model, state, [value])
    assert found.values[0] == pytest.approx(3.0, abs=0.1)
    assert found.status == "ok"


def test_statistics_are_those_of_lags_made_by_hand():
    table = plant()
    whole = open_table(table)
    design = Design(("u", "v"), ("y",), {}).deriving((("lag", "u", 2), ("mean", "v", 3)))
    rows, _ = series(survey(whole, ["y"], "time", ()), "time")
    folds = collect_table(whole, design, rows, forward_chain(rows.kept, 5)).folds
    u, v, y = (np.asarray(table[name]) for name in "uvy")
    lag = np.concatenate([[np.nan] * 2, u[:-2]])
    mean = [v[max(0, t - 2) : t + 1].mean() for t in range(len(v))]
    want = FoldStatistics(("u", "v", "u.lag2", "v.mean3"), ("y",), forward_chain(len(u), 5))
    want.update(np.column_stack([u, v, lag, mean]), y[:, None], 0)
    assert folds.columns == want.columns
    np.testing.assert_allclose(folds.total.moments().covariance, want.total.moments().covariance, atol=1e-12)
    assert folds.total.missing.tolist() == [0, 0, 2, 0]


def test_the_targets_own_past_is_used_when_it_is_named():
    rng = np.random.default_rng(0)
    y = np.zeros(800)
    for t in range(1, 800):
        y[t] = 0.9 * y[t - 1] + rng.normal()
    table = pa.table({"y": y, "noise": rng.normal(size=800)})
    plain = train_table(table, "y", Training.of(past=lags(2))).model
    assert "y.lag1" not in plain.columns
    for given in ({"inputs": ["y", "noise"], "past": lags(2)}, {"past": lags(2, ["y"])}):
        model = train_table(table, "y", Training.of(**given)).model
        assert model.inputs[0].name == "y"
        assert model.inputs[0].stream is None
        coefs = {model.inputs[term.factors[0].input].name: term.coef for term in model.outputs[0].terms}
        assert set(coefs) <= {"y.lag1", "y.lag2"}
        assert coefs["y.lag1"] == pytest.approx(0.9, abs=0.1)
    alone = train_table(table, "y", Training.of(inputs=["y"], past=lags(1))).model
    assert alone.columns == ("y", "y.lag1")


def test_categories_and_the_past_go_together(tmp_path):
    table = plant()
    mode = np.random.default_rng(1).choice(["off", "on"], table.num_rows)
    y = table["y"].to_numpy() + 3.0 * (mode == "on")
    table = pa.table({"mode": mode, **{name: table[name] for name in ("time", "u", "v")}, "y": y})
    model = train_table(table, "y", Training.of(time="time", categorical=["mode"], past=lags(2), cv=3)).model
    assert [one.name for one in model.inputs] == ["mode", "u", "u.lag2"]
    predict_table(model, table, tmp_path / "p.csv")
    predicted = pyarrow.csv.read_csv(tmp_path / "p.csv")["y"].to_numpy()
    assert np.std((predicted - y)[2:]) < 0.3


def test_no_derived_input_reaches_across_a_gap():
    minutes = np.concatenate([np.arange(300), np.arange(320, 620)])
    table = plant(minutes=minutes)
    result = train_table(table, "y", Training.of(time="time", past=lags(2)))
    assert any("1 gap in 'time' longer than the typical step of 60 s" in note for note in result.notes)
    missing = dict(zip(result.folds.columns, result.folds.total.missing.tolist(), strict=True))
    assert missing == {"u": 0, "v": 0, "u.lag1": 2, "v.lag1": 2, "u.lag2": 4, "v.lag2": 4}


def test_a_row_without_a_time_or_a_target_still_has_its_place():
    table = plant(300)
    times = [str(one) for one in table["time"].to_pylist()]
    times[100] = "never"
    y = table["y"].to_numpy().copy()
    y[50] = np.nan
    table = table.set_column(0, "time", [times]).set_column(3, "y", [y])
    result = train_table(table, "y", Training.of(time="time", past=lags(2)))
    missing = dict(zip(result.folds.columns, result.folds.total.missing.tolist(), strict=True))
    assert missing["u.lag2"] == 4  # two at the start, two after row 101; none after the row without a target
    assert result.folds.total.rows == 298


def without_order(table):
    order = np.arange(len(table))
    order[[10, 11]] = order[[11, 10]]
    return table.take(order)


@pytest.mark.parametrize(
    ("table", "past", "message"),
    [
        (without_order(plant()), lags(2), r"row 12 \(2024-01-01T00:10:00\) is earlier than the row before it"),
        (plant(minutes=np.arange(600) // 2), lags(2), "row 2 repeats the time 2024-01-01T00:00:00 of 'time'"),
        (
            plant(minutes=np.cumsum(1 + 9 * (np.arange(600) % 3 == 0))),
            lags(8)[7:],
            "no row has a lag of 8 of 'u': the rows",
        ),
        (plant(20), lags(130), "are more than the 20 rows; give fewer lags"),
        (plant(20), [Past("lag", 25, ("u",))], "no row has a lag of 25 of 'u'"),
        (plant(), [Past("lag", 2, ("w",))], "--lags: column 'w' is not in the table"),
        (plant(), [Past("lag", 2, ("time",))], "--lags: 'time' is not among the inputs of numbers"),
        (plant().append_column("u.lag1", [np.arange(600.0)]), lags(1), "column 'u.lag1' has the name of an input"),
    ],
)
def test_what_is_no_series_is_refused(table, past, message):
    with pytest.raises(DataError, match=message):
        train_table(table, "y", Training.of(time="time", past=past))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 2}, "--degree 2 does not go with inputs from earlier rows"),
        ({"group": "v"}, "--group makes the folds"),
        ({"cluster": "local"}, "--cluster does not go with inputs from earlier rows"),
        ({"repeat": 3}, "--repeat deals rows out"),
    ],
)
def test_what_does_not_go_with_lags_is_refused(options, message):
    with pytest.raises(DataError, match=message):
        train_table(plant(), "y", Training.of(past=lags(2), **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lags": ["x"]}, "--lags 'x' is not ROWS or ROWS:COLUMN,COLUMN"),
        ({"mean": ["3:"]}, "--mean '3:' is not ROWS"),
        ({"mean": ["1"]}, "--mean is 1; it is a number of rows from 2 to 100000"),
        ({"lags": ["0"]}, "--lags is 0"),
        ({"ewma": ["100001"]}, "--ewma is 100001"),
    ],
)
def test_lengths_are_checked(options, message):
    with pytest.raises(DataError, match=message):
        parse_past(options)


def test_options_as_typed():
    past = parse_past({"lags": ["2"], "difference": None, "mean": ["24:u,v", "6:u*"], "ewma": ["12"]})
    found = expand(past, open_table(plant()), ["u", "v"])
    assert [stream_name(one) for one in found] == [
        "u.lag1", "v.lag1", "u.lag2", "v.lag2", "u.mean24", "v.mean24", "u.mean6", "u.ewma12", "v.ewma12",
    ]  # fmt: skip


def test_new_rows_continue_with_the_same_derived_inputs(tmp_path):
    table = plant(900)
    first = train_table(table.slice(0, 600), "y", Training.of(time="time", past=lags(2)))
    first.folds.save(tmp_path / "s.npz")
    result = update_table(FoldStatistics.load(tmp_path / "s.npz"), table.slice(600))
    assert [one.name for one in result.model.inputs] == ["u", "u.lag2"]
    assert result.folds.total.rows == 900


def test_a_file_is_predicted_in_its_order(tmp_path):
    table = plant(300)
    model = train_table(table, "y", Training.of(time="time", past=lags(2))).model
    pa.csv.write_csv(table, tmp_path / "plant.csv")
    predict_table(model, tmp_path / "plant.csv", tmp_path / "out.csv")
    found = pa.csv.read_csv(tmp_path / "out.csv")
    error = found["y"].to_numpy()[2:] - table["y"].to_numpy()[2:]
    assert np.sqrt(np.mean(error**2)) < 0.15
    assert found["status"].to_pylist()[:3] == ["degraded", "degraded", "ok"]


def test_what_is_computed_from_a_sensor_costs_what_it_costs():
    rng = np.random.default_rng(1)
    u = rng.normal(size=800)
    table = pa.table(
        {"u": u, "v": u + 0.1 * rng.normal(size=800), "y": np.r_[0.0, u[:-1]] + 0.1 * rng.normal(size=800)}
    )
    options = {"past": lags(1), "drop": []}
    assert [one.name for one in train_table(table, "y", Training.of(**options)).model.inputs] == ["u", "u.lag1"]
    short = TrainOptions(eps=1e-3)  # a path that goes on brings in what is dear, too
    dear = train_table(table, "y", Training.of(sensors=Sensors(costs={"u": 50.0}), method=short, **options)).model
    assert [one.name for one in dear.inputs] == ["v", "v.lag1"]
    signed = train_table(table, "y", Training.of(sensors=Sensors(signs={"u.lag1": -1, "v.lag1": -1}), **options)).model
    assert all(term.coef < 0.0 for term in signed.outputs[0].terms)
    grouped = train_table(table, "y", Training.of(method=TrainOptions(method="group"), **options)).model
    assert {one.name for one in grouped.inputs} <= {"u", "u.lag1", "v", "v.lag1"}


def classes(rows=900):
    """A machine is on while the pressure has risen over two rows."""
    rng = np.random.default_rng(0)
    p = np.cumsum(rng.normal(size=rows))
    on = np.where(np.r_[0.0, 0.0, p[2:] - p[:-2]] + 0.1 * rng.normal(size=rows) > 0.0, "on", "off")
    return pa.table({"time": np.arange(rows) * 10.0, "p": p, "q": rng.normal(size=rows), "state": on})


def test_a_classifier_has_a_past_too(tmp_path):
    table = classes()
    past = [Past("difference", 2), *lags(1)]
    result = train_classes(table, "state", Training.of(time="time", past=past, holdout=0.2))
    model = loads(dumps(result.model))
    assert "p.difference2" in [one.name for one in model.inputs]
    assert set(model.sections) == {"health/1", "drift/1", "estimate/1"}
    assert model.provenance["held_out"]["accuracy"] > 0.9
    state = start(model)
    right = 0
    for row in table.to_pylist()[700:]:
        found, state = step(model, state, {name: row[name] for name in "pq"})
        right += found.label == row["state"]
    assert right > 180
    small = prune(model, result.folds, max_inputs=1)
    assert [one.name for one in small.inputs] == ["p", "p.difference2"]
    assert len(small.sections["estimate/1"]["mean"]) == 2
    assert loads(dumps(small)) == small


def test_a_classifier_refuses_what_is_no_series():
    mixed = classes().take(np.random.default_rng(0).permutation(900))
    with pytest.raises(DataError, match="is earlier than the row before it"):
        train_classes(mixed, "state", Training.of(time="time", past=lags(1)))
    with pytest.raises(DataError, match="--lags: 'state' is not among the inputs of numbers"):
        train_classes(classes(), "state", Training.of(time="time", past=lags(1, ["state"])))
    assert "health/1" not in train_classes(mixed, "state", Training.of(time="time")).model.sections


def test_an_hour_ahead_of_beijing(beijing):
    options = {"time": "time", "inputs": ["Dongsi.PM2.5"], "holdout": 0.3}
    result = train_table(
        beijing, "Dongsi.PM2.5", Training.of(past=[*lags(3), Past("mean", 24), Past("ewma", 12)], **options)
    )
    model = loads(dumps(result.model))
    assert "Dongsi.PM2.5.lag1" in [one.name for one in model.inputs]
    assert result.held.quality()["r2"] > 0.94
    truth = np.concatenate([numbers for numbers, _ in open_table(beijing).batches(["Dongsi.PM2.5"])])[:, 0]
    bare = model.replace(sections={})  # a board without estimates puts defaults, as `predict` does
    state, found = start(bare), []
    for value in truth[:2000].tolist():
        one, state = step(bare, state, [value])
        found.append(one.linear)
    np.testing.assert_array_equal(linear_rows(model, model_rows(beijing, model)[:2000])[0], found)


def test_a_long_gap_in_the_hours_of_beijing(beijing):
    table = pa.csv.read_csv(beijing).select(["time", "Dongsi.PM2.5", "Tiantan.PM2.5"]).slice(0, 2000)
    cut = pa.concat_tables([table.slice(0, 900), table.slice(930)])
    result = train_table(cut, "Dongsi.PM2.5", Training.of(time="time", past=lags(24)))
    assert any("1 gap in 'time' longer than the typical step of 3600 s" in note for note in result.notes)
    missing = dict(zip(result.folds.columns, result.folds.total.missing.tolist(), strict=True))
    assert missing["Tiantan.PM2.5.lag24"] - missing["Tiantan.PM2.5"] >= 40
