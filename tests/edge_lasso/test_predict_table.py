"""Predicting a table gives what the reference gives row by row, bit for bit, and a file that is whole or not there."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.predicting.predict_table import Predicted, linear_rows, link_rows, predict_table
from edge_lasso.tables.tables import model_rows
from edge_lasso_runtime import predict, save
from edge_lasso_runtime.__main__ import main as board
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

NAN, INF = float("nan"), float("inf")
COEF = st.floats(-1e6, 1e6).filter(bool)


@st.composite
def models(draw):
    """Models of every shape: products, powers, categories, clamping, several outputs, classifiers."""
    count = draw(st.integers(1, 4))
    inputs = []
    for i in range(count):
        if draw(st.booleans()) and i:
            inputs.append(Input(f"x{i}", i, None, None, None, categories=("a", "b, c", "d")))
        else:
            low, default, high = sorted(draw(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3)))
            inputs.append(Input(f"x{i}", i, default, low, high))

    def factor():
        i = draw(st.integers(0, count - 1))
        return Factor(i, None if inputs[i].categories is None else draw(st.integers(0, 2)))

    def output(name, link):
        terms = [
            Term(draw(COEF), tuple(factor() for _ in range(draw(st.integers(1, 3)))))
            for _ in range(draw(st.integers(0, 5)))
        ]
        return Output(name, draw(st.floats(-1e6, 1e6)), tuple(terms), link)

    kind = draw(st.sampled_from(["regression", "several", "binary", "softmax"]))
    classes = {"binary": ("no", 'yes, "sir"'), "softmax": ("p", "q", "r")}.get(kind)
    names = {"several": ["u", "v"], "softmax": ["p", "q", "r"]}.get(kind, ["y"])
    link = {"binary": "logistic", "softmax": "softmax"}.get(kind, "identity")
    policy = draw(st.sampled_from(["extrapolate", "clamp"]))
    return Model(
        tuple(one.name for one in inputs), tuple(inputs), tuple(output(n, link) for n in names), policy, classes
    )


READING = st.one_of(
    st.floats(-2e3, 2e3), st.sampled_from([NAN, INF, -INF, 0.0, -0.0, 1.0, 2.0, 3.0, 1.5, 2.0**100, 1e300, 5e-324])
)


@settings(max_examples=150)
@given(models(), st.data())
def test_every_row_is_what_the_reference_says(model, data):
    rows = data.draw(st.lists(st.lists(READING, min_size=len(model.inputs), max_size=len(model.inputs)), max_size=12))
    block = np.array(rows, dtype=np.float64).reshape(len(rows), len(model.inputs))
    linear, degraded = linear_rows(model, block)
    values = link_rows(model, linear)
    for row, z, value, bad in zip(rows, linear, values, degraded, strict=True):
        wanted = predict(model, row)
        assert [x.hex() for x in z.tolist()] == [x.hex() for x in wanted.linear]
        assert ("degraded" if bad else "ok") == wanted.status
        assert value.tolist() == pytest.approx(wanted.values, rel=1e-13, abs=1e-300)


@settings(max_examples=40)
@given(models(), st.data())
def test_the_file_holds_the_predictions_exactly(tmp_path_factory, model, data):
    folder = tmp_path_factory.mktemp("predict")
    rows = data.draw(st.lists(st.lists(st.floats(-2e3, 2e3), min_size=len(model.inputs), max_size=len(model.inputs)), min_size=1, max_size=6))  # fmt: skip
    table = pd.DataFrame(rows, columns=[one.name for one in model.inputs])
    for one in model.inputs:
        if one.categories is not None:
            table[one.name] = [[*one.categories, "new", None][int(abs(x)) % 5] for x in table[one.name]]
    table.to_csv(folder / "in.csv", index=False)
    counts = predict_table(model, folder / "in.csv", folder / "out.csv")
    lines = list(csv.DictReader(io.StringIO((folder / "out.csv").read_text())))
    assert counts.rows == len(lines) == len(rows)
    assert counts.degraded == sum(line["status"] == "degraded" for line in lines)
    for row, line in zip(table.to_dict("records"), lines, strict=True):
        wanted = predict(model, row)
        if model.classes is None:
            assert list(line) == [*(one.name for one in model.outputs), "status", "faults"]
            assert [float(line[one.name]) for one in model.outputs] == wanted.linear
        else:
            assert next(iter(line)) == "label"
            assert line["label"] == wanted.label
            chances = [float(line[f"probability of {name}"]) for name in model.classes[-len(model.outputs) :]]
            assert chances == pytest.approx(wanted.values, rel=1e-13, abs=1e-300)
        assert line["status"] == wanted.status
        assert line["faults"] == "; ".join(f"{name}: {fault}" for name, fault in wanted.faults.items())


def plain():
    terms = (Term(2.0, (Factor(0),)), Term(-0.1, (Factor(1),)))
    return Model(("a", "b"), (Input("a", 0, 0.5, -1.0, 1.0), Input("b", 1, 3.0, 0.0, 9.0)), (Output("y", 1.0, terms),))


def test_what_is_written(tmp_path, capsys):
    table = tmp_path / "in.csv"
    table.write_text("other,b,a\nx,1,0.5\ny,,0.2\nz,5,-7\n")
    assert predict_table(plain(), table) == Predicted(3, 2, "numpy")
    printed = capsys.readouterr().out
    assert printed == (
        "y,status,faults\n1.9,ok,\n1.0999999999999999,degraded,b: missing\n-13.5,degraded,a: out of range\n"
    )
    predict_table(plain(), table, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode() == printed


SECTIONS = {
    "interval/1": {
        "level": 0.9, "low": [-1.0], "high": [1.5], "coverage": [0.9], "blocks": [0.8, 1.0],
        "rows": {"calibration": 100, "check": 50},
    },
    "cascade/1": {
        "yes": 0, "low": -0.1, "high": 0.4, "miss": 0.01, "false_alarm": 0.1, "confidence": 0.9,
        "rows": {"calibration": 100, "check": 50}, "goes_on": {"predicted": 0.2, "found": 0.2}, "found": {},
    },
}  # fmt: skip


def subjects():
    two = plain().replace(outputs=(*plain().outputs, Output("z", 0.5, plain().outputs[0].terms[:1])))
    logistic = plain().replace(outputs=(plain().outputs[0].replace(link="logistic"),), classes=("no", "yes"))
    three = tuple(Output(name, 0.1 * k, plain().outputs[0].terms, "softmax") for k, name in enumerate("pqr"))
    return {
        "regression": plain(), "several outputs": two, "clamped": plain().replace(policy="clamp"), "classes": logistic,
        "three classes": plain().replace(outputs=three, classes=("p", "q", "r")),
        "interval": plain().replace(sections={"interval/1": SECTIONS["interval/1"]}),
        "first stage": logistic.replace(sections={"cascade/1": SECTIONS["cascade/1"]}),
    }  # fmt: skip


@pytest.mark.parametrize("name", subjects())
def test_the_workbench_writes_what_a_board_writes(name, tmp_path):
    model = subjects()[name]
    save(model, tmp_path / "model.json")
    rows = "a,b\n0.5,1\n,5\n7,\n-7,3\n0.1,8.5\n-0.2,9.5\n-0.9,0\nx,y\n"
    (tmp_path / "in.csv").write_text(rows + "0.25,4\n" * 60)
    arguments = ["predict", str(tmp_path / "model.json"), str(tmp_path / "in.csv")]
    arguments += ["--interval"] * (name == "interval")
    assert main([*arguments, "--out", str(tmp_path / "workbench.csv")]) == 0
    assert board([*arguments, "--out", str(tmp_path / "board.csv")]) == 0
    ours, theirs = (list(csv.reader(io.StringIO((tmp_path / f).read_text()))) for f in ("workbench.csv", "board.csv"))
    assert ours[0] == theirs[0]
    assert len(ours) == len(theirs) == 69
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert [cell for cell in mine if not is_number(cell)] == [cell for cell in other if not is_number(cell)]
        numbers = [float(cell) for cell in mine if is_number(cell)]
        assert numbers == pytest.approx([float(cell) for cell in other if is_number(cell)], rel=1e-13)


def is_number(cell):
    return cell[-1:].isdigit()


def test_tables_in_memory_and_progress(tmp_path):
    seen = []
    rows = pd.DataFrame({"b": np.zeros(100_000), "a": np.linspace(-1, 1, 100_000)})
    predict_table(plain(), rows, tmp_path / "out.csv", seen.append)
    assert seen[-1] == 100_000
    found = [float(line.split(",")[0]) for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    np.testing.assert_array_equal(found, linear_rows(plain(), model_rows(rows, plain()))[0][:, 0])


def test_nothing_is_written_when_a_row_cannot_be_read(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("as before")
    for text, message in [
        ("a,c\n1,2\n", "column 'b' is not in in.csv; it has 2 columns"),
        ("a,b\n" + "1,2\n" * 9 + "1,broken\n", "column 'b' holds 'broken' (line 11 of in.csv), which is not a number; the model needs numbers there"),
        ("a,b\n", "in.csv has a header and no rows; there is nothing to read"),
    ]:  # fmt: skip
        (tmp_path / "in.csv").write_text(text)
        with pytest.raises(DataError) as caught:
            predict_table(plain(), tmp_path / "in.csv", out)
        assert str(caught.value).startswith(message)
        assert out.read_text() == "as before"
    assert {one.name for one in tmp_path.iterdir()} == {"in.csv", "out.csv"}


def test_nothing_is_left_when_interrupted(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_table(plain(), pd.DataFrame({"a": [1.0], "b": [2.0]}), tmp_path / "out.csv", stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".arrow", ".feather"])
def test_columns_of_numbers_and_words(tmp_path, suffix):
    table = pd.DataFrame({"b": [1.0, None, 5.0], "a": [0.5, 0.2, -7.0]})
    predict_table(plain(), table, tmp_path / f"out{suffix}")
    kind = pa.parquet if suffix in (".parquet", ".pq") else pa.feather
    found = kind.read_table(tmp_path / f"out{suffix}")
    assert found.column_names == ["y", "status", "faults"]
    assert found["y"].to_pylist() == [1.9, 1.0999999999999999, -13.5]
    assert found["status"].to_pylist() == ["ok", "degraded", "degraded"]
    assert found["faults"].to_pylist() == ["", "b: missing", "a: out of range"]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv"])
def test_batches_with_faults_of_their_own_and_kept_text_that_needs_quotes(tmp_path, suffix):
    rows = 300_000
    table = pd.DataFrame({"b": np.full(rows, 1.0), "a": np.full(rows, 0.5), "note": ["x", 'say "a", b'] * (rows // 2)})
    table.loc[5, "a"] = table.loc[rows - 2, "b"] = np.nan
    predict_table(plain(), table, tmp_path / f"out{suffix}", keep=["note"])
    read = {".parquet": pa.parquet.read_table, ".arrow": pa.feather.read_table, ".csv": pa.csv.read_csv}[suffix]
    found = read(tmp_path / f"out{suffix}")
    assert found["note"].to_pylist()[:2] == ["x", 'say "a", b']
    assert {k: text for k, text in enumerate(found["faults"].to_pylist()) if text} == {
        5: "a: missing",
        rows - 2: "b: missing",
    }


def test_suffixes_and_names_that_cannot_be_written(tmp_path):
    table = pd.DataFrame({"b": [1.0], "a": [0.5]})
    with pytest.raises(DataError, match=r"^out.json: predictions are written as .csv, .parquet or .arrow$"):
        predict_table(plain(), table, tmp_path / "out.json")
    model = plain().replace(outputs=tuple(one.replace(name="status") for one in plain().outputs))
    with pytest.raises(DataError, match=r"two columns of the predictions are called 'status'; write them as \.csv"):
        predict_table(model, table, tmp_path / "out.parquet")
    predict_table(model, table, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "status,status,faults\n1.9,ok,\n"
    odd = plain().replace(outputs=(plain().outputs[0].replace(name="carriage\rreturn"),))
    predict_table(odd, table, tmp_path / "out")
    with open(tmp_path / "out", newline="") as file:
        assert next(csv.reader(file)) == ["carriage\rreturn", "status", "faults"]
    assert {one.name for one in tmp_path.iterdir()} == {"out"}


def test_a_model_without_inputs_answers_for_each_row(tmp_path):
    model = Model(("a",), (), (Output("y", 2.5, ()),))
    predict_table(model, pd.DataFrame({"a": ["x"] * 40_000}), tmp_path / "out.arrow")
    assert pa.feather.read_table(tmp_path / "out.arrow")["y"].to_pylist() == [2.5] * 40_000
