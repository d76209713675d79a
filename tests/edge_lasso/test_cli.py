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

from edge_lasso.cli import app, main
from edge_lasso_runtime import load

COMMANDS = ("demo", "train", "show", "predict", "prune", "quantize", "export", "verify", "bench", "report")


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


def refused(capsys, here, *arguments):
    """The one line that a refusal says; nothing may be written."""
    before = sorted(here.rglob("*"))
    code, out, err = run(capsys, *arguments)
    lines = [line for line in err.splitlines() if line]
    assert code == 2, (out, err)
    assert out == ""
    assert len(lines) == 1, err
    assert lines[0].startswith("edge-lasso: error: ")
    assert sorted(here.rglob("*")) == before
    return lines[0].removeprefix("edge-lasso: error: ")


def test_all_commands_are_known():
    assert {one.name or one.callback.__name__ for one in app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"Example: edge-lasso {command}" in " ".join(out.split())


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
    assert out.splitlines()[0] == "y,status"
    assert len(out.splitlines()) == 301
    assert "300 rows" in err
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


def test_an_artifact_of_another_model_fails(capsys, here):
    for name, inputs in (("a", "3"), ("b", "2")):
        assert (
            run(capsys, "train", "data.csv", "--target", "y", "--max-inputs", inputs, "--out", f"{name}.json")[0] == 0
        )
    assert run(capsys, "export", "a.json", "--to", "python", "--allow-unverified", "--out", "a")[0] == 0
    code, _, err = run(capsys, "verify", "b.json", "a")
    assert code == 1
    assert "another model" in err or "verification failed" in err


def write(here, name, data):
    (here / name).write_bytes(data)
    return name


GOOD = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i * i % 7, 3 * i + i * i % 7) for i in range(40))


@pytest.mark.parametrize(("data", "message"), [
    (b"", "is empty"),
    (b"a,b,y\n", "no rows"),
    (b"a,b,y\n1,2,3\n", "row"),
    (GOOD.replace(b",0,0\n", b",0,x\n", 1), "not a number"),
    (b"a,a,y\n1,2,3\n4,5,6\n", "'a' stands twice"),
    ("größe,y\n1,2\n3,4\n".encode("latin-1"), "not UTF-8"),
    (b"a,b,y\n" + b"1,2,5\n2,3,5\n" * 20, "constant"),
    (b"a,b,y\n" + b"1,2,\n2,3,\n" * 20, "no readings"),
    (b"a,b,y\n" + b"1,2,3\n4,5\n" * 20, "cells"),
    (GOOD.replace(b"\n7,", b"\nseven,"), "column 'a' holds 'seven'"),
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
def test_disk_full(capsys, here):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    small = here / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(small)], check=True)
    try:
        code, _, err = run(capsys, "train", "data.csv", "--target", "y", "--out", small / "m.json")
        assert code == 2
        assert "No space left on device" in err
        assert len(err.strip().splitlines()) == 1
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_interrupted(here):
    table(here / "big.csv", rows=200_000, columns=20)
    process = subprocess.Popen(
        command("train", "big.csv", "--target", "y", "--out", "m.json"), stderr=subprocess.PIPE, text=True
    )
    time.sleep(3.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode != 0:  # a fast machine may have finished
        assert process.returncode == 130
        assert err.strip().splitlines()[-1] == "edge-lasso: error: interrupted; nothing half-written was left"
        assert not (here / "m.json").exists()
    assert not list(here.glob(".*"))


def test_killed(here):
    table(here / "big.csv", rows=200_000, columns=20)
    main(["train", "data.csv", "--target", "y", "--out", "m.json"])
    whole = (here / "m.json").read_bytes()
    process = subprocess.Popen(
        command("train", "big.csv", "--target", "y", "--out", "m.json"), stderr=subprocess.DEVNULL
    )
    time.sleep(3.0)
    process.kill()
    process.wait()
    assert (here / "m.json").read_bytes() == whole or load(here / "m.json")
