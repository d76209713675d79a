"""The Python target: one file that imports nothing (``exp`` where a link needs it), for CPython 3.9 or later and
MicroPython unchanged. `double_python.py` writes the binary64 variant, `fixed_python.py` the integers.

Variant ``pyz`` is the runtime package and the model in one file, for CPython (`bundle_python.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import EXP_ROOM
from edge_lasso_runtime.stream import keeps_state

from . import GENERATOR, SPDX, bit_equal
from .bundle_python import bundle
from .double_python import CATEGORY, CATEGORY_READING, double_lines
from .fixed_python import fixed_lines, fixed_promise
from .options import Options
from .proofs import artifact_proofs
from .step_python import StepPython, step_text
from .usage import python_usage
from .vectors import self_test_sizes, test_rows
from .verdicts import python_text

VARIANTS = ("double", "fixed", "pyz")
USUAL = True
HANDLES_MISSING = True
default_variant = bit_equal.default_variant
expected = bit_equal.expected
STEPS = ("double", "fixed")
usage = python_usage.usage

CLEAN = '''

def check(x):
    """Readings with what is missing replaced, and what was wrong: a list of texts, empty when all is well."""
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d values, got %d" % (len(FEATURES), len(x)))
    values, faults = list(x), []
    for place, default, low, high, categories in INPUTS:
        try:
            value = float(values[place])
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
{clamp}        values[place] = value
    return values, faults


def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    values, faults = check([{reading} for name in FEATURES])
    return {value}, "degraded: " + ", ".join(faults) if faults else "ok"
'''
CLAMP = "            value = low if value < low else high\n"
READING = "row.get(name)"
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
EXP = tuple(
    f'''

def _link(z):
    return {each}


def predict(x):
    """The prediction for one row of readings, in the order of FEATURES."""
    return _link(linear(x))
'''
    for each in (
        f"exp(min(max(z, {-EXP_ROOM!r}), {EXP_ROOM!r}))",
        f"[exp(min(max(value, {-EXP_ROOM!r}), {EXP_ROOM!r})) for value in z]",
    )
)
"""Of one output, and of several."""

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


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.py``, and ``package.json`` for MicroPython's package manager; or ``NAME.pyz``.

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
    if options.variant == "pyz":
        return {f"{options.name}.pyz": bundle(model, options.name)}
    fixed = options.variant == "fixed"
    lines = [*_head(model, options, fixed)]
    text = "\n".join(lines) + "\n"
    text += fixed_lines(model, options) if fixed else _double(model, options)
    if keeps_state(model):
        text = step_text(model, options, text)
    text += python_text(model, options)
    file = f"{options.name}.py"
    package = json.dumps({"version": options.version, "urls": [[file, file]]}, indent=1) + "\n"
    return {file: text.encode(), "package.json": package.encode()}


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    if options.variant == "fixed":
        return fixed_promise(model)
    text = "the linear predictor, bit for bit (binary64)"
    if options.variant == "double" and model.policy == "extrapolate":
        text += "; several readings beyond the limit in one row are sure to be seen by `predict_row` and `step` alone"
    return {"kind": "bit-equal", "bound": 0.0, "text": text}


def proofs(model: Model, options: Options) -> list[dict[str, str]]:
    """What is proven of its integers, arrays and shifts (`proofs.py`)."""
    return artifact_proofs(
        model, options, StepPython(model, options).printers if keeps_state(model) and options.variant != "pyz" else {}
    )


def exempt(model: Model, options: Options, row: Sequence[float]) -> bool:
    """Whether the promise leaves a row of inputs out: finite readings beyond the limit that may cancel in a sum.

    `double_python` looks at the result, and proves that one of them shows there.
    """
    if options.variant != "double" or model.policy != "extrapolate":
        return False
    return sum(model.limit < abs(x) < math.inf for x in row) > 1


def _head(model: Model, options: Options, fixed: bool) -> list[str]:
    names = [feature.name for feature in model.inputs] if options.inputs == "selected" else list(model.columns)
    units = {feature.column: feature.unit for feature in model.inputs}
    inputs = []
    for i, feature in enumerate(model.inputs):
        place = i if options.inputs == "selected" else feature.column
        rest = "None, None, None, 0" if feature.categories is None else f"None, None, None, {len(feature.categories)}"
        if feature.categories is None:
            rest = f"{feature.default!r}, {feature.low!r}, {feature.high!r}, 0"
        inputs.append(f"    ({place}, {rest}),")
    shown = names if options.inputs == "all" else [feature.name for feature in model.inputs]
    columns = range(len(model.columns)) if options.inputs == "all" else [feature.column for feature in model.inputs]
    lines = [
        f"# {SPDX}",
        f'"""A model made by {GENERATOR}: predict(x), predict_row(mapping), selftest()."""',
        "",
        *(["from math import exp", ""] if model.outputs[0].link != "identity" else []),
        f"MODEL_HASH = {model_hash(model)!r}",
        f"VERSION = {options.version!r}",
        f"FEATURES = {_tuple(map(ascii, shown))}",
        f"UNITS = {_tuple(ascii(units.get(column, '')) for column in columns)}",
        f"OUTPUTS = {_tuple(ascii(output.name) for output in model.outputs)}",
        f"OUTPUT_UNITS = {_tuple(ascii(output.unit) for output in model.outputs)}",
    ]
    if model.classes is not None:
        lines.append(f"CLASSES = {_tuple(map(ascii, model.classes))}")
    categories = {feature.name: feature.categories for feature in model.inputs if feature.categories is not None}
    if categories:
        lines.append(f"CATEGORIES = {categories!a}")
    lines += [
        f"LIMIT = {model.limit!r}  # beyond it a reading counts as missing",
        "INPUTS = (  # place in a row, default, low, high, categories",
        *inputs,
        ")",
    ]
    section = model.sections.get("interval/1")
    if section is not None:
        pairs = (f"({low!r}, {high!r})" for low, high in zip(section["low"], section["high"], strict=True))
        lines.append(f"INTERVAL = {_tuple(pairs)}  # added to predictions: holds {section['level']:g} of truths")
        if "slope" in section:
            slopes = _tuple(map(repr, section["slope"]))
            lines.append(f"INTERVAL_SLOPE = {slopes}  # the ends are 1 + slope |prediction| times as far")
    if not fixed:
        lines.append(f"SIZES = {_tuple(map(repr, self_test_sizes(model)))}")
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
    doc = f'    """{what}: numbers in the order of FEATURES; None or NaN is missing."""'
    text = double_lines(model, options, name, doc)
    text += "\n\nlinear = predict\n" if link == "identity" else ""
    text += {"identity": "", "logistic": LOGISTIC, "softmax": SOFTMAX, "exp": EXP[several]}[link]
    categorical = any(feature.categories is not None for feature in model.inputs)
    text += CATEGORY if categorical else ""
    clamp = CLAMP if model.policy == "clamp" else ""
    value = f"{name}(values, True)" if link == "identity" else f"_link({name}(values, True))"
    text += CLEAN.format(clamp=clamp, reading=CATEGORY_READING if categorical else READING, value=value)
    listed = "z" if several else "(z,)"
    return text + SELFTEST.format(call="linear(row)", listed=listed, tolerance="eps * size")


def _tuple(items: Any) -> str:
    texts = list(items)
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
