"""`watch`: the whole way from a table, every bad input in one line, and figures that add up."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pandas
import pytest
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from edge_lasso.commands.main import main
from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions
from edge_lasso.detecting.thresholds import episodes, parse_rate
from edge_lasso.detecting.train_detector import score_quantiles, train_detector
from edge_lasso.errors import DataError
from edge_lasso.predicting.scores import scores
from edge_lasso.tables.series import lags
from edge_lasso.training.options import Training
from edge_lasso_runtime import load, model_hash, save
from edge_lasso_runtime.detector import KEY, sensors
from edge_lasso_runtime.results import Results
from edge_lasso_runtime.step import start, step

NAMES = [f"s{j}" for j in range(5)]


def plant(n=400, seed=0):
    """Five sensors that two slow sources drive, one reading a minute."""
    rng = np.random.default_rng(seed)
    sources = lfilter([1.0], [1.0, -0.7], rng.normal(size=(n, 2)), axis=0)
    X = sources @ np.random.default_rng(9).normal(size=(2, 5)) + 0.3 * rng.normal(size=(n, 5))
    time = pandas.date_range("2024-01-01", periods=n, freq="min").strftime("%Y-%m-%dT%H:%M:%S")
    return pandas.DataFrame(X.round(4), columns=NAMES).assign(time=time)


def quick(**more):
    """Options whose chart settles within a few rows."""
    return DetectorOptions(chart=ChartOptions(smoothing=1.0), **more)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plant().to_csv("normal.csv", index=False)
    return tmp_path


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(one) for one in arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.long
def test_the_whole_way(here, capsys):
    code, out, err = run(
        capsys, "watch", "normal.csv", "--sensors", "all", "--time", "time", "--lags", "1", "--max-coefs", "9",
        "--holdout", "0.25", "--out", "d.json",
    )  # fmt: skip
    assert code == 0
    assert err == ""
    assert re.search(r"5 sensors watched, 9 coefficients", out)
    assert re.search(
        r"at most [\d.]+ false alarms per day at 95 % confidence \(\d+ rows held out, 0 alarms among them", out
    )
    assert "on the last 100 rows, never seen: " in out
    model = load("d.json")
    assert sum(len(one.terms) for one in model.outputs) == 9
    assert model.sections[KEY]["step_seconds"] == 60.0
    about = model.provenance
    assert about["data"]["rows"] == 300
    assert about["held_out"]["rows"] == 100
    assert about["options"]["watch"] == ["all"]
    code, out, _ = run(capsys, "show", "d.json")
    assert code == 0
    for words in (
        "R2, held out",
        "60 rows; no alarm before",
        "normal.csv, 300 rows",
        "coefficients",
        "false alarms per day",
        "errors of others grow, at most",
        "4 of 5",
        "missing inputs estimated from the others",
        "failing sensors watched for 5 readings",
        "drift watched for 5 readings",
    ):
        assert words in " ".join(out.split())
    assert re.search(r"s\d +[-\d.]+ to [-\d.]+ +4 of 5 +[\d.]+ x for s\d", out)
    code, out, _ = run(capsys, "show", "d.json", "--json")
    found = json.loads(out)
    assert found["hash"] == model_hash(model)
    assert {one["name"] for one in found["if_missing"]} == set(NAMES)
    code, out, err = run(capsys, "predict", "d.json", "normal.csv")
    assert code == 0
    assert out.splitlines()[0] == "s0,s1,s2,s3,s4,status,faults"
    assert len(out.splitlines()) == 401
    code, out, _ = run(capsys, "report", "d.json", "--data", "normal.csv", "--out", "d.html")
    assert code == 0
    assert "<h1>Detector: 5 sensors, 9 coefficients" in (here / "d.html").read_text()
    shown = re.sub(r"<script.*?</script>", "", (here / "d.html").read_text(), flags=re.DOTALL)
    assert "<h1>" in shown
    assert ".usual" not in shown
    code, out, _ = run(capsys, "quantize", "d.json", "--to", "int16", "--out", "q.json")
    assert code == 0
    assert ".usual" not in out + run(capsys, "show", "q.json")[1]
    assert run(capsys, "report", "q.json", "--data", "normal.csv", "--out", "q.html")[0] == 0
    assert "Scored in floating point; a board with integers" in (here / "q.html").read_text()
    code, out, _ = run(capsys, "watch", "normal.csv", "--time", "time", "--json")
    found = json.loads(out)
    assert [one["name"] for one in found["sensors"]] == NAMES
    assert found["threshold"]["per"] == "day"
    assert found["held_out"] is None


def test_both_readers_of_a_table_leave_usual_levels_out(here, capsys):
    """A constant is no prediction: not in a table, not in a line of JSON, not in an answer of a server."""
    table = plant().drop(columns="time")
    model = train_detector(table, ["s0", "s1"], options=quick()).model
    assert [output.name for output in model.outputs] == ["s0", "s1", "s0.usual", "s1.usual"]
    save(model, "d.json")
    lines = run(capsys, "predict", "d.json", "normal.csv")[1].splitlines()
    arguments = [sys.executable, "-m", "edge_lasso_runtime", "predict", "d.json", "normal.csv"]
    board = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == "s0,s1,status,faults"
    assert board == lines
    explained = subprocess.run([*arguments, "--explain"], capture_output=True, text=True, check=True).stdout
    header, first, *_ = csv.reader(explained.splitlines())
    assert len(first) == len(header)
    assert not [name for name in header if ".usual" in name]
    state = start(model)
    result, state = step(model, state, dict.fromkeys(NAMES, 0.5))
    assert list(json.loads(Results(model, values=True).line(result, state))["values"]) == ["s0", "s1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--sensors all", "column 'time' holds '2024-01-01T00:00:00' (line 2 of normal.csv), which is not a number; a detector "
         "takes numbers; leave it out with --drop, or name it with --time if it holds times"),
        ("--sensors s9 --time time", "--sensors: column 's9' is not in normal.csv; it has 6 columns, the nearest is 's4'"),
        ("--sensors s0,time --time time", "--sensors: 'time' is the column of times; watch sensors"),
        ("--sensors all --time nope", "--time: column 'nope' is not in normal.csv"),
        ("--sensors all --time time --inputs s0", "'s0' is the only sensor, 1 feature(s), and nothing can be predicted from"),
        ("--sensors all --time time --alarm-rate 1/week", "normal rows are too few for an alarm rate of 1 per week: an upper"),
        ("--sensors all --time time --alarm-rate 0.001", "normal rows are too few for an alarm rate of 0.001 of the rows"),
        ("--sensors s0 --drop time --alarm-rate 1/day", "an alarm rate of 1 per day needs the time between rows; name their"),
        ("--sensors all --time time --alarm-rate lots", "alarm rate 'lots': give a part of the rows between 0 and 1"),
        ("--sensors all --time time --own-past", "--own-past needs --lags N"),
        ("--sensors all --time time --gap -3", "gap is -3; it is a number of rows, 0 or more"),
        ("--sensors all --time time --gap 90", "gap is 90; of 400 rows in 5 blocks at most 19 can be left out around a block"),
        ("--sensors all --time time --cv 1", "cv is 1; a detector needs residuals of rows held out, 2 blocks or more"),
        ("--sensors all --time time --max-coefs 0", "--max-coefs is 0; it must be 1 or more"),
        ("--sensors all --time time --smoothing 0", "smoothing is 0.0; it must be above 0 and at most 1"),
        ("--sensors all --time time --track 4000", "--track is '4000'; give auto, off, or a number of rows from 16 to 2,048, as 512"),
        ("--sensors all --time time --track on", "--track is 'on'; give auto, off, or a number of rows"),
        ("--sensors all --time time --holdout 0.95", "20 rows are too few for a chart that takes 60 rows to settle"),
        ("--sensors all --time time --holdout 0.999", "normal.csv has 0 rows to train on; at least 2 are needed"),
        ("--sensors all --time time --holdout 2", "holdout is 2.0; it must be 0 or more and less than 1"),
        ("--sensors all --time time --lags x", "--lags 'x' is not ROWS or ROWS:COLUMN,COLUMN"),
        ("--sensors all --target s0", "No such option: --target"),
        ("--sensors all --select min", "No such option: --select"),
    ],
)  # fmt: skip
def test_bad_options(here, capsys, arguments, message):
    code, out, err = run(capsys, "watch", "normal.csv", *arguments.split(), "--out", "d.json")
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not (here / "d.json").exists()


def changed(**columns):
    return plant().assign(**columns)


def timed(row, value):
    table = plant()
    table.loc[row, "time"] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (plant()[["s0", "time"]], "'s0' is the only sensor"),
        (changed(**dict.fromkeys(NAMES, 1.0)), "no sensor to watch varies in the training rows: s0, s1, s2, s3, s4"),
        (plant().iloc[::-1], "row 2 (2024-01-01T06:38:00) is earlier than the row before it; a detector needs rows in the order"),
        (timed(50, "2024-01-01T00:49:00"), "row 51 repeats the time 2024-01-01T00:49:00 of 'time'; a detector needs one row a"),
        (timed(20, "soon"), "1 row has no time in 'time', the first is row 21; a detector needs one for each row: leave them"),
        (changed(time="soon"), "no value of column 'time' is a time, the first is 'soon'"),
        (changed(label="normal"), "column 'label' holds 'normal'"),
        (plant(10), "10 rows are too few for a chart that takes 60 rows to settle"),
        (plant(3), "3 rows are too few: no sensor to watch varies in each of the 2 parts of them that models are fitted on"),
        (plant(1), "has 1 row to train on; at least 2 are needed"),
        (changed(**{"s0.lag1": 1.0}), "column 's0.lag1' has the name of an input computed from earlier rows"),
    ],
)  # fmt: skip
def test_bad_tables(table, message):
    with pytest.raises(DataError) as error:
        train_detector(table, training=Training.of(time="time", past=lags(1)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_text_is_dropped_when_asked_and_says_so_otherwise(here, capsys):
    changed(label="normal").to_csv("labelled.csv", index=False)
    arguments = ("watch", "labelled.csv", "--sensors", "all", "--time", "time", "--out", "d.json")
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "column 'label' holds 'normal' (line 2 of labelled.csv), which is not a number" in err
    assert "leave it out with --drop" in err
    assert "--categorical" not in err
    assert run(capsys, *arguments, "--drop", "label")[0] == 0
    assert load("d.json").columns == tuple(NAMES)


def test_too_few_rows_say_how_many_it_takes():
    with pytest.raises(DataError) as error:
        train_detector(plant(), training=Training.of(time="time"), options=quick(rate=parse_rate("1/week")))
    few, many = (
        int(one.replace(",", ""))
        for one in re.findall(r"takes (?:about )?([\d,]+) rows.*1\.5 (?:about )?([\d,]+)", str(error.value))[0]
    )
    assert 25_000 < few < 40_000  # 3 weeks of minutes: an upper limit at 95 %
    assert many > 5 * few
    assert train_detector(
        plant(), training=Training.of(time="time"), options=quick(rate=parse_rate(0.1))
    ).fit.threshold.kind in (
        "rate",
        "limit",
    )


def test_constant_and_empty_sensors_are_said_and_left_out():
    early = np.where(np.arange(len(plant())) < 20, plant().s4, 3.0)
    found = train_detector(changed(s1=3.0, s3=np.nan, late=early), training=Training.of(time="time"), options=quick())
    assert sensors(found.model) == ["s0", "s2", "s4"]
    assert "'late' is constant in part of the training rows and not watched" in found.notes
    assert "'s1' is constant in training and not watched" in found.notes
    assert "'s3' has no reading and is not watched" in found.notes


def test_a_repeated_sensor_has_no_scale_of_rounding():
    """What a copy leaves is rounding: any other arithmetic would raise alarms at its scale."""
    found = train_detector(changed(copy=2.0 * plant().s0 + 1.0), training=Training.of(time="time"), options=quick())
    watched = zip(found.model.outputs, found.model.sections[KEY]["watched"], strict=True)
    scales = {sensor["reading"]: sensor["scale"] for output, sensor in watched if output.terms}
    assert 1e-7 < scales["copy"] < 1e-4
    assert 0.5 < found.fit.scores.mean() < 1.05  # a copy says nothing
    shaken = found.fit.residuals + 1e-8 * np.random.default_rng(0).normal(size=found.fit.residuals.shape)
    again = scores(shaken, found.model.sections[KEY])[0]
    assert again == pytest.approx(found.fit.scores, rel=0.01, abs=0.01)


def test_no_history_across_a_gap():
    rows = plant(600)
    cut = rows.iloc[[*range(300), *range(330, 600)]]
    found = train_detector(cut, training=Training.of(time="time", past=lags(2)), options=quick(own_past=True))
    assert any("1 gap in 'time' longer than the typical step of 60 s" in note for note in found.notes)
    whole = train_detector(rows, training=Training.of(time="time", past=lags(2)), options=quick(own_past=True))
    assert not any("gap" in note for note in whole.notes)
    untimed = train_detector(cut.drop(columns="time"), training=Training.of(past=lags(2)), options=quick(own_past=True))
    assert any("--time would find gaps" in note for note in untimed.notes)
    assert model_hash(untimed.model) != model_hash(found.model)


def test_without_estimates_show_says_what_is_not_scored_meanwhile(here, capsys):
    arguments = "watch normal.csv --sensors all --time time --sections none --adjust 0.1 --out d.json"
    assert run(capsys, *arguments.split())[0] == 0
    out = run(capsys, "show", "d.json")[1]
    assert re.search(r"s\d +[-\d.]+ to [-\d.]+ +[0-4] of 5 +not known: not scored", out)
    assert "follows on the board (step 0.1), from 0.5 to 16 times its start; it stays from row" in " ".join(out.split())


def test_some_are_watched_and_the_others_only_read():
    found = train_detector(plant(), ["s0", "s3"], Training.of(time="time"), options=quick())
    assert sensors(found.model) == ["s0", "s3"]
    read = {found.model.inputs[f.input].name for o in found.model.outputs for t in o.terms for f in t.factors}
    assert read - {"s0", "s3"}
    limited = train_detector(plant(), ["s0"], Training.of(time="time", inputs=["s1", "s2"]), options=quick())
    assert {one.name for one in limited.model.inputs} <= {"s0", "s1", "s2"}
    pattern = train_detector(plant(), ["s[01]"], Training.of(time="time"), options=quick())
    assert sensors(pattern.model) == ["s0", "s1"]


def test_a_detector_is_not_pruned_and_not_updated(here, capsys):
    assert run(capsys, "watch", "normal.csv", "--sensors", "all", "--time", "time", "--out", "d.json")[0] == 0
    before = {one.name: one.read_bytes() for one in here.iterdir()}
    for arguments, message in (
        (
            ("prune", "d.json", "--max-inputs", "2"),
            "a detector is not pruned, its threshold would not hold; train with",
        ),
        (("prune", "d.json", "--max-loss", "2"), "a detector is not pruned"),
        (
            ("train", "normal.csv", "--update", "d.stats.npz", "--out", "e.json"),
            "a detector is not updated: its threshold",
        ),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert message in err
    assert {one.name: one.read_bytes() for one in here.iterdir()} == before


def test_the_file_the_workers_and_the_threads_do_not_matter(here):
    plant().to_parquet("normal.parquet")
    past = lags(1)
    found = train_detector("normal.csv", training=Training.of(time="time", past=past), options=quick(workers=1))
    for data, workers, threads in (("normal.parquet", 1, None), ("normal.csv", 3, None), ("normal.csv", 2, 1)):
        with threadpool_limits(threads):
            again = train_detector(data, training=Training.of(time="time", past=past), options=quick(workers=workers))
        assert model_hash(again.model) == model_hash(found.model)
        assert again.model.provenance["score_quantiles"] == found.model.provenance["score_quantiles"]


@pytest.mark.parametrize(("track", "rate"), [(0, 0.05), (5, 0.2)])
def test_held_out_alarms_are_those_of_the_board(track, rate):
    table = plant(1200)
    for row in (950, 1000, 1060, 1061, 1130):
        table.loc[row : row + 6, "s2"] += 3.0
    options = DetectorOptions(chart=ChartOptions(0.3, track=track), rate=parse_rate(rate))
    found = train_detector(table, training=Training.of(time="time", holdout=0.3, past=lags(1)), options=options)
    model = found.model
    state = start(model)
    hits, onsets = [], 0
    for t, row in enumerate(table[NAMES].to_dict("records")):
        result, state = step(model, state, row)
        hits.append(result.alarm)
        onsets += result.onset and t >= 840
    hold = model.sections[KEY]["threshold"]["hold"]
    running = any(hits[840 - hold - 1 : 840]) and any(hits[840 : 840 + hold + 1])
    assert found.held["alarms"] in (onsets, onsets + running)
    assert found.held["alarms"] == episodes(np.array(hits[840:]), hold) > 0
    assert found.held["rate"] == pytest.approx(np.mean(hits[840:]))
    assert found.held["low"] <= found.held["rate"] <= found.held["high"]


def test_quantiles_of_scores_that_a_report_draws():
    values = np.random.default_rng(0).exponential(size=5000)
    kept = score_quantiles(values)
    assert len(kept["above"]) <= 40
    assert kept["above"][0] == 1.0
    assert kept["above"][-1] == pytest.approx(1 / 5000)
    assert kept["score"] == sorted(kept["score"])
    for part, score in zip(kept["above"], kept["score"], strict=True):
        assert (values >= score * (1.0 - 1e-4)).mean() >= part * 0.999
        assert (values > score * (1.0 + 1e-4)).mean() <= part * 1.001
    assert score_quantiles(np.array([1.0]))["above"] == [1.0]
