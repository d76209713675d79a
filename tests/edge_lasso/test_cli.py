"""The command line as a user meets it: the whole way on a small table, and every bad input in one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import edge_lasso
from edge_lasso.commands.main import app, main
from edge_lasso_runtime import load, model_hash

COMMANDS = (
    "demo",
    "train",
    "show",
    "predict",
    "prune",
    "quantize",
    "cascade",
    "export",
    "verify",
    "bench",
    "boards",
    "bundle",
    "deploy",
    "doctor",
    "drift",
    "report",
    "search",
    "check",
    "classify",
    "watch",
)


def table(path, rows=300, columns=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(20.0, 5.0, (rows, columns))
    y = X[:, 0] - 2.0 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(0.0, 0.5, rows)
    names = ",".join([*(f"s{j}" for j in range(columns)), "y"])
    lines = [names, *(",".join(f"{value:.3f}" for value in [*row, out]) for row, out in zip(X, y, strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "data.csv")
    return tmp_path


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(one) for one in arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


def content(folder):
    return {one: one.read_bytes() if one.is_file() else None for one in folder.rglob("*")}


def refused(capsys, here, *arguments):
    """The one line that a refusal says; nothing may be written."""
    before = content(here)
    code, out, err = run(capsys, *arguments)
    assert code == 2, (out, err)
    assert out == ""
    assert err.startswith("edge-lasso: error: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert content(here) == before
    return err.removeprefix("edge-lasso: error: ")


def test_all_commands_are_known():
    assert {one.name or one.callback.__name__ for one in app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"Example: edge-lasso {command}" in " ".join(out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_on_80_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(capsys, command, "--help")
    assert max(map(len, out.splitlines())) <= 80


def test_version_and_what_was_meant(capsys, here):
    assert run(capsys, "--version")[:2] == (0, f"edge-lasso {edge_lasso.__version__}\n")
    assert "No such command 'trian'. Did you mean 'train'?" in run(capsys, "trian")[2]
    code, _, err = run(capsys, "train", "data.csv", "--targt", "y")
    assert code == 2
    assert "--target" in err
    assert err.endswith("see 'edge-lasso train --help'\n")


def test_import_and_help_load_little():
    program = (
        "import sys, edge_lasso, edge_lasso.commands.main\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'scipy', 'sklearn', 'pyarrow', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.needs("cc")
def test_the_whole_way(capsys, here):
    assert run(capsys, "train", "data.csv", "--target", "y", "--holdout", "0.2", "--out", "m.json")[0] == 0
    assert {one.name for one in load("m.json").inputs} >= {"s0", "s1"}
    assert (here / "m.stats.npz").exists()
    code, out, _ = run(capsys, "show", "m.json", "--json")
    assert code == 0
    assert set(json.loads(out)["percent_error_if_lost"]) == {one.name for one in load("m.json").inputs}
    assert run(capsys, "prune", "m.json", "--max-inputs", "2", "--out", "p.json")[0] == 0
    assert [one.name for one in load("p.json").inputs] == ["s0", "s1"]
    code, out, _ = run(
        capsys, "quantize", "p.json", "--to", "int16", "--range", "s0=-100:100", "--out", "q.json", "--json"
    )
    assert code == 0
    assert json.loads(out)["fixed_point"]["bits"] == 16
    assert (load("q.json").inputs[0].low, load("q.json").inputs[0].high) == (-100.0, 100.0)
    code, out, _ = run(capsys, "export", "q.json", "--to", "python,c", "--out", "a", "--allow-unverified", "--json")
    assert code == 0
    assert {one["status"] for one in json.loads(out)["artifacts"]} <= {"passed", "not_executed"}
    assert (here / "a" / "c-fixed" / "model.c").exists()
    assert run(capsys, "verify", "q.json", "a/c-fixed", "--data", "data.csv", "--json", "c.json")[0] == 0
    assert json.loads((here / "c.json").read_text())["status"] == "passed"
    code, out, err = run(capsys, "predict", "p.json", "data.csv")
    assert code == 0
    assert out.splitlines()[0] == "y,status,faults"
    assert len(out.splitlines()) == 301
    assert "300 rows" in err
    before = (here / "data.csv").read_bytes()
    assert "data.csv is what is read" in refused(capsys, here, "predict", "p.json", "data.csv", "--out", "data.csv")
    assert "is what is read" in refused(capsys, here, "train", "data.csv", "--target", "y", "--out", "data.csv")
    assert (here / "data.csv").read_bytes() == before
    code, out, _ = run(
        capsys, "bench", "a/python-fixed", "--seconds", "0.3", "--budget", "inputs=2", "--json", "b.json"
    )
    assert code == 0
    assert json.loads((here / "b.json").read_text())[0]["figures"]["p50_us"]["kind"] == "measured"
    code, _, err = run(capsys, "bench", "a/python-fixed", "--seconds", "0.3", "--budget", "size_bytes=10")
    assert code == 1
    assert "a budget is missed" in err
    assert run(capsys, "report", "p.json", "--data", "data.csv")[0] == 0
    assert (here / "p.html").exists()


@pytest.mark.long
def test_an_artifact_of_another_model_fails(capsys, here):
    for name, inputs in (("a", "3"), ("b", "2")):
        assert (
            run(capsys, "train", "data.csv", "--target", "y", "--max-inputs", inputs, "--out", f"{name}.json")[0] == 0
        )
    assert run(capsys, "export", "a.json", "--to", "python", "--allow-unverified", "--out", "a")[0] == 0
    code, _, err = run(capsys, "verify", "b.json", "a")
    assert code == 1
    assert "another model" in err or "verification: failed" in err


def write(here, name, data):
    (here / name).write_bytes(data)
    return name


GOOD = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i * i % 7, 3 * i + i * i % 7) for i in range(40))


@pytest.mark.parametrize(("data", "message"), [
    (b"", "is empty"),
    (b"a,b,y\n", "no rows"),
    (b"a,b,y\n1,2,3\n", "row"),
    (b"a,b,y\n" + b"1,2,x\n2,3,5\n" * 20, "not a number"),
    (b"a,a,y\n1,2,3\n4,5,6\n", "'a' stands twice"),
    ("größe,y\n1,2\n3,4\n".encode("utf-32"), "is no text"),
    (b"a,b,y\n" + b"1,2,5\n2,3,5\n" * 20, "constant"),
    (b"a,b,y\n" + b"1,2,\n2,3,\n" * 20, "no readings"),
    (b"a,b,y\n" + b"1,2,3\n4,5\n" * 20, "cells"),
    (b"a,b,y\n" + b"1,2,5\nseven,3,5\n" * 20, "column 'a' holds 'seven'"),
])  # fmt: skip
def test_bad_tables(capsys, here, data, message):
    name = write(here, "bad.csv", data)
    assert message in refused(capsys, here, "train", name, "--target", "y", "--out", "m.json")


def test_gaps_infinities_and_empty_columns_are_no_fault(capsys, here):
    data = GOOD.replace(b"a,b,y", b"a,b,e,y").replace(b"\n3,", b"\ninf,").replace(b"\n5,", b"\nNA,")
    lines = data.split(b"\n")
    data = b"\n".join(
        [lines[0], *(line.rpartition(b",")[0] + b",," + line.rpartition(b",")[2] for line in lines[1:] if line)]
    )
    name = write(here, "gaps.csv", data)
    code, _, err = run(capsys, "train", name, "--target", "y", "--out", "m.json")
    assert code == 0
    assert "'e'" in err


@pytest.mark.long
def test_ten_thousand_columns(capsys, here):
    table(here / "wide.csv", rows=40, columns=10_000)
    code, _, err = run(
        capsys, "train", "wide.csv", "--target", "y", "--max-inputs", "3", "--cv", "3", "--out", "m.json"
    )
    assert code == 0 or (code == 2 and "GB" in err and len(err.splitlines()) == 1), err


@pytest.mark.parametrize(("arguments", "message"), [
    (["train", "data.csv", "--target", "s22"], "column 's22' is not in data.csv"),
    (["train", "none.csv", "--target", "y"], "none.csv does not exist"),
    (["train", "data.csv"], "--target"),
    (["train", "data.csv", "--target", "y", "--out", "none/m.json"], "folder none does not exist"),
    (["train", "data.csv", "--target", "y", "--out", "data.csv/m.json"], "data.csv"),
    (["train", "data.csv", "--target", "y", "--drop", "zz*"], "no column of data.csv is like 'zz*'"),
    (["train", "data.csv", "--target", "y", "--time", "s0x"], "s0x"),
    (["train", "data.csv", "--target", "y", "--select", "best"], "select is 'best'"),
    (["train", "data.csv", "--target", "y", "--task", "magic"], "--task"),
    (["train", "data.csv", "--target", "y", "--holdout", "2"], "holdout"),
    (["train", "data.csv", "--target", "y", "--cv", "1000"], "rows"),
    (["nonsense"], "No such command 'nonsense'"),
    (["show", "none.json"], "none.json"),
    (["show", "data.csv"], "data.csv is not JSON"),
    (["prune", "data.csv"], "--max-inputs or --max-loss"),
    (["bench", "data.csv", "--budget", "p95_us"], "--budget"),
])  # fmt: skip
def test_bad_arguments(capsys, here, arguments, message):
    assert message in refused(capsys, here, *arguments)


def test_a_model_without_its_statistics(capsys, here):
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    (here / "m.stats.npz").unlink()
    assert "m.stats.npz is not beside m.json" in refused(capsys, here, "prune", "m.json", "--max-inputs", "1")


def test_what_cannot_be_proven_is_refused(capsys, here):
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    assert "the best bound is" in refused(capsys, here, "quantize", "m.json", "--max-error", "1e-9")
    assert "low" in refused(capsys, here, "quantize", "m.json", "--range", "s0=5:1")
    assert "target 'pytn' is unknown" in refused(capsys, here, "export", "m.json", "--to", "pytn", "--out", "a")


def command(*arguments):
    return [sys.executable, "-m", "edge_lasso", *map(str, arguments)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_that_is_full(here):
    main(["train", "data.csv", "--target", "y", "--out", "m.json"])
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("predict", "m.json", "data.csv"), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "No space left" in done.stderr


@pytest.mark.needs("mount")
@pytest.mark.parametrize("kilobytes", [4, 12, 20, 40])
def test_disk_full(capsys, here, kilobytes):
    """Of a model and its statistics there are both or none, wherever the disk ends."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    small = here / "small"
    small.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(small)], check=False)
    if done.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        code, _, err = run(capsys, "train", "data.csv", "--target", "y", "--out", small / "m.json")
        found = {one.name for one in small.iterdir()}
        if kilobytes == 40:
            assert (code, found) == (0, {"m.json", "m.stats.npz", "trainings.jsonl"})
        else:
            assert code == 2
            assert err == (
                "edge-lasso: error: No space left on device; free some space or choose another folder with --out\n"
            )
            assert found == set()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def training(here, *arguments):
    """A `train` that has opened its large table."""
    path = table(here / "big.csv", rows=200_000, columns=20)
    process = subprocess.Popen(
        command("train", "big.csv", "--target", "y", "--out", "m.json", *arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    descriptors = Path(f"/proc/{process.pid}/fd")
    end = time.monotonic() + 60.0
    while time.monotonic() < end and process.poll() is None:
        for one in descriptors.iterdir():
            try:
                if one.resolve() == path.resolve():
                    return process
            except OSError:
                continue  # closed meanwhile
        time.sleep(0.002)
    process.kill()
    raise AssertionError(f"train did not open its table: {process.communicate()}")


has_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="sees in /proc what a process has open")


@pytest.mark.slow
@has_proc
@pytest.mark.parametrize(("delay", "how"), [(0.0, signal.SIGINT), (0.4, signal.SIGINT), (0.0, signal.SIGTERM)])
def test_interrupted(here, delay, how):
    process = training(here)
    time.sleep(delay)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    inputs, outputs = {"data.csv", "big.csv"}, {"m.json", "m.stats.npz", "trainings.jsonl"}
    files = {file.name for file in here.iterdir()} - inputs
    if process.returncode == 0:  # it was done before the signal came
        assert (files, err) == (outputs, "")
    else:
        assert process.returncode == 130
        assert err == "edge-lasso: error: interrupted; nothing half-written was left\n"
        assert files in (set(), outputs)  # the signal may come while it says what it wrote
    assert bool(out) <= bool(files)


def test_interrupted_while_python_imports():
    """Interrupted where it looks for typer, which waits there: on a machine of any speed the imports are not over."""
    script = (
        "import runpy, sys, time\n"
        "class Slow:\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'typer':\n"
        "            print('importing', flush=True)\n"
        "            time.sleep(600)\n"
        "sys.meta_path.insert(0, Slow)\n"
        "sys.argv = ['edge-lasso', 'boards']\n"
        "runpy.run_module('edge_lasso', run_name='__main__')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1].splitlines()
    assert (process.returncode, said[-1]) == (130, "edge-lasso: error: interrupted; nothing was begun")


@pytest.mark.slow
@has_proc
def test_killed(here):
    """The model that was there before is still there, whole and with its statistics."""
    main(["train", "data.csv", "--target", "y", "--out", "m.json"])
    before = content(here)
    process = training(here)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (here / "big.csv").unlink()
    assert content(here) == before
    assert main(["prune", "m.json", "--max-inputs", "1"]) == 0


def test_interrupted_while_writing(capsys, here, monkeypatch):
    """The old pair of model and statistics outlives an interruption between the two."""
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    before = content(here)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stop)
    code, out, err = run(capsys, "train", "data.csv", "--target", "y", "--drop", "s2", "--out", "m.json")
    assert (code, out) == (130, "")
    assert err == "edge-lasso: error: interrupted; nothing half-written was left\n"
    assert content(here) == before


@pytest.mark.slow
def test_the_real_command_and_its_exit_codes(here):
    def real(*arguments):
        done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=100)
        return done.returncode, done.stdout, done.stderr

    code, out, err = real("train", "data.csv", "--target", "y", "--out", "m.json", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["inputs"] == [one.name for one in load("m.json").inputs]
    assert real("export", "m.json", "--to", "python", "--out", "a")[0] == 0
    assert real("verify", "m.json", "a")[0] == 0
    (here / "a" / "python-double" / "model.py").write_text("def predict(row):\n    return 0.0\n")
    code, _, err = real("verify", "m.json", "a")
    assert code == 1
    assert err.startswith("edge-lasso: error: ")
    assert err.count("\n") == 1
    code, out, err = real("train", "data.csv", "--target", "z")
    assert (code, out) == (2, "")
    assert err == "edge-lasso: error: column 'z' is not in data.csv; it has 7 columns\n"
    code, out, err = real()
    assert (code, err) == (2, "")
    assert "Usage" in out


@pytest.mark.long
def test_the_reader_of_a_pipe_may_leave(here):
    table(here / "long.csv", rows=30_000)
    main(["train", "data.csv", "--target", "y", "--out", "m.json"])
    process = subprocess.Popen(
        command("predict", "m.json", "long.csv"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "y,status,faults\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


def hostile(model):
    deep = "[" * 100_000 + "]" * 100_000
    changed = json.loads(model)
    changed["outputs"][0]["terms"][0]["coef"] = 1e999
    return {
        "empty": b"",
        "no JSON": b"\x00\xff" * 99,
        "cut": model[: len(model) // 2],
        "deep": deep.encode(),
        "a list": b"[]",
        "nothing in it": b"{}",
        "a huge number": b'{"format": ' + b"9" * 10_000 + b"}",
        "infinite": json.dumps(changed).encode(),
    }


@pytest.mark.parametrize("kind", hostile(b'{"outputs": [{"terms": [{}]}]}'))
def test_hostile_model_files(capsys, here, kind):
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    (here / "bad.json").write_bytes(hostile((here / "m.json").read_bytes())[kind])
    for arguments in (
        ["show", "bad.json"],
        ["predict", "bad.json", "data.csv", "--out", "p.csv"],
        ["prune", "bad.json", "--max-inputs", "1"],
        ["quantize", "bad.json", "--to", "int8"],
        ["export", "bad.json", "--to", "python", "--out", "a"],
        ["verify", "bad.json"],
        ["report", "bad.json"],
    ):
        refused(capsys, here, *arguments)


def test_damaged_statistics(capsys, here):
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    data = bytearray((here / "m.stats.npz").read_bytes())
    for damaged in (b"", bytes(data[:-100]), bytes(data[:500]) + bytes(8) + bytes(data[508:])):
        (here / "m.stats.npz").write_bytes(damaged)
        assert "m.stats.npz" in refused(capsys, here, "prune", "m.json", "--max-inputs", "1")


@pytest.mark.parametrize(("target", "nearest"), [("temperatur", "temperature"), ("humid", "rel_humidity")])
def test_the_nearest_name_is_suggested(capsys, here, target, nearest):
    write(here, "t.csv", GOOD.replace(b"a,b,y", b"temperature,rel_humidity,y"))
    message = refused(capsys, here, "train", "t.csv", "--target", target)
    assert message == f"column '{target}' is not in t.csv; it has 3 columns, the nearest is '{nearest}'\n"


@pytest.mark.parametrize("arguments", [
    ["train", "data.csv", "--target", "y"],
    ["predict", "m.json", "data.csv"],
    ["prune", "m.json", "--max-inputs", "1"],
    ["quantize", "m.json", "--to", "int16"],
    ["report", "m.json"],
])  # fmt: skip
def test_places_that_cannot_be_written_to(capsys, here, arguments):
    """A folder that is not there, a file in place of a folder, a folder in place of a file."""
    assert run(capsys, "train", "data.csv", "--target", "y", "--out", "m.json")[0] == 0
    (here / "taken").mkdir()
    for place, message in [
        ("none/x.json", "folder none does not exist; make it, or choose another place with --out\n"),
        ("data.csv/x.json", "folder data.csv does not exist; make it, or choose another place with --out\n"),
        ("taken", "taken is a folder; --out wants a file\n"),
    ]:
        assert refused(capsys, here, *arguments, "--out", place) == message
    if os.geteuid():
        (here / "taken").chmod(0o500)
        assert "ermission denied" in refused(capsys, here, *arguments, "--out", "taken/x.json")


@pytest.mark.long
def test_json_of_every_command(capsys, here):
    """One document on standard output, nothing else."""
    documents = [
        ("train", "data.csv", "--target", "y", "--out", "m.json"),
        ("show", "m.json"),
        ("prune", "m.json", "--max-inputs", "2"),
        ("quantize", "m.json", "--to", "int8", "--out", "q.json"),
        ("export", "m.json", "--to", "python", "--out", "a"),
    ]
    for arguments in documents:
        code, out, _ = run(capsys, *arguments, "--json")
        assert code == 0, arguments
        assert isinstance(json.loads(out), dict)


def series(path, rows=400, seed=0):
    """y follows s0 of two rows before."""
    rng = np.random.default_rng(seed)
    X = rng.normal(20.0, 5.0, (rows, 3))
    y = np.r_[20.0, 20.0, X[:-2, 0]] + rng.normal(0.0, 0.5, rows)
    times = np.datetime64("2024-05-01T00:00:00") + np.arange(rows) * np.timedelta64(10, "m")
    lines = ["time,s0,s1,s2,y"]
    for when, row, out in zip(times, X, y, strict=True):
        lines.append(",".join([str(when), *(f"{value:.3f}" for value in [*row, out])]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_series_goes_the_whole_way(here, capsys):
    series(here / "series.csv")
    train = ("train", "series.csv", "--target", "y", "--time", "time", "--lags", "3", "--mean", "4:s1")
    code, out, _ = run(capsys, *train, "--out", "model.json")
    assert code == 0
    assert "y: 1 of 13 inputs" in out
    assert "without an estimate" in out
    assert "computed on the board from earlier rows: s0.lag2; complete after 2 rows" in out
    code, out, _ = run(capsys, "show", "model.json")
    assert code == 0
    assert "failing sensors" in out
    code, out, _ = run(capsys, "show", "model.json", "--json")
    shown = json.loads(out)
    assert shown["warm_up"] == 2
    assert set(shown["percent_error_if_missing"]["y"]) == {"s0", "s0.lag2"}
    code, out, err = run(capsys, "predict", "model.json", "series.csv", "--estimate")
    assert code == 0
    assert len(out.splitlines()) == 401
    assert "400 rows, 2 degraded" in err
    code, out, _ = run(capsys, *train, "--sections", "none", "--out", "bare.json")
    assert load(here / "bare.json").sections == {}
    assert "without an estimate" not in out
    code, _, err = run(capsys, "predict", "bare.json", "series.csv", "--estimate")
    assert code == 2
    assert "the model cannot estimate missing inputs; train it with --sections estimate" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lags", "x"], "--lags 'x' is not ROWS or ROWS:COLUMN,COLUMN; for example: --lags 3"),
        (["--mean", "1"], "--mean is 1; it is a number of rows from 2 to 100000"),
        (["--ewma", "5:s9"], "--ewma: column 's9' is not in series.csv"),
        (["--lags", "2", "--degree", "2"], "--degree 2 does not go with inputs from earlier rows"),
        (["--lags", "500"], "columns with those from earlier rows are more than the 400 rows"),
        (
            ["--sections", "health,heath"],
            "--sections: 'heath' is unknown; allowed are estimate, health, drift, or none",
        ),
    ],
)
def test_bad_options_of_a_series_in_one_line(here, capsys, options, message):
    series(here / "series.csv")
    code, _, err = run(capsys, "train", "series.csv", "--target", "y", "--time", "time", *options)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (here / "model.json").exists()


def test_rows_out_of_order_are_put_in_order_and_it_is_said(here, capsys):
    lines = series(here / "series.csv").read_text().splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    (here / "mixed.csv").write_text("\n".join(lines) + "\n")
    code, _, err = run(capsys, "train", "mixed.csv", "--target", "y", "--time", "time", "--lags", "2")
    assert code == 0
    assert "note: rows put in the order of 'time'" in err
    assert (
        run(capsys, "train", "series.csv", "--target", "y", "--time", "time", "--lags", "2", "--out", "sorted.json")[0]
        == 0
    )
    assert model_hash(load("model.json")) == model_hash(load("sorted.json"))
