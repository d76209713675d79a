"""The JavaScript artifact as a node of Node-RED, run in Node-RED itself."""

import json
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso_exporters import node_red, registry
from edge_lasso_exporters.stateful_reference import replay
from edge_lasso_runtime import model_hash, predict
from edge_lasso_runtime.stream import readings

RUN = Path(__file__).resolve().parents[1] / "tools" / "node_red.cjs"
NEEDS = pytest.mark.needs("node", "node:node-red")


def install(model, folder, variant="double", name="plant_room"):
    """The artifact as a package of a user of Node-RED."""
    package = folder / "node_modules" / node_red.node_type(name)
    shutil.rmtree(package, ignore_errors=True)
    for file, data in registry.render(model, "js", variant, name=name).items():
        path = package / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def run(folder, messages, name="plant_room"):
    """Results and errors of messages."""
    (folder / "rows.json").write_text(json.dumps(messages))
    path = Path(os.environ["EDGE_LASSO_NODE_MODULES"], "node-red")
    done = subprocess.run(
        ["node", RUN, path, folder, node_red.node_type(name), folder / "rows.json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def detector(stateful_model, variant="double"):
    model = stateful_model(2, plain=True, categories=False, detector=True, track=5, streams=6, health=True)
    return quantize(model, to="int16") if variant == "fixed" else model


def rows_of(model, count):
    """Troubled rows, and messages that bring them."""
    rows = sequences(model, seed=1)[3][:count]
    names = [model.inputs[i].name for i in readings(model)]
    values = [[x if math.isfinite(x) else None for x in row] for row in rows]
    return rows, [{"payload": dict(zip(names, row, strict=True))} for row in values]


@NEEDS
@pytest.mark.parametrize("variant", ["double", "fixed"])
def test_what_it_remembers_survives_a_restart(tmp_path, stateful_model, variant):
    """In a store that writes JSON: each result is the reference's, which was never interrupted; reset starts anew."""
    model = detector(stateful_model, variant)
    install(model, tmp_path, variant)
    rows, messages = rows_of(model, 40)
    results = []
    for part in (messages[:3], messages[3:25], [*messages[25:], {**messages[0], "reset": True}]):
        told = run(tmp_path, part)
        assert told["errors"] == [None] * len(part)
        results += told["results"]
    expected = replay(model, rows, variant == "fixed")
    expected.append(expected[0])
    for result, step in zip(results, expected, strict=True):
        assert (result["score"], result["alarm"], result["status"]) == (step.score, step.alarm, step.status)
        assert (result["value"], result["faults"]) == (
            step.values if len(step.values) > 1 else step.values[0],
            step.faults,
        )
    assert len({step.score for step in expected}) > 10
    assert {step.alarm for step in expected} == {False, True}


@NEEDS
def test_another_models_state_is_not_used(tmp_path, stateful_model):
    model = detector(stateful_model)
    install(model, tmp_path)
    rows, messages = rows_of(model, 12)
    scores = [step.score for step in replay(model, rows, False)]
    assert [result["score"] for result in run(tmp_path, messages)["results"]] == scores
    other = model.replace(outputs=(model.outputs[0].replace(unit="other"), *model.outputs[1:]))
    assert model_hash(other) != model_hash(model)
    install(other, tmp_path)
    assert [result["score"] for result in run(tmp_path, messages)["results"]] == scores


@NEEDS
def test_a_model_without_a_past(tmp_path, simple):
    """A payload that is no row is an error of that message; the next is answered."""
    install(simple, tmp_path)
    payloads = [{"a": 1.0, "b": -2.0}, 7, None, [1, 2], {"a": 9.0}]
    told = run(tmp_path, [{"payload": payload} for payload in payloads])
    assert [result["value"] for result in told["results"]] == [
        predict(simple, row).values[0] for row in (payloads[0], payloads[-1])
    ]
    assert [result["status"] for result in told["results"]] == ["ok", "degraded: a, b"]
    wrong = "msg.payload has to be an object of readings by name"
    assert told["errors"] == [None, wrong, wrong, wrong, None]


HTML = "</li></script><script>alert(1)</script>@TYPE@"


@NEEDS
def test_it_is_in_the_palette(tmp_path, nasty):
    """Node-RED serves the page, whatever the readings are called."""
    install(nasty(HTML), tmp_path)
    told = run(tmp_path, [{"payload": {HTML: 1.0}}])
    assert told["errors"] == [None]
    assert told["page"].count("<script") == told["page"].count("</script>") == 3


def test_names_cannot_inject(nasty, nasty_name):
    model = nasty(nasty_name)
    page = registry.render(model, "js", "double")["node-red.html"].decode("ascii")
    assert all(c.isprintable() or c == "\n" for c in page)
    assert [len(re.findall(text, page)) for text in ("<script", "</script>", "<li>.+</li>\n")] == [
        3,
        3,
        len(model.inputs),
    ]


@pytest.mark.parametrize(("version", "npm"), [
    ("1.4.0", "1.4.0"), ("1.4", "1.4.0"), ("2026.11.28", "2026.11.28"), ("2026.01.02", "2026.1.2"), ("1.4.0-rc.1", "1.4.0-rc.1"),
    ("v7", "0.0.0+v7"), ("1.2.3.4", "1.2.3+4"), ("1.0.0-01", "1.0.0+-01"), ("2+dirty..x", "2.0.0+dirty.x"),
])  # fmt: skip
def test_versions_that_npm_takes(simple, version, npm):
    files = registry.render(simple, "js", "double", version=version)
    assert json.loads(files["package.json"])["version"] == npm
    assert node_red.SEMVER.fullmatch(npm)


def test_the_package(simple):
    about = json.loads(registry.render(simple, "js", "double", name="Air_2")["package.json"])
    assert about["name"] == "edge-lasso-air-2"
    assert about["node-red"] == {"nodes": {"edge-lasso-air-2": "node-red.js"}}
    assert about["main"] == "Air_2.mjs"
