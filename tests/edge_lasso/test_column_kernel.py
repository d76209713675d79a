"""The compiled kernel gives the reference's bits, and numpy's, for every shape of model and every kind of reading."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.errors import BoardError
from edge_lasso.predicting.column_kernel import ColumnKernel
from edge_lasso.predicting.linear_columns import linear_columns
from edge_lasso.predicting.predict_table import FEW, predict_table
from edge_lasso_devices.build import build, find_compiler
from edge_lasso_exporters.columns_c import MOST_TERMS, STREAMS, render_columns
from edge_lasso_runtime import predict
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

NAN, INF = float("nan"), float("inf")
cc = pytest.mark.needs("cc")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path_factory.mktemp("cache")))


def wide(count, policy="extrapolate", seed=0):
    """Products, powers, indicators, inputs that no term reads, several outputs, more columns than a pass takes."""
    rng = np.random.default_rng(seed)
    inputs = tuple(
        Input(f"x{i}", i, None, None, None, categories=("a", "b", "c")) if i % 5 == 3
        else Input(f"x{i}", i, float(rng.normal()), -4.0 - i, 4.0 + i)
        for i in range(count)
    )  # fmt: skip

    def factor(i):
        return Factor(i, None if inputs[i].categories is None else int(rng.integers(3)))

    def output(name):
        terms = [Term(float(rng.normal()), (factor(i),)) for i in range(count) if i % 7 != 6]
        pairs = [(int(rng.integers(count)), int(rng.integers(count))) for _ in range(count // 2)]
        terms += [Term(float(rng.normal()), (factor(i), factor(j), factor(i))) for i, j in pairs]
        return Output(name, float(rng.normal()), tuple(terms))

    outputs = (output("u"), Output("flat", -0.0, ()), output("v"))
    return Model(tuple(one.name for one in inputs), inputs, outputs, policy)


def readings(model, rows, seed=1):
    rng = np.random.default_rng(seed)
    columns = []
    for one in model.inputs:
        if one.categories is not None:
            columns.append(rng.choice([0.0, 1.0, 2.0, NAN], rows, p=[0.4, 0.3, 0.295, 0.005]))
            continue
        x = rng.normal(0.0, 1.0, rows)
        at = rng.random(rows) < 0.003
        x[at] = rng.choice([NAN, INF, -INF, 1e31, -1e31, 7e9, -7e9, one.low, one.high, -0.0, 5e-324], at.sum())
        columns.append(x)
    return columns


@cc
@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
@pytest.mark.parametrize("count", [1, 4, STREAMS, 3 * STREAMS + 1])
def test_it_gives_the_bits_of_the_reference(policy, count):
    model = wide(count, policy)
    kernel = ColumnKernel(model)
    for rows in (0, 1, 3, 4, 511, 512, 515, 3000):
        columns = readings(model, rows)
        arrow = [pa.array(x) for x in columns]
        assert kernel.agrees(arrow, rows)
        linear, degraded = kernel(arrow, rows)
        for i in range(0, rows, 97):
            wanted = predict(model, [x[i] for x in columns])
            assert [x.hex() for x in linear[:, i].tolist()] == [x.hex() for x in wanted.linear]
            assert bool(degraded[i]) == (wanted.status == "degraded")
    part = [column.slice(5, 640) for column in arrow]  # where columns begin in the middle of a buffer
    assert kernel.agrees(part, 640)
    assert np.array_equal(kernel(part, 640)[0], linear[:, 5:645])


@cc
@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(
    [NAN, INF, -INF, 0.0, -0.0, 1.0, -4.0, np.nextafter(-4.0, -5.0), 4.0, np.nextafter(4.0, 5.0), 2.0**100, 1e300, 5e-324]
), min_size=2, max_size=2), max_size=40))  # fmt: skip
def test_every_odd_reading_beside_every_other(rows):
    inputs = (Input("a", 0, 0.25, -4.0, 4.0), Input("b", 1, 1.0, -4.0, 4.0))
    terms = (Term(0.1, (Factor(0),)), Term(1e-7, (Factor(0), Factor(0), Factor(1))), Term(-1 / 3, (Factor(1),)))
    for policy in ("extrapolate", "clamp"):
        kernel = ColumnKernel(Model(("a", "b"), inputs, (Output("y", 1e5, terms),), policy))
        block = np.array(rows).reshape(len(rows), 2)
        assert kernel.agrees([pa.array(np.ascontiguousarray(x)) for x in block.T], len(rows))


@pytest.mark.parametrize("compiler", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang")])
def test_compilers_take_it_without_a_warning(compiler):
    for count in (1, 20):
        for policy in ("extrapolate", "clamp"):
            build(render_columns(wide(count, policy)), compiler=[compiler])


@cc
@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_the_same_file_with_and_without_a_compiler(tmp_path, suffix, monkeypatch):
    model = wide(9)
    rows = 2 * FEW + 77
    columns = readings(model, rows)
    table = {one.name: pa.array(x, from_pandas=True) for one, x in zip(model.inputs, columns, strict=True)}
    for one in model.inputs:
        if one.categories is not None:
            table[one.name] = pa.array([None if x != x else one.categories[int(x)] for x in columns[one.column]])
    table["x1"] = table["x1"].cast(pa.float32())
    pa.parquet.write_table(pa.table(table), tmp_path / "in.parquet", row_group_size=rows // 2)
    done = predict_table(model, tmp_path / "in.parquet", tmp_path / f"c.{suffix}")
    assert (done.rows, done.by) == (rows, "C")
    assert 0 < done.degraded < rows
    same = predict_table(model, tmp_path / "in.parquet", tmp_path / f"numpy.{suffix}", compiled=False)
    assert (same.rows, same.degraded, same.by) == (rows, done.degraded, "numpy")
    assert (tmp_path / f"c.{suffix}").read_bytes() == (tmp_path / f"numpy.{suffix}").read_bytes()
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "empty"))
    without = predict_table(model, tmp_path / "in.parquet", tmp_path / f"without.{suffix}")
    assert without.by == "numpy (cannot run 'no-such-compiler': No such file or directory; set CC to a compiler)"
    assert (tmp_path / f"c.{suffix}").read_bytes() == (tmp_path / f"without.{suffix}").read_bytes()


@cc
def test_code_that_computes_something_else_is_not_used(tmp_path, monkeypatch):
    compiler = tmp_path / "cc"
    real = " ".join(find_compiler())
    compiler.write_text(f'#!/bin/sh\nsed -i "s/s += 2.0/s += 2.0000001/" columns_tile.h\nexec {real} "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    model = Model(("a",), (Input("a", 0, 0.5, -9.0, 9.0),), (Output("y", 1.0, (Term(2.0, (Factor(0),)),)),))
    table = pd.DataFrame({"a": np.linspace(-1.0, 1.0, FEW)})
    done = predict_table(model, table, tmp_path / "out.parquet")
    assert done.by == "numpy (this compiler's code computes something else)"
    found = pa.parquet.read_table(tmp_path / "out.parquet")
    assert found["y"].to_numpy().tolist() == linear_columns(model, [table["a"].to_numpy()], FEW)[0][0].tolist()


@cc
def test_it_is_compiled_once(monkeypatch):
    model = wide(3)
    ColumnKernel(model)
    monkeypatch.setenv("CC", "no-such-compiler")
    ColumnKernel(model)
    assert [name.split("-")[0] for name in os.listdir(os.environ["EDGE_LASSO_CACHE"])] == ["columns"]
    with pytest.raises(BoardError, match="cannot run 'no-such-compiler'"):
        ColumnKernel(wide(4))


def test_a_model_that_is_too_long_is_not_compiled():
    terms = tuple(Term(1.0 + i, (Factor(0),)) for i in range(MOST_TERMS + 1))
    model = Model(("a",), (Input("a", 0, 0.0, -1.0, 1.0),), (Output("y", 0.0, terms),))
    with pytest.raises(BoardError, match="a model of 2001 terms is not compiled; 2000 are the most"):
        ColumnKernel(model)
