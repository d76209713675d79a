"""The fixed-point variant of the Python target, and what both fixed-point targets promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model
from edge_lasso_runtime.fixed_point import KEY, encode, predict_q
from edge_lasso_runtime.predict import clean, linear

from .double_python import CATEGORY, CATEGORY_READING, LONGEST_LINE, TERMS_PER_STATEMENT
from .fixed_counts import counts_python
from .options import ExportError, Options
from .vectors import narrow, self_test, wide

ENCODE = '''

def encode(x):
    """Readings, in the order of FEATURES, as the integers that `predict` takes: (q, status)."""
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d values, got %d" % (len(FEATURES), len(x)))
    q, faults = [0] * len(FEATURES), []
    for (place, _, low, high, categories), (centre, scale, first, last, default) in zip(INPUTS, STEPS):
        try:
            value = float(x[place])
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        known = -LIMIT <= value <= LIMIT
        if categories:
            known = known and 0 <= value < categories and value == int(value)
            q[place] = int(value) if known else -1
        elif known:
            if value < low or value > high:
                faults.append(FEATURES[place] + " out of range")
                value = low if value < low else high
            q[place] = min(max(int(((value - centre) * scale + 0.5) // 1.0), first), last)
        else:
            q[place] = default
        if not known:
            faults.append(FEATURES[place] + " missing")
    return q, "degraded: " + ", ".join(faults) if faults else "ok"
'''
ROW = '''

def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    q, status = encode([{reading} for name in FEATURES])
    return {value}, status


def selftest():
    """Whether this interpreter computes the integers that the model must (a board can ask at boot)."""
    for q, wanted in SELF_TEST:
        if predict(q) != wanted:
            return False
    return True
'''
SHIFTED = """

def _shift(value, shift):
    return (value + (1 << (shift - 1))) >> shift if shift else value
"""
PROBABILITY = '''

def probability(r):
    """The probability of CLASSES[1], times 65536, from the integer that `predict` returns."""
    size = r if r >= 0 else -r
    p = KNOTS[-1]
    if size < {limit}:
        v = _shift((size >> {first}) * {multiplier}, {second})
        i, f = v >> 9, v & 511
        if i < len(KNOTS) - 1:
            p = KNOTS[i] + (((KNOTS[i + 1] - KNOTS[i]) * f + 256) >> 9)
    return 65536 - p if r < 0 else p


def label(q):
    """The class, from the integers."""
    return CLASSES[1 if predict(q) > 0 else 0]
'''
SOFTMAX = '''

def label(q):
    """The class, from the integers."""
    r = predict(q)
    return CLASSES[r.index(max(r))]


def _link(z):
    top = max(z)
    weights = [exp(value - top) for value in z]
    total = sum(weights)
    return [weight / total for weight in weights]
'''


def section_of(model: Model) -> dict[str, Any]:
    """The model's fixed-point section.

    Raises
    ------
    ExportError
        The model is not quantized.
    """
    if KEY not in model.sections:
        raise ExportError("variant 'fixed' needs a quantized model; first: edge-lasso quantize MODEL --to int16")
    section: dict[str, Any] = model.sections[KEY]
    return section


def fixed_lines(model: Model, options: Options) -> str:
    """Everything behind the names at the top of the file."""
    section = section_of(model)
    outputs = section["outputs"]
    several = len(outputs) > 1
    categorical = any(feature.categories is not None for feature in model.inputs)
    lines = ["STEPS = (  # centre, steps per unit, smallest, largest, default"]
    for fixed in section["inputs"]:
        keys = ("centre", "scale", "low", "high", "default")
        lines.append(f"    ({', '.join(repr(fixed.get(key)) for key in keys)}),")
    lines += [")", "SELF_TEST = ("]
    for q, wanted in fixed_vectors(model, options.inputs):
        lines.append(f"    ({q!r}, {wanted if several else wanted[0]!r}),")
    lines.append(")")
    logistic = "link" in section
    if logistic:
        lines.append(f"KNOTS = {tuple(section['link']['knots'])!r}")
    text = "\n".join(lines) + "\n" + _tables(model, section, options) + ENCODE
    counts = counts_python(model, options)
    text += f"\n\n{counts}" if counts else ""
    shifts = any(output["shift"] or any(t.get("shift") for t in output["terms"]) for output in outputs) or logistic
    text += SHIFTED if shifts else ""
    text += (
        '\n\ndef predict(q):\n    """The integer result for integer inputs; `decode` gives the linear predictor."""\n'
    )
    text += "\n".join(_body(model, section, options)) + "\n"
    text += "\n\ndef decode(r, output=0):\n"
    text += '    """An integer result as the linear predictor in the output\'s unit."""\n'
    if several:
        text += f"    unit, offset = {tuple((output['unit'], output['offset']) for output in outputs)!r}[output]\n"
        text += "    return r * unit + offset\n"
    else:
        text += f"    return r * {outputs[0]['unit']!r} + {outputs[0]['offset']!r}\n"
    value = "decode(predict(q))"
    if several:
        value = "[decode(r, i) for i, r in enumerate(predict(q))]"
    if logistic:
        text += PROBABILITY.format(**{key: section["link"][key] for key in ("limit", "first", "multiplier", "second")})
        value = "probability(predict(q)) / 65536"
    elif model.classes is not None:
        text += SOFTMAX
        value = f"_link({value})"
    reading = "row.get(name)"
    if categorical:
        text += CATEGORY
        reading = CATEGORY_READING
    return text + ROW.format(reading=reading, value=value)


def fixed_vectors(model: Model, inputs: str) -> list[tuple[list[int], list[int]]]:
    """Self-test vectors from the integers on: inputs in the artifact's order, and the integer results."""
    results = []
    for row, _ in self_test(model):
        q = encode(model, row)[0]
        full = q if inputs == "selected" else [int(x or 0) for x in wide(model, [float(entry) for entry in q])]
        results.append((full, predict_q(model.sections[KEY], q)))
    return results


def fixed_expected(
    model: Model, rows: Sequence[Sequence[float | None]], inputs: str
) -> tuple[list[list[float]], list[list[float]]]:
    """The clamped reference per row, and the proven bound per output."""
    clamped = model.replace(policy="clamp")
    bounds = [float(output["bound"]) for output in section_of(model)["outputs"]]
    values = [linear(clamped, clean(clamped, narrow(model, row, inputs))[0]) for row in rows]
    return values, [bounds] * len(values)


def fixed_promise(model: Model) -> dict[str, Any]:
    """The proven bound, from readings to the linear predictor."""
    bound = max(float(output["bound"]) for output in section_of(model)["outputs"])
    text = "integers bit for bit; from readings within the bound of the clamped reference, proven in exact arithmetic"
    return {"kind": "bound", "bound": bound, "text": text}


def _tables(model: Model, section: dict[str, Any], options: Options) -> str:
    """Coefficients and places, where a line would be long; nothing where it is not."""
    if not _looped(section):
        return ""
    places = [feature.column if options.inputs == "all" else i for i, feature in enumerate(model.inputs)]
    lines = ["TERMS = (  # per output: bias, shift, (coefficient, place) per term"]
    for output in section["outputs"]:
        lines.append(f"    ({output['bias']}, {output['shift']}, (")
        lines += [f"        ({term['coef']}, {places[term['factors'][0]]})," for term in output["terms"]]
        lines.append("    )),")
    return "\n".join([*lines, ")", ""])


def _looped(section: dict[str, Any]) -> bool:
    terms = [term for output in section["outputs"] for term in output["terms"]]
    plain = all(len(term["factors"]) == 1 and not {"when", "over"} & term.keys() for term in terms)
    return plain and len(terms) > LONGEST_LINE


def _body(model: Model, section: dict[str, Any], options: Options) -> list[str]:
    several = len(section["outputs"]) > 1
    names = ", ".join(f"q{i}" for i in range(len(model.inputs)))
    lines = []
    if options.inputs == "all" or _looped(section) or not model.inputs:
        width = len(model.columns) if options.inputs == "all" else len(model.inputs)
        lines += [
            f"    if len(q) != {width}:",
            f'        raise ValueError("a row has {width} values, got %d" % len(q))',
        ]
    if _looped(section):
        shift = any(output["shift"] for output in section["outputs"])
        return [
            *lines,
            "    result = []",
            "    for r, shift, terms in TERMS:",
            "        for coef, place in terms:",
            "            r = r + coef * q[place]",
            f"        result.append({'_shift(r, shift)' if shift else 'r'})",
            f"    return {'result' if several else 'result[0]'}",
        ]
    if options.inputs == "all":
        lines += [f"    q{i} = q[{feature.column}]" for i, feature in enumerate(model.inputs)]
    elif model.inputs:
        lines.append(f"    {names}{',' if len(model.inputs) == 1 else ''} = q")
    for m, output in enumerate(section["outputs"]):
        r = f"r{m}" if several else "r"
        sums = [repr(output["bias"]), *(_term(term) for term in output["terms"])]
        lines.append(f"    {r} = {' + '.join(sums[: TERMS_PER_STATEMENT + 1])}")
        for start in range(TERMS_PER_STATEMENT + 1, len(sums), TERMS_PER_STATEMENT):
            lines.append(f"    {r} = {' + '.join([r, *sums[start : start + TERMS_PER_STATEMENT]])}")
        if output["shift"]:
            lines.append(f"    {r} = _shift({r}, {output['shift']})")
    result = f"[{', '.join(f'r{m}' for m in range(len(section['outputs'])))}]" if several else "r"
    return [*lines, f"    return {result}"]


def _term(term: dict[str, Any]) -> str:
    factors = [f"q{i}" for i in term["factors"]]
    if term.get("shift"):
        text = f"{term['coef']} * _shift({' * '.join(factors)}, {term['shift']})"
    else:
        text = " * ".join([repr(term["coef"]), *factors])
    text += f" + {term['plus']}" if term.get("plus") else ""
    if "over" in term:
        return "({} if q{} > {} else 0)".format(text, *term["over"])
    when = " and ".join(f"q{i} == {category}" for i, category in term.get("when", ()))
    return f"({text} if {when} else 0)" if when else text
