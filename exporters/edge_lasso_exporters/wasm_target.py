"""The WebAssembly target: a module of a few hundred bytes without imports, and an ES module around it.

The module has one function per output, from the readings (f64, NaN where missing) to the linear predictor. The ES
module holds the same bytes, so that a page or a Node-RED function loads one file; it knows names, words, links, status.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import EXP_ROOM, Output
from edge_lasso_runtime.stream import keeps_state

from . import GENERATOR, SPDX, bit_equal, wasm_page, wasm_step, wasm_writer
from .options import ExportError, Options
from .stateful import Stateful
from .step_js import replay_text
from .usage import js_usage
from .vectors import self_test_sizes, test_rows
from .wasm_writer import ABS, ADD, EQ, FROM_BOOL, GT, LE, MAX, MIN, MUL, SELECT, SUB, Code, constant, get, put

VARIANTS = ("double",)
STEPS = VARIANTS
HANDLES_MISSING = True
expected = bit_equal.expected
usage = js_usage.wasm_usage
MOST_INPUTS = 1000
"""Parameters of a function that every browser takes."""

SCRIPT = """\
// {spdx}
// A model made by {generator}: linear(x), predict(x), label(x), predictRow(object), selftest().
// x: readings in the order of FEATURES; null, undefined or NaN is missing; a word is its place in its categories.
export const MODEL_HASH = {hash};
export const VERSION = {version};
export const FEATURES = {features};
export const OUTPUTS = {outputs};
export const CLASSES = {classes};
export const CATEGORIES = {categories};
const LINK = {link};
const LIMIT = {limit};
const INPUTS = {inputs}; // place in a row, low, high, categories
const SELF_TEST = {self_test}; // row, linear predictor, what is allowed
const BYTES = Uint8Array.from(atob({bytes}), (c) => c.charCodeAt(0));
const {{ instance }} = await WebAssembly.instantiate(BYTES, {{ math: Math }});
const FUNCTIONS = OUTPUTS.map((_, m) => instance.exports["linear" + m]);

function number(x) {{
  return x === null || x === undefined || typeof x === "boolean" || x === "" ? NaN : Number(x);
}}

export function linear(x) {{
  if (x.length !== FEATURES.length) {{
    throw new RangeError(`a row has ${{FEATURES.length}} values, got ${{x.length}}`);
  }}
  const row = Array.from(x, number);
  return FUNCTIONS.map((f) => f(...row));
}}

function link(z) {{
  if (LINK === "identity") return z;
  if (LINK === "logistic") {{
    const e = Math.exp(-Math.abs(z[0]));
    return [z[0] >= 0 ? 1 / (1 + e) : e / (1 + e)];
  }}
  if (LINK === "exp") return z.map((value) => Math.exp(Math.min(Math.max(value, -{room}), {room})));
  const top = Math.max(...z);
  const weights = z.map((value) => Math.exp(value - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}}

export function predict(x) {{
  return link(linear(x));
}}

export function label(x) {{
  if (CLASSES === null) return null;
  const z = linear(x);
  return z.length === 1 ? CLASSES[z[0] > 0 ? 1 : 0] : CLASSES[z.indexOf(Math.max(...z))];
}}

export function faults(x) {{
  const wrong = [];
  for (const [place, low, high, categories] of INPUTS) {{
    const value = number(x[place]);
    const known = Math.abs(value) <= LIMIT;
    if (categories !== null) {{
      if (!(known && value >= 0 && value < categories.length && Number.isInteger(value))) {{
        wrong.push(FEATURES[place] + " missing");
      }}
    }} else if (!known) wrong.push(FEATURES[place] + " missing");
    else if (value < low || value > high) wrong.push(FEATURES[place] + " out of range");
  }}
  return wrong;
}}

/** The place of a word among its categories; any other reading as it is. */
function category(name, value) {{
  return Object.hasOwn(CATEGORIES, name) ? CATEGORIES[name].indexOf(String(value)) : value;
}}

export function predictRow(row) {{
  const x = FEATURES.map((name) => category(name, Object.hasOwn(row, name) ? row[name] : null));
  const wrong = faults(x);
  return {{
    values: predict(x),
    label: label(x),
    status: wrong.length ? "degraded: " + wrong.join(", ") : "ok",
  }};
}}

export function selftest() {{
  return SELF_TEST.every(([row, wanted, allowed]) => {{
    const z = linear(row);
    return z.every((value, m) => Math.abs(value - wanted[m]) <= Number.EPSILON * allowed[m]);
  }}){replay};
}}
"""


def default_variant(model: Model) -> str:
    """There is one."""
    return "double"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.mjs``, ``NAME.wasm`` and ``NAME.html``.

    Raises
    ------
    ExportError
        More inputs than a function may have parameters.
    """
    names = [feature.name for feature in model.inputs] if options.inputs == "selected" else list(model.columns)
    if len(names) > MOST_INPUTS:
        raise ExportError(
            f"a row has {len(names):,} inputs, and a WebAssembly function takes {MOST_INPUTS:,}; use --inputs selected"
        )
    places = [i if options.inputs == "selected" else feature.column for i, feature in enumerate(model.inputs)]
    functions = [
        Code(len(names), True, 0, _code(model, output, places), f"linear{m}") for m, output in enumerate(model.outputs)
    ]
    notes = {"edge-lasso": model_hash(model)}
    steps = wasm_step.steps(model, options, len(functions)) if keeps_state(model) else None
    if steps is None:
        code = wasm_writer.module(functions, notes)
    else:
        code = wasm_writer.module([*functions, *steps.codes], notes, steps.data, steps.exponential)
    inputs = [
        [place, feature.low, feature.high, None if feature.categories is None else list(feature.categories)]
        for place, feature in zip(places, model.inputs, strict=True)
    ]
    sizes = self_test_sizes(model)
    more = "" if steps is None else wasm_step.step_text(model, options, steps)
    more += replay_text(model, Stateful(model, options), False) if steps else ""
    script = SCRIPT.format(
        spdx=SPDX,
        generator=GENERATOR,
        version=_json(options.version),
        hash=_json(model_hash(model)),
        features=_json(names),
        outputs=_json([output.name for output in model.outputs]),
        classes=_json(None if model.classes is None else list(model.classes)),
        categories=_json({f.name: list(f.categories) for f in model.inputs if f.categories is not None}),
        replay=" && replay()" if "function replay" in more else "",
        link=_json(model.outputs[0].link),
        limit=_json(model.limit),
        room=EXP_ROOM,
        inputs=_json(inputs),
        self_test=_json([[row, values, sizes] for row, values in test_rows(model, options.inputs)]),
        bytes=_json(b64encode(code).decode()),
    )
    script += more
    page = wasm_page.page(model, options.name, script)
    return {f"{options.name}.mjs": script.encode(), f"{options.name}.wasm": code, f"{options.name}.html": page}


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    return {"kind": "bit-equal", "bound": 0.0, "text": "the linear predictor, bit for bit (binary64)"}


def _json(data: Any) -> str:
    """A JavaScript literal that cannot end the script that a page puts it in."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def _code(model: Model, output: Output, places: Sequence[int]) -> bytes:
    """Readings cleaned in place, then the sum from the left."""
    read = sorted({factor.input for term in output.terms for factor in term.factors})
    code = b""
    for i in read:
        entry, place = model.inputs[i], places[i]
        if entry.categories is not None:
            continue
        assert entry.default is not None
        assert entry.low is not None
        assert entry.high is not None
        known = get(place) + ABS + constant(model.limit) + LE
        code += get(place) + constant(entry.default) + known + SELECT
        if model.policy == "clamp":
            code += constant(entry.low) + MAX + constant(entry.high) + MIN
        code += put(place)
    code += constant(output.intercept)
    for term in output.terms:
        code += constant(term.coef)
        for factor in term.factors:
            code += get(places[factor.input])
            if factor.category is not None:
                code += constant(float(factor.category)) + EQ + FROM_BOOL
            elif factor.hinge is not None:
                code += constant(factor.hinge) + SUB + constant(0.0) + MAX
            elif factor.step is not None:
                code += constant(factor.step) + GT + FROM_BOOL
            code += MUL
        code += ADD
    return code
