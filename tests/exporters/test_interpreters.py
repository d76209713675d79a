"""Generated Python in real interpreters: every CPython from 3.9 on, and MicroPython with floats of 64 and 32 bits."""

import ast
import math
import struct
import subprocess
from contextlib import contextmanager

import pytest
from microbit import Microbit

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.micropython import find_micropython
from edge_lasso_exporters import registry
from edge_lasso_runtime.fixed_point import encode, predict_q
from edge_lasso_runtime.predict import clean, linear

ULP = 2.0**-23


def source_of(model, variant="double"):
    return registry.render(model, "python", variant)["model.py"].decode()


# Runs in any Python: no decimal parsing or printing is trusted.
EVERYWHERE = """
import struct, binascii, sys
nan = float('nan')
def flat(y):
    return y if isinstance(y, list) else [y]
def run(source, rows, fixed):
    ns = {'__name__': 'model'}
    exec(source, ns)
    assert ns['selftest']()
    for row in rows:
        y = flat(ns['predict'](ns['encode'](row)[0]) if fixed else ns['linear'](row))
        print(binascii.hexlify(struct.pack('<%dd' % len(y), *y)).decode())
        named = {}
        for name, x in zip(ns['FEATURES'], row):
            named[name] = x if name not in ns.get('CATEGORIES', {}) else 'green'
        assert len(ns['predict_row'](named)) == 2
"""


def everywhere(shapes, odd):
    """A script for any Python, and what it has to print."""
    lines, wanted = [EVERYWHERE], []
    for model in shapes.values():
        for variant in ("double", "fixed"):
            if variant == "fixed" and model.degree > 2:
                continue
            made = quantize(model, to="int16") if variant == "fixed" else model
            rows = odd(made, 5, 4)
            rows = [[x if x is None or -1e300 < x < 1e300 else None for x in row] for row in rows]
            results = [
                predict_q(made.sections["fixed_point/1"], encode(made, row)[0])
                if variant == "fixed"
                else linear(made, clean(made, row)[0])
                for row in rows
            ]
            wanted += [struct.pack(f"<{len(one)}d", *one).hex() for one in results]
            lines.append(f"run({source_of(made, variant)!a}, {rows!r}, {variant == 'fixed'})")
    return "\n".join(lines) + "\n", wanted


@pytest.fixture(scope="module")
def script(shapes, odd, tmp_path_factory):
    """The script's path, and what it prints."""
    text, wanted = everywhere(shapes, odd)
    path = tmp_path_factory.mktemp("everywhere") / "script.py"
    path.write_text(text)
    return path, wanted


def test_every_cpython(script, cpython):
    path, wanted = script
    command = [cpython, "-I", "-W", "error", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    assert done.stdout.split() == wanted


@pytest.mark.needs("micropython")
def test_micropython(script):
    path, wanted = script
    done = subprocess.run([*find_micropython(), path], capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    assert done.stdout.split() == wanted


@pytest.mark.needs("micropython-unix")
def test_micropython_of_1_25(shapes, odd, script, micropython_unix):
    """It reads some decimals an ulp off, so the floats are within that; the integers are equal."""
    path, wanted = script
    done = subprocess.run([micropython_unix, path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    for got, text in zip(done.stdout.split(), wanted, strict=True):
        count = len(text) // 16
        pairs = zip(*(struct.unpack(f"<{count}d", bytes.fromhex(one)) for one in (got, text)), strict=True)
        for value, exact in pairs:
            assert value == pytest.approx(exact, rel=1e-12, abs=1e-9)


def pieces(source):
    """A file's statements one by one: a board with 10 KB of heap cannot hold the text of all of them."""
    lines = source.splitlines()
    return ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in ast.parse(source).body]


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


@contextmanager
def holding(source):
    """A board with the source on it. What its collector takes for pointers depends on timing: a full heap is tried again."""
    for attempt in range(3):
        with Microbit() as board:
            try:
                for piece in pieces(source):
                    board.run(piece)
            except RuntimeError as error:
                if attempt == 2 or "MemoryError" not in str(error):
                    raise
                continue
            yield board
            return


@pytest.mark.needs("microbit")
@pytest.mark.parametrize("shape", [
    "plain", "one input", "large offsets", "clamp", "three outputs", "products", "categories", "everything",
])  # fmt: skip
def test_with_real_32_bit_floats(shapes, odd, shape):
    """MicroPython 1.9 on a micro:bit (10 KB of heap): within the float32 bound, constants read an ulp off included."""
    model = shapes[shape]
    rows = [[x if x is not None and abs(x) < 1e30 else None for x in row] for row in odd(model, 3, 8)]
    with holding(source_of(model)) as board:
        board.run("import ustruct")
        assert board.run("print(selftest())") == "True\n"
        assert board.run("print(1.0 + 2.0**-24 == 1.0)") == "True\n"
        seen = model.replace(inputs=tuple(
            one if one.categories else one.replace(low=single(one.low), high=single(one.high), default=single(one.default))
            for one in model.inputs))  # fmt: skip
        for row in rows:
            board.run(f"y=linear({row!r})")
            board.run("y=y if isinstance(y,list) else [y]")
            got = board.run("for v in y: print(list(ustruct.pack('<f',v)))").split("\n")[:-1]
            x, _ = clean(seen, [None if x is None else single(x) for x in row])
            values = [struct.unpack("<f", bytes(eval(one)))[0] for one in got]
            for value, exact, output in zip(values, linear(seen, x), model.outputs, strict=True):
                size = abs(output.intercept) + sum(
                    abs(term.coef) * math.prod(1.0 if f.category is not None else abs(x[f.input]) for f in term.factors)
                    for term in output.terms
                )
                # a board reads each constant, reading and end of a range up to an ulp off
                assert abs(value - exact) <= ULP * (len(output.terms) + 3 * model.degree + 3) * size


@pytest.mark.needs("microbit")
@pytest.mark.parametrize("shape", ["plain", "three outputs", "categories", "logistic", "softmax"])
def test_integers_where_floats_have_32_bits(shapes, shape):
    """From the integers on the result is the same bit for bit; `encode` may be a count off, as its floats are."""
    model = quantize(shapes[shape], to="int16")
    section = model.sections["fixed_point/1"]
    with holding(source_of(model, "fixed")) as board:
        assert board.run("print(selftest())") == "True\n"
        for part in (0.0, 0.3, 1.0):
            row = [1.0 if one.categories else one.low + part * (one.high - one.low) for one in model.inputs]
            q = eval(board.run(f"q=encode({row!r})[0];print(q)"))
            assert all(abs(a - b) <= 4 for a, b in zip(q, encode(model, row)[0], strict=True))
            found = eval(board.run("print(predict(q))"))
            assert (found if isinstance(found, list) else [found]) == predict_q(section, q)
