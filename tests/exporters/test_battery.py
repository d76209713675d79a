"""Generated C under other people's tools: sanitizers, analyzers, MISRA C:2012. What they say is mended, or explained.

The explanations are the table of `docs/reference/proofs.md`: a finding that it does not name fails, and so does a line
of it that no artifact needs any more.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import registry
from edge_lasso_exporters.c_layout import c_double, c_float
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.cascade import KEY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "proofs.md"
DETECTOR = {"plain": True, "detector": True, "categories": False, "adjust": False, "streams": 6}
ALL = ("double", "float", "fixed")
SANITIZERS = (
    "address,undefined,integer,implicit-conversion,float-cast-overflow,float-divide-by-zero,nullability,local-bounds"
)
TIDY = "-*,bugprone-*,cert-*,clang-analyzer-*,concurrency-*,misc-*,performance-*,portability-*"
CPPCHECK = (
    "--enable=warning,style,performance,portability", "--inconclusive", "--addon=misra", "--std=c99", "--quiet",
    "--suppress=missingIncludeSystem", "--include=limits.h", "-DMODEL_SELFTEST", "--template={file}:{id}",
)  # fmt: skip
# cppcheck opens no header of the system: what the artifacts take from them
LIMITS = """#define INT32_C(x) x
#define UINT32_C(x) x##U
#define UINT16_C(x) x##U
#define UINT64_C(x) x##ULL
#define DBL_MANT_DIG 53
#define FLT_MANT_DIG 24
"""
DRIVER = """#include "model.h"
#include <math.h>
#include <stdio.h>
#define COUNT {count}
static const {type} rows[COUNT][MODEL_INPUTS] = {{
{rows}
}};
int main(void)
{{
    int i;
{calls}
    return model_selftest() == 1 ? 0 : 1;
}}
"""
EACH = "    for (i = 0; i < COUNT; i++) {{\n{}\n    }}\n"


def bent():
    """Hinges and steps, alone and in a product."""
    inputs = (Input("a", 0, 2.5, 0.0, 10.0), Input("b", 1, 50.0, -20.0, 100.0))
    hinge, step = Factor(0, hinge=3.25), Factor(1, step=10.0)
    terms = tuple(Term(0.5, key) for key in ((Factor(0),), (hinge,), (step,), (Factor(1, hinge=20.0), Factor(0))))
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms, "exp"),))


def staged(model):
    """A classifier that decides the clear rows."""
    section = {"yes": 1, "low": -1.0, "high": 1.0, "miss": 0.1, "false_alarm": 0.1, "confidence": 0.9, "found": {}}
    section |= {"rows": {"calibration": 1, "check": 1}, "goes_on": {"predicted": 0.0, "found": 0.0}}
    return Model(model.columns, model.inputs, model.outputs, model.policy, model.classes, {KEY: section})


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory, make, stateful_model, rows_of):
    """Folders of C artifacts of every kind and variant, each with a program that calls all of it with odd rows."""
    models = {
        "plain": (make(), ALL),
        "classes": (make(seed=7, k=4, outputs=3, link="softmax", categories=1, policy="clamp"), ALL),
        "products": (make(seed=4, k=4, products=3), ("double",)),
        "outputs": (make(seed=3, k=5, outputs=3, categories=2, weights=(-4, 3)), ("fixed",)),
        "cascade": (staged(make(seed=6, link="logistic")), ALL),
        "bent": (bent(), ("float",)),
        "detector": (stateful_model(0, **DETECTOR), ALL),
        "health": (stateful_model(1, detector=True, adjust=True, estimate=True, health=True, streams=6), ALL),
    }
    folders = {}
    for name, (model, variants) in models.items():
        for variant in variants:
            folder = folders[name, variant] = tmp_path_factory.mktemp(f"{name}-{variant}")
            files = registry.render(quantize(model, to="int16") if variant == "fixed" else model, "c", variant)
            for file in ("model.c", "model.h"):
                (folder / file).write_bytes(files[file])
            (folder / "limits.h").write_text(LIMITS)
            (folder / "driver.c").write_text(driver(files["model.h"].decode(), variant, rows_of(model)))
    return folders


def driver(header, variant, rows):
    """A program that calls what a header declares, with every row three times."""
    literal, largest = (c_float, 3.4028234663852886e38) if variant == "float" else (c_double, 1.7976931348623157e308)

    def number(x):
        return "NAN" if x != x else ("-" if x < 0 else "") + "INFINITY" if abs(x) > largest else literal(x)

    table = ",\n".join("    {" + ", ".join(map(number, row)) + "}" for row in rows)
    several = re.search(r"void model_predict\(", header) is not None
    calls = []
    if variant == "fixed":
        decoded = "(void)model_decode(r[k], k)" if several else "(void)model_decode(r[k])"
        calls += [
            "        int16_t q[MODEL_INPUTS];\n        int32_t r[MODEL_OUTPUTS];\n        int k;\n"
            "        (void)model_encode(rows[i], q);\n        model_predict_batch(q, 1U, r);\n"
            f"        for (k = 0; k < MODEL_OUTPUTS; k++) {{\n            {decoded};\n        }}"
        ]
    else:
        calls += [
            f"        {variant} y[MODEL_OUTPUTS];\n        (void)model_status(rows[i]);\n        model_predict_batch(rows[i], 1U, y);"
        ]
    calls = [EACH.format(text) for text in calls]
    for function in ("probability", "verdict"):
        if f"model_{function}(" in header and variant == "fixed" and not several:
            calls.append(
                f"    for (i = -30; i <= 30; i++) {{\n        (void)model_{function}((int32_t)i * 35791394);\n    }}\n"
            )
    if "model_step(" in header:
        calls.append(
            "    model_state state;\n    model_result result;\n    model_start(&state);\n"
            + EACH.format("        (void)model_step(&state, rows[i / 3 * 3 % COUNT], &result);")
            + EACH.format("        (void)model_step(&state, rows[i], &result);")
        )
    if "model_step_q(" in header:
        calls.append(
            "    model_state_q state_q;\n    model_result_q result_q;\n    int16_t q[MODEL_READINGS];\n    model_start_q(&state_q);\n"
            + EACH.format(
                "        model_readings_q(rows[i], q);\n        (void)model_step_q(&state_q, q, &result_q);\n"
                "        (void)model_step_q(&state_q, q, &result_q);"
            )
        )
    return DRIVER.format(
        count=len(rows), type="MODEL_REAL" if variant == "fixed" else variant, rows=table, calls="".join(calls)
    )


def everywhere(artifacts, *commands):
    """What each command prints in each folder, two folders at a time."""

    def run(job):
        (name, folder), command = job
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return name, done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run, [(item, command) for item in artifacts.items() for command in commands]))


def explained(tool):
    """What the page explains of a tool: the first cells of the rows that name it in the second."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", PAGE.read_text(), re.MULTILINE)
    return {name for names, by in rows if by == tool for name in names.split(", ")}


@pytest.mark.needs("clang")
@pytest.mark.parametrize("real", ["double", "float"])
def test_sanitizers_have_nothing_to_say(artifacts, real):
    """No access out of bounds, overflow (unsigned too), cut conversion or division by zero, whatever the row."""
    some = {name: folder for name, folder in artifacts.items() if real == "double" or name[1] == "fixed"}
    flags = ["-std=c99", "-O1", "-g", "-DMODEL_SELFTEST", f"-DMODEL_REAL={real}", "-Wno-literal-range"]
    build = [
        "clang",
        *flags,
        f"-fsanitize={SANITIZERS}",
        "-fno-sanitize=unsigned-shift-base,unsigned-integer-overflow",
        "-fno-sanitize-recover=all",
        "driver.c",
        "model.c",
        "-lm",
    ]
    for name, status, said in everywhere(some, [*build, "-o", "run"]):
        assert (status, said) == (0, ""), name
    for name, status, said in everywhere(some, ["./run"]):
        assert (status, said) == (0, ""), name


@pytest.mark.needs("gcc")
def test_gcc_analyzer_has_nothing_to_say(artifacts):
    command = ["gcc", "-std=c99", "-O2", "-fanalyzer", "-Wall", "-Wextra", "-DMODEL_SELFTEST", "-c", "model.c"]
    for name, status, said in everywhere(artifacts, command):
        assert (status, said) == (0, ""), name


@pytest.mark.slow
@pytest.mark.needs("clang-tidy")
def test_what_clang_tidy_says_is_explained(artifacts):
    command = ["clang-tidy", "--quiet", f"-checks={TIDY}", "model.c", "--", "-std=c99", "-DMODEL_SELFTEST"]
    said = everywhere(artifacts, command)
    assert all(status == 0 for _, status, _ in said)
    assert {
        check for *_, text in said for check in re.findall(r"\[([a-z][\w.,-]+)\]$", text, re.MULTILINE)
    } == explained("clang-tidy")


@pytest.mark.slow
@pytest.mark.needs("cppcheck")
def test_what_cppcheck_and_misra_say_is_explained(artifacts):
    findings = {}
    for name, status, text in everywhere(artifacts, ["cppcheck", *CPPCHECK, "model.c"]):
        assert status == 0, text
        for rule in re.findall(r"^model\.[ch]:(?:misra-c2012-)?(.+)$", text, re.MULTILINE):
            findings.setdefault(rule, set()).add("-".join(name))
    assert set(findings) == explained("MISRA C:2012") | explained("cppcheck"), sorted(findings.items())


@pytest.mark.needs("clang", "cppcheck")
def test_each_of_them_notices(tmp_path):
    """The tools as they are asked here find what is wrong on purpose."""
    (tmp_path / "limits.h").write_text(LIMITS)
    (tmp_path / "model.c").write_text(
        "int wrong(int n);\nint wrong(int n)\n{\n    int a[2] = {0, 0};\n    unsigned u = 1U - (unsigned)n;\n"
        "    if (n > 5)\n        return 1;\n    return a[n] + (int)u;\n}\nint main(void) { return wrong(3); }\n"
    )
    done = subprocess.run(["cppcheck", *CPPCHECK, "model.c"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "misra-c2012-15.6" in done.stderr
    build = ["clang", f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "model.c", "-o", "run"]
    subprocess.run(build, cwd=tmp_path, check=True)
    done = subprocess.run(["./run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unsigned integer overflow" in done.stderr
