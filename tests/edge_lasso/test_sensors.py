"""Costs and sensors from the command line to penalty factors and groups."""

import json
import shutil

import numpy as np
import pytest

from edge_lasso import load
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.sensors import Sensors, parse_sensors
from edge_lasso_runtime.model import Factor

COLUMNS = ["a", "b", "c", "d"]
TERMS = [(Factor(0),), (Factor(1),), (Factor(2),), (Factor(3),), (Factor(0), Factor(0)), (Factor(0), Factor(3))]


def test_factors_and_groups_of_terms():
    sensors = parse_sensors(["box: a, b"], ["box=6", "d=2"])
    options = sensors.on(TrainOptions(method="group"), COLUMNS, TERMS)
    assert options.groups == [0, 0, 1, 2, 0, 3]
    assert np.allclose(np.array(options.penalty) / options.penalty[2], [6, 6, 1, 2, 6, 6])
    assert sensors.on(TrainOptions(method="omp"), COLUMNS, TERMS).groups == [0, 0, 1, 2, 0, 3]
    assert Sensors().on(TrainOptions(method="omp"), COLUMNS, TERMS) == TrainOptions(method="omp")
    assert Sensors().on(TrainOptions(), COLUMNS, TERMS) == TrainOptions()


def test_a_sensor_named_twice_has_all_columns_named():
    assert parse_sensors(["box:a", "box:b"], []).members == {"box": ["a", "b"]}


def test_equal_costs_change_nothing():
    same = Sensors(costs=dict.fromkeys(COLUMNS, 0.3)).on(TrainOptions(), COLUMNS, TERMS)
    assert same.penalty == [1.0] * 6


@pytest.mark.parametrize(
    ("sensors", "costs", "message"),
    [
        (["a,b"], [], "'a,b' is not NAME:COLUMN,COLUMN"),
        (["box:"], [], "'box:' is not NAME:COLUMN"),
        ([], ["a=much"], "'a=much' is not NAME=NUMBER"),
        ([], ["5"], "'' is not among the inputs"),
        ([], ["a=0"], "'a' costs 0; a cost must be a finite number larger than 0"),
        ([], ["a=-1"], "'a' costs -1"),
        ([], ["a=nan"], "'a' costs nan"),
        (["box:a,b"], ["a=2"], "'a' belongs to sensor 'box'; give the cost of the sensor"),
        (["box:a,b", "bag:b"], [], "column 'b' belongs to 'box' and 'bag'"),
        (["a:b"], [], "'a' is a column; give the sensor another name"),
    ],
)
def test_what_cannot_be(sensors, costs, message):
    with pytest.raises(DataError) as caught:
        parse_sensors(sensors, costs).check(COLUMNS, "group")
    assert message in str(caught.value)


@pytest.fixture
def here(tmp_path, monkeypatch, root):
    shutil.copy(root / "tests/data/appliances.csv", tmp_path / "a.csv")
    monkeypatch.chdir(tmp_path)


TRAIN = ["train", "a.csv", "--target", "T_out", "--time", "date"]


@pytest.mark.parametrize("method", ["lasso", "relaxed", "adaptive", "omp", "group"])
def test_methods_and_costs_from_the_command_line(here, capsys, method):
    assert main([*TRAIN, "--method", method, "--cost", "T6=1000", "--json"]) == 0
    assert "T6" not in json.loads(capsys.readouterr().out)["inputs"]
    about = load("model.json").provenance
    assert about["method"] == method
    assert about["options"]["costs"] == {"T6": 1000.0}


def test_a_sensor_is_bought_as_a_whole(here, capsys):
    pairs = [f"s{i}:T{i},RH_{i}" for i in range(1, 10)]
    given = [word for pair in pairs for word in ("--sensor", pair)]
    assert main([*TRAIN, "--method", "group", *given, "--inputs", "T?,RH_?", "--json"]) == 0
    inputs = json.loads(capsys.readouterr().out)["inputs"]
    assert inputs
    for i in range(1, 10):
        assert (f"T{i}" in inputs) == (f"RH_{i}" in inputs)
    assert load("model.json").provenance["options"]["sensors"]["s3"] == ["T3", "RH_3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cost", "T66=3"], "--cost: 'T66' is not among the inputs to choose from; the nearest is 'T6'"),
        (["--sensor", "s:T1,RH_1"], "--sensor needs --method group or omp"),
        (["--method", "best"], "method is 'best'"),
        (["--sign", "T1=up"], "--sign 'T1=up' is not NAME=+ or NAME=-"),
        (["--sign", "T66=+"], "--sign: 'T66' is not among the inputs to choose from; the nearest is 'T6'"),
        (["--method", "group", "--positive"], "positive and signs need method"),
    ],
)
def test_bad_options_are_one_line(here, capsys, options, message):
    assert main([*TRAIN, *options]) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())


def test_signs_from_the_command_line(here, capsys):
    assert main([*TRAIN, "--sign", "T6=-", "--sign", "T2=+"]) == 0
    model = load("model.json")
    names = [one.name for one in model.inputs]
    assert "T6" not in names  # the outdoor temperature's twin could only help with a positive sign
    assert "T2" not in names or model.outputs[0].terms[names.index("T2")].coef > 0
    assert model.provenance["options"]["signs"] == {"T6": -1, "T2": 1}


def test_positive_coefficients_only(here, capsys):
    assert main([*TRAIN, "--positive"]) == 0
    assert all(term.coef > 0 for term in load("model.json").outputs[0].terms)
