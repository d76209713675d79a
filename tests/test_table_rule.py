"""One rule for tables: the workbench and the board read every case of tests/data/tables/cases.toml the same."""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso.errors import DataError
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.tables import open_table
from edge_lasso.tables.timed import stamps
from edge_lasso.tables.timed import timed as _timed
from edge_lasso_runtime import save
from edge_lasso_runtime.__main__ import main as board
from edge_lasso_runtime.cells import number
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term
from edge_lasso_runtime.readings import Readings
from edge_lasso_runtime.rows import open_text, read_rows
from edge_lasso_runtime.times import seconds

CASES = tomllib.loads((Path(__file__).parent / "data" / "tables" / "cases.toml").read_text(encoding="utf-8"))
for _case in CASES["case"]:
    _more = _case.get("repeated", [])
    _case["text"] = _case["text"].replace("REST", (",".join(map(str, _more)) + "\n") * 200)
    _case["rows"] += [_more] * 200 * bool(_more)
TABLES = [pytest.param(case, id=case["name"]) for case in CASES["case"]]
TIMES = [pytest.param(text, case, id=text) for case in CASES["time"] for text in case["text"]]


def wanted(case):
    return [[math.nan if value == "missing" else float(value) for value in row] for row in case["rows"]]


def written(case, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(case["text"].encode(case.get("encode", "utf-8")))
    return path


def model(columns):
    inputs = tuple(Input(name, i, 0.0, -1e9, 1e9) for i, name in enumerate(columns))
    terms = tuple(Term(1.0, (Factor(i),)) for i in range(len(columns)))
    return Model(tuple(columns), inputs, (Output("y", 0.0, terms),))


def finite(value):
    if isinstance(value, str):  # of a line of plain numbers, which `step` reads as it is
        try:
            value = float(value)
        except ValueError:
            return math.nan
    return math.nan if value is None or math.isinf(value) else value


@pytest.mark.parametrize("case", TABLES)
def test_the_workbench(case, tmp_path):
    reading = Reading(missing=tuple(case.get("missing", ())), encoding=case.get("encoding"))
    if "workbench" in case:
        with pytest.raises(DataError, match=case["workbench"]):
            open_table(written(case, tmp_path), reading)
        return
    table = open_table(written(case, tmp_path), reading)
    rows = np.concatenate([numbers for numbers, _ in table.batches(case["columns"])])
    np.testing.assert_array_equal(rows, wanted(case))


@pytest.mark.parametrize("case", TABLES)
def test_the_board(case, tmp_path):
    path = written(case, tmp_path)
    with open_text(str(path), case.get("encoding")) as lines:
        rows = list(read_rows(lines, model(case["columns"]), case.get("missing", ())))
    np.testing.assert_array_equal([[finite(row[name]) for name in case["columns"]] for row in rows], wanted(case))


@pytest.mark.parametrize("case", [case for case in TABLES if case.values[0].get("stream", True)])
def test_the_board_as_a_stream(case):
    reader = Readings(model(case["columns"]), None, lambda text: None, case.get("missing", ()))
    read = [reader.read(line) for line in case["text"].encode().split(b"\n")]
    rows = [[finite(value) for value in row[0]] for row in read if row is not None]
    np.testing.assert_array_equal(rows, wanted(case))


@pytest.mark.parametrize("case", TABLES)
def test_scoring_a_file(case, tmp_path, capfd):
    """`score` reads a file as `predict` does, whatever it is written in; a line at a time, hence `stream`."""
    if not case.get("stream", True) and "encode" not in case:
        pytest.skip("needs a look ahead")
    save(model(case["columns"]).replace(policy="extrapolate"), tmp_path / "model.json")
    words = [
        "score",
        str(tmp_path / "model.json"),
        str(written(case, tmp_path)),
        "--time",
        case["columns"][0],
        "--step",
        "1",
    ]
    words += [f"--encoding={case['encoding']}"] if "encoding" in case else []
    words += [f"--missing={','.join(case['missing'])}"] if "missing" in case else []
    assert board(words) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) == len(case["rows"])
    for line, row in zip(lines, wanted(case), strict=True):
        assert set(line.get("faults", {})) == {
            name for name, value in zip(case["columns"], row, strict=True) if math.isnan(value)
        }  # fmt: skip
        if not any(map(math.isnan, row)):
            assert line["values"]["y"] == pytest.approx(sum(row))


def test_cells_that_are_no_numbers():
    case = next(case for case in CASES["case"] if case.get("bad"))
    for line in case["text"].splitlines()[2:]:
        with pytest.raises(ValueError, match=r"."):
            number(line.split(",")[0])


@pytest.mark.parametrize(("text", "case"), TIMES)
def test_times(text, case, tmp_path):
    form = case.get("format")
    expected = None if case["seconds"] == "none" else case["seconds"]
    assert seconds(text, form) == expected
    if form is not None:
        assert stamps(pa.array([text]), form, None).cast(pa.int64()).to_pylist() == [expected * 1_000_000]
    elif text and expected is not None:
        table = _timed(open_table(pa.table({"t": [text]})), Reading(time=("t",)))
        (_, (column,)), *_ = table.batches([], ["t"])
        assert column.cast(pa.int64()).to_pylist() == [expected * 1_000_000]
