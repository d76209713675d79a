"""Drift: the same counts as a board, verdicts that few rows do not give, and every way a digest comes in."""

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import edge_lasso
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.watching.drift import count, drift
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, load, loads, model_hash, save, snapshot
from edge_lasso_runtime.drift import digest
from edge_lasso_runtime.step import start, step

NAMES = ("a", "b", "c")
EDGES = [-1.1503, -0.6745, -0.3186, 0.0, 0.3186, 0.6745, 1.1503]  # the normal distribution's eighths


def model(score=True):
    inputs = [Input(name, i, 0.0, -6.0, 6.0) for i, name in enumerate(NAMES)]
    inputs.append(Input("a.lag1", 3, 0.0, -6.0, 6.0, stream=("lag", "a", 1)))
    outputs = tuple(Output(name, 0.0, (Term(0.5, (Factor((i + 1) % 3),)),)) for i, name in enumerate(NAMES))
    outputs = (outputs[0], outputs[1].replace(terms=(*outputs[1].terms, Term(0.1, (Factor(3),)))), outputs[2])
    readings = [{"input": name, "edges": EDGES, "parts": [0.125] * 8, "missing": 0.01} for name in NAMES]
    sections = {"drift/1": {"readings": readings}}
    if score:
        watched = [{"reading": name, "centre": 0.0, "scale": 1.1, "slow": 0.4, "weight": 1.0} for name in NAMES]
        sections["detector/1"] = {
            "watched": watched, "smoothing": 0.2, "clip": 8.0, "track": 0, "fast": 0.0, "warm_up": 5, "threshold": {"score": 4.0, "row_rate": 0.01, "hold": 5},
        }  # fmt: skip
        edges = [0.75, 0.95, 1.2]
        sections["drift/1"]["score"] = {"edges": edges, "parts": [0.25] * 4}
        sections["drift/1"]["page_hinkley"] = {"mean": 1.0, "deviation": 0.2, "allowance": 0.5, "limit": 100.0}
    columns = (*NAMES, "a.lag1")
    return loads(
        dumps(Model(columns, tuple(inputs), outputs, sections=sections, provenance={"data": {"rows": 50_000}}))
    )


def normal(rows, seed=0, **moved):
    x = np.random.default_rng(seed).normal(size=(rows, 3))
    frame = pd.DataFrame(x, columns=NAMES)
    for name, by in moved.items():
        frame[name] += by
    return frame


def stepped(one, frame):
    state = start(one)
    for row in frame.to_numpy().tolist():
        step(one, state, row)
    return state


@pytest.fixture
def file(tmp_path):
    save(model(), tmp_path / "model.json")
    return str(tmp_path / "model.json")


@pytest.mark.parametrize("score", [True, False])
def test_a_table_is_counted_as_the_board_counts(score):
    one = model(score)
    frame = normal(3000, b=0.4)
    frame.loc[::7, "a"] = np.nan
    frame.loc[5, "c"] = 1e300
    frame.loc[6, "c"] = EDGES[2]
    state, counters = count(one, frame)
    assert counters.to_dict() == stepped(one, frame).drift.to_dict()
    assert (state is None) == (not score)


def test_which_input_moved_and_what_to_do(file, tmp_path, capsys):
    normal(3000).to_csv(tmp_path / "same.csv", index=False)
    assert main(["drift", file, str(tmp_path / "same.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["verdict"] for one in found["readings"]] == ["stable"] * 3
    frame = normal(3000, b=0.9)
    frame.loc[::4, "c"] = np.nan
    frame.to_csv(tmp_path / "moved.csv", index=False)
    assert main(["drift", file, str(tmp_path / "moved.csv")]) == 1
    out = capsys.readouterr().out
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.split()}
    assert lines["b"][-1] == "moved"
    assert lines["c"][-1] == "missing"
    assert lines["c"][3] == "25.0%"
    assert lines["a"][-1] == "stable"
    assert "look after c: missing more often than in training" in out


def test_without_a_score_a_move_asks_to_retrain():
    found = drift_of(model(score=False), normal(3000, b=0.9))
    assert found.advice == "retrain, or check b: readings are not where they were in training"
    assert found.moved
    assert not found.worse
    found = drift_of(model(score=False), normal(3000))
    assert (found.moved, found.advice) == (False, "stable: no reason to retrain")


def drift_of(one, frame):
    state = stepped(one, frame)
    return drift(one, digest(one, state.drift, state.detector.onsets if state.detector else 0).hex())


def test_residuals_that_rise_ask_to_retrain():
    one = model()
    frame = normal(3000)
    frame["a"] = frame["a"] * 0.3 - 0.9 * frame["b"]  # readings in their ranges, and another relation
    found = drift_of(one, frame)
    assert found.worse
    assert found.advice.endswith("retrain: the sensors agree less than they did in training")


def test_a_score_that_is_lower_is_no_reason_to_say_that_sensors_agree_less():
    one, frame = model(), normal(3000)
    frame["b"], frame["c"] = frame["a"] / 0.5, frame["a"] / 0.5  # a and b are predicted exactly
    frame["a"] = 0.5 * frame["b"]
    for found in (drift_of(one, frame), drift(one, digest(one, stepped(one, frame).drift).hex())):
        assert found.score.verdict == "moved"
        assert (found.higher, found.worse, found.moved) == (False, False, True)
        assert "agree less" not in found.advice


def test_rows_of_a_score_that_belong_together_count_as_one():
    one = model()
    hold = one.sections["detector/1"]["threshold"]["hold"]
    assert drift_of(one, normal(400)).score.chance == pytest.approx(chi2.ppf(0.99, 3) / (400 // hold) + 0.5 / 40)
    one.sections["drift/1"]["page_hinkley"]["limit"] = 1e6
    one.sections["detector/1"]["threshold"]["hold"] = 30
    found = drift_of(one, normal(150, b=0.9))
    assert found.score.verdict == "too few rows"
    assert found.advice == "b moved; the rows are too few to tell whether the residuals did"
    assert not found.worse
    assert drift_of(one, normal(150, b=5.0)).worse


def regression():
    inputs = (Input("a", 0, 0.0, -6.0, 6.0), Input("kind", 1, 0.0, 0.0, 1.0, categories=("x", "y")))
    terms = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(1, category=1),)))
    section = {
        "readings": [{"input": "a", "edges": EDGES, "parts": [0.125] * 8, "missing": 0.0}],
        "score": {"edges": [-1.0, 0.5, 2.0], "parts": [0.25] * 4},
        "page_hinkley": {"mean": 0.1, "deviation": 0.1, "allowance": 0.5, "limit": 100.0},
    }
    return loads(dumps(Model(("a", "kind"), inputs, (Output("t", 0.5, terms),), sections={"drift/1": section})))


def test_a_table_with_the_truth_says_whether_predictions_err_more(tmp_path, capsys):
    one = regression()
    save(one, tmp_path / "model.json")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=2000), "kind": rng.choice(["x", "y"], 2000)})
    frame["t"] = 2.0 * frame["a"] + (frame["kind"] == "y") + 0.5 + 0.1 * rng.normal(size=2000)
    said = {}
    for name, data in (
        ("same", frame), ("worse", frame.assign(t=frame["t"] + 1.0)), ("moved", frame.assign(a=frame["a"] + 1, t=frame["t"] + 2)),
        ("unknown", frame.drop(columns="t").assign(a=frame["a"] + 1)),
    ):  # fmt: skip
        data.to_csv(tmp_path / f"{name}.csv", index=False)
        code = main(["drift", str(tmp_path / "model.json"), str(tmp_path / f"{name}.csv")])
        out = capsys.readouterr().out
        said[name] = code, out.splitlines()[-1]
        assert ("level of the error: risen by" in out) == (name != "unknown")
        assert "score" not in out
    assert said["same"] == (0, "stable: no reason to retrain")
    assert said["worse"] == (1, "retrain: predictions err more than they did in training")
    assert said["moved"][1].startswith("a, the predictions moved, but the errors did not: the model still holds")
    assert said["unknown"][1].startswith("retrain, or check a, the predictions: ")


@pytest.mark.parametrize("rows", [0, 1, 20, 50])
def test_few_rows_prove_nothing(rows):
    found = drift_of(model(score=False), normal(rows, b=5.0))
    assert [one.verdict for one in found.readings] == ["too few rows"] * 3
    assert not found.moved
    assert found.advice == "nothing can be said yet: too few rows"
    assert "too few to tell a move from chance; it takes" in found.notes[0]


def test_chance_alone_is_rarely_called_a_move():
    """With independent rows, an index above its limit comes in one of a hundred."""
    one = model(score=False)
    beyond = [
        reading.index > reading.chance for seed in range(200) for reading in drift_of(one, normal(400, seed)).readings
    ]
    assert np.mean(beyond) < 0.03
    assert np.mean([one.index for one in drift_of(one, normal(400)).readings]) > 0.0


def test_every_way_a_digest_comes_in(file, tmp_path, capsys):
    one = model()
    state = stepped(one, normal(500, b=1.5))
    data = digest(one, state.drift, state.detector.onsets)
    (tmp_path / "raw").write_bytes(data)
    (tmp_path / "hex").write_text(f"digest: {data.hex()}\n")
    (tmp_path / "base64").write_text(base64.b64encode(data).decode() + "\n")
    snapshot.save(str(tmp_path / "state.json"), model_hash(one), {"state": state.to_dict(), "more": {}})
    seen = []
    for source in (
        data.hex(), base64.b64encode(data).decode(), *(str(tmp_path / name) for name in ("raw", "hex", "base64", "state.json"))
    ):  # fmt: skip
        assert main(["drift", file, source, "--json"]) == 1
        seen.append(json.loads(capsys.readouterr().out))
    assert all(one == seen[0] for one in seen[:-1])
    assert seen[-1]["source"] == "snapshot"
    for kept, sent in zip(seen[-1]["readings"], seen[0]["readings"], strict=True):
        assert kept["name"] == sent["name"]
        assert kept["index"] == pytest.approx(sent["index"], abs=0.5 / 40)
        assert kept["missing"] == pytest.approx(sent["missing"], abs=0.5 / 255)
    assert seen[0]["rows"] == 500
    assert seen[0]["onsets"] == state.detector.onsets
    assert "a part of" not in "".join(seen[0]["notes"])


def test_a_short_table_is_said_to_be_short():
    assert "100 rows beside 50,000 of training" in drift_of(model(score=False), normal(100)).notes[0]


def test_what_is_refused(file, tmp_path, capsys):
    one = model()
    other = one.replace(outputs=(one.outputs[0].replace(intercept=0.5), *one.outputs[1:]))
    state = start(other)
    snapshot.save(str(tmp_path / "state.json"), model_hash(other), {"state": state.to_dict(), "more": {}})
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_csv(tmp_path / "two.csv", index=False)
    for source, text in (
        ("nothing.csv", "'nothing.csv' is neither a file nor a digest"),
        ("", "'' is neither a file nor a digest"),
        (digest(other, state.drift).hex(), "the digest is of another model"),
        (digest(one, start(one).drift).hex()[:-2], "this is no digest of a model with 3 readings"),
        (str(tmp_path / "state.json"), "is of another model ("),
        (str(tmp_path / "two.csv"), "column 'c' is not in two.csv"),
    ):
        assert main(["drift", file, source]) == 2
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1
    with pytest.raises(
        DataError,
        match=r"has no training histograms .* keep its .stats.npz beside it, or train it with --sections estimate,health,drift",
    ):
        drift(one.replace(sections={}), "00")


@pytest.mark.parametrize("command", ["train", "classify"])
def test_a_model_that_counts_nothing_has_histograms_in_its_statistics(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(1500, 3)), columns=list("abc"))
    table["y"] = table["a"] - table["b"] + 0.1 * rng.normal(size=1500)
    if command == "classify":
        table["y"] = np.where(table["y"] > 0.0, "yes", "no")
    table[:1000].to_csv("t.csv", index=False)
    table[1000:].to_csv("same.csv", index=False)
    table.assign(b=table["b"] + 2.0).to_csv("moved.csv", index=False)
    assert main([command, "t.csv", "--target", "y", "--out", "m.json"]) == 0
    assert "drift/1" not in load("m.json").sections
    assert main(["drift", "m.json", "same.csv"]) == 0
    capsys.readouterr()
    assert main(["drift", "m.json", "moved.csv", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {entry["name"]: entry["verdict"] for entry in report["readings"]}["b"] == "moved"
    assert edge_lasso.drift("m.json", table[:1000]).moved is False
    trained = load("m.json")
    snapshot.save("state.json", model_hash(trained), {"state": start(trained).to_dict(), "more": {}})
    assert main(["drift", "m.json", "state.json"]) == 2
    assert "a board with this model counts nothing" in capsys.readouterr().err
    if command == "train":
        assert main(["prune", "m.json", "--max-inputs", "1", "--out", "p.json"]) == 0
        capsys.readouterr()
        assert main(["drift", "p.json", "same.csv", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["readings"]) == 1
    Path("m.stats.npz").unlink()
    assert main(["drift", "m.json", "same.csv"]) == 2
    assert "keep its .stats.npz beside it" in capsys.readouterr().err
