"""What a classifier's predictions look like in a file, and predictions that arithmetic pushes to its ends."""

import csv
import gzip
import io
import subprocess
import sys
from contextlib import redirect_stdout

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from edge_lasso.predicting.predict_table import Predicted, linear_rows, link_rows, predict_table
from edge_lasso_runtime import predict, save
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

NAN = float("nan")


def classifier(classes, policy="extrapolate"):
    """One output for two classes, one for each of more."""
    inputs = (
        Input("a", 0, 0.25, -2.0, 2.0),
        Input("kind", 1, None, None, None, categories=("red", "blue, dark")),
    )
    count = 1 if len(classes) == 2 else len(classes)
    outputs = tuple(
        Output(
            name,
            0.1 * m,
            (Term(1.5 - m, (Factor(0),)), Term(0.5 * m - 0.7, (Factor(1, 1),)), Term(-0.3, (Factor(0), Factor(1, 0)))),
            "logistic" if count == 1 else "softmax",
        )
        for m, name in enumerate(["y"] if count == 1 else classes)
    )
    return Model(("a", "kind"), inputs, outputs, policy, tuple(classes))


TABLE = pd.DataFrame({
    "other": ["text"] * 6,
    "kind": ["red", "blue, dark", None, "green", "red", "blue, dark"],
    "a": [0.5, -1.5, 1.0, NAN, 7.0, 1e30],
})  # fmt: skip


@pytest.mark.parametrize("classes", [("no", "yes"), ("p", "q", "r"), ('say "hi"', "a, b"), ("x\ny", "z", "é")])
@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_label_comes_first_and_then_the_probabilities(tmp_path, classes, policy, kind):
    model = classifier(classes, policy)
    path = tmp_path / f"in.{kind}"
    TABLE.to_csv(path, index=False) if kind == "csv" else TABLE.to_parquet(path, index=False)
    counts = predict_table(model, path, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    of = classes[-len(model.outputs) :]
    assert header == ["label", *(f"probability of {name}" for name in of), "status", "faults"]
    assert len(lines) == len(TABLE)
    wanted = [
        predict(model, {k: v for k, v in row.items() if v == v and v is not None}) for row in TABLE.to_dict("records")
    ]
    assert [line[0] for line in lines] == [one.label for one in wanted]
    assert [line[-2] for line in lines] == [one.status for one in wanted] == ["ok", "ok", *["degraded"] * 4]
    assert counts == Predicted(6, 4, "numpy")
    for line, one in zip(lines, wanted, strict=True):
        chances = [float(cell) for cell in line[1:-2]]
        assert chances == pytest.approx(one.values, rel=1e-13, abs=1e-300)
        assert all(0.0 <= chance <= 1.0 for chance in chances)
        assert len(chances) == 1 or sum(chances) == pytest.approx(1.0, rel=1e-12)


def test_a_tie_has_the_label_of_the_reference():
    inputs = (Input("a", 0, 0.0, -1.0, 1.0),)
    two = Model(("a",), inputs, (Output("y", 0.0, (Term(1.0, (Factor(0),)),), "logistic"),), classes=("no", "yes"))
    three = tuple(Output(name, 0.0, (), "softmax") for name in "pqr")
    for model in (two, two.replace(outputs=three, classes=("p", "q", "r"))):
        label = predict(model, [0.0]).label
        with redirect_stdout(io.StringIO()) as out:
            predict_table(model, pd.DataFrame({"a": [0.0, -0.0]}))
        written = [line.split(",")[0] for line in out.getvalue().splitlines()[1:]]
        assert written == [label, label]


def test_probabilities_at_the_ends_stay_numbers():
    model = classifier(("no", "yes"))
    linear = np.array([[0.0], [-745.2], [745.2], [1e308], [-1e308], [36.8], [-36.8]])
    found = link_rows(model, linear)[:, 0]
    assert found[0] == 0.5
    assert np.isfinite(found).all()
    assert ((found >= 0.0) & (found <= 1.0)).all()
    assert found[1:] + link_rows(model, -linear)[1:, 0] == pytest.approx(1.0, rel=1e-15)
    soft = link_rows(
        classifier(("p", "q", "r")), np.array([[1e308, -1e308, 0.0], [-800.0, -800.0, -800.0], [5.0, 5.0 - 1e-9, 0.0]])
    )
    np.testing.assert_allclose(soft.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(soft[0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(soft[1], 1 / 3, rtol=1e-15)


@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
def test_numbers_next_to_a_range_and_to_the_limit(policy):
    inputs = (Input("a", 0, 0.25, -0.1, 0.3), Input("b", 1, 1.0, 0.0, 5.0))
    terms = (Term(0.1, (Factor(0),)), Term(1e-7, (Factor(0), Factor(0), Factor(1))))
    model = Model(("a", "b"), inputs, (Output("y", 1e5, terms),), policy)
    at = [-0.1, 0.3, 0.0, -0.0, model.limit, -model.limit]
    values = [v for one in at for v in (one, np.nextafter(one, np.inf), np.nextafter(one, -np.inf))] + [NAN, np.inf]
    rows = np.array([[x, y] for x in values for y in values])
    linear, degraded = linear_rows(model, rows)
    wanted = [predict(model, row) for row in rows.tolist()]
    assert [x.hex() for x in linear[:, 0].tolist()] == [one.linear[0].hex() for one in wanted]
    assert degraded.tolist() == [one.status == "degraded" for one in wanted]
    assert 0 < degraded.sum() < len(rows)


def test_strided_and_single_precision_rows_give_the_same(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.normal(size=999).astype(np.float32), "b": rng.normal(size=999).astype(np.float32)})
    inputs = (Input("a", 0, 0.0, -9.0, 9.0), Input("b", 1, 0.0, -9.0, 9.0))
    outputs = (Output("y", 0.1, (Term(0.7, (Factor(0), Factor(1))), Term(1 / 3, (Factor(1),)))),)
    model = Model(("a", "b"), inputs, outputs)
    pa.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    predict_table(model, tmp_path / "in.parquet", tmp_path / "out.csv")
    found = [float(line.split(",")[0]) for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    rows = zip(*(table[name].to_pylist() for name in "ab"), strict=True)
    assert found == [predict(model, list(row)).linear[0] for row in rows]
    wide = np.asfortranarray(
        np.column_stack([table["a"].to_numpy(), np.zeros(999), table["b"].to_numpy()]).astype(float)
    )
    assert linear_rows(model, wide[:, ::2])[0][:, 0].tolist() == found


@pytest.mark.long
def test_a_table_without_a_column_and_a_file_that_breaks_off_leave_nothing(tmp_path):
    """The real command: the old predictions stay, byte by byte, and no temporary file is left."""
    model = classifier(("no", "yes"))
    save(model, tmp_path / "m.json")
    (tmp_path / "out.csv").write_text("as before")
    whole = gzip.compress(("kind,a\n" + "red,1\n" * 400_000).encode())
    for name, data, message in [
        ("in.csv", b"kind,b\nred,1\n", "column 'a' is not in in.csv; it has 2 columns"),
        ("in.csv.gz", whole[: len(whole) // 2], "in.csv.gz"),
    ]:
        (tmp_path / name).write_bytes(data)
        arguments = ["predict", "m.json", name, "--out", "out.csv"]
        done = subprocess.run(
            [sys.executable, "-m", "edge_lasso", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"edge-lasso: error: {message}")
        assert done.stderr.count("\n") == 1
        assert (tmp_path / "out.csv").read_text() == "as before"
        assert {path.name for path in tmp_path.iterdir()} - {"in.csv.gz"} == {"in.csv", "m.json", "out.csv"}
