"""Tables as they are exported elsewhere: long, irregular, JSON, spreadsheets, databases, and tables of other libraries."""

import json
import sqlite3

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from edge_lasso.errors import DataError
from edge_lasso.tables.reading import Reading, parse_reading
from edge_lasso.tables.tables import open_table

NAN = float("nan")
HOME_ASSISTANT = """entity_id,state,last_changed
sensor.outside,4.5,2024-01-01T00:00:10.123Z
sensor.boiler,61,2024-01-01T00:00:20Z
binary_sensor.door,off,2024-01-01T00:00:30Z
sensor.outside,unavailable,2024-01-01T00:02:00Z
sensor.outside,5.5,2024-01-01T00:03:00Z
binary_sensor.door,on,2024-01-01T00:03:30Z
climate.mode,heat,2024-01-01T00:00:00Z
"""
INFLUX = """#group,false,false,true,true,false,false,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string
#default,_result,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement
,,0,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z,1.5,temp,room
,,0,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:01:00Z,2.5,temp,room

#group,false,false,true,true,false,false,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string
#default,_result,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement
,,1,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:01:00Z,40,humidity,room
"""


def whole(table, numeric):
    return np.concatenate([numbers for numbers, _ in table.batches(numeric)])


def times(table, name):
    return [str(value) for _, (column,) in table.batches([], [name]) for value in column.cast(pa.timestamp("s"))]


def test_home_assistant(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HOME_ASSISTANT)
    table = open_table(path, parse_reading(long="entity_id,state,last_changed", every="1min", hold="10min"))
    assert table.columns == ("last_changed", "sensor.outside", "sensor.boiler", "binary_sensor.door", "climate.mode")
    rows = whole(table, ["sensor.outside", "sensor.boiler", "binary_sensor.door"])
    np.testing.assert_array_equal(rows, [[NAN, NAN, NAN], [4.5, 61, 0], [NAN, 61, 0], [5.5, 61, 0], [5.5, 61, 1]])
    assert times(table, "last_changed")[0] == "2024-01-01 00:00:00"
    (_, (mode,)), *_ = table.batches([], ["climate.mode"])
    assert mode.to_pylist() == ["heat"] * 5
    held = open_table(path, parse_reading(long="entity_id,state,last_changed", every="1min", hold="60s"))
    np.testing.assert_array_equal(whole(held, ["sensor.boiler"])[:, 0], [NAN, 61, NAN, NAN, NAN])
    bare = open_table(path, parse_reading(long="entity_id,state,last_changed"))
    assert len(whole(bare, ["sensor.boiler"])) == 7
    assert bare.notes == ["7 readings of 4 sensors in 'entity_id' make 7 rows"]


def test_influxdb(tmp_path):
    path = tmp_path / "flux.csv"
    path.write_text(INFLUX)
    table = open_table(path, parse_reading(long="_field,_value,_time"))
    np.testing.assert_array_equal(whole(table, ["temp", "humidity"]), [[1.5, NAN], [2.5, 40]])


def test_prometheus(tmp_path):
    path = tmp_path / "range.json"
    metric = {"__name__": "temp", "room": "b", "floor": "1"}
    result = [
        {"metric": metric, "values": [[1700000000, "1.5"], [1700000060, "NaN"]]},
        {"metric": {"__name__": "up"}, "values": [[1700000060, "1"]]},
    ]
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    table = open_table(path)
    assert table.columns == ("time", "temp{floor=1,room=b}", "up")
    np.testing.assert_array_equal(whole(table, ["temp{floor=1,room=b}", "up"]), [[1.5, NAN], [NAN, 1]])


def test_json_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1, "b": "on"}\n\n{"a": null, "b": "off", "c": 2}\n')
    np.testing.assert_array_equal(whole(open_table(path), ["a", "b", "c"]), [[1, 1, NAN], [NAN, 0, 2]])
    path.write_text('{"a": 1}\nsoon\n')
    with pytest.raises(DataError, match=r"^line 2 of rows.jsonl is not a JSON object: 'soon'$"):
        open_table(path)


@pytest.mark.needs("module:python_calamine")
def test_a_spreadsheet(root):
    table = open_table(root / "tests" / "data" / "tables" / "room.xlsx")
    assert table.columns == ("Zeit", "Temp", "Tür")
    assert table.units == {"Temp": "°C"}
    np.testing.assert_array_equal(whole(table, ["Temp", "Tür"]), [[21.5, 1], [NAN, 0], [22.25, 1]])
    assert times(table, "Zeit") == ["2024-05-31 13:00:00", "2024-05-31 13:01:00", "2024-05-31 13:02:00"]


def test_a_database(tmp_path):
    path = tmp_path / "readings.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE readings (time TEXT, a REAL, b INTEGER)")
        connection.executemany(
            "INSERT INTO readings VALUES (?, ?, ?)", [("2024-05-31", 1.5, 2), ("2024-06-01", None, 3)]
        )
    connection.close()
    table = open_table(f"sqlite:///{path}?SELECT a, b FROM readings")
    np.testing.assert_array_equal(whole(table, ["a", "b"]), [[1.5, 2], [NAN, 3]])
    for address, message in (
        (f"sqlite:///{path}", "names no query; for example"),
        (f"sqlite:///{path}?SELECT x FROM readings", "no such column: x"),
        (f"sqlite:///{path}?DELETE FROM readings", "attempt to write a readonly database"),
        (f"sqlite:///{path}.gone?SELECT 1", "does not exist; the address of a database is"),
    ):
        with pytest.raises(DataError, match=message):
            open_table(address)


class Stream:
    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def test_tables_of_other_libraries():
    table = pa.table({"a": [1.0, None], "b": ["on", "off"]})
    nullable = pd.DataFrame({"a": pd.array([1.0, None], "Float64"), "b": pd.Categorical(["on", "off"])})
    for other in (Stream(table), table.to_reader(), nullable):
        np.testing.assert_array_equal(whole(open_table(other), ["a", "b"]), [[1, 1], [NAN, 0]])


@pytest.mark.needs("module:duckdb")
def test_a_relation_of_duckdb():
    import duckdb

    relation = duckdb.sql("SELECT 1.5 AS a, 2 AS b UNION ALL SELECT NULL, 3 ORDER BY b")
    np.testing.assert_array_equal(whole(open_table(relation), ["a", "b"]), [[1.5, 2], [NAN, 3]])


def test_dates_written_otherwise(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("day,clock,a\n05/04/2024,13:00,1\n13/04/2024,14:30,2\n")
    table = open_table(path, parse_reading(time="day,clock"))
    assert table.columns == ("day", "a")
    assert times(table, "day") == ["2024-04-05 13:00:00", "2024-04-13 14:30:00"]
    path.write_text("when,a\n05/04/2024 13:00,1\n06/04/2024 14:30,2\n")
    with pytest.raises(DataError, match=r"'05/04/2024 13:00' in 'when' may begin with the day or with the month; say"):
        open_table(path, parse_reading(time="when"))
    table = open_table(path, parse_reading(time="when", time_format="%m/%d/%Y %H:%M"))
    assert times(table, "when")[0] == "2024-05-04 13:00:00"


def test_a_zone_and_the_hour_that_is_there_twice(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("when,a\n2024-07-01 12:00,1\n2024-12-01 12:00,2\n")
    table = open_table(path, parse_reading(time="when", zone="Europe/Berlin"))
    assert times(table, "when") == ["2024-07-01 10:00:00", "2024-12-01 11:00:00"]
    with pytest.raises(DataError, match=r"^--zone: 'Berlin' is not known; an example is Europe/Berlin"):
        open_table(path, parse_reading(time="when", zone="Berlin"))


def test_rows_out_of_order_are_put_in_order(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("when,a\n2024-07-01 12:00,2\n2024-07-01 11:00,1\n2024-07-01 13:00,3\n")
    table = open_table(path, parse_reading(time="when"))
    np.testing.assert_array_equal(whole(table, ["a"])[:, 0], [1, 2, 3])
    assert table.notes == ["rows put in the order of 'when'"]


@pytest.mark.parametrize(("method", "values"), [
    ("last", [1, 2, 4]), ("mean", [1, 2, 3.5]), ("nearest", [1, 3, 4]),
])  # fmt: skip
def test_a_grid(tmp_path, method, values):
    path = tmp_path / "t.csv"
    path.write_text(
        "when,a\n2024-07-01 12:00:00,1\n2024-07-01 12:00:50,2\n2024-07-01 12:01:01,3\n2024-07-01 12:02:00,4\n"
    )
    table = open_table(path, parse_reading(time="when", every=f"1min:{method}"))
    np.testing.assert_array_equal(whole(table, ["a"])[:, 0], values)


@pytest.mark.parametrize(("options", "message"), [
    ({"long": "a,b"}, "--long 'a,b' is not ID,VALUE,TIME; for example: --long entity_id,state,last_changed"),
    ({"time": "t", "every": "soon"}, "--every 'soon' is no duration; for example: --every 1min"),
    ({"time": "t", "every": "1min:first"}, "--every '1min:first': 'first' is no way to choose; allowed are last, mean"),
    ({"every": "1min"}, "--every needs --time"),
    ({"time": "t", "hold": "1min"}, "--hold goes with --every"),
    ({"time": "a,b,c"}, "--time 'a,b,c' names 3 columns"),
])  # fmt: skip
def test_options_that_say_nothing(options, message):
    with pytest.raises(DataError) as caught:
        parse_reading(**options)
    assert str(caught.value).startswith(message)


def test_a_table_that_is_not_long(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,when\nx,1,never\n")
    with pytest.raises(DataError, match=r"^--long: no row of t.csv has a name in 'a' and a time in 'when'"):
        open_table(path, Reading(long=("a", "b", "when")))
    with pytest.raises(DataError, match=r"^--long: column 'c' is not in t.csv"):
        open_table(path, Reading(long=("c", "b", "when")))


@pytest.mark.needs("module:python_calamine")
def test_a_spreadsheet_with_a_title_an_empty_column_and_a_second_sheet(root):
    table = open_table(root / "tests" / "data" / "tables" / "titled.xlsx")
    assert table.title == "titled.xlsx, sheet 'Log'"
    assert table.columns == ("Zeit", "Temp", "Feuchte", "Fenster")
    assert table.units == {"Temp": "°C", "Feuchte": "%"}
    numbers = whole(table, ["Temp", "Feuchte"])
    assert len(numbers) == 12
    assert np.isnan(numbers[0, 1])
    assert np.isfinite(numbers[1:]).all()
