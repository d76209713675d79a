"""The C target: compiled without a warning, executed, and compared with the reference."""

import ctypes
import math
import random
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.build import WARNINGS, build, find_compiler
from edge_lasso_exporters import c_target, registry
from edge_lasso_exporters.fixed_c_sums import LONGEST_LINE
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict
from edge_lasso_runtime.fixed_point import decode, encode, label_q, predict_q, probability_q
from edge_lasso_runtime.predict import clean, linear

GOLDEN = Path(__file__).parent / "golden"
SEEDS = st.integers(0, 2**32)
VARIANTS = ("double", "float", "fixed")
COMPILERS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang")]
STRICT = ["-std=c99", *WARNINGS]


def sources(model, variant, inputs="selected", name="model"):
    files = registry.render(model, "c", variant, inputs, name)
    return {key: data for key, data in files.items() if key.endswith((".c", ".h")) and "/" not in key}


class Library:
    """A compiled artifact."""

    def __init__(self, model, variant, inputs="selected", compiler="gcc", name="model"):
        (data,) = build(sources(model, variant, inputs, name), compiler=[compiler]).values()
        with tempfile.NamedTemporaryFile(suffix=".so") as file:
            file.write(data)
            file.flush()
            self.handle = ctypes.CDLL(file.name)
        self.model, self.name = model, name
        self.real = ctypes.c_float if variant == "float" else ctypes.c_double
        self.width = len(model.inputs) if inputs == "selected" else len(model.columns)
        self.places = [i if inputs == "selected" else one.column for i, one in enumerate(model.inputs)]

    def __getattr__(self, suffix):
        return getattr(self.handle, f"{self.name}_{suffix}")

    def row(self, row):
        x = (self.real * max(self.width, 1))(*[math.nan] * self.width)
        for place, reading in zip(self.places, row, strict=True):
            x[place] = math.nan if reading is None else reading
        return x

    def floats(self, function, row):
        count = len(self.model.outputs)
        if count == 1:
            function.restype = self.real
            return [function(self.row(row))]
        y = (self.real * count)()
        function(self.row(row), y)
        return list(y)

    def integers(self, q):
        count = len(self.model.outputs)
        found = (ctypes.c_int16 * max(self.width, 1))()
        for place, value in zip(self.places, q, strict=True):
            found[place] = value
        if count == 1:
            self.predict.restype = ctypes.c_int32
            return [self.predict(found)]
        r = (ctypes.c_int32 * count)()
        self.predict(found, r)
        return list(r)


def expected_status(model, row):
    faults = predict(model, row).faults
    return sum(1 << i for i, one in enumerate(model.inputs) if one.name in faults)


@pytest.mark.needs("gcc", "clang")
@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")), compiler=st.sampled_from(("gcc", "clang")))
@settings(max_examples=40)
def test_double_is_bit_equal(any_model, odd, seed, inputs, compiler):
    model = any_model(seed)
    library = Library(model, "double", inputs, compiler)
    rows = odd(model, seed)
    for row in rows:
        wanted = predict(model, row)
        assert library.floats(library.linear, row) == wanted.linear
        assert library.floats(library.predict, row) == pytest.approx(wanted.values, rel=4 * 2.0**-52, abs=0.0)
        library.status.restype = ctypes.c_uint32
        assert library.status(library.row(row)) == expected_status(model, row)
        if model.classes:
            assert model.classes[library.label(library.row(row))] == wanted.label
    flat = [x for row in rows for x in library.row(row)]
    outputs = len(model.outputs)
    y = (ctypes.c_double * (len(rows) * outputs))()
    library.linear_batch((ctypes.c_double * len(flat))(*flat), ctypes.c_size_t(len(rows)), y)
    assert list(y) == [z for row in rows for z in predict(model, row).linear]


@pytest.mark.needs("gcc", "clang")
@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")), compiler=st.sampled_from(("gcc", "clang")))
@settings(max_examples=40)
def test_float_is_within_its_bound(any_model, odd, seed, inputs, compiler):
    model = any_model(seed)
    library = Library(model, "float", inputs, compiler)
    rows = [[math.nan if x is None else x for x in row] for row in odd(model, seed)]
    options = Options("float", inputs)
    wide = [list(library.row(row)) for row in rows] if inputs == "all" else rows
    values, tolerances = c_target.expected(model, options, wide)
    for row, wanted, allowed in zip(rows, values, tolerances, strict=True):
        for got, value, tolerance in zip(library.floats(library.linear, row), wanted, allowed, strict=True):
            assert abs(got - value) <= tolerance
    assert c_target.promise(model, options)["bound"] < math.inf


@pytest.mark.needs("gcc", "clang")
@given(
    seed=SEEDS,
    inputs=st.sampled_from(("selected", "all")),
    compiler=st.sampled_from(("gcc", "clang")),
    to=st.sampled_from(("int16", "int8")),
)
@settings(max_examples=40)
def test_fixed_point_is_bit_equal(make, odd, seed, inputs, compiler, to):
    link = ("identity", "logistic", "softmax")[seed % 3]
    outputs = 3 if link == "softmax" else 1 + seed % 2 * (link == "identity")
    model = quantize(make(seed, 4, outputs, link, categories=seed // 3 % 2), to=to)
    section = model.sections["fixed_point/1"]
    library = Library(model, "fixed", inputs, compiler)
    library.encode.restype = ctypes.c_uint32
    library.decode.restype = ctypes.c_double
    for row in odd(model, seed):
        q, faults = encode(model, row)
        found = (ctypes.c_int16 * library.width)()
        status = library.encode(library.row(row), found)
        assert [found[place] for place in library.places] == q
        assert status == sum(1 << i for i, one in enumerate(model.inputs) if one.name in faults)
        r = predict_q(section, q)
        assert library.integers(q) == r
        decoded = [library.decode(value, m) if outputs > 1 else library.decode(value) for m, value in enumerate(r)]
        assert decoded == decode(section, r)
        if model.classes:
            assert model.classes[library.label(found)] == label_q(model, r)
        if link == "logistic":
            assert library.probability(ctypes.c_int32(r[0])) == probability_q(section, r[0])
        batch = (ctypes.c_int32 * outputs)()
        library.predict_batch(found, ctypes.c_size_t(1), batch)
        assert list(batch) == r


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("variant", VARIANTS)
def test_named_inputs(simple, variant):
    model = quantize(simple, to="int16") if variant == "fixed" else simple
    library = Library(model, variant)

    class Row(ctypes.Structure):
        _fields_ = (("a", library.real), ("b", library.real))

    library.predict_input.restype = ctypes.c_int32 if variant == "fixed" else library.real
    status = ctypes.c_uint32(99)
    got = library.predict_input(ctypes.byref(Row(1.0, -2.0)), ctypes.byref(status))
    wanted = 2.75
    if variant == "fixed":
        (wanted,) = predict_q(model.sections["fixed_point/1"], encode(model, [1.0, -2.0])[0])
    assert got == wanted
    assert status.value == 0
    library.predict_input(ctypes.byref(Row(9.0, math.nan)), ctypes.byref(status))
    assert status.value == 3


@pytest.mark.needs("gcc")
def test_status_of_many_inputs(many_terms):
    model = many_terms(40)
    library = Library(model, "double")
    library.status.restype = ctypes.c_uint32
    row = [0.5] * 40
    assert library.status(library.row(row)) == 0
    for i, bit in ((0, 0), (30, 30), (31, 31), (39, 31)):
        assert library.status(library.row([*row[:i], 9.0, *row[i + 1 :]])) == 1 << bit


@pytest.mark.parametrize("compiler", [*COMPILERS, pytest.param("g++", marks=pytest.mark.needs("g++"))])
def test_compiles_without_a_warning(tmp_path, shapes, compiler):
    lines = []
    for i, model in enumerate(shapes.values()):
        for variant in VARIANTS:
            if variant == "fixed" and model.degree > 2:
                continue
            name = f"m{i}{variant}"
            made = quantize(model, to="int16") if variant == "fixed" else model
            for key, data in sources(made, variant, ("selected", "all")[i % 2], name).items():
                (tmp_path / key).write_bytes(data)
                lines += [f'#include "{key}"'] if key.endswith(".h") else []
    if compiler == "g++":
        (tmp_path / "use.cpp").write_text("\n".join([*lines, "int main() { return 0; }", ""]))
        command = ["g++", "-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "use.cpp"]
    else:
        selftests = [f"-D{path.stem.upper()}_SELFTEST" for path in tmp_path.glob("*.c")]
        command = [compiler, *STRICT, "-O1", *selftests, "-c", *sorted(path.name for path in tmp_path.glob("*.c"))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.needs("gcc", "nm")
@pytest.mark.parametrize("variant", VARIANTS)
def test_needs_no_library(tmp_path, shapes, variant):
    for model in shapes.values():
        if variant == "fixed" and model.degree > 2:
            continue
        made = quantize(model, to="int16") if variant == "fixed" else model
        for key, data in sources(made, variant).items():
            (tmp_path / key).write_bytes(data)
        subprocess.run(["gcc", *STRICT, "-Os", "-c", "model.c"], cwd=tmp_path, check=True)
        done = subprocess.run(["nm", "-u", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True)
        linked = model.outputs[0].link != "identity" and variant != "fixed"
        wanted = {"expf" if variant == "float" else "exp"} if linked else set()
        assert {line.split()[-1] for line in done.stdout.splitlines()} == wanted


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("variant", VARIANTS)
def test_selftest(notices_a_broken_sum, shapes, variant):
    model = quantize(shapes["categories"], to="int16") if variant == "fixed" else shapes["everything"]
    notices_a_broken_sum(sources(model, variant), "gcc", "-lm")


# What avr-gcc's header offers, for this machine's compiler.
PGMSPACE = """
#include <stdint.h>
#include <string.h>
#define PROGMEM
#define memcpy_P memcpy
#define pgm_read_word(from) (*(const uint16_t *)(const void *)(from))
"""


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("case", [0, 1, 2, 3, LONGEST_LINE + 1])
@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_the_code_for_avr_gives_the_same_integers(tmp_path, make, many_terms, inputs, case):
    model = many_terms(case) if case > 3 else make(case, 5, 1 + case // 2, products=0, categories=case % 2)
    model = quantize(model, to=("int16", "int8")[case % 2])
    section = model.sections["fixed_point/1"]
    (tmp_path / "avr").mkdir()
    (tmp_path / "avr" / "pgmspace.h").write_text(PGMSPACE)
    for name, data in sources(model, "fixed", inputs).items():
        (tmp_path / name).write_bytes(data)
    flags = ["-D__AVR__", "-I.", "-fsanitize=undefined", "-fno-sanitize-recover"]
    subprocess.run(["gcc", *STRICT, *flags, "-fPIC", "-shared", "model.c", "-o", "m.so"], cwd=tmp_path, check=True)
    library = Library(model, "fixed", inputs)
    library.handle = ctypes.CDLL(str(tmp_path / "m.so"))
    ends = [(-1, 2) if "categories" in one else (one["low"], one["high"]) for one in section["inputs"]]
    for q in ([low for low, _ in ends], [high for _, high in ends], [low // 3 for low, _ in ends]):
        assert library.integers(q) == predict_q(section, q)


def wrapped(section, q):
    """The sums of any integers, modulo 2^32."""

    def shift(value, bits):
        return ((value + 2**30 + (1 << bits >> 1)) % 2**32 >> bits) - (2**30 >> bits)

    results = []
    for output in section["outputs"]:
        r = output["bias"]
        for term in output["terms"]:
            if all(q[i] == category for i, category in term.get("when", ())):
                product = math.prod(q[i] for i in term["factors"])
                r += term["coef"] * (shift(product, term["shift"]) if term.get("shift") else product)
        r = shift(r, output["shift"]) if output["shift"] else r
        results.append((r + 2**31) % 2**32 - 2**31)
    return results


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("avr", [False, True])
@pytest.mark.parametrize("case", range(6))
def test_no_integers_at_all_are_undefined(tmp_path, make, many_terms, case, avr):
    """Within declared ranges no sum overflows (here coefficients are made larger than that); outside, it is modulo 2^32."""
    links = {"link": "logistic"} if case == 4 else {}
    model = make(case, 5, 1 + (case == 3), products=case % 3 & 1, categories=case % 2, **links)
    model = many_terms(LONGEST_LINE + 1) if case == 5 else model
    model = quantize(model, to="int16", result_bits=16 if case in (1, 2) else 32)
    section = model.sections["fixed_point/1"]
    for output in section["outputs"]:
        for term in output["terms"]:
            term["coef"] = 32767 if term["coef"] > 0 else -32767
    (tmp_path / "avr").mkdir()
    (tmp_path / "avr" / "pgmspace.h").write_text(PGMSPACE)
    for name, data in sources(model, "fixed").items():
        (tmp_path / name).write_bytes(data)
    flags = ["-D__AVR__", "-I."] if avr else ["-U__GNUC__"] if case % 2 else []
    flags += ["-fsanitize=undefined", "-fno-sanitize-recover", "-fPIC", "-shared", "-o", "m.so"]
    subprocess.run(["gcc", *STRICT, *flags, "model.c"], cwd=tmp_path, check=True)
    library = Library(model, "fixed")
    library.handle = ctypes.CDLL(str(tmp_path / "m.so"))
    source = random.Random(case)
    overflowed = 0
    for k in range(400):
        q = [source.choice((-32768, 32767)) if k % 2 else source.randint(-32768, 32767) for _ in model.inputs]
        wanted = wrapped(section, q)
        assert library.integers(q) == wanted
        overflowed += wanted != predict_q(section, q)
    assert overflowed
    if model.classes:
        library.probability.restype = ctypes.c_uint32
        assert all(library.probability(r) <= 65536 for r in (-(2**31), -1, 0, 2**31 - 1))


@pytest.mark.needs("clang")
def test_clang_does_not_fuse(tmp_path, many_terms):
    for name, data in sources(many_terms(5), "double").items():
        (tmp_path / name).write_bytes(data)
    command = ["clang", "-O2", "-std=gnu11", "--target=aarch64-linux-gnu", "-ffreestanding", "-S", "-o", "-", "model.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "fmul" in done.stdout
    assert "fmadd" not in done.stdout


@pytest.mark.parametrize(("variant", "ending"), [(v, e) for v in VARIANTS for e in ("c", "h")])
def test_golden(simple, variant, ending):
    model = quantize(simple, to="int16") if variant == "fixed" else simple
    golden = GOLDEN / f"c_{variant}_model.{ending}"
    text = sources(model, variant)[f"model.{ending}"].decode()
    assert text == golden.read_text(), f"if this change is meant, replace {golden.name}"


@pytest.mark.slow
@pytest.mark.needs("gcc")
@pytest.mark.parametrize("count", [LONGEST_LINE, LONGEST_LINE + 1, 64, 65, 5000])
def test_many_terms(many_terms, count):
    model = many_terms(count)
    row = [None if i % 7 == 0 else 0.1 * (i % 11) for i in range(count)]
    for inputs in ("selected", "all"):
        library = Library(model, "double", inputs)
        assert library.floats(library.linear, row) == linear(model, clean(model, row)[0])
    library = Library(model, "float")
    (wanted,), (allowed,) = c_target.expected(model, Options("float"), [row])
    assert abs(library.floats(library.linear, row)[0] - wanted[0]) <= allowed[0]
    fixed = quantize(model, to="int16")
    q = encode(fixed, row)[0]
    for inputs in ("selected", "all"):
        assert Library(fixed, "fixed", inputs).integers(q) == predict_q(fixed.sections["fixed_point/1"], q)


@pytest.mark.needs("gcc")
def test_a_table_has_the_terms_of_each_output_alone():
    inputs = tuple(Input(f"x{i}", i, default=1.0, low=0.0, high=2.0) for i in range(200))
    outputs = tuple(
        Output(f"y{m}", 0.5, tuple(Term(0.1 + i, (Factor(i),)) for i in range(m, 200, 3))) for m in range(3)
    )
    model = Model(tuple(one.name for one in inputs), inputs, (*outputs, Output("constant", 1.0, ())))
    for variant in ("float", "double"):
        text = registry.render(model, "c", variant)["model.c"].decode()
        table = text[text.index("model_terms[]") : text.index("};", text.index("model_terms[]"))]
        assert table.count("\n    {") == 200


@pytest.mark.long
def test_a_thousand_products(many_terms):
    model = many_terms(1000, products=True).replace(policy="clamp")
    row = [0.1 * (i % 12) for i in range(100)]
    library = Library(model, "double")
    assert library.floats(library.linear, row) == linear(model, clean(model, row)[0])


@pytest.mark.needs("gcc")
def test_constant_model():
    library = Library(Model(("a",), (), (Output("y", 2.5, ()),)), "double")
    assert library.floats(library.predict, []) == [2.5]


@pytest.mark.needs("gcc", "g++")
def test_names_cannot_inject_code(tmp_path, nasty, nasty_name):
    model = nasty(nasty_name)
    for variant, one in (("double", model), ("float", model), ("fixed", quantize(model, to="int16"))):
        files = sources(one, variant)
        assert all(data.isascii() for data in files.values())
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        # -trigraphs: as C99 asks; gnu99: with `linux` and `unix` predefined
        for standard in (["-std=c99"], ["-std=gnu99", "-trigraphs"]):
            command = ["gcc", *standard, *WARNINGS, "-fsyntax-only", "-DMODEL_SELFTEST", "model.c"]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.stderr == ""
        (tmp_path / "use.cpp").write_text('#include "model.h"\n')
        command = ["g++", "-std=gnu++11", "-Wall", "-Werror", "-fsyntax-only", "use.cpp"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stderr == ""
    library = Library(model, "double")
    row = [1.5, 0.5, 2.0, 0.0][4 - len(model.inputs) :]
    assert library.floats(library.linear, row) == linear(model, clean(model, row)[0])


# Enough of Arduino's core to type-check the sketch.
ARDUINO = """
#include <stdint.h>
#include <stddef.h>
struct Port { void begin(long) {} void print(const char *) {} void print(double) {} void print(long) {} void print(int) {}
              void println(double) {} };
static Port Serial;
inline unsigned long micros() { return 0; }
inline void delay(unsigned long) {}
"""


@pytest.mark.needs("g++")
@pytest.mark.parametrize("variant", VARIANTS)
def test_arduino_sketch(tmp_path, shapes, variant):
    for name in ("plain", "three outputs"):
        model = quantize(shapes[name], to="int16") if variant == "fixed" else shapes[name]
        files = registry.render(model, "c", variant, name="pm25")
        for key, data in files.items():
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        assert "includes=pm25.h" in files["library.properties"].decode()
        (tmp_path / "core.h").write_text(ARDUINO)
        command = ["g++", "-std=gnu++11", "-Wall", "-Wextra", "-Werror", "-I.", "-include", "core.h", "-x", "c++",
                   "-fsyntax-only", "examples/timing/timing.ino", "examples/use/use.ino"]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stderr == ""


@pytest.mark.needs("cmake", "cc")
def test_cmake(tmp_path, simple):
    for key, data in registry.render(simple, "c", "double", name="pm25").items():
        path = tmp_path / "pm25" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(app C)\nadd_subdirectory(pm25)\n"
        "add_executable(app main.c)\ntarget_link_libraries(app pm25)\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "pm25.h"\nint main(void) { const double x[PM25_INPUTS] = {1.0, -2.0}; return pm25_predict(x) == 2.75 ? 0 : 1; }\n'
    )
    compiler = f"-DCMAKE_C_COMPILER={find_compiler()[0]}"
    for command in (["cmake", "-S", ".", "-B", "out", compiler], ["cmake", "--build", "out"], ["out/app"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_name_that_is_a_field_in_c():
    inputs = (Input("linux", 0, 0.0, 0.0, 1.0), Input("class", 1, 0.0, 0.0, 1.0))
    terms = (Term(1.0, (Factor(0),)), Term(2.0, (Factor(1),)))
    header = sources(Model(("linux", "class"), inputs, (Output("y", 0.0, terms),)), "double")["model.h"].decode()
    assert "double linux_;" in header
    assert "double class_;" in header


def test_fixed_needs_a_quantized_model(simple):
    with pytest.raises(ExportError) as caught:
        registry.render(simple, "c", "fixed")
    assert str(caught.value) == "variant 'fixed' needs a quantized model; first: edge-lasso quantize MODEL --to int16"
