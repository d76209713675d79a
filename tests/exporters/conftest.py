"""Models of every shape, their artifacts, and the old runtimes in Pythons of their own."""

import json
import math
import os
import random
import subprocess
from pathlib import Path

import pytest

from edge_lasso_exporters import registry
from edge_lasso_exporters.options import Options
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

TOOLS = Path(__file__).parent.parent / "tools"


def build(
    seed=0, k=3, outputs=1, link="identity", policy="extrapolate", products=0, categories=0, weights=(-1, 1),
    offsets=3.0, extra=2,
):  # fmt: skip
    """A random model; weights span decades, ranges sit at offsets up to `offsets`."""
    source = random.Random(seed)
    width = 2 * k + categories + extra
    columns = tuple(f"column {i}" for i in range(width))
    inputs = []
    for i in range(k):
        middle, half = source.uniform(-offsets, offsets), 10.0 ** source.uniform(-1, 2)
        default = source.uniform(middle - half, middle + half)
        inputs.append(Input(columns[2 * i], 2 * i, default, middle - half, middle + half, "V"))
    for c in range(categories):
        inputs.append(Input(columns[2 * k + c], 2 * k + c, None, None, None, "", ("red", "green", "blue")))
    predicted = []
    for m in range(outputs):
        keys = [(Factor(i),) for i in range(k) if m == 0 or source.random() < 0.7]
        keys += [tuple(Factor(source.randrange(k)) for _ in range(source.randint(2, 3))) for _ in range(products)]
        keys += [(Factor(k + c, level),) for c in range(categories) for level in (0, 2)]
        keys += [(Factor(k + c, 1), Factor(0)) for c in range(categories)]
        terms = [Term(source.choice((-1, 1)) * 10.0 ** source.uniform(*weights), key) for key in keys]
        predicted.append(Output(f"y{m}", source.uniform(-10, 10), tuple(terms), link))
    classes = None if link == "identity" else tuple(f"class {i}" for i in range(max(2, outputs)))
    return Model(columns, tuple(inputs), tuple(predicted), policy, classes)


def sample_rows(model, inputs="selected", count=20, seed=1, missing=True):
    """Rows inside the ranges, at their edges, outside, missing, huge and tiny, in the artifact's order."""
    source = random.Random(seed)
    limit = model.limit
    ends = [(0.0, 2.0) if reading.categories else (reading.low, reading.high) for reading in model.inputs]

    def inside(reading):
        return float(source.randrange(3)) if reading.categories else source.uniform(reading.low, reading.high)

    rows = [[inside(reading) for reading in model.inputs] for _ in range(count)]
    rows += [[low for low, _ in ends], [high for _, high in ends], [source.choice(pair) for pair in ends]]
    rows += [[low - 0.3 * (high - low) for low, high in ends], [high + 0.3 * (high - low) for low, high in ends]]
    if missing:
        odd = [math.nan, math.inf, -math.inf, limit, -limit, limit * (1.0 + 2.0**-30), 1e39, 1e308, 1e-40, -0.0, 1e-310]
        rows += [[source.choice([*odd, inside(reading)]) for reading in model.inputs] for _ in range(count)]
        rows += [[math.nan] * len(model.inputs), [limit] * len(model.inputs)]
    if inputs == "selected":
        return rows
    wide = []
    for row in rows:
        full = [source.choice((math.nan, 1e300, 0.0, -5.0)) for _ in model.columns]
        for place, reading in zip(model.inputs, row, strict=True):
            full[place.column] = reading
        wide.append(full)
    return wide


def worst_ratio(results, module, model, options, rows):
    """The largest |artifact - expected| / tolerance."""
    values, tolerances = module.expected(model, options, rows)
    ratio = 0.0
    for got, wanted, allowed in zip(results, values, tolerances, strict=True):
        for a, b, t in zip(got, wanted, allowed, strict=True):
            assert math.isfinite(a)
            assert math.isfinite(t)
            ratio = max(ratio, abs(a - b) / t if a != b else 0.0)
    return ratio


SHAPES = {
    "plain": build(),
    "one input": build(k=1, extra=0),
    "large offsets": build(seed=1, k=6, offsets=1e6),
    "clamp": build(seed=2, policy="clamp"),
    "three outputs": build(seed=3, k=5, outputs=3, weights=(-4, 3)),
    "products": build(seed=4, k=4, products=3),
    "categories": build(seed=5, k=2, categories=2),
    "logistic": build(seed=6, link="logistic", products=1),
    "softmax": build(seed=7, k=4, outputs=3, link="softmax", categories=1, policy="clamp"),
    "everything": build(seed=8, k=9, outputs=2, products=4, categories=1, weights=(-6, 4), offsets=1e3),
}


@pytest.fixture(scope="session")
def shapes():
    """Name to model."""
    return SHAPES


def random_model(seed, products=True):
    """A model of any shape: weights over fifteen decades, products, powers, categories, links, both policies."""
    source = random.Random(seed)
    count = source.randint(1, 9)
    link = source.choice(("identity", "identity", "identity", "logistic", "softmax"))
    inputs = []
    for i in range(count):
        if source.random() < 0.2:
            inputs.append(Input(f"kind {i}", 2 * i, None, None, None, categories=("red", "green", "blue")))
            continue
        middle, half = source.uniform(-1e3, 1e3), 10.0 ** source.uniform(-2, 4)
        default = source.uniform(middle - half, middle + half)
        inputs.append(Input(f"sensor {i}", 2 * i, default, middle - half, middle + half, "mV"))

    def factor(i):
        return Factor(i, None if inputs[i].categories is None else source.randrange(3))

    def output(name):
        keys = [(i,) for i in range(count)]
        if products:
            longest = source.choice((2, 2, 3))
            keys += [tuple(source.randrange(count) for _ in range(longest)) for _ in range(source.randint(0, 3))]
            keys += [(source.randrange(count),) for _ in range(source.randint(0, 1))]
        highest = 6 if link == "identity" else -2
        terms = [
            Term(source.choice((-1, 1)) * 10.0 ** source.uniform(-9, highest), tuple(factor(i) for i in key))
            for key in keys
        ]
        return Output(name, source.uniform(-100, 100), tuple(terms), link)

    several = 3 if link == "softmax" else source.choice((1, 1, 2)) if link == "identity" else 1
    outputs = tuple(output(f"y{m}") for m in range(several))
    columns = tuple(inputs[i // 2].name if i % 2 == 0 else f"other {i}" for i in range(2 * count))
    classes = None if link == "identity" else ("no", "yes", "perhaps")[: max(2, several)]
    return Model(columns, tuple(inputs), outputs, source.choice(("extrapolate", "extrapolate", "clamp")), classes)


def odd_rows(model, seed, count=12):
    """Rows in the order of the model's inputs: gaps, infinities and at most one absurd finite reading each."""
    source = random.Random(seed)
    limit = model.limit
    rows = []
    for _ in range(count):
        row = []
        for entry in model.inputs:
            if entry.categories:
                row.append(source.choice((0.0, 1.0, 2.0, 2.0, -1.0, 3.0, 1.5, math.nan, None, 1e300)))
            else:
                inside = source.uniform(entry.low, entry.high)
                row.append(source.choice((inside, inside, inside, 0.0, entry.low, entry.high, entry.default)))
                if source.random() < 0.15:
                    row[-1] = source.choice((None, math.nan, math.inf, -math.inf))
        numeric = [i for i, entry in enumerate(model.inputs) if not entry.categories]
        if numeric and source.random() < 0.7:
            ends = (limit, -limit, math.nextafter(limit, math.inf), -2.0 * limit, 1e300, -1.7e308)
            row[source.choice(numeric)] = source.choice((*ends, 10.0 ** source.uniform(0, 308)))
        rows.append(row)
    return rows


def whole(model, row, fill=math.nan):
    """A row of the model's inputs as a whole training row."""
    full = [fill] * len(model.columns)
    for place, reading in zip(model.inputs, row, strict=True):
        full[place.column] = reading
    return full


@pytest.fixture(scope="session")
def any_model():
    """`random_model`."""
    return random_model


@pytest.fixture(scope="session")
def odd():
    """`odd_rows`."""
    return odd_rows


@pytest.fixture(scope="session")
def widened():
    """`whole`."""
    return whole


@pytest.fixture(scope="session")
def simple():
    """Two inputs of three columns, one output: what the golden files show."""
    inputs = (Input("a", 0, 1.0, 0.0, 2.0, "K"), Input("b", 2, -1.0, -4.0, 0.0))
    terms = (Term(2.0, (Factor(0),)), Term(-0.125, (Factor(1),)))
    return Model(("a", "x", "b"), inputs, (Output("y", 0.5, terms, unit="V"),))


@pytest.fixture(scope="session")
def many_terms():
    """A model of `count` terms, plain or with products among them."""

    def make(count, products=False):
        source = random.Random(count)
        inputs = tuple(Input(f"s{i}", i, 0.5, 0.0, 1.0) for i in range(count if not products else 100))
        keys = [(Factor(i % len(inputs)),) for i in range(count)]
        if products:
            keys = [(*key, Factor(source.randrange(len(inputs)))) for key in keys]
        terms = tuple(Term(source.uniform(-1, 1), key) for key in keys)
        return Model(tuple(entry.name for entry in inputs), inputs, (Output("y", 1.0, terms),))

    return make


NASTY = ("*/ int x; /*", 'a"b\\', "new\nline", "??/", "größe µ", "int", "7up", "a b", "/* nested", "// \\", "'" * 3, "%s {0}",
         "\r\u2028\0", "日本", "__import__('os')", "linux", "\\", "\ud800")  # fmt: skip


@pytest.fixture(scope="session")
def nasty():
    """A model whose every name and unit tries to break out of a comment or a string."""

    def make(name):
        names = tuple(dict.fromkeys((name, "a b", "a_b")))
        inputs = [Input(entry, i, 1.0, 0.0, 2.0, unit=name) for i, entry in enumerate(names)]
        inputs.append(Input("kind", len(names), None, None, None, categories=(name, "*/")))
        terms = [Term(i + 2.0, (Factor(i),)) for i in range(len(names))] + [Term(0.5, (Factor(len(names), 0),))]
        output = Output(name, 0.5, tuple(terms), "logistic", unit=name)
        return Model((*names, "kind"), tuple(inputs), (output,), classes=(name, "*/ other"))

    return make


@pytest.fixture(params=NASTY, ids=ascii)
def nasty_name(request):
    """Each of them."""
    return request.param


@pytest.fixture(scope="session")
def make():
    """`build`."""
    return build


@pytest.fixture(scope="session")
def rows_of():
    """`sample_rows`."""
    return sample_rows


@pytest.fixture(scope="session")
def ratio_of():
    """`worst_ratio`."""
    return worst_ratio


@pytest.fixture(scope="session")
def small_detector():
    """A detector of two readings, with a lag: what the golden files show."""
    inputs = (
        Input("a", 0, 1.0, 0.0, 2.0, "K"), Input("b", 1, -1.0, -4.0, 0.0), Input("a.lag2", 2, 1.0, 0.0, 2.0, stream=("lag", "a", 2)),
    )  # fmt: skip
    outputs = (
        Output("b", -1.5, (Term(0.25, (Factor(0),)), Term(0.125, (Factor(2),)))),
        Output("a", 0.75, (Term(-0.25, (Factor(1),)),)),
    )
    watch = [{"reading": name, "centre": 0.0, "scale": 0.5, "slow": 0.25, "weight": 1.0} for name in ("b", "a")]
    section = {
        "watched": watch, "smoothing": 0.25, "clip": 8.0, "track": 5, "fast": 0.7, "warm_up": 10, "threshold": {"score": 4.0, "row_rate": 0.01, "hold": 3},
    }  # fmt: skip
    sections = {"detector/1": section, "health/1": {"readings": [{"input": "a", "stuck": 5, "jump": 1.0}]}}
    return Model(("a", "b", "a.lag2"), inputs, outputs, sections=sections)


@pytest.fixture
def write(tmp_path):
    """Render an artifact into a folder of its own."""
    count = 0

    def write_artifact(model, target, variant, inputs="selected"):
        nonlocal count
        count += 1
        folder = tmp_path / f"{target}-{variant}-{count}"
        folder.mkdir()
        for name, data in registry.render(model, target, variant, inputs).items():
            if "/" not in name:
                (folder / name).write_bytes(data)
        return folder

    return write_artifact


@pytest.fixture(scope="session")
def elsewhere():
    """Run jobs (see `tests/tools/run_artifact.py`) in the Python that an environment variable names."""

    def run(variable, jobs):
        python = os.environ[variable]
        environment = {**os.environ, "EDGE_LASSO_RUNTIME_SOURCE": str(TOOLS.parent.parent / "runtime")}
        done = subprocess.run(
            [python, str(TOOLS / "run_artifact.py")], input=json.dumps(jobs), capture_output=True, text=True,
            env=environment, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def options():
    """`Options`."""
    return Options


@pytest.fixture
def notices_a_broken_sum(tmp_path):
    """Check that a C artifact's self-test passes, and fails when its sums are wrong."""

    def check(files, compiler, *flags):
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        main = '#include "model.h"\nint main(void) { return model_selftest() == 1 ? 0 : 1; }\n'
        (tmp_path / "main.c").write_text(main)
        command = [compiler, "-std=c99", "-O2", "-DMODEL_SELFTEST", "main.c", "model.c", "-o", "run", *flags]
        subprocess.run(command, cwd=tmp_path, check=True)
        assert subprocess.run([tmp_path / "run"], check=False).returncode == 0
        source = (tmp_path / "model.c").read_text()
        broken = source.replace(" += ", " -= ")
        assert broken != source
        (tmp_path / "model.c").write_text(broken)
        subprocess.run(command, cwd=tmp_path, check=True)
        assert subprocess.run([tmp_path / "run"], check=False).returncode == 1

    return check


HOSTILE = ("temp", 'se"lect', "x'; DROP TABLE readings; --", "*/ ${x} \n {{ y }} %s")


def hostile_model(link, count=1, policy="extrapolate"):
    """Numbers, words, products; names that try to break out."""
    source = random.Random(1)
    inputs = (
        Input(HOSTILE[0], 0, 20.0, 0.0, 40.0),
        Input(HOSTILE[1], 1, 1e5, 9e4, 1.1e5),
        Input(HOSTILE[2], 2, None, None, None, categories=("o'pen", "*/ shut", "${x}; --")),
        Input(HOSTILE[3], 3, -0.3, -1.0, 1.0),
    )

    def output(name):
        terms = [((0,), 1.0), ((1,), 1e-3), ((0, 3), 0.01), ((3, 3), 1e-17)]
        numbers = [Term(source.gauss(0, size), tuple(map(Factor, places))) for places, size in terms]
        return Output(name, 0.1234567, (*numbers, Term(0.7, (Factor(2, 1),)), Term(-0.3, (Factor(2, 2),))), link)

    classes = {"identity": None, "logistic": ("n'o", "yes"), "softmax": ("A", "B\\", "C")}[link]
    return Model(HOSTILE, inputs, tuple(output(f"y{k}") for k in range(count)), policy, classes)


@pytest.fixture(scope="session")
def hostile():
    """Models of every kind whose names and words try to break out of what they are written into."""
    return {
        "two outputs": hostile_model("identity", 2),
        "clamp": hostile_model("identity", policy="clamp"),
        "logistic": hostile_model("logistic"),
        "softmax": hostile_model("softmax", 3),
        "constant": Model(("a",), (), (Output("y", 0.1, ()),)),
    }
