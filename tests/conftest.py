"""Shared fixtures, and `@pytest.mark.needs(...)`: a missing tool skips, or fails under EDGE_LASSO_REQUIRE=all."""

import functools
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from edge_lasso_devices.build import find_compiler, no_compiler
from edge_lasso_devices.cores import open_core
from edge_lasso_devices.cross import cross_build
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.esphome import find_cxx, find_esphome
from edge_lasso_devices.micropython import find_micropython, no_micropython
from edge_lasso_devices.tools import PATIENCE, TOOLS, Tool, trouble

# the same examples on every machine however busy it is; where `make fuzz` asks for time, others each time
settings.register_profile(
    "same",
    derandomize="EDGE_LASSO_FUZZ_SECONDS" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ". tests/tools/install.sh .tools"
# what several test files use: models, a board and its bundles, a broker (`runtime`), an sshd, strace, a micro:bit; and
# what makes the documentation
sys.path += [str(ROOT / folder) for folder in ("tests/runtime", "tests/devices", "tests/tools", "docs")]
# runtimes in an environment of their own (`tests/tools/tflite_runtime_venv.sh DIR`): the variable names its Python
PYTHONS = {
    "tflite-runtime": ("EDGE_LASSO_TFLITE_RUNTIME_PYTHON", "tflite_runtime"),
    "tflite-micro": ("EDGE_LASSO_TFLITE_RUNTIME_PYTHON", "tflite_micro"),
    "onnxruntime-1.16": ("EDGE_LASSO_OLD_ONNXRUNTIME_PYTHON", "onnxruntime"),
}
# what only tests use, beside the product's own `TOOLS`
TEST_TOOLS = {
    "amtool": Tool("apt-get install prometheus-alertmanager", "^amtool"),
    "cpio": Tool("apt-get install cpio"),
    "chromium": Tool("apt-get install chromium", "^Chromium"),
    "clang-tidy": Tool("apt-get install clang-tidy", "LLVM version"),
    "cmake": Tool("apt-get install cmake", "^cmake version"),
    "cppcheck": Tool("apt-get install cppcheck", "^Cppcheck"),
    "git": Tool("apt-get install git", "^git version"),
    "mosquitto": Tool("apt-get install mosquitto", "^mosquitto version", ("-h",), status=3),
    "mount": Tool("apt-get install mount", "^mount from"),
    "mksquashfs": Tool("apt-get install squashfs-tools", "^mksquashfs version", ("-version",)),
    "nm": Tool("apt-get install binutils"),
    "openssl": Tool("apt-get install openssl", "SSL", ("version",)),
    "prometheus": Tool("apt-get install prometheus", "^prometheus"),
    "prometheus-node-exporter": Tool("apt-get install prometheus-node-exporter", "^node_exporter"),
    "promtool": Tool("apt-get install prometheus", "^promtool"),
    "qemu-system-arm": Tool("apt-get install qemu-system-arm", "^QEMU"),
    "rauc": Tool("apt-get install rauc", "^rauc"),
    "ssh-keygen": Tool("apt-get install openssh-client", "usage: ssh-keygen", ("-?",), status=1),
    "simavr": Tool("apt-get install simavr", "^Usage: simavr", ("--help",), status=1),
    "strace": Tool("apt-get install strace", "^strace"),
    "sshd": Tool("apt-get install openssh-server", "OpenSSH", ("-V",)),
    "swupdate": Tool("apt-get install swupdate", "SWUpdate"),
    "systemd-analyze": Tool("apt-get install systemd", "^systemd"),
}
ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")
MICROBIT = Path("/usr/share/firmware-microbit-micropython/firmware.hex")
WASM_PATIENCE = 60.0  # CPython as WebAssembly takes seconds to start


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*tools): programs, or module:NAME for a Python module")
    config.addinivalue_line("markers", "slow: left out of `make test`; `make test-all` runs it")
    config.addinivalue_line(
        "markers", "long: takes a second or more, or starts processes, so `make check` leaves it out"
    )
    config.addinivalue_line(
        "markers", "unmeasured: looks at all that a process does, so `make coverage` does nothing in those it starts"
    )
    config.addinivalue_line("markers", "tool: needs a program, so `make check` leaves it out")


@pytest.fixture(autouse=True)
def _unmeasured(request, monkeypatch):
    if request.node.get_closest_marker("unmeasured"):
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


TRIED = {}


@pytest.fixture
def tried(request):
    """Count what was tried to break something, for `docs/reliability.py`: ``tried(area, cases)``."""

    def count(area, cases):
        before = TRIED.get(area, (0, ""))[0]
        TRIED[area] = (before + cases, request.path.relative_to(ROOT).as_posix())

    return count


def pytest_sessionfinish():
    if os.environ.get("EDGE_LASSO_TRIED"):
        Path(os.environ["EDGE_LASSO_TRIED"]).write_text(json.dumps(TRIED))


def pytest_itemcollected(item):
    if any(item.iter_markers("needs")):
        item.add_marker("tool")


def pytest_runtest_setup(item):
    wanted = [tool for mark in item.iter_markers("needs") for tool in mark.args]
    missing = {tool: reason for tool in wanted if (reason := lacking(tool)) is not None}
    if missing:
        reason = f"needs {', '.join(missing)} ({'; '.join(dict.fromkeys(text for text, _ in missing.values()))})"
        if os.environ.get("EDGE_LASSO_REQUIRE") == "all":
            pytest.fail(f"{reason}, and EDGE_LASSO_REQUIRE=all forbids skipping")
        item.user_properties.append(("get", sorted({get for _, get in missing.values()})))
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    """The summary of what was skipped ends with how to get it."""
    skipped = terminalreporter.stats.get("skipped", [])
    commands = {get for report in skipped for name, value in report.user_properties if name == "get" for get in value}
    if commands:
        terminalreporter.section("to run what was skipped")
        packages = sorted(line.removeprefix("apt-get install ") for line in commands if line.startswith("apt-get"))
        others = sorted(line for line in commands if not line.startswith("apt-get"))
        terminalreporter.write_line(
            "\n".join([*([f"apt-get install {' '.join(packages)}"] if packages else []), *others])
        )


@functools.cache
def lacking(tool: str) -> tuple[str, str] | None:
    """None when a tool is here: it was started and said what it should. Else why it is not, and how to get it."""
    if tool.startswith("module:"):
        name = tool.removeprefix("module:")
        return None if importlib.util.find_spec(name) else (f"no module {name}", "make test")
    if tool.startswith("node:"):
        package = Path(os.environ.get("EDGE_LASSO_NODE_MODULES", ""), tool.removeprefix("node:"), "package.json")
        return None if package.is_file() else (f"no {tool.removeprefix('node:')} of npm", SCRIPTS)
    if tool == "micropython":
        return None if find_micropython() else (no_micropython().partition("; install")[0], SCRIPTS)
    if tool == "esphome":
        return missing_esphome()
    if tool == "cc":
        return None if find_compiler() else (no_compiler().partition("; install")[0], TOOLS["cc"].get)
    if tool.startswith("core:"):
        return emulated(tool.removeprefix("core:"))
    if tool == "microbit":
        firmware = None if MICROBIT.is_file() else ("no firmware", "apt-get install firmware-microbit-micropython")
        return lacking("qemu-system-arm") or firmware
    if tool == "arduino-core-avr":
        core = ARDUINO / "cores" / "arduino" / "Arduino.h"
        return None if core.is_file() else ("no core of Arduino", "apt-get install arduino-core-avr")
    if tool.startswith("python3.") or tool == "micropython-unix":
        return None if find_python(tool) else (f"no {tool} that starts", SCRIPTS)
    if tool in PYTHONS:
        variable, module = PYTHONS[tool]
        command = [os.environ.get(variable, ""), "-c", f"import {module}; print('here')"]
        reason = trouble(command, Tool(SCRIPTS, "^here", ()), WASM_PATIENCE) if command[0] else f"{variable} is not set"
        return (reason, SCRIPTS) if reason else None
    known = {**TOOLS, **TEST_TOOLS}[tool]
    reason = trouble([located(tool)], known)
    return (reason, known.get) if reason else None


def missing_esphome() -> tuple[str, str] | None:
    """Whether ESPHome and what compiles its sources are here."""
    try:
        find_esphome(), find_cxx()
    except BoardError as error:
        return str(error).partition("; install it with: ")[0], SCRIPTS
    return None


def located(tool: str) -> str:
    """A program on PATH, or among those of the system's administrator."""
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") or tool


def emulated(core: str) -> tuple[str, str] | None:
    """Whether an emulated core runs what is compiled for it."""
    try:
        opened = open_core(core)
        image = cross_build({"code.c": b"int seven(void);\nint seven(void) { return 7; }\n"}, opened.target, ["seven"])
        opened.call(image, "seven", (), "int16")
    except BoardError as error:
        reason, _, get = str(error).partition("; install it with: ")
        return reason, get or SCRIPTS
    return None


@functools.cache
def find_python(name: str) -> str | None:
    """A Python of a version (``python3.9``), or MicroPython's unix port: this one, or what `tools/pythons.sh` fetched."""
    if name == f"python3.{sys.version_info.minor}":
        return sys.executable
    program = name.removesuffix("-unix")
    places = os.pathsep.join([os.environ.get("EDGE_LASSO_PYTHONS", ""), os.environ["PATH"]])
    path = shutil.which(program, path=places)
    version = Tool(SCRIPTS, rf"^{program}$", ("-c", "import sys; print('python%d.%d' % sys.version_info[:2])"))
    tool = TOOLS["micropython"] if program == "micropython" else version
    patience = PATIENCE if program == "micropython" else WASM_PATIENCE
    return path if path and trouble([path], tool, patience) is None else None


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Puts shell scripts, by name, into a folder that is all of PATH; an environment that names no tools."""
    for name in ("CC", "EDGE_LASSO_MICROPYTHON", "EDGE_LASSO_NODE_MODULES", "EDGE_LASSO_ESPHOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "cache"))

    def put(**scripts):
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return folder

    return put


CPYTHONS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in map("python3.{}".format, range(9, 14))]


@pytest.fixture(params=CPYTHONS)
def cpython(request):
    """The path of each CPython that a board may have, 3.9 to 3.13."""
    return find_python(request.param)


@pytest.fixture
def micropython_unix():
    """The path of MicroPython's unix port."""
    return find_python("micropython-unix")


@pytest.fixture
def one_runtime_each(monkeypatch):
    """Of each target one runtime alone, the quickest: enough to notice a fault, or where files are what is looked at."""
    monkeypatch.setattr("edge_lasso.verifying.executions.find_micropython", lambda: None)
    monkeypatch.setattr("edge_lasso.verifying.executions.compilers", lambda: [find_compiler() or []])


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def beijing() -> Path:
    """The bundled data set of the demo."""
    return ROOT / "edge_lasso" / "data" / "beijing_air.csv.gz"


@pytest.fixture(scope="session")
def stateful_model():
    """Make a random model that takes in rows one after another: any mix of streams, health, estimates and a detector."""
    return random_stateful_model


def random_stateful_model(seed, plain=False, **only):
    """`plain`: what fixed point can do, and nothing of absurd sizes. `only`: fixed choices, such as ``track=0``."""
    import random

    import numpy as np

    from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads

    source = random.Random(seed)

    def choose(name, choices):
        picked = source.choice(choices)
        return only.get(name, picked)

    detector = choose("detector", (True, True, False))
    count = source.randint(2, 5)
    inputs = []
    for i in range(count):
        middle, half = source.uniform(-100, 100), 10.0 ** source.uniform(-1, 3)
        inputs.append(Input(f"s{i}", i, middle + source.uniform(-0.5, 0.5) * half, middle - half, middle + half, "V"))
    sensors = list(inputs)
    if choose("categories", (True, False, False)):
        inputs.append(Input("kind", count, None, None, None, "", ("red", "green", "blue")))
    for _ in range(choose("streams", (0, 2, 4, 6))):
        of = source.choice(sensors)
        kind = choose("kind", ("lag", "difference", "mean", "ewma"))
        length = source.randint(1 if kind in ("lag", "difference") else 2, choose("longest", (3, 3, 12)))
        half = of.high - of.low
        low, high, default = (-half, half, 0.0) if kind == "difference" else (of.low, of.high, of.default)
        name = f"{of.name}.{kind}{length}"
        if all(reading.name != name for reading in inputs):
            inputs.append(Input(name, len(inputs), default, low, high, stream=(kind, of.name, length)))
    numbers = [i for i, reading in enumerate(inputs) if reading.categories is None]

    def terms(own=None):
        factors = [(Factor(i),) for i in numbers if i != own and source.random() < 0.8]
        factors += [(Factor(count, c),) for c in (0, 2) if len(inputs) > count and inputs[count].categories]
        if not plain and not detector and source.random() < 0.3:
            factors.append((Factor(source.choice(numbers)), Factor(source.choice(numbers))))
        scale = [
            1.0 if f[0].category is not None else 1.0 / (inputs[f[0].input].high - inputs[f[0].input].low)
            for f in factors
        ]
        return tuple(Term(source.uniform(-2, 2) * s * 10.0, f) for s, f in zip(scale, factors, strict=True))

    sections, classes, link = {}, None, "identity"
    if detector:
        watched = source.sample(range(count), source.randint(1, count))
        outputs = tuple(Output(inputs[i].name, inputs[i].default, terms(i)) for i in watched)
        widths = [inputs[i].high - inputs[i].low for i in watched]
        sections["detector/1"] = {
            "watched": [
                {"reading": inputs[i].name, "centre": source.gauss(0.0, 0.1) * w, "scale": 0.4 * w, "slow": source.uniform(0.2, 1.0),
                 "weight": source.uniform(0.5, 2.0)} for i, w in zip(watched, widths, strict=True)
            ],
            "smoothing": choose("smoothing", (source.uniform(0.05, 0.99), source.uniform(0.05, 0.99), 1.0)), "clip": 8.0,
            "track": choose("track", (0, 4, 6, 11)), "fast": choose("fast", (0.0, source.uniform(0.1, 1.0), 1.0)),
            "warm_up": choose("warm_up", (0, 10)),
            "threshold": {"score": source.uniform(0.5, 20.0), "row_rate": 0.01, "hold": source.randint(0, 5)},
        }  # fmt: skip
        if choose("adjust", (True, False, False)):
            sections["detector/1"]["adjust"] = {
                "eta": 0.05,
                "floor": 0.5,
                "cap": 3.0,
                "freeze": source.randint(1, 6),
                "thaw": source.randint(6, 30),
            }
    else:
        link = choose("link", ("identity", "identity", "logistic", "softmax"))
        several = 3 if link == "softmax" else source.choice((1, 2)) if link == "identity" else 1
        outputs = tuple(Output(f"y{m}", source.uniform(-5, 5), terms(), link) for m in range(several))
        classes = None if link == "identity" else ("no", "yes", "perhaps")[: max(2, several)]
    if choose("health", (True, True, False)):
        some = [sensor for sensor in sensors if source.random() < 0.8]
        limits = [
            {
                "input": sensor.name,
                "stuck": source.choice((0, 1, 3)),
                "jump": (sensor.high - sensor.low) * source.uniform(0.05, 0.4),
            }
            for sensor in some
        ]
        sections["health/1"] = {"readings": limits}
    if choose("estimate", (True, False)):
        rng = np.random.default_rng(seed)
        k = len(numbers)
        sd = np.array([(inputs[i].high - inputs[i].low) / 4 for i in numbers])
        mix = rng.normal(size=(3 * k + 5, 2)) @ rng.normal(size=(2, k)) + 0.5 * rng.normal(size=(3 * k + 5, k))
        inverse = np.linalg.inv(np.cov((mix * sd).T).reshape(k, k))
        sections["estimate/1"] = {
            "mean": [inputs[i].default for i in numbers], "inverse": inverse[np.tril_indices(k)].tolist(),
            "residual": [source.choice((0.0, 1.0, 25.0)) for _ in outputs],
        }  # fmt: skip
    columns = tuple(reading.name for reading in inputs)
    model = Model(
        columns, tuple(inputs), outputs, choose("policy", ("extrapolate", "extrapolate", "clamp")), classes, sections
    )
    return loads(dumps(model))
