"""`score --adapt`: a correction that follows a sensor that has moved, and never leaves its bounds."""

import json
import math
import random
import signal
import subprocess
import sys
import time

import pytest
from brokers import Broker, Peer, bridging

from edge_lasso.commands.main import main
from edge_lasso_devices.build import find_compiler
from edge_lasso_exporters import adapt_c
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save
from edge_lasso_runtime.adapt import Adapter
from edge_lasso_runtime.rows import RowError
from edge_lasso_runtime.step import start, step


def model():
    inputs = (Input("a", 0, 0.0, -5.0, 5.0), Input("b", 1, 100.0, 90.0, 110.0))
    terms = (Term(2.0, (Factor(0),)), Term(-0.5, (Factor(1),)))
    return Model(("a", "b"), inputs, (Output("y", 50.0, terms),))


def rows(count, truth, seed=3):
    rng = random.Random(seed)
    for _ in range(count):
        a, b = rng.uniform(-5, 5), rng.uniform(90, 110)
        yield {"a": a, "b": b}, truth(a, b) + rng.gauss(0, 0.05)


def errors(kind, within, truth, count=600):
    """Errors of the signed model and of the corrected one, of the last 100 rows; and the largest correction."""
    adapter, state = Adapter(model(), kind, within), start(model())
    signed, corrected, largest = [], [], 0.0
    for row, y in rows(count, truth):
        result, state = step(model(), state, row)
        before = result.values[0]
        largest = max(largest, abs(adapter.correct(result, state.inputs)[0]))
        signed.append(abs(y - before))
        corrected.append(abs(y - result.values[0]))
        adapter.learn(result, state.inputs, [y])
    return max(signed[-100:]), max(corrected[-100:]), largest


def shifted(a, b):
    return 1.1 * (50.0 + 2.0 * a - 0.5 * b) + 1.5


def tilted(a, b):
    return 50.0 + 2.3 * a - 0.55 * b + 4.0


def test_offset_and_gain_follow_a_plant_that_moved():
    before, after, _ = errors("offset", 8.0, shifted)
    assert before > 2.0
    assert after < 0.3


def test_all_coefficients_follow_what_offset_and_gain_cannot():
    before, after, _ = errors("all", 12.0, tilted)
    assert before > 0.8
    assert after < 0.3
    assert errors("offset", 12.0, tilted)[1] > 2.0 * after


@pytest.mark.parametrize("kind", ["offset", "all"])
@pytest.mark.parametrize("lie", [1e30, -1e30, math.inf, 0.0, "wild", "constant"])
def test_no_truth_leads_out_of_the_bound(kind, lie):
    """Truths without sense, readings beyond their ranges, inputs that never move: the correction stays within 0.75."""
    adapter, state, rng = Adapter(model(), kind, 0.75), start(model()), random.Random(4)
    for _ in range(1000):
        row = (
            {"a": rng.uniform(-50, 50), "b": rng.choice([90.0, 1e6, -1e6])} if lie != "constant" else {"a": 1, "b": 95}
        )
        result, state = step(model(), state, row)
        signed = result.values[0]
        [correction] = adapter.correct(result, state.inputs)
        assert abs(correction) <= 0.75
        assert result.values[0] == signed + correction
        truth = rng.choice([-1e9, 1e9, 0.0]) if lie in ("wild", "constant") else lie
        adapter.learn(result, state.inputs, [truth if math.isfinite(truth) else None])
    for estimate in adapter.to_dict()["filters"]:
        assert sum(map(abs, estimate["theta"])) <= 1.0 + 1e-12
        assert all(math.isfinite(value) for row in estimate["variance"] for value in row)


def test_degraded_rows_and_rows_without_truth_change_nothing():
    adapter, state = Adapter(model(), "all", 1.0), start(model())
    fresh = adapter.to_dict()
    for row, truths in (({"a": None, "b": 95.0}, [1.0]), ({"a": 1.0, "b": 95.0}, [None])):
        result, state = step(model(), state, row)
        adapter.learn(result, state.inputs, truths)
    assert adapter.to_dict() == fresh


def score(folder, *options, lines, status=0):
    command = [sys.executable, "-m", "edge_lasso_runtime", "score", str(folder / "model.json"), *options]
    done = subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return list(map(json.loads, done.stdout.splitlines())) if status == 0 else done.stderr


def test_it_is_off_by_default_and_goes_on_where_the_state_is(tmp_path):
    save(model(), tmp_path / "model.json")
    lines = [json.dumps({**row, "y": y}) + "\n" for row, y in rows(300, shifted)]
    plain = score(tmp_path, lines=lines)
    assert "corrected_by" not in plain[0]
    options = ("--adapt", "offset", "--within", "8")
    whole = score(tmp_path, *options, lines=lines)
    assert whole[0]["values"] == plain[0]["values"]
    assert abs(whole[-1]["corrected_by"]["y"]) > 1.0
    state = ("--state", str(tmp_path / "state.json"))
    parts = score(tmp_path, *options, *state, lines=lines[:100]) + score(tmp_path, *options, *state, lines=lines[100:])
    assert parts == whole
    other = score(tmp_path, "--adapt", "offset", "--within", "3", *state, lines=lines[:1])
    assert other[0]["corrected_by"]["y"] == 0.0, "another bound: what was learned under the first is not taken over"
    said = score(tmp_path, "--adapt", "offset", lines=lines, status=2)
    assert said == (
        "edge_lasso_runtime: error: --adapt needs --within R, more than 0: the largest correction, in the output's unit\n"
    )


def test_what_cannot_be_corrected_is_refused():
    logistic = model().replace(classes=("no", "yes"), outputs=(model().outputs[0].replace(link="logistic"),))
    with pytest.raises(RowError, match="models of numbers with a plain link"):
        Adapter(logistic, "all", 1.0)
    with pytest.raises(RowError, match="'some' is unknown; allowed are offset, all"):
        Adapter(model(), "some", 1.0)


@pytest.mark.needs("mosquitto", "module:paho")
def test_a_bridge_corrects_what_it_publishes(tmp_path):
    """As `score` does, across a restart; rows whose truth comes among the readings."""
    save(model(), tmp_path / "model.json")
    adapter, state, expected = Adapter(model(), "offset", 8.0), start(model()), []
    data = [({**row, "y": y}) for row, y in rows(120, shifted)]
    for row in data:
        result, state = step(model(), state, row)
        [correction] = adapter.correct(result, state.inputs)
        adapter.learn(result, state.inputs, [row["y"]])
        expected.append((result.values[0], correction))
    assert abs(expected[-1][1]) > 0.5
    broker = Broker(tmp_path / "broker")
    try:
        reader, sensors = Peer(broker, "reader", "out/plant/#"), Peer(broker, "sensors")
        options = ("--adapt", "offset", "--within", "8")
        with bridging(broker, tmp_path, *options) as process:
            while reader.heard.get(timeout=60)[0] != "out/plant/status":
                pass
            for row in data[:70]:
                sensors.publish("sensors/plant", json.dumps(row))
            time.sleep(0.2)
            process.kill()  # what it had not acknowledged comes again, to the state before it
        with bridging(broker, tmp_path, *options):
            for row in data[70:]:
                sensors.publish("sensors/plant", json.dumps(row))
            found = reader.results(120)
        assert [(line["values"]["y"], line["corrected_by"]["y"]) for line in found] == expected
        for peer in (reader, sensors):
            peer.close()
    finally:
        broker.stop(signal.SIGKILL)


@pytest.mark.needs("cc")
@pytest.mark.parametrize("kind", ["offset", "all"])
def test_c_corrects_as_the_runtime_does(kind, tmp_path, monkeypatch, capsys):
    """Bit for bit in double, which export tries itself; in float within its bound, whatever truths come."""
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "cache"))
    save(model(), tmp_path / "model.json")
    words = ["export", str(tmp_path / "model.json"), "--to", "c:double", "--name", "m", "--adapt", kind, "--out"]
    assert main([*words, str(tmp_path / "out"), "--within", "0.75"]) == 0
    header = (tmp_path / "out" / "m_adapt.h").read_text()
    (tmp_path / "main.c").write_text(
        '#define M_ADAPT_REAL float\n#include "out/m_adapt.h"\n#include <stdio.h>\n'
        "int main(void)\n{\n    static m_adapter memory;\n    float x[2], z = 1.0f, most = 0.0f, c;\n    int t;\n"
        "    m_adapt_start(&memory);\n    for (t = 0; t < 5000; t++) {\n"
        "        x[0] = (float)(t % 11 - 5) * (t % 97 ? 1.0f : 1e30f); x[1] = 90.0f + (float)(t % 21);\n"
        "        c = m_adapt_correction(&memory, 0, x, z);\n        most = (c < 0.0f ? -c : c) > most ? (c < 0.0f ? -c : c) : most;\n"
        "        m_adapt_learn(&memory, 0, x, z, t % 3 ? 5.0f : t % 7 ? 1e38f : -1e38f * 10.0f);\n    }\n"
        '    printf("%.9g\\n", (double)most);\n    return 0;\n}\n'
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-overflow", "-ffp-contract=off"]
    subprocess.run([*find_compiler(), *flags, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    most = float(subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True).stdout)
    assert 0.5 < most <= 0.75 * (1.0 + 1e-6)
    assert main([*words, str(tmp_path / "none")]) == 2
    assert "--adapt needs --within R" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    monkeypatch.setattr(adapt_c, "TEXT", adapt_c.TEXT.replace("gain[i] * error / scale", "error / scale * gain[i]"))
    assert main([*words, str(tmp_path / "none"), "--within", "0.75"]) == 2
    assert "which is not what the runtime gives" in " ".join(capsys.readouterr().err.split())
    assert "gain[i] * error / scale" in header
