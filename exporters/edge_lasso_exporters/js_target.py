"""The JavaScript target: an ES2020 module that imports nothing, for node, browsers and gateways.

Printed from the programs (`programs`): a row of a model without state is a row of the same program without health,
histories and detector. ``js:fixed`` has the integers of a quantized model, and of a detector `stepQ`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.stream import keeps_state

from . import GENERATOR, SPDX, bit_equal, node_red
from .fixed_python import fixed_promise, fixed_vectors, section_of
from .js_text import COMMON, FIXED, HEAD, PREDICT, PROBABILITY, SELFTEST, SELFTEST_FIXED
from .options import Options
from .programs.layout import layout
from .programs.print_js import PrinterJS
from .programs.running import source
from .programs.specialize import specialize
from .proofs import artifact_proofs
from .stateful import Stateful
from .step_js import step_printers, step_text
from .usage import js_usage
from .vectors import self_test_sizes, test_rows
from .verdicts import js_text

VARIANTS = ("double", "fixed")
HANDLES_MISSING = True
default_variant = bit_equal.default_variant
expected = bit_equal.expected
STEPS = VARIANTS
usage = js_usage.usage


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.mjs``, and what makes a node of Node-RED of the folder.

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
    text = _head(model, options)
    text += _fixed(model, options) if options.variant == "fixed" else _double(model, options)
    steps = step_text(model, options) if keeps_state(model) else ""
    replay = (
        "replay() && replayQ()" if "function replayQ" in steps else "replay()" if "function replay" in steps else "true"
    )
    text = text.replace("@REPLAY@", replay) + steps + js_text(model, options)
    return {f"{options.name}.mjs": text.encode(), **node_red.package(model, options)}


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    if options.variant == "fixed":
        return fixed_promise(model)
    return {"kind": "bit-equal", "bound": 0.0, "text": "the linear predictor, bit for bit (binary64)"}


def proofs(model: Model, options: Options) -> list[dict[str, str]]:
    """What is proven of its integers, arrays and shifts (`proofs.py`)."""
    return artifact_proofs(model, options, step_printers(model, options) if keeps_state(model) else {})


def _head(model: Model, options: Options) -> str:
    whole = options.inputs == "all"
    units = {feature.column: feature.unit for feature in model.inputs}
    columns = range(len(model.columns)) if whole else [feature.column for feature in model.inputs]
    constants: dict[str, Any] = {
        "MODEL_HASH": model_hash(model), "VERSION": options.version,
        "FEATURES": list(model.columns) if whole else [feature.name for feature in model.inputs],
        "UNITS": [units.get(column, "") for column in columns],
        "OUTPUTS": [output.name for output in model.outputs], "OUTPUT_UNITS": [output.unit for output in model.outputs],
    }  # fmt: skip
    if model.classes is not None:
        constants["CLASSES"] = list(model.classes)
    categories = {feature.name: list(feature.categories) for feature in model.inputs if feature.categories is not None}
    if categories:
        constants["CATEGORIES"] = categories
    section = model.sections.get("interval/1")
    if section is not None:
        constants["INTERVAL"] = [list(pair) for pair in zip(section["low"], section["high"], strict=True)]
        if "slope" in section:
            constants["INTERVAL_SLOPE"] = section["slope"]
    lines = [f"export const {name} = {_spelled(value)};" for name, value in constants.items()]
    places = [feature.column if whole else i for i, feature in enumerate(model.inputs)]
    lines += [
        f"const PLACES = {json.dumps(places)}; // of the model's inputs in a row",
        f"const LIMIT = {model.limit!r};",
    ]
    category = "category(name, row[name])" if categories else "row[name]"
    return HEAD.format(spdx=SPDX, generator=GENERATOR) + "\n".join(lines) + "\n" + COMMON.format(
        width=len(constants["FEATURES"]), category="" if not categories else CATEGORY, reading=category
    )  # fmt: skip


CATEGORY = """
/** The position of a category; -1 where it is unknown. */
function category(name, value) {
  if (!(name in CATEGORIES)) {
    return value;
  }
  return CATEGORIES[name].indexOf(String(value));
}
"""


def plain(model: Model) -> Model:
    """The model as a dense prediction sees it: every input is a reading, and nothing is remembered."""
    inputs = tuple(feature.replace(stream=None) for feature in model.inputs)
    bare = model.replace(inputs=inputs, sections={})
    bare.limit = model.limit
    return bare


def _double(model: Model, options: Options) -> str:
    spec = layout(Stateful(plain(model), Options("double")), last_bit=29)
    printer = PrinterJS(specialize(source("step"), spec, expressions=True), spec, "_dense", frozenset(("LIMIT",)))
    several = len(model.outputs) > 1
    link = model.outputs[0].link
    text = printer.source() + PREDICT.format(
        out=printer.start("out"), one="" if several else "[0]", linear="values" if link == "identity" else "linear",
        label=LABEL if model.classes is not None else "",
    )  # fmt: skip
    rows = [[None if x is None else x for x in row] for row, _ in test_rows(model, options.inputs)]
    values = [value for _, value in test_rows(model, options.inputs)]
    return text + SELFTEST.format(rows=_rows(rows), wanted=_rows(values), sizes=json.dumps(self_test_sizes(model)))


LABEL = """
/** The class of one row. */
export function label(x) {
  return CLASSES[dense(x).label];
}
"""


def _fixed(model: Model, options: Options) -> str:
    section = section_of(model)
    outputs, several = section["outputs"], len(section["outputs"]) > 1
    places = [feature.column if options.inputs == "all" else i for i, feature in enumerate(model.inputs)]
    grids = []
    for place, feature, fixed in zip(places, model.inputs, section["inputs"], strict=True):
        if "categories" in fixed:
            grids.append({"place": place, "categories": fixed["categories"]})
            continue
        keys = ("centre", "scale", "low", "high", "default")
        numbers = {f"q{key}" if key in ("low", "high", "default") else key: fixed[key] for key in keys}
        grids.append({"place": place, "categories": -1, "low": feature.low, "high": feature.high, **numbers})
    sums = [
        {"bias": output["bias"], "shift": output["shift"], "unit": output["unit"], "offset": output["offset"],
         "terms": [[term["coef"], [places[i] for i in term["factors"]], term.get("shift", 0),
                    [[places[i], category] for i, category in term.get("when", ())],
                    *([[places[term["over"][0]], term["over"][1]], term.get("plus", 0)] if "over" in term else [])]
                   for term in output["terms"]]}
        for output in outputs
    ]  # fmt: skip
    text = f"\nconst GRID = {_rows(grids)};\nconst SUM = {_rows(sums)};"
    text += " // terms: coefficient, factors, shift, when, over, plus\n"
    text += FIXED.format(one="" if several else "[0]", width=len(_features(model, options)))
    link = "(z) => z"
    if "link" in section:
        text += PROBABILITY.format(**{key: section["link"][key] for key in ("first", "multiplier", "second", "limit")},
                                   knots=json.dumps(section["link"]["knots"]))  # fmt: skip
        link = "(z, r) => [probability(r[0]) / 65536]"
    elif model.outputs[0].link == "softmax":
        link = SOFTMAX
    label = ""
    if model.classes is not None:
        best = "r.indexOf(Math.max(...r))" if several else "r[0] > 0 ? 1 : 0"
        label = LABEL_Q.format(best=best)
    text += f"\nconst link = {link};\n{label}"
    vectors = fixed_vectors(model, options.inputs)
    return text + SELFTEST_FIXED.format(rows=_rows([q for q, _ in vectors]), wanted=_rows([r for _, r in vectors]))


LABEL_Q = """
/** The class, from the integers. */
export function label(q) {{
  const r = sums(q, []);
  return CLASSES[{best}];
}}
"""
SOFTMAX = """(z) => {
  const top = Math.max(...z);
  const weights = z.map((value) => Math.exp(value - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}"""


def _features(model: Model, options: Options) -> Sequence[Any]:
    return model.columns if options.inputs == "all" else model.inputs


def _rows(rows: Sequence[Any]) -> str:
    return "[\n" + "".join(f"  {_spelled(row)},\n" for row in rows) + "]"


def _spelled(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN"
    return json.dumps(value)
