"""`check`: what is in a table, what is wrong with it, and the command to type, which then works."""

import io
import json
import shlex

import numpy as np
import pandas as pd
import pytest

import edge_lasso
from edge_lasso.commands.main import main


@pytest.fixture
def plant(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n)
    table = pd.DataFrame({
        "time": pd.date_range("2024-01-01", periods=n, freq="10min").astype(str),
        "Temp (°C)": 20 + x, "copy": 3 * (20 + x) + 1, "flat": 7.0, "nothing": np.nan,
        "level": np.where(rng.random(n) < 0.02, -999.0, rng.normal(size=n)),
        "mode": rng.choice(["heat", "cool"], n), "door": rng.choice(["on", "off"], n),
        "serial": [f"A{i}" for i in range(n)], "y": 2 * x + rng.normal(size=n) * 0.1,
    })  # fmt: skip
    table["y later"] = table["y"] * 1.0001
    table = table.drop(index=[50, 51, 52])
    table.to_csv(tmp_path / "plant.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return table


def test_what_is_in_a_table(plant, capsys):
    assert main(["check", "plant.csv", "--target", "y", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = {column["name"]: column["kind"] for column in found["columns"]}
    assert kinds == {
        "time": "times", "Temp": "numbers", "copy": "numbers", "flat": "constant", "nothing": "empty", "level": "numbers",
        "mode": "categories", "door": "yes or no", "serial": "text", "y": "numbers", "y later": "numbers",
    }  # fmt: skip
    assert {column["name"]: column["unit"] for column in found["columns"]}["Temp"] == "°C"
    text = "\n".join(found["findings"])
    for part in (
        "'flat' is constant: it says nothing", "'nothing' is empty", "'level' is -999 in 2.", "--missing=-999",
        "'copy' is a copy of 'Temp', up to scale", "'serial' is text with 397 values", "'mode' holds words",
        "a row every 10 min", "1 gap, the longest of 40 min", "'y later' all but says 'y'",
    ):  # fmt: skip
        assert part in text
    assert "copy of 'y'" in text
    (command,) = found["commands"]
    assert main(shlex.split(command)[1:]) == 0


def test_without_a_target_it_asks_for_one(plant, capsys):
    assert main(["check", "plant.csv"]) == 0
    out = capsys.readouterr().out
    assert "edge-lasso check plant.csv --target COLUMN --time time" in out
    watch = next(line for line in out.splitlines() if "edge-lasso watch" in line)
    assert watch.strip() == "edge-lasso watch plant.csv --time time --missing=-999 --drop serial,mode"


def test_classes_lead_to_classify(plant):
    examined = edge_lasso.check("plant.csv", "mode")
    assert examined.commands == [
        "edge-lasso classify plant.csv --target mode --time time --missing=-999 --drop serial --holdout 0.2"
    ]


def test_a_long_table_is_known(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f"sensor.{name},{i},2024-01-01T00:{i:02d}:00Z" for i in range(50) for name in ("a", "b")]
    (tmp_path / "history.csv").write_text("\n".join(["entity_id,state,last_changed", *rows]) + "\n")
    assert main(["check", "history.csv"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].strip()
    assert command == "edge-lasso check history.csv --long entity_id,state,last_changed --every 1min"
    assert main([*shlex.split(command)[1:], "--target", "sensor.a"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].strip()
    assert command == (
        "edge-lasso train history.csv --long entity_id,state,last_changed --every 1min --target sensor.a --holdout 0.2"
    )
    assert main(shlex.split(command)[1:]) == 0


@pytest.mark.parametrize("step", ["5s", "1min", "10min", "1h"])
def test_how_often_a_long_table_is_worth_a_row(tmp_path, monkeypatch, capsys, step):
    """InfluxDB's annotated CSV, a block a field, each with its annotations and header."""
    monkeypatch.chdir(tmp_path)
    moments = pd.date_range("2024-05-01", periods=60, freq=step.replace("1h", "60min"))
    notes = (
        "#group,false,false,false,true\n#datatype,string,long,dateTime:RFC3339,double,string\n#default,_result,,,,\n"
    )
    blocks = [
        f"{notes},result,table,_time,_value,_field\n"
        + "".join(f",,{k},{moment:%Y-%m-%dT%H:%M:%SZ},{i * (k + 1)},{name}\n" for i, moment in enumerate(moments))
        for k, name in enumerate(("temperature", "power"))
    ]
    (tmp_path / "influx.csv").write_text("\n".join(blocks))
    assert main(["check", "influx.csv"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].strip()
    assert command == f"edge-lasso check influx.csv --long _field,_value,_time --every {step}"
    assert main([*shlex.split(command)[1:], "--target", "power"]) == 0
    assert "120 readings of 2 sensors in '_field' make 60 rows" in capsys.readouterr().out


def test_a_column_that_is_not_there(plant, capsys):
    assert main(["check", "plant.csv", "--target", "z"]) == 2
    assert "--target: column 'z' is not in plant.csv" in capsys.readouterr().err


@pytest.mark.parametrize(("day", "clock"), [("%d.%m.%Y", "%H:%M"), ("%Y-%m-%d", "%H:%M:%S"), ("%m/%d/%Y", "%I:%M %p")])
def test_a_date_and_a_time_of_day_are_put_together(tmp_path, monkeypatch, capsys, day, clock):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    moments = pd.date_range("2024-01-10", periods=300, freq="1h")
    x = rng.normal(size=300)
    table = pd.DataFrame(
        {"Day": moments.strftime(day), "Clock": moments.strftime(clock), "x": x, "y": 2 * x + rng.normal(size=300)}
    )
    table.to_csv("room.csv", index=False)
    assert main(["check", "room.csv", "--target", "y"]) == 0
    out = capsys.readouterr().out
    assert "- 'Day': a row every 1 h, from 2024-01-10T00:00:00 to 2024-01-22T11:00:00" in out
    command = out.splitlines()[-1].strip()
    assert command == "edge-lasso train room.csv --target y --time Day,Clock --holdout 0.2"
    assert main(shlex.split(command)[1:]) == 0


def test_dates_of_which_nobody_can_say_what_comes_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "us.csv").write_text("Date,Time,a\n01/02/2025,1:00 PM,1\n02/02/2025,2:00 PM,2\n03/02/2025,3:00 PM,4\n")
    assert main(["check", "us.csv"]) == 0
    out = capsys.readouterr().out
    assert "may begin with the day or with the month; say which: --time-format '%d/%m/%Y %I:%M %p' or '%m/%d" in out
    assert "--drop" not in out
    assert main(["check", "us.csv", "--target", "a"]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [shlex.split(line)[-3] for line in lines] == ["%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"]


def test_the_line_it_prints_works_as_pasted(tmp_path, monkeypatch, capsys):
    """Whatever was found: semicolons, decimal commas, cp1252, two sentinels, kinds, times, commas in names."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 300
    x = rng.normal(size=n)
    moments = pd.date_range("2024-01-01", periods=n, freq="1h")
    table = pd.DataFrame({
        "Datum": moments.strftime("%d.%m.%Y %H:%M"), "Außen (°C)": 20 + x, "-druck": rng.normal(size=n),
        "Pegel": np.where(rng.random(n) < 0.05, -999.0, rng.normal(size=n)),
        "Strom": np.where(rng.random(n) < 0.05, 9999.0, rng.normal(size=n)),
        "Art, grob": rng.choice(["warm", "kühl"], n), "Nr, lang": [f"Ä{i}" for i in range(n)],
        "Tür": rng.choice(["on", "off"], n), "Ziel": 2 * x + rng.normal(size=n) * 0.1, "andere": moments.astype(str),
    })  # fmt: skip
    table.loc[5:7, table.columns[1:-1]] = None
    table.loc[5:7, "andere"] = None
    table.to_csv("haus.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    assert main(["check", "haus.csv", "--target", "Ziel"]) == 0
    out = capsys.readouterr().out
    assert "- 3 rows are empty: no column has a reading" in out
    command = out.splitlines()[-1].strip()
    for part in ("--time Datum", "--missing=-999,9999", "--categorical 'Art? grob'", "--drop 'Nr? lang,andere'"):
        assert part in command
    assert main([*shlex.split(command)[1:], "--out", "haus.json"]) == 0
    told = capsys.readouterr()
    assert "3 rows without a target left out" in told.err
    assert "3 rows hold no reading in any column of numbers that was read" in told.err
    assert edge_lasso.load("haus.json").provenance["held_out"]["r2"] > 0.9
    assert main(["check", "haus.csv", "--target", "Nr, lang"]) == 0
    out = capsys.readouterr().out
    assert "'Nr, lang' cannot be predicted: it is text; --target takes a column of numbers or of few words" in out
    assert "edge-lasso train" not in out


def test_one_is_not_many(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.csv").write_text("mode,a\nheat,1\n")
    assert main(["check", "one.csv"]) == 0
    out = capsys.readouterr().out
    assert "one.csv: 1 row, 2 columns" in out
    assert "1 value: heat" in out


def test_categories_that_hardly_are_some_are_asked_about(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 400
    table = pd.DataFrame({
        "serial": [f"A{i % 80}" for i in range(n)], "level": rng.integers(0, 30, n), "mode": rng.integers(0, 3, n),
        "x": rng.normal(size=n), "y": rng.normal(size=n),
    })  # fmt: skip
    table.to_csv("t.csv", index=False)
    assert main(["train", "t.csv", "--target", "y", "--categorical", "serial,level,mode"]) == 0
    told = "".join(capsys.readouterr())
    assert "'serial' has 80 categories, each of which needs rows of its own; --drop leaves it out" in told
    assert "'level' holds 30 different numbers; without --categorical it counts as a number" in told
    assert "'mode' holds" not in told


def test_names_are_never_cut_on_a_narrow_terminal(monkeypatch, capsys):
    from edge_lasso.reporting import terminal

    class Narrow(io.StringIO):
        def isatty(self):
            return True

    name = "sensor.living_room_temperature.lag1"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout", out := Narrow())
    terminal.table("y", ("input", "coefficient", "default", "range", "squared error if lost", "without an estimate"), [
        (name, "0.156676", "83.66", "-3.25 to 665.125", "+4.47 %", "+50 %"), ("b", "1", "2", "3 to 4", "+1 %", "+2 %"),
    ])  # fmt: skip
    assert name in out.getvalue()
