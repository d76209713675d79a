"""`score`: real processes fed through pipes; what they write against `step`."""

import json
import math
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from streams import detecting, regression, rows

from edge_lasso_runtime import Input, Model, Output, save
from edge_lasso_runtime.detector import shares, watched
from edge_lasso_runtime.drift import digest
from edge_lasso_runtime.explain import explain_inputs
from edge_lasso_runtime.readings import Readings
from edge_lasso_runtime.step import interval, start, step

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-m", "edge_lasso_runtime"]


def run(*arguments, data=""):
    data = data if isinstance(data, bytes) else data.encode()
    done = subprocess.run([*COMMAND, *map(str, arguments)], input=data, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def lines(readings):
    return "".join(json.dumps(row) + "\n" for row in readings)


def table(readings, names="abc"):
    cells = [",".join("" if row.get(name) is None else repr(row[name]) for name in names) for row in readings]
    return "\n".join([",".join(names), *cells]) + "\n"


@pytest.fixture
def model():
    return detecting()


@pytest.fixture
def file(model, tmp_path):
    save(model, tmp_path / "model.json")
    return tmp_path / "model.json"


def wanted(model, readings, state=None):
    state = state or start(model)
    return [step(model, state, row)[0] for row in readings]


@pytest.mark.parametrize("write", [lines, table])
def test_every_reading_gives_what_step_gives(model, file, write):
    readings = rows(600, missing=0.02)
    code, out, errors = run("score", file, data=write(readings))
    assert (code, errors) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert any(one["alarm"] for one in found)
    for one, result in zip(found, wanted(model, readings), strict=True):
        assert (one["score"], one["alarm"], one["onset"], one["status"]) == (
            result.score, result.alarm, result.onset, result.status
        )  # fmt: skip
        assert one.get("faults", {}) == result.faults
        assert ("sensors" in one) == result.alarm
        if result.alarm:
            assert list(one["sensors"].items()) == shares(result.parts, result.score, watched(model))
            assert sum(one["sensors"].values()) == pytest.approx(1.0)
        assert "values" not in one


def test_options_of_the_output(model, file):
    readings = rows(40)
    _, out, _ = run("score", file, "--explain", "1", "--values", data=lines(readings))
    for line, result in zip(out.splitlines(), wanted(model, readings), strict=True):
        one = json.loads(line)
        assert list(one["values"].values()) == result.values
        assert len(one.get("sensors", {})) == result.alarm
    assert "sensors" not in run("score", file, "--explain", "0", data=lines(readings))[1]


@pytest.mark.parametrize("write", [lines, lambda readings: table(readings, ("kind", "t")).replace("'", "")])
def test_a_regression_gives_values_intervals_and_contributions(tmp_path, write):
    model = regression()
    save(model, tmp_path / "model.json")
    readings = [{"t": 20.0 + i, "kind": ("red", "green", "blue")[i % 3]} for i in range(40)]
    code, out, errors = run("score", tmp_path / "model.json", "--explain", "9", data=write(readings))
    assert (code, errors) == (0, "")
    state = start(model)
    for line, row in zip(out.splitlines(), readings, strict=True):
        one = json.loads(line)
        result, _ = step(model, state, row)
        assert one["values"] == {"y": result.values[0]}
        assert one["interval"] == {"y": list(interval(model, result)[0])}
        assert one["status"] == result.status
        assert one["contributions"] == {"y": dict(explain_inputs(model, state.inputs)[0].contributions)}


def test_intervals_follow_the_truths_and_go_on_where_they_were(tmp_path):
    model = regression()
    adjust = {"eta": 0.2, "floor": 0.1, "cap": 10.0}
    section = {**model.sections["interval/1"], "adjust": adjust, "slope": [0.1]}
    model = model.replace(sections={"interval/1": section})
    save(model, tmp_path / "model.json")
    readings = [{"t": 20.0 + i % 3, "kind": "red", "y": 25.0 + i % 5} for i in range(60)]
    readings[30]["y"] = readings[31]["t"] = None
    out = [
        run("score", tmp_path / "model.json", "--state", tmp_path / "state.json", data=lines(part))[1]
        for part in (readings[:25], readings[25:])
    ]
    state, factors = start(model), [1.0, 1.0]
    for line, row in zip("".join(out).splitlines(), readings, strict=True):
        result, _ = step(model, state, row)
        y = result.values[0]
        wide = 1.0 + 0.1 * abs(y)
        ends = [y + (-1.0 - 1.5 * (factors[0] - 1.0)) * wide, y + (2.0 + 1.5 * (factors[1] - 1.0)) * wide]
        assert json.loads(line)["interval"]["y"] == list(interval(model, result)[0]) == pytest.approx(ends)
        if row["y"] is not None and row["t"] is not None:
            for k, beyond in enumerate((row["y"] < ends[0], row["y"] > ends[1])):
                factors[k] = min(max(factors[k] * math.exp(0.2 * (beyond - 0.05)), 0.1), 10.0)
    assert max(factors) > 1.5
    with pytest.raises(ValueError, match="the intervals of other outputs"):
        start(model).restore({**state.to_dict(), "reach": [[1.0]]})


def test_what_is_odd_in_a_stream_is_reported_and_left_out(model, file):
    odd = (
        '{"a": 1, "b": "text", "c": 0.5, "d": 4}\n\n{"a": 1, "b"\n{"a": 2, "c": null}\n[1]\n'
        '{"a": NaN, "b": 1e300, "c": true}\n{"x": 1}\n\xff\n'
    ).encode("latin-1")
    code, out, errors = run("score", file, data=odd + b'{"a": 1, "b": 2, "c": 3}')
    assert code == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert [one.get("faults") for one in found] == [
        {"b": "missing"}, {"b": "missing", "c": "missing"}, {"a": "missing", "b": "missing"},
        {"a": "missing", "b": "missing", "c": "missing"}, None,
    ]  # fmt: skip
    said = [line.removeprefix("edge_lasso_runtime: warning: ") for line in errors.splitlines()]
    assert said == [
        "ignoring what the model does not read: 'd'",
        'line 3 is not a JSON object: \'{"a": 1, "b"\'; left out',
        "line 4 has no field 'b', which counts as missing; the nearest is none",
        "line 5 is not a JSON object: '[1]'; left out",
        "line 7 has no field 'a', which counts as missing; the nearest is 'x'",
        "line 7 has no field 'c', which counts as missing; the nearest is 'x'",
        "ignoring what the model does not read: 'x'",
        "line 8 is not UTF-8 text; left out",
        "9 lines, 3 of them unreadable; 0 gaps",
    ]


def test_a_table_with_a_renamed_column_and_a_broken_line(file):
    code, out, errors = run("score", file, data='a,"b",C,note\n1,2,3,x\n1,2\n"1",2,3,"x,y"\n"1,2\n')
    assert code == 0
    assert [json.loads(line)["faults"] for line in out.splitlines()] == [{"c": "missing"}] * 2
    assert "line 1 has no field 'c', which counts as missing; the nearest is 'C'" in errors
    assert "ignoring what the model does not read: 'C', 'note'" in errors
    assert "line 3 has 2 fields; the header has 4; left out" in errors
    assert "line 5 has 1 field; the header has 4; left out" in errors


@pytest.mark.parametrize("data", ['{"A": 1, "q": 2}\n{"a": 1}\n', "A,q\n1,2\n", "A,q\n"])
def test_input_with_none_of_the_fields_is_refused(file, data):
    code, out, errors = run("score", file, data=data)
    assert (code, out) == (2, "")
    assert "the input has none of the 3 fields that the model reads; the nearest to 'a': 'A'; to 'b': " in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("rest", "count"), [(b'{"a": 1, "b": 2, "c": 3}', 2), (b'{"a": 1, "b": 2, "c', 1), (b'{"a": 1,\xc3', 1)]
)
def test_half_a_line_at_the_end(file, tmp_path, rest, count):
    state = tmp_path / "state.json"
    code, out, errors = run("score", file, "--state", state, data=b'{"a": 1, "b": 2, "c": 3}\n' + rest)
    assert code == 0
    assert out.count("\n") == count
    assert ("the input ends in half a line" in errors) == (count == 1)
    assert json.loads(state.read_text())["content"]["state"]["rows"] == count


def test_a_line_without_end_is_left_out(file):
    good = b'{"a": 1, "b": 2, "c": 3}\n'
    code, out, errors = run("score", file, data=good + b"x" * 3_000_000 + b"\n" + good)
    assert (code, out.count("\n")) == (0, 2)
    assert "left out 1 line of more than 1048576 bytes" in errors


@pytest.mark.parametrize("kind", ["number", "milliseconds", "text"])
def test_lags_do_not_reach_over_gaps(tmp_path, kind):
    model = detecting(lags=2)
    save(model, tmp_path / "model.json")
    minutes = [0, 1, 2, 3, 4, 6, 7, 8, 30, 31, 31, "soon", 32]
    readings = rows(len(minutes))
    for row, minute in zip(readings, minutes, strict=True):
        if minute != "soon":
            minute = {"number": 60.0 * minute, "milliseconds": 1.7e12 + 60_000 * minute,
                      "text": f"2024-05-01T00:{minute:02}:00Z"}[kind]  # fmt: skip
        row["when"] = minute
    code, out, errors = run("score", tmp_path / "model.json", "--time", "when", "--values", data=lines(readings))
    assert code == 0
    state = start(model)
    for line, row, minute in zip(out.splitlines(), readings, minutes, strict=True):
        state.gap({6: 1, 30: 21}.get(minute, 0)) if minute in (6, 30) else None
        result, _ = step(model, state, {name: row[name] for name in "abc"})
        one = json.loads(line)
        assert one["time"] == row["when"]
        assert (list(one["values"].values()), one["status"]) == (result.values, result.status)
    assert "line 6: a gap of 1 reading before" in errors
    assert "line 9: a gap of 21 readings before" in errors
    assert "line 11: the time " in errors
    assert "line 12: the time 'soon' is no time" in errors


def test_times_in_a_table_are_copied_as_they_are(file):
    data = "when,a,b,c\n1700000000,1,2,3\n1700000060.5,1,2,3\n2024-05-01 10:00,1,2,3\n,1,2,3\n"
    _, out, _ = run("score", file, "--time", "when", data=data)
    assert [json.loads(line).get("time") for line in out.splitlines()] == [
        1700000000, 1700000060.5, "2024-05-01 10:00", "",
    ]  # fmt: skip


def test_gaps_need_to_know_how_far_apart_readings_are(tmp_path):
    save(regression(), tmp_path / "model.json")
    code, _, errors = run("score", tmp_path / "model.json", "--time", "t", data="t\n1\n")
    assert code == 2
    assert "give --step SECONDS" in errors
    assert run("score", tmp_path / "model.json", "--time", "w", "--step", "60", data="w,t,kind\n1,1,red\n")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_state(model, file, tmp_path, number):
    state = tmp_path / "state.json"
    readings = rows(30)
    command = [*COMMAND, "score", str(file), "--state", str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(lines(readings).encode() + b'{"half')
        process.stdin.flush()
        out = [process.stdout.readline() for _ in readings]
        process.send_signal(number)
        assert process.wait() == {signal.SIGTERM: 0, signal.SIGINT: 130}[number]
        (warning,) = process.stderr.read().decode().splitlines()
        assert warning.endswith("stopped in the middle of a line; left out its first 6 bytes")
    kept = json.loads(state.read_text())["content"]["state"]
    again = start(model)
    results = wanted(model, readings, again)
    assert kept == again.to_dict()
    assert [json.loads(line)["score"] for line in out] == [one.score for one in results]


def test_results_come_as_readings_do(file):
    with subprocess.Popen([*COMMAND, "score", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for row in rows(5):
            process.stdin.write(lines([row]).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["status"] in ("ok", "warming up", "degraded")
        process.stdin.close()
        assert process.wait() == 0


def test_the_digest(model, file, tmp_path):
    state = tmp_path / "state.json"
    readings = rows(200)
    _, _, errors = run("score", file, "--digest", "--state", state, data=lines(readings))
    kept = start(model)
    wanted(model, readings, kept)
    want = digest(model, kept.drift, kept.detector.onsets).hex()
    assert errors == f"digest: {want}\n"
    assert run("digest", file, "--state", state) == (0, f"{want}\n", "")
    code, _, errors = run("digest", file, "--state", tmp_path / "none.json")
    assert code == 2
    assert "none.json does not exist; score --state writes it" in errors
    save(detecting(drift=False), tmp_path / "plain.json")
    assert "no section drift/1" in run("score", tmp_path / "plain.json", "--digest", data="")[2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--every", "0"], "--every 0 is neither readings nor seconds"),
        (["--every", "0s"], "--every 0s is neither readings nor seconds"),
        (["none.csv"], "none.csv: No such file or directory"),
        (["--state", "none/state.json"], "No such file or directory"),
        (["--explain", "-1"], "argument --explain: '-1' is not a whole number"),
        (["--step", "nan"], "argument --step: 'nan' is not a number of seconds"),
    ],
)
def test_bad_usage(file, arguments, text):
    code, out, errors = run("score", file, *arguments, data=lines(rows(3)))
    assert (code, out) == (2, "")
    assert text in errors


def test_a_reader_that_leaves_is_no_error(file, tmp_path):
    (tmp_path / "data.csv").write_text(table(rows(30_000)))
    script = f"{sys.executable} -m edge_lasso_runtime score {file} {tmp_path}/data.csv | head -n 2"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert (done.stdout.count("\n"), done.stderr) == (2, "")


@pytest.mark.parametrize(
    "odd", [b'{"a":1},{"b":2}', b'{"a":[{"b":1}', b'{"b":2}]}', b"", b"{", b'{"a":1}\r', b'{"a":"\xff"}', b'{"a":null,"b":[1]}', b"[1]"]
)  # fmt: skip
def test_lines_read_together_are_what_they_are_one_after_another(odd):
    inputs = tuple(Input(name, i, 0.0, -1.0, 1.0) for i, name in enumerate("ab"))
    model = Model(("a", "b"), inputs, (Output("y", 0.0, ()),))
    lines = [b'{"a":1,"b":2}', b'{"a":3,"b":4}', odd, b'{"b":0.5}', odd, b'{"a":1e3,"b":-0}']

    def read(together):
        said = []
        readings = Readings(model, None, said.append)
        found = [readings.read(lines[0])]
        if together:
            readings.look_ahead(lines[1:])
        return [*found, *map(readings.read, lines[1:])], said, readings.lines, readings.unreadable

    assert read(True) == read(False)


@pytest.mark.parametrize("noise", ['5, "b": 2, "c": 1}', "[]", "null", "\x00\x01\x7f", "{}", '{"a": 1, "b"'])
def test_what_comes_before_the_first_reading_is_left_out(model, file, noise):
    readings = rows(5)
    code, out, errors = run("score", file, data=f"{noise}\n{lines(readings)}")
    assert code == 0, errors
    assert [json.loads(line)["score"] for line in out.splitlines()] == [one.score for one in wanted(model, readings)]


def test_nothing_but_noise_is_refused(file):
    code, out, errors = run("score", file, data="[1, 2, 3]\n" * 3)
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].endswith(
        "error: no line of the input can be read; it takes CSV with a header, or a JSON object a line"
    )


def test_strange_names_are_shown_in_part(file):
    code, _, errors = run("score", file, data="x" * 100_000 + "\n")
    assert code == 2
    assert len(errors) < 1000
    code, _, errors = run("score", file, data=f'{{"a": 1, "{"y" * 100_000}": 2}}\n')
    assert code == 0
    assert max(map(len, errors.splitlines())) < 300


def test_a_header_that_comes_again_is_no_reading(file):
    code, out, errors = run("score", file, data="a,b,c\n1,2,3\na,b,c\n1,2,3\n")
    assert (code, errors) == (0, "")
    assert len(out.splitlines()) == 2


def test_a_column_that_comes_twice_is_named(file):
    code, _, errors = run("score", file, data="a,b,c,a\n1,2,3,4\n")
    assert code == 0
    assert "the header has 'a' more than once; the first is read" in errors


def test_the_end_of_a_line_that_is_too_long_is_no_reading(file):
    data = "a,b,c\n1,2,3\n" + "z" * (17 * 65536 - 12) + "4,5,6"
    code, out, errors = run("score", file, data=data)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "left out 1 line of more than 1048576 bytes" in errors


def test_a_folder_is_no_input(file, tmp_path):
    code, _, errors = run("score", file, tmp_path)
    assert (code, errors) == (
        2, f"edge_lasso_runtime: error: {tmp_path} is a folder; give a file, or - for standard input\n"
    )  # fmt: skip


def test_a_signal_loses_nothing_of_an_output_without_a_buffer(model, file, tmp_path):
    """More results than a pipe holds; nobody reads them before the signal."""
    state = tmp_path / "state.json"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "score", str(file), "--state", str(state), "--values"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        process.stdin.write(lines(rows(1500)).encode())
        process.stdin.flush()
        select.select([process.stdout], [], [])  # the first result: the signal is waited for
        time.sleep(1.5)  # the pipe is full by now; if not, the test is easier
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        out = process.stdout.read()
        assert process.wait() == 0
    assert out.endswith(b"}\n")
    assert out.count(b"\n") == json.loads(state.read_text())["content"]["state"]["rows"]


def test_a_closed_input_is_refused(file):
    done = subprocess.run(["sh", "-c", f"{' '.join(COMMAND)} score {file} <&-"], capture_output=True, timeout=60)
    assert done.returncode == 2
    assert (
        done.stderr.decode() == "edge_lasso_runtime: error: standard input is closed; name a file, or give it lines\n"
    )
