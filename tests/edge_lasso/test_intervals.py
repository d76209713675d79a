"""Prediction intervals: coverage on simulated truths, the section, the commands and the artifacts."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.signal import lfilter

from edge_lasso import quantize
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.training.intervals import conformal, correlation_time, effective_rows, rows_needed
from edge_lasso_runtime import Input, Model, Output, load, predict, save
from edge_lasso_runtime.errors import ModelFormatError
from edge_lasso_runtime.format import from_dict, to_dict
from edge_lasso_runtime.interval import Reach, between, interval


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
@pytest.mark.long
def test_coverage_over_many_calibrations_is_the_level(level):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        section = conformal(rng.standard_t(3, size=(122, 1)), level)
        new = rng.standard_t(3, size=400)
        held.append(np.mean((new >= section["low"][0]) & (new <= section["high"][0])))
    assert level - 0.01 < np.mean(held) < level + 2.0 / 62 + 0.01


def test_the_coverage_found_is_of_other_rows():
    residual = np.concatenate([np.linspace(-1.0, 1.0, 100), np.full(100, 5.0)])[:, None]
    section = conformal(residual, 0.8)
    assert section["coverage"] == [0.0]
    assert section["high"] == [5.0]  # what is handed out knows the last rows, too
    assert section["blocks"] == [0.0] * 5
    assert section["rows"] == {"calibration": 200, "check": 100}


def test_dependent_rows_are_counted_as_what_they_are_worth():
    rng = np.random.default_rng(3)
    held, plain, supported = [], [], []
    for _ in range(100):
        noise = lfilter([1.0], [1.0, -0.97], rng.normal(size=1600))[1000:]
        section = conformal(noise[:400, None], 0.9)
        low, high = np.quantile(noise[:400], [0.05, 0.95])
        held.append(np.mean((noise[400:] >= section["low"][0]) & (noise[400:] <= section["high"][0])))
        plain.append(np.mean((noise[400:] >= low) & (noise[400:] <= high)))
        supported.append(section["supported"])
    assert np.mean(plain) < 0.87
    assert 0.9 < np.mean(held) < 0.98
    assert np.mean(supported) < 0.9  # and it says that it cannot promise as much


def test_rows_that_are_worth_less():
    rng = np.random.default_rng(5)
    noise = rng.normal(size=2000)
    assert correlation_time(noise) == 1.0
    assert effective_rows(noise, 0.05) == 2000.0
    alike = lfilter([1.0], [1.0, -0.8], rng.normal(size=200_000))
    assert correlation_time(alike) == pytest.approx(1.8 / 0.2, rel=0.1)
    assert correlation_time(np.ones(50)) == 1.0
    same = conformal(np.repeat(rng.normal(size=40), 50)[:, None], 0.9)
    assert 20 < same["effective_rows"] < 60
    assert same["supported"] == 0.9


def inside(section, residual, prediction):
    wider = 1.0 + section.get("slope", [0.0])[0] * np.abs(prediction)
    return (residual >= section["low"][0] * wider) & (residual <= section["high"][0] * wider)


def test_widths_grow_with_the_prediction_where_errors_do():
    rng = np.random.default_rng(6)
    prediction = np.abs(rng.normal(size=4000)) * 3.0
    residual = rng.normal(size=4000) * (0.2 + prediction)
    section = conformal(residual[:2000, None], 0.9, prediction[:2000, None])
    assert 1.0 < section["slope"][0] < 20.0  # 5 is true
    thirds = np.array_split(2000 + np.argsort(prediction[2000:]), 3)
    assert all(0.86 < inside(section, residual[at], prediction[at]).mean() < 0.94 for at in thirds)
    flat = conformal(residual[:2000, None], 0.9)
    assert "slope" not in flat
    assert inside(flat, residual[thirds[2]], prediction[thirds[2]]).mean() < 0.8
    noise = rng.normal(size=2000)
    even = conformal(noise[:, None], 0.9, prediction[:2000, None])
    assert "slope" not in even
    both = conformal(np.c_[noise, residual[:2000]], 0.9, np.c_[prediction[:2000], prediction[:2000]])
    assert both["slope"] == pytest.approx([0.0, section["slope"][0]])
    assert both["high"] == pytest.approx([even["high"][0], section["high"][0]])


def test_rows_in_time_count_less_with_age_where_that_holds_better():
    rng = np.random.default_rng(7)
    growing = rng.normal(size=4000) * np.linspace(1.0, 3.0, 4000)
    section, plain = (conformal(growing[:2000, None], 0.9, ordered=ordered) for ordered in (True, False))
    assert section["half_life"] == 500
    assert "adjust" in section
    assert not {"half_life", "adjust"} & set(plain)
    assert section["effective_rows"] < plain["effective_rows"]
    held, before = (inside(each, growing[2000:], 0.0).mean() for each in (section, plain))
    assert before + 0.02 < held < 0.9
    still = conformal(rng.normal(size=(2000, 1)), 0.9, ordered=True)
    assert "half_life" not in still


@pytest.mark.parametrize("phi", [0.0, 0.99])
def test_ends_that_follow_hold_what_was_asked_for_whatever_comes(phi):
    rng = np.random.default_rng(8)
    noise = lfilter([1.0], [1.0, -phi], rng.normal(size=6000)) * np.sqrt(1.0 - phi**2)
    noise[3000:] += 3.0  # nobody could know
    section = conformal(noise[1000:2000, None], 0.9, ordered=True)
    model = Model(("x",), (Input("x", 0, 0.0, 0.0, 1.0),), (Output("y", 0.0, ()),), sections={"interval/1": section})
    reach, held = Reach(model), []
    for truth in noise[2000:].tolist():
        ((low, high),) = between(model, [0.0], None, reach)
        held.append(low <= truth <= high)
        reach.follow([(low, high)], [truth])
    adjust = section["adjust"]
    assert np.mean(held) > 0.9 - 2.0 * np.log(adjust["cap"]) / (adjust["eta"] * len(held))  # the identity, of both ends
    assert 0.88 < np.mean(held[1500:]) < 0.96
    assert inside(section, noise[3000:], 0.0).mean() < 0.6


def test_the_fewest_rows():
    assert [rows_needed(level) for level in (0.5, 0.8, 0.9, 0.99)] == [3, 9, 19, 199]
    conformal(np.arange(38.0)[:, None], 0.9)
    with pytest.raises(DataError, match=r"needs 38 held-out rows .* there are 37"):
        conformal(np.arange(37.0)[:, None], 0.9)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    table = pandas.DataFrame(rng.normal(size=(1200, 4)), columns=list("abcd"))
    table["y"] = 2.0 * table["a"] - table["b"] + rng.normal(size=1200)
    table["z"] = table["c"] + 0.1 * rng.normal(size=1200)
    table.to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "t.csv", "--target", "y,z", "--holdout", "0.4", "--interval", "0.9", "--out", "m.json"]) == 0
    return table


def test_from_training_to_the_board(trained, capsys):
    model = load("m.json")
    section = model.sections["interval/1"]
    assert np.allclose(np.array(section["high"]) - section["low"], [3.3, 0.33], rtol=0.25)
    assert 0.84 < min(section["coverage"]) < 0.96
    assert main(["show", "m.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0.9 of truths within" in said
    assert "from the first rows alone it held 0." in said
    assert main(["predict", "m.json", "t.csv", "--interval", "--out", "p.csv"]) == 0
    here = pandas.read_csv("p.csv")
    assert list(here.columns) == ["y", "z", "y low", "y high", "z low", "z high", "status", "faults"]
    assert ((trained["y"] >= here["y low"]) & (trained["y"] <= here["y high"])).mean() == pytest.approx(0.9, abs=0.05)
    done = subprocess.run(
        [sys.executable, "-m", "edge_lasso_runtime", "predict", "m.json", "t.csv", "--interval"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    board = list(csv.DictReader(done.stdout.splitlines()))
    assert [float(row["z high"]) for row in board] == here["z high"].tolist()
    row = {name: 0.1 for name in "abcd"}
    assert interval(model, predict(model, row))[1][1] == predict(model, row).values[1] + section["high"][1]


@pytest.mark.long
def test_artifacts_carry_it_and_quantizing_widens_it(trained):
    assert main(["export", "m.json", "--to", "python,c", "--out", "art", "--allow-unverified"]) == 0
    section = load("m.json").sections["interval/1"]
    space: dict = {}
    exec(Path("art/python-double/model.py").read_text(), space)
    assert [list(pair) for pair in space["INTERVAL"]] == [
        list(p) for p in zip(section["low"], section["high"], strict=True)
    ]
    assert "#define MODEL_INTERVAL_LOW {" in Path("art/c-double/model.h").read_text()
    small = quantize(load("m.json"), "int16")
    bound = small.provenance["quantized"]["bounds"][0]
    assert small.sections["interval/1"]["high"][0] == section["high"][0] + bound
    save(small, "small.json")


@pytest.mark.long
def test_widths_that_grow_are_the_same_everywhere(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(2)
    table = pandas.DataFrame({"t": np.arange(2000), "a": rng.exponential(size=2000), "b": rng.normal(size=2000)})
    table["y"] = 3.0 * table["a"] + rng.normal(size=2000) * (0.1 + table["a"])
    monkeypatch.chdir(tmp_path)
    table.to_csv("t.csv", index=False)
    options = ["--time", "t", "--holdout", "0.5", "--interval", "0.9", "--out", "m.json"]
    assert main(["train", "t.csv", "--target", "y", *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of its size; from the first rows" in said
    assert "follow the truths" in said
    model = load("m.json")
    section = model.sections["interval/1"]
    assert main(["predict", "m.json", "t.csv", "--interval", "--out", "p.csv"]) == 0
    here = pandas.read_csv("p.csv")
    for row, low, high in zip(table.to_dict("records"), here["y low"], here["y high"], strict=True):
        assert interval(model, predict(model, row)) == [(low, high)]
    assert main(["export", "m.json", "--to", "python,c,js", "--out", "art", "--allow-unverified"]) == 0
    space: dict = {}
    exec(Path("art/python-double/model.py").read_text(), space)
    assert list(space["INTERVAL_SLOPE"]) == section["slope"]
    assert "#define MODEL_INTERVAL_SLOPE {" in Path("art/c-double/model.h").read_text()
    assert "export const INTERVAL_SLOPE = [" in Path("art/js-double/model.mjs").read_text()
    small = quantize(model, "int16")
    bound = small.provenance["quantized"]["bounds"][0]
    wide = small.sections["interval/1"]
    for y in rng.uniform(-5.0, 10.0, size=200):  # off by the bound, it still holds what the other did
        for off in (-bound, bound):
            (low, high), (narrow_low, narrow_high) = (
                between(model.replace(sections={"interval/1": each}), [value])[0]
                for each, value in ((wide, y + off), (section, y))
            )
            assert low <= narrow_low
            assert high >= narrow_high


def test_pruning_drops_it(trained):
    assert main(["prune", "m.json", "--max-inputs", "1", "--out", "p.json"]) == 0
    assert "interval/1" not in load("p.json").sections


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interval", "0.9"], "give --holdout"),
        (["--interval", "1.5", "--holdout", "0.2"], "--interval is 1.5; it is the part of truths"),
        (["--interval", "0.999", "--holdout", "0.2"], "needs 3998 held-out rows"),
    ],
)
def test_what_cannot_be_calibrated(trained, capsys, options, message):
    assert main(["train", "t.csv", "--target", "y", "--out", "n.json", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_model_without_one(trained, capsys):
    assert main(["train", "t.csv", "--target", "y", "--out", "n.json"]) == 0
    assert main(["predict", "n.json", "t.csv", "--interval"]) == 2
    assert "has no interval" in capsys.readouterr().err
    with pytest.raises(ValueError, match="has no interval"):
        interval(load("n.json"), predict(load("n.json"), {}))
    done = subprocess.run(
        [sys.executable, "-m", "edge_lasso_runtime", "predict", "n.json", "t.csv", "--interval"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "has no interval" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.0}, "level is 1.0"),
        ({"low": [1.0]}, "low has 1 entries"),
        ({"low": [9.0, 0.0]}, "more than high"),
        ({"rows": {"calibration": -1, "check": 3}}, "rows.calibration is -1"),
        ({"coverage": [2.0, 0.5]}, r"coverage\[0\] is 2.0"),
        ({"effective_rows": 0.0}, "effective_rows is 0.0"),
        ({"supported": 1.5}, "supported is 1.5"),
        ({"spread": 1}, "spread is unknown"),
        ({"slope": [0.1]}, "slope has 1 entries"),
        ({"slope": [0.1, -0.1]}, "no entry may be negative"),
        ({"half_life": 0}, "half_life is 0"),
        ({"adjust": {"eta": 2.0, "floor": 0.5, "cap": 2.0}}, "adjust.eta is 2.0"),
        ({"adjust": {"eta": 0.1, "floor": 0.5, "cap": 0.5}}, "adjust.cap is 0.5"),
    ],
)
def test_the_section_is_checked(trained, change, message):
    data = json.loads(json.dumps(to_dict(load("m.json"))))
    data["sections"]["interval/1"].update(change)
    with pytest.raises(ModelFormatError, match=message):
        from_dict(data)
