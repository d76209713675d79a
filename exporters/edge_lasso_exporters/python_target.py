"""The Python target: one file that imports nothing, for CPython 3.9 or later and MicroPython unchanged.

`predict` is a straight line of multiplications. It checks its *result*, not its inputs: a missing reading (None, NaN,
infinite, beyond the limit) makes the result NaN, infinite, too large, or raises, and only then the slow way runs, which
replaces what is missing. The guard is half of limit x smallest coefficient: one reading beyond the limit always shows,
unless other readings, just as absurd, cancel it; `predict_row` and `check` look at each reading.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import Term

from . import GENERATOR
from .fixed_python import fixed_lines
from .options import Options
from .vectors import reference, test_rows

VARIANTS = ("double", "fixed")
HANDLES_MISSING = True
# Beyond this many terms a loop over tuples costs less memory and start-up than a line each is faster.
LONGEST_LINE = 128
TERMS_PER_STATEMENT = 16

CLEAN = '''

def check(x):
    """Readings with what is missing replaced, and what was wrong: a list of texts, empty when all is well."""
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d values, got %d" % (len(FEATURES), len(x)))
    values, faults = [], []
    for place, default, low, high, categories in INPUTS:
        try:
            value = float(x[place])
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        known = -LIMIT <= value <= LIMIT
        if categories:
            if not (known and 0 <= value < categories and value == int(value)):
                value = -1.0
                faults.append(FEATURES[place] + " missing")
        elif not known:
            value = default
            faults.append(FEATURES[place] + " missing")
        elif value < low or value > high:
            faults.append(FEATURES[place] + " out of range")
{clamp}        values.append(value)
    return values, faults


def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    values, faults = check([{reading} for name in FEATURES])
    return {value}, "degraded: " + ", ".join(faults) if faults else "ok"
'''
CLAMP = "            value = low if value < low else high\n"
READING = "row.get(name)"
CATEGORY_READING = "_category(name, row.get(name)) if name in CATEGORIES else row.get(name)"
CATEGORY = """

def _category(name, value):
    known = CATEGORIES[name]
    return known.index(str(value)) if str(value) in known else -1
"""
LOGISTIC = '''

def _link(z):
    if z >= 0.0:
        return 1.0 / (1.0 + exp(-z))
    e = exp(z)
    return e / (1.0 + e)


def predict(x):
    """The probability of CLASSES[1] for one row of readings, in the order of FEATURES."""
    return _link(linear(x))


def label(x):
    """The class of one row."""
    return CLASSES[1 if linear(x) > 0.0 else 0]
'''
SOFTMAX = '''

def _link(z):
    top = max(z)
    weights = [exp(value - top) for value in z]
    total = 0.0
    for weight in weights:
        total = total + weight
    return [weight / total for weight in weights]


def predict(x):
    """The probability of each of CLASSES for one row of readings, in the order of FEATURES."""
    return _link(linear(x))


def label(x):
    """The class of one row."""
    z = linear(x)
    return CLASSES[z.index(max(z))]
'''
SELFTEST = '''

def selftest():
    """Whether this interpreter gives what the model must, to its float's precision (a board can ask at boot)."""
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    for row, wanted in SELF_TEST:
        z = {call}
        for got, value, size in zip({listed}, wanted, SIZES):
            if not abs(got - value) <= {tolerance}:
                return False
    return True
'''


def default_variant(model: Model) -> str:
    """``fixed`` for a quantized model."""
    return "fixed" if "fixed_point/1" in model.sections else "double"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.py``, and ``package.json`` for MicroPython's package manager.

    Parameters
    ----------
    model : Model
    options : Options

    Returns
    -------
    dict
        Relative path to content.

    Raises
    ------
    ExportError
        Variant ``fixed`` of a model that is not quantized.
    """
    fixed = options.variant == "fixed"
    lines = [*_head(model, options, fixed)]
    text = "\n".join(lines) + "\n"
    text += fixed_lines(model, options) if fixed else _double(model, options)
    file, version = f"{options.name}.py", GENERATOR.split()[-1]
    package = json.dumps({"version": version, "urls": [[file, file]]}, indent=1) + "\n"
    return {file: text.encode(), "package.json": package.encode()}


def expected(
    model: Model, options: Options, rows: Sequence[Sequence[float | None]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The reference: bit for bit in binary64, within the proven bound in fixed point."""
    if options.variant == "fixed":
        from .fixed_python import fixed_expected

        return fixed_expected(model, rows, options.inputs)
    values = reference(model, rows, options.inputs)
    return values, [[0.0] * len(row) for row in values]


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    if options.variant == "fixed":
        from .fixed_python import fixed_promise

        return fixed_promise(model)
    return {"kind": "bit-equal", "bound": 0.0, "text": "the linear predictor, bit for bit (binary64)"}


def _head(model: Model, options: Options, fixed: bool) -> list[str]:
    names = [one.name for one in model.inputs] if options.inputs == "selected" else list(model.columns)
    units = {one.column: one.unit for one in model.inputs}
    inputs = []
    for i, one in enumerate(model.inputs):
        place = i if options.inputs == "selected" else one.column
        rest = "None, None, None, 0" if one.categories is None else f"None, None, None, {len(one.categories)}"
        if one.categories is None:
            rest = f"{one.default!r}, {one.low!r}, {one.high!r}, 0"
        inputs.append(f"    ({place}, {rest}),")
    shown = names if options.inputs == "all" else [one.name for one in model.inputs]
    columns = range(len(model.columns)) if options.inputs == "all" else [one.column for one in model.inputs]
    lines = [
        f'"""A model made by {GENERATOR}: predict(x), predict_row(mapping), selftest()."""',
        "",
        *(["from math import exp", ""] if model.outputs[0].link != "identity" else []),
        f"MODEL_HASH = {model_hash(model)!r}",
        f"VERSION = {GENERATOR!r}",
        f"FEATURES = {_tuple(map(ascii, shown))}",
        f"UNITS = {_tuple(ascii(units.get(column, '')) for column in columns)}",
        f"OUTPUTS = {_tuple(ascii(one.name) for one in model.outputs)}",
        f"OUTPUT_UNITS = {_tuple(ascii(one.unit) for one in model.outputs)}",
    ]
    if model.classes is not None:
        lines.append(f"CLASSES = {_tuple(map(ascii, model.classes))}")
    categories = {one.name: one.categories for one in model.inputs if one.categories is not None}
    if categories:
        lines.append(f"CATEGORIES = {categories!a}")
    lines += [
        f"LIMIT = {model.limit!r}  # beyond it a reading counts as missing",
        "INPUTS = (  # place in a row, default, low, high, categories",
        *inputs,
        ")",
    ]
    if not fixed:
        sizes = [_size(model, m) for m in range(len(model.outputs))]
        lines.append(f"SIZES = {_tuple(map(repr, sizes))}")
        lines.append("SELF_TEST = (")
        for row, value in test_rows(model, options.inputs):
            lines.append(f"    ({_tuple(map(repr, row))}, {_tuple(map(repr, value))}),")
        lines.append(")")
    return lines


def _double(model: Model, options: Options) -> str:
    several = len(model.outputs) > 1
    link = model.outputs[0].link
    name = "predict" if link == "identity" else "linear"
    what = "Predict one row" if link == "identity" else "The linear predictor of one row"
    doc = f'    """{what}: a sequence of readings in the order of FEATURES (None or NaN: missing)."""'
    count = sum(len(one.terms) for one in model.outputs)
    body = _straight(model, "    ") if count <= LONGEST_LINE else []
    text = ""
    if count > LONGEST_LINE:
        text += _tables(model)
    text += "\n\ndef _line(x):\n" + "\n".join([*_unpacked(model, "selected", "    "), *(body or _loop(model)), ""])
    if model.policy == "clamp" or count > LONGEST_LINE:
        text += f"\n\ndef {name}(x):\n{doc}\n    return _line(check(x)[0])\n"
    else:
        text += f"\n\ndef {name}(x):\n{doc}\n    try:\n"
        guard = repr(_guard(model))  # as a literal: looking up a name would cost as much as the comparison
        fast = [*_unpacked(model, options.inputs, "        "), *_straight(model, "        ")]
        text += "\n".join(fast[:-1]) + "\n"
        names = [f"y{m}" for m in range(len(model.outputs))] if several else ["y"]
        text += f"        if {' and '.join(f'-{guard} < {one} < {guard}' for one in names)}:\n    {fast[-1]}\n"
        text += "    except (TypeError, OverflowError):\n        pass\n    return _line(check(x)[0])\n"
    text += f"\n\n{'linear = predict' if link == 'identity' else ''}\n" if link == "identity" else ""
    text += {"identity": "", "logistic": LOGISTIC, "softmax": SOFTMAX}[link]
    categorical = any(one.categories is not None for one in model.inputs)
    text += CATEGORY if categorical else ""
    clamp = CLAMP if model.policy == "clamp" else ""
    value = "_line(values)" if link == "identity" else "_link(_line(values))"
    text += CLEAN.format(clamp=clamp, reading=CATEGORY_READING if categorical else READING, value=value)
    listed = "z" if several else "(z,)"
    return text + SELFTEST.format(call="linear(row)", listed=listed, tolerance="eps * size")


def _unpacked(model: Model, inputs: str, pad: str) -> list[str]:
    """Readings into local names; a selected row must have just the right length, or unpacking raises."""
    names = [f"x{i}" for i in range(len(model.inputs))]
    if inputs == "all":
        lines = [f"{pad}x{i} = x[{one.column}]" for i, one in enumerate(model.inputs)]
        return [f"{pad}if len(x) != {len(model.columns)}:", f"{pad}    return check(x)", *lines]
    return [f"{pad}{', '.join(names)}{',' if len(names) == 1 else ''} = x"] if names else []


def _straight(model: Model, pad: str) -> list[str]:
    lines = []
    several = len(model.outputs) > 1
    for m, output in enumerate(model.outputs):
        y = f"y{m}" if several else "y"
        sums = [repr(output.intercept), *(_product(model, term) for term in output.terms)]
        first, rest = sums[: TERMS_PER_STATEMENT + 1], sums[TERMS_PER_STATEMENT + 1 :]
        lines.append(f"{pad}{y} = {' + '.join(first)}")
        while rest:
            part, rest = rest[:TERMS_PER_STATEMENT], rest[TERMS_PER_STATEMENT:]
            lines.append(f"{pad}{y} = {' + '.join([y, *part])}")
    result = f"[{', '.join(f'y{m}' for m in range(len(model.outputs)))}]" if several else "y"
    return [*lines, f"{pad}return {result}"]


def _product(model: Model, term: Term) -> str:
    factors = [repr(term.coef)]
    for factor in term.factors:
        name = f"x{factor.input}"
        factors.append(name if factor.category is None else f"(1.0 if {name} == {factor.category} else 0.0)")
    return " * ".join(factors)


def _tables(model: Model) -> str:
    lines = ["", "# intercept, then (coefficient, ((place, category or None), ...)) per term", "TERMS = ("]
    for output in model.outputs:
        lines.append(f"    ({output.intercept!r}, (")
        for term in output.terms:
            factors = _tuple(f"({factor.input}, {factor.category})" for factor in term.factors)
            lines.append(f"        ({term.coef!r}, {factors}),")
        lines.append("    )),")
    return "\n".join([*lines, ")", ""])


def _loop(model: Model) -> list[str]:
    single = len(model.outputs) == 1
    return [
        "    result = []",
        "    for y, terms in TERMS:",
        "        for coef, factors in terms:",
        "            for place, category in factors:",
        "                if category is None:",
        "                    coef = coef * x[place]",
        "                else:",
        "                    coef = coef * (1.0 if x[place] == category else 0.0)",
        "            y = y + coef",
        "        result.append(y)",
        f"    return {'result[0]' if single else 'result'}",
    ]


def _guard(model: Model) -> float:
    sizes = [abs(term.coef) for output in model.outputs for term in output.terms if term.coef != 0.0]
    return min(sizes, default=1.0) * model.limit / 2.0


def _size(model: Model, m: int) -> float:
    """What a 32-bit float may be off by, in units of its epsilon: generous, a self-test looks for gross faults."""
    output = model.outputs[m]
    total = abs(output.intercept)
    for term in output.terms:
        size = abs(term.coef)
        for factor in term.factors:
            one = model.inputs[factor.input]
            size *= 1.0 if factor.category is not None else max(abs(one.low or 0.0), abs(one.high or 0.0))
        total += size
    return total * (2.0 * len(output.terms) + 4.0)


def _tuple(items: Any) -> str:
    texts = list(items)
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
