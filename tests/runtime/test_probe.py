"""The probe: what it measures, what it leaves out with a reason, strange clocks and busy machines."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edge_lasso_runtime
from edge_lasso_runtime import Factor, Input, Model, Output, Term, machine, save, timing
from edge_lasso_runtime.errors import SessionError
from edge_lasso_runtime.probe import probe

pytestmark = pytest.mark.long

HOME = str(Path(edge_lasso_runtime.__file__).parent.parent)
FIGURES = {
    "cold_start_ms", "bare_start_ms", "cold_start_ratio", "import_ms", "load_ms", "first_prediction_ms",
    "p50_us", "p95_us", "p99_us", "max_us", "gc_off_p50_us", "throughput_per_s", "second_half_ratio",
    "ram_bytes", "private_dirty_bytes", "peak_bytes", "ram_total_bytes", "private_dirty_total_bytes",
    "peak_total_bytes", "allocated_bytes", "kept_bytes", "size_bytes",
}  # fmt: skip


def small_model():
    inputs = tuple(Input(f"s{i}", i, 1.0, 0.0, 2.0) for i in range(5))
    return Model(
        tuple(one.name for one in inputs), inputs, (Output("y", 1.0, tuple(Term(0.5, (Factor(i),)) for i in range(5))),)
    )


@pytest.fixture
def model_file(tmp_path):
    save(small_model(), tmp_path / "model.json")
    return str(tmp_path / "model.json")


@pytest.fixture
def python_artifact(tmp_path):
    folder = tmp_path / "python-double"
    folder.mkdir()
    (folder / "demo.py").write_text(
        'MODEL_HASH = "h"\ndef linear(x):\n    return 1.0 + 2.0 * x[0]\ndef predict(x):\n    return linear(x)\n'
    )
    about = {
        "format": "edge-lasso-artifact/1", "target": "python", "variant": "double", "entry": "demo.py", "name": "demo",
        "inputs": ["a"], "columns": None, "outputs": ["y"], "model_hash": "h", "handles_missing": True,
        "self_test": [{"row": [None], "linear": [1.0]}, {"row": [3.0], "linear": [7.0]}],
    }  # fmt: skip
    (folder / "artifact.json").write_text(json.dumps(about))
    return folder


def check_figures(found):
    assert set(found["figures"]) == FIGURES
    for name, figure in found["figures"].items():
        assert figure["kind"] == "measured", name
        assert figure["unit"]
        if figure["value"] is None:
            assert figure["reason"]
        else:
            assert math.isfinite(figure["value"])
    value = {name: figure["value"] for name, figure in found["figures"].items()}
    assert 0 < value["p50_us"] <= value["p95_us"] <= value["p99_us"] <= value["max_us"]
    assert value["bare_start_ms"] > 0
    assert found["figures"]["p50_us"]["samples"] > 100
    json.dumps(found, allow_nan=False)


def test_a_model_file(model_file):
    found = probe(model_file, seconds=1.5)
    check_figures(found)
    assert found["subject"]["target"] == "runtime"
    assert found["figures"]["size_bytes"]["value"] == os.path.getsize(model_file)
    assert found["machine"]["python"].endswith(sys.version.split()[0])
    assert found["machine"]["bits"] in (32, 64)
    for when in ("before", "after"):
        state = found[when]
        assert all(reason for reason in state["absent"].values())
        assert {name for name, value in state.items() if value is None and name != "busy"} == set(state["absent"])
    assert found["method"]["batch"] >= 1
    assert found["method"]["clock_pair_ns"] > 0


def test_a_python_artifact_is_left_as_it_was(python_artifact):
    found = probe(str(python_artifact), seconds=1.5)
    check_figures(found)
    assert found["subject"]["variant"] == "double"
    assert sorted(path.name for path in python_artifact.iterdir()) == ["artifact.json", "demo.py"]


def test_memory_is_this_programs_own_and_not_inherited(model_file):
    ballast = bytearray(300 << 20)
    found = probe(model_file, seconds=0.6)["figures"]
    assert len(ballast) == 300 << 20
    if os.path.exists("/proc/self/smaps_rollup"):
        assert 4 << 20 < found["peak_total_bytes"]["value"] < 64 << 20
        assert 0 < found["ram_bytes"]["value"] < 8 << 20
    else:
        assert found["ram_bytes"]["reason"]


def python_versions():
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for minor in range(9, 15):
        paths = sorted(root.glob(f"versions/3.{minor}.*/bin/python3"))
        if paths:
            yield str(paths[-1])


@pytest.mark.parametrize("python", list(python_versions()) or [sys.executable])
def test_every_supported_python(python, model_file):
    run = [python, "-m", "edge_lasso_runtime", "probe", model_file, "--json", "--seconds", "0.8"]
    done = subprocess.run(run, env={**os.environ, "PYTHONPATH": HOME}, capture_output=True, check=True)
    check_figures(json.loads(done.stdout))


BLOCKED = """
import builtins, sys
sys.path.insert(0, {home!r})
sys.modules["resource"] = None
real = open
def blocked(path, *more, **named):
    if str(path).startswith(("/proc", "/sys")):
        raise FileNotFoundError(2, "No such file or directory", path)
    return real(path, *more, **named)
builtins.open = blocked
"""


def test_without_proc_and_resource_figures_are_absent_with_a_reason(model_file, tmp_path):
    # A sitecustomize blocks /proc, /sys and `resource` in the probe and, through a wrapper, in every child.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BLOCKED.format(home=HOME))
    wrapper = tmp_path / "python"
    skip = 'while [ "$1" = -I ] || [ "$1" = -S ]; do shift; done'
    wrapper.write_text(f'#!/bin/sh\n{skip}\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    run = [wrapper, "-m", "edge_lasso_runtime", "probe", model_file, "--json", "--seconds", "0.8"]
    done = subprocess.run([*run, "--interpreter", str(wrapper)], cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    check_figures(found)
    for name in ("ram_bytes", "private_dirty_bytes", "peak_bytes"):
        assert found["figures"][name]["value"] is None
        assert "this system has no" in found["figures"][name]["reason"]
    assert found["before"]["frequency_mhz"] is None
    assert found["before"]["busy"] is None


def test_a_runtime_that_fails_in_the_child_ends_in_one_line(python_artifact):
    (python_artifact / "demo.py").write_text('MODEL_HASH = "h"\ndef predict(x):\n    return x.nonsense\n')
    with pytest.raises(SessionError, match="nonsense"):
        probe(str(python_artifact), seconds=0.5)


@pytest.mark.parametrize(("path", "text"), [("nowhere.json", "does not exist"), (".", "has no artifact.json")])
def test_nothing_to_probe(tmp_path, monkeypatch, path, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SessionError, match=text):
        probe(path)
    with pytest.raises(SessionError, match="seconds is nan; it must be positive"):
        probe(path, seconds=math.nan)


def test_a_clock_that_stands_still_ends_and_says_so():
    found = timing.latency(lambda x: x, [1], 0.05, lambda: 12345)
    assert found["samples"] == 0
    assert found["discarded"] > 0


def jumping(every, jump):
    """The real clock, set by `jump` ns at every so-manieth reading."""
    state = {"n": 0, "shift": 0}

    def read():
        state["n"] += 1
        if state["n"] % every == 0:
            state["shift"] += jump
        return time.perf_counter_ns() + state["shift"]

    return read


def test_a_clock_that_jumps_back_loses_those_batches():
    found = timing.latency(lambda x: x, [1], 0.05, jumping(101, -(10**9)))
    assert found["samples"] > 0
    assert found["discarded"] > 0
    assert 0 < found["p50"] < 100_000


def test_a_clock_that_jumps_ahead_still_gives_samples():
    found = timing.latency(lambda x: x, [1], 0.05, jumping(10_007, 10**12))
    assert found["samples"] >= timing.LEAST_BATCHES
    assert 0 < found["p50"] < 100_000


def test_a_coarse_clock_gets_large_batches():
    # 1 ms steps, as on boards without a fine clock: the batch must be worth a hundred of them
    ticks = {"n": 0}

    def count(_):
        ticks["n"] += 1

    def coarse():
        return ticks["n"] * 1000 // 1_000_000 * 1_000_000  # a call takes 1 us

    cost = timing.clock_cost(coarse, 10)
    assert timing.batch_size(count, [0], coarse, max(cost, 1_000_000)) >= 100_000


def test_percentiles_are_values_that_occurred():
    values = sorted(float(i) for i in range(1, 101))
    assert [timing.percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert timing.percentile([7.0], 0.99) == 7.0


def test_allocation_is_counted_per_prediction():
    assert 950 <= timing.allocated(lambda n: bytes(n), [1000])["allocated"] <= 1100
    kept = []
    assert timing.allocated(lambda n: kept.append(bytes(n)), [1000])["kept_after_1000"] >= 1_000_000
    assert timing.allocated(lambda n: None, [1000])["allocated"] == 0


def test_a_busy_machine_is_noticed():
    # one process per core
    text = "while True: pass"
    burners = [subprocess.Popen([sys.executable, "-I", "-S", "-c", text]) for _ in range(os.cpu_count() or 1)]
    try:
        occupied = machine.busy(0.3)
    finally:
        for one in burners:
            one.kill()
            one.wait()
    assert occupied is None or occupied > 0.8


def test_throttling_is_read_from_the_firmware(tmp_path, monkeypatch):
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x50005\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    assert machine.throttled() == [
        "under-voltage now",
        "throttled now",
        "under-voltage since boot",
        "throttled since boot",
    ]
    tool.write_text("#!/bin/sh\necho VCHI initialization failed\nexit 255\n")
    assert machine.throttled() is None


def test_starting_up_needs_none_of_the_slow_modules(model_file):
    slow = {"json", "re", "typing", "dataclasses", "inspect", "enum", "argparse", "subprocess", "pathlib"}
    script = (
        f"import sys\nsys.path.insert(0, {HOME!r})\nimport edge_lasso_runtime as r\n"
        f"r.predict(r.load({model_file!r}), [1.0] * 5)\nprint(*sorted(set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert not slow & set(done.stdout.split())
