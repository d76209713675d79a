"""The serverless function: events in, answers out, from a folder as platforms unpack it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge_lasso_runtime
from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, function, predict, save
from edge_lasso_runtime.function import handler

INPUTS = (Input("a", 0, 0.25, -1.0, 1.0), Input("kind", 1, None, None, None, "", ("red", "green")))
TERMS = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(1, 1),)))
INTERVAL = {"level": 0.9, "low": [-0.5], "high": [0.25], "rows": {"calibration": 100, "check": 100}}
CASCADE = {
    "yes": 1, "low": -0.25, "high": 1.0, "miss": 0.01, "false_alarm": 0.01, "confidence": 0.95,
    "rows": {"calibration": 500, "check": 500}, "goes_on": {"predicted": 0.1, "found": 0.1}, "found": {},
}  # fmt: skip


def model(**more):
    return Model(("a", "kind"), INPUTS, (Output("y", 0.5, TERMS),), **more)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Let the function have a model."""
    monkeypatch.setattr(function, "_LOADED", [])

    def packed(model):
        save(model, tmp_path / "heat.json")
        monkeypatch.setenv("EDGE_LASSO_MODEL", str(tmp_path / "heat.json"))

    return packed


def test_a_reading_and_several(serve):
    serve(model())
    assert handler({"a": 0.5, "kind": "green", "other": 1}) == {"status": "ok", "values": {"y": 2.5}}
    assert handler([{"a": "0.5"}, {"a": 9.0, "kind": "red"}], object()) == [
        {"status": "degraded", "values": {"y": 1.5}, "faults": {"kind": "missing"}},
        {"status": "degraded", "values": {"y": 18.5}, "faults": {"a": "out of range"}},
    ]
    assert handler([]) == []


def test_what_a_model_has_besides(serve):
    serve(model(sections={"interval/1": INTERVAL}))
    ok, degraded = handler([{"a": 0.5, "kind": "green"}, {"a": 0.5}])
    assert ok["interval"] == {"y": [2.0, 2.75]}
    assert "interval" not in degraded


def test_a_classifier(serve):
    outputs = (Output("p", 0.5, TERMS, "logistic"),)
    classifier = Model(("a", "kind"), INPUTS, outputs, classes=("no", "yes"), sections={"cascade/1": CASCADE})
    serve(classifier)
    answer = handler({"a": -1.0, "kind": "red"})
    wanted = predict(classifier, {"a": -1.0, "kind": "red"})
    assert answer == {"status": "ok", "label": "no", "values": {"p": wanted.values[0]}, "verdict": "no"}
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"b": 1}, "with names among a, kind"),
        ({}, "the event is no reading"),
        ("text", "the event is no reading"),
        (None, "the event is no reading"),
        ([1], "the event is no reading"),
        ({"requestContext": {}, "body": "{}"}, "the event is no reading"),
        ([{"a": 1}] * 10_001, "has 10001 readings; up to 10000"),
    ],
)
def test_events_that_are_refused(serve, event, message):
    serve(model())
    with pytest.raises(ValueError, match=message):
        handler(event)


def test_models_that_are_refused(serve, tmp_path, monkeypatch):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0, stream=("lag", "a", 1)))
    serve(Model(("a", "b"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),)))
    for _ in range(2):  # at every event, as a platform tries again
        with pytest.raises(ValueError, match="use score or mqtt"):
            handler({"a": 1.0})
    (tmp_path / "heat.json").write_text("{")
    with pytest.raises(ModelFormatError, match=r"heat\.json is not JSON"):
        handler({"a": 1.0})
    monkeypatch.setenv("EDGE_LASSO_MODEL", str(tmp_path / "absent.json"))
    with pytest.raises(FileNotFoundError):
        handler({"a": 1.0})


def test_a_folder_as_platforms_unpack_it(tmp_path):
    package = Path(edge_lasso_runtime.__file__).parent
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    save(model(), tmp_path / "model.json")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom edge_lasso_runtime.function import handler\n"
        "print(handler({'a': 0.5, 'kind': 'green'})['values']['y'])\n"
        "print(sorted({'json', 're', 'typing', 'asyncio', 'argparse', 'dataclasses'} & set(sys.modules)))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "EDGE_LASSO_MODEL"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", script],
        cwd="/", env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    value, heavy = done.stdout.splitlines()
    assert float(value) == 2.5
    assert heavy == "[]", "a cold start imports nothing that is slow"
