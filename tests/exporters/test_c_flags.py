"""C that cannot be compiled wrong: flags that take tests for NaN away are refused, and nothing asks for a library."""

import re
import subprocess

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.build import WARNINGS
from edge_lasso_exporters import registry
from edge_lasso_runtime.fixed_detector import KEY

COMPILERS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang")]
FLAGS = ("-Ofast", "-ffast-math", "-ffinite-math-only")
MAIN = '#include "model.h"\nint main(void) { return model_selftest() == 1 ? 0 : 1; }\n'
DETECTOR = {"plain": True, "detector": True, "categories": False, "adjust": False, "streams": 6}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory, shapes, stateful_model):
    """Folders of C artifacts of every variant, with and without a state."""
    folders = {}
    models = {"plain": shapes["plain"], "categories": shapes["categories"], "detector": stateful_model(0, **DETECTOR)}
    assert KEY in quantize(models["detector"], to="int16").sections
    for name, model in models.items():
        for variant in ("double", "float", "fixed"):
            folder = tmp_path_factory.mktemp(f"{name}-{variant}")
            files = registry.render(quantize(model, to="int16") if variant == "fixed" else model, "c", variant)
            for file in ("model.c", "model.h"):
                (folder / file).write_bytes(files[file])
            (folder / "main.c").write_text(MAIN)
            folders[name, variant] = folder
    return folders


def compiled(folder, compiler, *flags):
    """What the compiler says, and whether the self-test passes; None where it does not compile."""
    command = [compiler, "-std=c99", *WARNINGS, "-DMODEL_SELFTEST", *flags, "main.c", "model.c", "-o", "run", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return done.stderr, None
    return done.stderr, subprocess.run([folder / "run"], check=False).returncode == 0


@pytest.mark.parametrize("compiler", COMPILERS)
def test_flags_that_fold_nan_away_are_refused_or_harmless(artifacts, compiler):
    for (_, variant), folder in artifacts.items():
        for flag in FLAGS:
            command = [compiler, "-std=c99", flag, "-E", "model.c"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode != 0
            assert "a missing reading is NaN: compile this file without" in done.stderr
        assert compiled(folder, compiler, "-O1") == ("", True)
        if variant == "fixed":
            assert compiled(folder, compiler, "-Ofast", "-DMODEL_NO_FLOAT") == ("", True)


BETWEEN = re.compile(r"\(([a-z0-9\[\]]+) >= ([^()]+|\(MODEL_REAL\)[^()]+)\) && \(\1 <= ([^()]+|\(MODEL_REAL\)[^()]+)\)")


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("variant", ["double", "float", "fixed"])
def test_the_self_test_notices_what_such_flags_do(artifacts, tmp_path, variant):
    """They may read ``!(x >= a && x <= b)`` as ``x < a || x > b``, which NaN is not."""
    source = (artifacts["plain", variant] / "model.c").read_text()
    folded, times = BETWEEN.subn(r"!((\1 < \2) || (\1 > \3))", source)
    assert times > 0
    for name in ("model.h", "main.c"):
        (tmp_path / name).write_bytes((artifacts["plain", variant] / name).read_bytes())
    (tmp_path / "model.c").write_text(folded)
    assert compiled(tmp_path, "gcc") == ("", False)


@pytest.mark.needs("nm")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_nothing_asks_for_a_library(artifacts, compiler):
    for folder in artifacts.values():
        for level in ("-O0", "-O3"):
            command = [compiler, "-std=c99", level, "-ffreestanding", "-DMODEL_SELFTEST", "-c", "model.c"]
            subprocess.run(command, cwd=folder, check=True)
            done = subprocess.run(["nm", "-u", "model.o"], cwd=folder, capture_output=True, text=True, check=True)
            assert {line.split()[-1] for line in done.stdout.splitlines()} <= {"exp", "expf"}, (folder.name, level)


@pytest.mark.needs("gcc")
def test_without_floating_point(artifacts):
    """The compiler may use no register for it, and needs none."""
    for (_, variant), folder in artifacts.items():
        if variant == "fixed":
            flags = ["-std=c99", "-mgeneral-regs-only", "-DMODEL_NO_FLOAT", "-DMODEL_SELFTEST"]
            subprocess.run(["gcc", *flags, "-c", "model.c"], cwd=folder, check=True)
