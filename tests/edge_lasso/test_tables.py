"""Tables of every kind are read the same, and what cannot be used is said in one line."""

import gzip
import io
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.errors import DataError
from edge_lasso.tables import table as tables
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.tables import category_codes, model_rows, open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

NAN = float("nan")


def small(n=50):
    """Numbers with gaps and infinities, whole numbers, truth values, categories and times."""
    rng = np.random.default_rng(0)
    return pa.table({
        "a": pa.array([None if i % 7 == 0 else float(x) for i, x in enumerate(rng.normal(size=n))]),
        "b.c": pa.array([float("inf") if i == 3 else NAN if i == 4 else float(x) for i, x in enumerate(rng.normal(size=n) * 1e6)]),
        "whole": pa.array(range(n), pa.int32()),
        "flag": pa.array([None if i == 5 else i % 3 == 0 for i in range(n)]),
        "kind": pa.array([None if i % 9 == 0 else ["red", "green", "blue, dark"][i % 3] for i in range(n)]),
        "time": pa.array([f"2024-05-{1 + i // 24:02d} {i % 24:02d}:00:00" for i in range(n)]),
    })  # fmt: skip


def write(table, folder, kind):
    path = folder / f"table.{kind}"
    if kind == "parquet":
        pa.parquet.write_table(table, path, row_group_size=20)
    elif kind == "feather":
        pa.feather.write_feather(table, path, chunksize=20)
    elif kind in ("arrow", "ipc"):
        make = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=20)
    else:
        separator = {"tsv": "\t", "txt": ";"}.get(kind, ",")
        text = table.to_pandas().to_csv(index=False, sep=separator, na_rep="NA")
        path.write_bytes(gzip.compress(text.encode()) if kind == "csv.gz" else text.encode())
    return path


def whole(table, numeric, text=()):
    parts = list(table.batches(numeric, text))
    numbers = np.concatenate([numbers for numbers, _ in parts])
    return numbers, [[str(v) if v is not None else None for _, texts in parts for v in texts[j].to_pylist()] for j in range(len(text))]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "txt", "parquet", "feather", "arrow", "ipc"])
def test_every_kind_of_file_is_read_the_same(tmp_path, kind):
    source = small()
    table = open_table(write(source, tmp_path, kind))
    assert table.columns == tuple(source.column_names)
    numeric = ["flag", "b.c", "a", "whole"]
    numbers, (kinds, times) = whole(table, numeric, ["kind", "time"])
    wanted = np.array([source[name].to_pandas().astype(float) for name in numeric]).T
    wanted[~np.isfinite(wanted)] = NAN
    np.testing.assert_array_equal(numbers, wanted)
    assert numbers.dtype == np.float64
    assert numbers.flags.c_contiguous
    assert kinds == source["kind"].to_pylist()
    assert times == source["time"].to_pylist()
    assert len(table.hash) == 64


@pytest.mark.parametrize("make", [
    lambda t: t, lambda t: t.to_pandas(), pl.from_arrow, lambda t: pl.from_arrow(t).with_columns(pl.col("kind").cast(pl.Categorical)),
], ids=["pyarrow", "pandas", "polars", "polars categorical"])  # fmt: skip
def test_tables_in_memory(make):
    source = small()
    table = open_table(make(source))
    numbers, (kinds,) = whole(table, ["a", "b.c", "whole"], ["kind"])
    wanted = np.array([source[name].to_pandas().astype(float) for name in ["a", "b.c", "whole"]]).T
    wanted[~np.isfinite(wanted)] = NAN
    np.testing.assert_array_equal(numbers, wanted)
    assert [kind if kind not in ("nan", "None") else None for kind in kinds] == source["kind"].to_pylist()
    assert table.hash == ""


def test_arrays_and_single_precision(tmp_path):
    X = np.random.default_rng(0).normal(size=(100, 3))
    assert open_table(X).columns == ("x0", "x1", "x2")
    np.testing.assert_array_equal(whole(open_table(X), ["x2", "x0"])[0], X[:, [2, 0]])
    narrow = pa.table({f"x{j}": X[:, j].astype(np.float32) for j in range(3)})
    pa.parquet.write_table(narrow, tmp_path / "narrow.parquet")
    numbers = whole(open_table(tmp_path / "narrow.parquet"), ["x0", "x1"])[0]
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, X[:, :2].astype(np.float32))


def test_only_the_columns_asked_for_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("a,text,b\n1,hello,2\n3,\xe9,4\n", encoding="latin-1")
    np.testing.assert_array_equal(whole(open_table(tmp_path / "t.csv"), ["b", "a"])[0], [[2, 1], [4, 3]])


def test_a_folder_is_one_table(tmp_path):
    for i in (1, 0):
        write(small().slice(25 * i, 25), tmp_path, "csv").rename(tmp_path / f"part{i}.csv")
    (tmp_path / "README.md").write_text("not a table")
    (tmp_path / "_SUCCESS.csv").write_text("")
    np.testing.assert_array_equal(whole(open_table(tmp_path), ["whole"])[0][:, 0], np.arange(50))


def test_what_fits_is_read_once_and_what_does_not_is_streamed(tmp_path, monkeypatch):
    path = write(small(), tmp_path, "parquet")
    table = open_table(path)
    first = whole(table, ["a", "whole"], ["kind"])
    path.unlink()
    np.testing.assert_array_equal(whole(table, ["whole"])[0], first[0][:, 1:])
    monkeypatch.setattr(tables, "IN_MEMORY", 500)
    table = open_table(write(small(), tmp_path, "parquet"))
    whole(table, ["a", "whole"])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        whole(table, ["whole"])


@pytest.mark.parametrize(("name", "text"), [
    ("byte order mark", "\ufeffa,b\n1.5,2\n-3,NA\n"),
    ("carriage returns", "a,b\r\n1.5,2\r\n-3,\r\n"),
    ("semicolons", "a;b\n1.5;2\n-3;\n"),
    ("decimal commas", "a;b\n1,5;2\n-3,0;n/a\n"),
    ("tabs", "a\tb\n1.5\t2\n-3\t?\n"),
    ("quotes", '"a","b"\n"1.5","2"\n"-3","NaN"\n'),
    ("blank lines", "\n\na,b\n1.5,2\n\n-3,inf\n\n"),
    ("spaces", "a , b\n1.5 , 2\n-3, \n"),
    ("a row name for each row", "a,b\nr1,1.5,2\nr2,-3,null\n"),
    ("an index without a name", ",a,b\n0,1.5,2\n1,-3,-inf\n"),
    ("no last newline", "a,b\n1.5,2\n-3,#N/A"),
])  # fmt: skip
def test_ways_to_write_csv(tmp_path, name, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(whole(open_table(path), ["a", "b"])[0], [[1.5, 2], [-3, NAN]])


def test_a_name_with_a_line_break(tmp_path):
    (tmp_path / "t.csv").write_text('"a\nb","c, d"\n1,2\n')
    table = open_table(tmp_path / "t.csv")
    assert table.columns == ("a\nb", "c, d")
    np.testing.assert_array_equal(whole(table, table.columns)[0], [[1, 2]])


def test_a_real_file_with_unnamed_row_numbers(root):
    table = open_table(root / "tests" / "data" / "occupancy.txt")
    assert table.columns[:3] == ("row", "date", "Temperature")
    assert table.row_numbers == ("row",)
    np.testing.assert_array_equal(whole(table, ["row"])[0][:, 0], np.arange(1, 301))
    assert whole(table, ["Temperature"], ["date"])[1][0][0] == "2015-02-04 17:51:00"


def test_an_index_that_pandas_wrote(tmp_path):
    small().to_pandas()[3:9].to_parquet(tmp_path / "t.parquet", index=True)
    table = open_table(tmp_path / "t.parquet")
    assert [name for name in table.columns if name not in table.row_numbers] == small().column_names


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.floats(), min_size=2, max_size=2), min_size=1, max_size=30),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_numbers_survive_csv_exactly(tmp_path_factory, rows, delimiter, newline):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    lines = [delimiter.join(map(repr, row)) for row in rows]
    path.write_bytes(newline.join([delimiter.join("ab"), *lines, ""]).encode())
    wanted = np.array(rows)
    wanted[~np.isfinite(wanted)] = NAN
    np.testing.assert_array_equal(whole(open_table(path), ["a", "b"])[0], wanted)


@pytest.mark.long
def test_one_bad_cell_costs_that_cell(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1.5,2.5\n" * 700_000 + "1.5,stuck\n" + "1.5,2.5\n" * 5)
    table = open_table(path)
    numbers = whole(table, ["a", "b"])[0]
    assert np.isnan(numbers[700_000, 1])
    assert np.isfinite(np.delete(numbers, 700_000, 0)).all()
    assert table.notes == [
        "column 'b': 1 cell is no number and counts as missing (line 700002 of long.csv; the first holds 'stuck')"
    ]
    latin = tmp_path / "latin.csv"
    latin.write_bytes(path.read_bytes().replace(b"stuck", b"\xe9t\xe9"))
    for text in ((), ("b",)):
        with pytest.raises(DataError, match=r"^latin.csv is not UTF-8 text \(line 700002\); name what it is: --encod"):
            whole(open_table(latin), ["a"] if text else ["a", "b"], text)
    cp1252 = open_table(latin, Reading(encoding="cp1252"))
    assert whole(cp1252, ["a"], ["b"])[1][0][700_000] == "été"
    short = tmp_path / "short.csv"
    short.write_bytes(path.read_bytes().replace(b"1.5,stuck", b"1.5"))
    table = open_table(short)
    assert len(whole(table, ["a"])[0]) == 700_005
    assert table.notes == ["line 700002 of short.csv has 1 cells and the header 2: left out"]
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(np.random.default_rng(0).bytes(10_000_000).hex("\n", 8).encode())[:-100])
    table = open_table(cut)
    with pytest.raises(DataError, match=r"^cut.csv.gz cannot be read as csv: .*; is the file complete\?$"):
        list(table.batches([], table.columns))


def test_above_five_percent_the_run_stops(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1.5,2.5\n" * 95 + "1,off line\n" * 5 + "1,2\n")
    table = open_table(path)
    assert np.isnan(whole(table, ["b"])[0]).sum() == 5
    assert table.notes == [
        "column 'b': 5 cells are no numbers and count as missing (line 97 of t.csv, line 98 of t.csv, line 99 of t.csv; "
        "the first holds 'off line')"
    ]
    path.write_text(path.read_text() + "1,off line\n")
    with pytest.raises(NotANumber) as caught:
        whole(open_table(path), ["b"])
    assert str(caught.value) == (
        "column 'b' holds 'off line' (line 97 of t.csv), which is not a number; declare it with --categorical or leave it "
        "out with --drop; if it stands for a missing reading: --missing 'off line'"
    )
    assert np.isnan(whole(open_table(path, Reading(missing=("off line",))), ["b"])[0]).sum() == 6
    path.write_text("a,b\n" + "1,2\n" * 18 + "1\n")
    with pytest.raises(DataError, match=r"^line 20 of t.csv has 1 cells and the header 2; they must be as many$"):
        whole(open_table(path), ["b"])


def test_sentinels_are_missing_where_they_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,-999\n2,-999.0\n3,4\n")
    np.testing.assert_array_equal(whole(open_table(path, Reading(missing=("-999",))), ["b"])[0], [[NAN], [NAN], [4]])


@pytest.mark.parametrize("gap", [
    "", " ", '""', "NA", " NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", " nan", "-nan", "null", "NULL", " null", "None", "NaT", "?",
    "inf", "-inf", "Infinity", "1e999",
])  # fmt: skip
@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_every_sign_of_a_gap(tmp_path, gap, kind):
    data = f"a,b,flag\n1,2,true\n{gap},{gap},{'' if 'nf' in gap or 'e9' in gap else gap}\n".encode()
    path = tmp_path / f"t.{kind}"
    path.write_bytes(gzip.compress(data) if kind == "csv.gz" else data)
    np.testing.assert_array_equal(whole(open_table(path), ["a", "b", "flag"])[0], [[1, 2, 1], [NAN, NAN, NAN]])


@pytest.mark.parametrize(("true", "false"), [("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("1", "0")])
def test_truth_values_are_one_and_zero(tmp_path, true, false):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,{true}\n2,{false}\n3,\n" + f"4,{true}\n" * 300)
    column = whole(open_table(path), ["b"])[0][:, 0]
    np.testing.assert_array_equal(column, [1, 0, NAN, *[1] * 300])


def test_other_first_columns_without_a_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,,c\n1,2,3\n")
    table = open_table(path)
    assert (table.columns, table.row_numbers) == (("a", "column 2", "c"), ())
    path.write_text(",a\n7,2\n8,3\n")
    table = open_table(path)
    assert (table.columns, table.row_numbers) == (("row", "a"), ("row",))
    np.testing.assert_array_equal(whole(table, ["row", "a"])[0], [[7, 2], [8, 3]])


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv"])
def test_a_column_that_is_not_asked_for_may_hold_anything(tmp_path, kind):
    path = write(small(), tmp_path, kind)
    table = open_table(path)
    np.testing.assert_array_equal(whole(table, ["whole"])[0][:, 0], np.arange(50))
    with pytest.raises(NotANumber, match=r"^column 'time' holds '2024-05-01 00:00:00'"):
        whole(open_table(path), ["whole", "time"])


@pytest.mark.parametrize(("text", "message"), [
    ("a,b\n1,2\n3,x\n", "column 'b' holds 'x' (line 3 of t.csv), which is not a number; "),
    ("a,b\n1,2\n\n\n3,x\n", "column 'b' holds 'x' (line 5 of t.csv), which is not a number; "),
    ("\n\na,b\n\n1,2\n3,x\n", "column 'b' holds 'x' (line 6 of t.csv), which is not a number; "),
    ('a,"b\n\nc"\n1,2\n\n3,x\n', "column 'b\n\nc' holds 'x' (line 6 of t.csv), which is not a number; "),
    ('a,n,b\n1,"p\nq",2\n3,"r\ns",x\n', "column 'b' holds 'x' (line 4 of t.csv), which is not a number; "),
    ("a,b\r\n1,2\r\n\r\n3,x\r\n", "column 'b' holds 'x' (line 4 of t.csv), which is not a number; "),
    ("\ufeffa;b\n1;2\n\n3;x\n", "column 'b' holds 'x' (line 4 of t.csv), which is not a number; "),
    ("a,b\n1,2\n\n3,4,5\n", "line 4 of t.csv has 3 cells and the header 2; they must be as many"),
    ("a,b\n1,2\n\n3\n", "line 4 of t.csv has 1 cells and the header 2; they must be as many"),
    ("a,b\n" + "true,1\n" * 250 + "\n" + "maybe,2\n" * 20, "column 'a' holds 'maybe' (line 253 of t.csv), which is not a number; "),
    ("a,b\n1,2\n" + "3,1 2 " + "x" * 90 + "\n", f"column 'b' holds '1 2 {'x' * 36}' (line 3 of t.csv), which is not a number; "),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_the_line_is_the_line_of_the_file(tmp_path, kind, text, message):
    path = tmp_path / f"t.{kind}"
    path.write_bytes(gzip.compress(text.encode()) if kind == "csv.gz" else text.encode())
    table = open_table(path)
    with pytest.raises(DataError) as caught:
        whole(table, [name for name in table.columns if name != "n"])
    assert str(caught.value).startswith(message.replace("t.csv", path.name))


def gzipped(text):
    return gzip.compress(text.encode())


def parquet(table):
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


BAD = [
    ("t.csv", b"", "t.csv is empty; a table has a header and rows"),
    ("t.csv", b"\n \n", "t.csv is empty; a table has a header and rows"),
    ("t.csv.gz", gzipped(""), "t.csv.gz is empty; a table has a header and rows"),
    ("t.csv", b"a,b\n", "t.csv has a header and no rows; there is nothing to read"),
    ("t.csv", b"a,b", "t.csv has a header and no rows; there is nothing to read"),
    ("t.csv", b"a,b,a\n1,2,3\n", "column 'a' stands twice in t.csv; rename one"),
    ("t.csv", bytes(range(256)) * 9, "t.csv is no text; give a CSV file, or name its --encoding"),
    ("t.csv", bytes(range(1, 256)) * 9, "t.csv is neither UTF-8 nor cp1252 text; name its --encoding"),
    ("t.csv", b"a,b\n" + b"x" * 200_000 + b",1\n", "t.csv cannot be read as csv: field larger than field limit"),
    ("t.csv.gz", b"a,b\n1,2\n", "t.csv.gz cannot be read as csv: Not a gzipped file (b'a,'); is the file complete?"),
    ("t.csv.gz", gzipped("a,b\n" + "1,2\n" * 99)[:-9], "t.csv.gz cannot be read as csv: Compressed file ended before"),
    ("t.parquet", b"", "t.parquet cannot be read as parquet: Parquet file size is 0 bytes; is the file complete?"),
    ("t.parquet", parquet(small())[:-30], "t.parquet cannot be read as parquet: Parquet magic bytes not found"),
    ("t.parquet", parquet(pa.table([[1], [2]], ["a", "a"])), "column 'a' stands twice in t.parquet; rename one"),
    ("t.parquet", parquet(pa.table({})), "t.parquet has no columns; there is nothing to read"),
    ("t.arrow", b"ARROW1", "t.arrow cannot be read as arrow: "),
    ("t.docx", b"PK", "t.docx is no table; allowed are .csv, .csv.gz, .tsv, .txt, .parquet, .arrow, .feather, .jsonl"),
    ("t.xlsx", b"PK", "t.xlsx cannot be read as a spreadsheet: "),
    ("t.parquet.gz", b"", "t.parquet.gz is no table; allowed are"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "message"), BAD, ids=range(len(BAD)))
def test_files_that_cannot_be_used(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_table(tmp_path / name)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_damage_inside_a_parquet_file(tmp_path):
    data = bytearray(parquet(small()))
    data[4:400] = bytes(396)
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(DataError, match=r"^t.parquet cannot be read as parquet: .*; is the file complete\?$"):
        whole(open_table(tmp_path / "t.parquet"), ["a"])


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match=r"gone does not exist; give a CSV, Parquet or Arrow file, or a folder"):
        open_table(tmp_path / "gone")
    with pytest.raises(DataError, match=r"holds no table; allowed are .csv, "):
        open_table(tmp_path)
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(
        DataError, match=r"^2.csv has other columns than 1.csv: 'c' instead of 'b'; the files of a folder"
    ):
        open_table(tmp_path)
    (tmp_path / "2.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(DataError, match=r"^2.csv has other columns than 1.csv: 3 instead of 2; "):
        open_table(tmp_path)
    write(small(), tmp_path, "parquet")
    with pytest.raises(
        DataError, match=r"holds files of different kinds \(1.csv, table.parquet\); keep one kind in it"
    ):
        open_table(tmp_path)


def test_objects_that_are_no_tables():
    with pytest.raises(DataError, match=r"got list$"):
        open_table([[1, 2]])
    with pytest.raises(DataError, match=r"this one has the shape \(3,\)"):
        open_table(np.zeros(3))
    with pytest.raises(DataError, match=r"the DataFrame cannot be read: .*; every column needs one type"):
        open_table(pd.DataFrame({"a": [1, "x"]}))
    with pytest.raises(DataError, match=r"the DataFrame cannot be read: Duplicate column names found"):
        open_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(NotANumber, match=r"column 'kind' holds 'green' \(row 2\), which is not a number"):
        whole(open_table(small()), ["kind"])


def test_a_name_that_is_not_there(beijing):
    table = open_table(beijing)
    with pytest.raises(DataError) as caught:
        table.check("PM25")
    assert str(caught.value).startswith(
        "column 'PM25' is not in beijing_air.csv.gz; it has 133 columns, the nearest is '"
    )
    with pytest.raises(DataError, match=r"^--drop: column 'Dongsi.PM25' .*, the nearest is 'Dongsi.PM2.5'$"):
        table.expand(["Dongsi.PM25"], "--drop")
    with pytest.raises(DataError, match=r"^--inputs: no column of beijing_air.csv.gz is like 'Nowhere"):
        table.expand(["Nowhere.*"], "--inputs")
    with pytest.raises(DataError, match=r"column 'zzz' is not in the table; it has 1 column$"):
        open_table(pa.table({"a": [1]})).check("zzz")
    assert table.expand(["time", "Dongsi.*", "Dongsi.PM10"], "--drop")[:2] == ["time", "Dongsi.PM2.5"]


@pytest.mark.long
def test_ten_thousand_columns(tmp_path):
    X = np.random.default_rng(0).normal(size=(12, 10_000)).round(4)
    names = [f"sensor number {j} of the plant" for j in range(10_000)]
    path = tmp_path / "wide.csv"
    pd.DataFrame(X, columns=names).to_csv(path, index=False)
    np.testing.assert_array_equal(whole(open_table(path), names)[0], X)


def model():
    return Model(
        ("a", "kind", "whole"),
        (Input("a", 0, 0.5, -9.0, 9.0), Input("kind", 1, None, None, None, categories=("blue, dark", "red"))),
        (Output("y", 1.0, (Term(2.0, (Factor(0),)), Term(3.0, (Factor(1, 1),)))),),
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_model(tmp_path, kind):
    source = small()
    rows = model_rows(write(source, tmp_path, kind), model())
    np.testing.assert_array_equal(rows[:, 0], source["a"].to_pandas())
    codes = [{"blue, dark": 0.0, "red": 1.0}.get(value, NAN) for value in source["kind"].to_pylist()]
    np.testing.assert_array_equal(rows[:, 1], codes)


def test_categories_that_are_numbers_or_encoded():
    assert category_codes(pa.array([3, None, 1]), ["1", "3"])[[0, 2]].tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(category_codes(pa.nulls(2), ["None", "x"]), [NAN, NAN])
    encoded = pa.array(["x", None, "z", "y"]).dictionary_encode()
    np.testing.assert_array_equal(category_codes(encoded, ["x", "y"]), [0, NAN, NAN, 1])


def test_a_model_without_inputs_has_as_many_rows_as_the_table():
    constant = Model(("a",), (), (Output("y", 1.0, ()),))
    assert model_rows(small(), constant).shape == (50, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
@pytest.mark.long
def test_memory_is_bounded(tmp_path):
    """120 MB of columns that compress to little are streamed in a fraction of that."""
    import subprocess

    path = tmp_path / "long.parquet"
    column = pa.array(np.tile(np.arange(1000.0), 1500))
    pa.parquet.write_table(pa.table({f"x{j}": column for j in range(20)}), path, row_group_size=300_000)
    program = (
        "import sys, edge_lasso.tables.table as t\nfrom edge_lasso.tables.tables import open_table\n"
        "def peak(): return int(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))\n"
        "t.IN_MEMORY = 2**24\ntable = open_table(sys.argv[1])\nbefore = peak()\n"
        "rows = sum(len(x) for x, _ in table.batches(table.columns))\nprint(rows, (peak() - before) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    rows, growth = done.stdout.split()
    assert int(rows) == 1_500_000
    assert float(growth) < 160.0, f"{growth} MB for 240 MB of columns"
