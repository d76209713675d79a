"""The PromQL target: recording rules over a metric of readings, in binary64 and in the reference's order.

A reading is ``reading{input="NAME"}``, a word ``reading{input="NAME", value="WORD"} 1``, as exporters have states. One
plant per Prometheus rule group: with several, add a matcher to each selector.
"""

from __future__ import annotations

import json
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import EXP_ROOM, Factor, Input, Output

from . import GENERATOR, SPDX, bit_equal
from .options import ExportError, Options
from .usage import text_usage

VARIANTS = ("rules",)
HANDLES_MISSING = True
expected = bit_equal.expected
usage = text_usage.promql_usage
METRIC = "reading"


def default_variant(model: Model) -> str:
    """There is one."""
    return "rules"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.rules.yml``, and ``NAME.inputs.json`` with the words of each input.

    Raises
    ------
    ExportError
        The model reads what a row before was: a rule keeps no state.
    """
    if any(feature.stream is not None for feature in model.inputs):
        raise ExportError("a recording rule keeps no state; train without lags, or export python or c")
    name = options.name
    linear, value = f"{name}:linear", f"{name}:value"
    rules = [_rule(linear, {"output": output.name}, _sum(model, output)) for output in model.outputs]
    link = model.outputs[0].link
    if link == "logistic":
        rules.append(_rule(value, {}, f"1 / (1 + exp(-{linear}))"))
    elif link == "softmax":
        weight = f"exp({linear} - scalar(max({linear})))"
        rules.append(_rule(value, {}, f"{weight} / scalar(sum({weight}))"))
    elif link == "exp":
        rules.append(_rule(value, {}, f"exp(clamp({linear}, {-EXP_ROOM!r}, {EXP_ROOM!r}))"))
    else:
        rules.append(_rule(value, {}, linear))
    for m, word in enumerate(model.classes or ()):
        rules.append(_rule(f"{name}:label", {"class": word}, _label(model, linear, m)))
    rules.append(_rule(f"{name}:degraded", {}, _degraded(model)))
    lines = [
        f"# {SPDX}",
        f"# A model made by {GENERATOR}: version {options.version}, model_hash {model_hash(model)}",
        "groups:",
        f"- name: {json.dumps(name)}",
        "  rules:",
        *rules,
    ]
    names = [feature.name for feature in model.inputs] if options.inputs == "selected" else list(model.columns)
    words = {feature.name: feature.categories for feature in model.inputs}
    described = {
        "model_hash": model_hash(model),
        "categories": [list(words.get(column) or ()) or None for column in names],
        "classes": None if model.classes is None else list(model.classes),
    }
    return {
        f"{name}.rules.yml": ("\n".join(lines) + "\n").encode(),
        f"{name}.inputs.json": (json.dumps(described, indent=1) + "\n").encode(),
    }


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    return {"kind": "bit-equal", "bound": 0.0, "text": "the linear predictor, bit for bit (binary64)"}


def _rule(record: str, labels: dict[str, str], expression: str) -> str:
    """In YAML's flow style, which JSON is."""
    rule = {"record": record, **({"labels": labels} if labels else {}), "expr": expression}
    return f"  - {json.dumps(rule)}"


def _selector(one: Input, word: str | None = None) -> str:
    value = "" if word is None else f", value={json.dumps(word, ensure_ascii=False)}"
    return f"{METRIC}{{input={json.dumps(one.name, ensure_ascii=False)}{value}}}"


def _sum(model: Model, output: Output) -> str:
    result = repr(output.intercept)
    for term in output.terms:
        product = repr(term.coef)
        for factor in term.factors:
            product = f"({product} * {_factor(model, factor)})"
        result = f"({result} + {product})"
    return result if output.terms else f"vector({result})"


def _factor(model: Model, factor: Factor) -> str:
    feature = model.inputs[factor.input]
    if feature.categories is not None:
        assert factor.category is not None
        return f"(max({_selector(feature, feature.categories[factor.category])} == bool 1) or vector(0))"
    assert feature.default is not None
    known = f"(max({_selector(feature)}) >= {-model.limit!r} <= {model.limit!r} or vector({feature.default!r}))"
    if model.policy == "clamp":
        known = f"clamp({known}, {feature.low!r}, {feature.high!r})"
    if factor.hinge is not None:
        return f"clamp_min({known} - {factor.hinge!r}, 0)"
    return known if factor.step is None else f"({known} > bool {factor.step!r})"


def _label(model: Model, linear: str, m: int) -> str:
    """1 for the class that is predicted, 0 for the others; the first of several that are equal."""
    if len(model.outputs) == 1:
        return f"max({linear} > bool 0)" if m == 1 else f"max({linear} <= bool 0)"

    def of(k: int) -> str:
        return f"scalar({linear}{{output={json.dumps(model.outputs[k].name, ensure_ascii=False)}}})"

    parts = [f"({of(m)} {'>' if k < m else '>='} bool {of(k)})" for k in range(len(model.outputs)) if k != m]
    return f"vector({' * '.join(parts)})"


def _degraded(model: Model) -> str:
    good = []
    for feature in model.inputs:
        if feature.categories is not None:
            known = " or ".join(f"max({_selector(feature, word)} == 1)" for word in feature.categories)
            good.append(f"(count({known}) or vector(0))")
        else:
            good.append(f"(count(max({_selector(feature)}) >= {feature.low!r} <= {feature.high!r}) or vector(0))")
    return f"{' + '.join(good)} < bool {len(good)}" if good else "vector(0)"
