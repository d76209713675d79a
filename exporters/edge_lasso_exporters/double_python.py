"""The binary64 variant of the Python target: a straight line of multiplications that checks its *result*.

A missing reading (None, NaN, infinite, beyond the limit L) makes the result NaN, infinite, too large, or raises; only
then the slow way runs, which replaces what is missing. That this always shows is proved per input:

* An input x that output y reads through the single term c x, and nowhere else, is *seen* in y. Let Y be the largest
  magnitude that |intercept| + sum |terms| of y reaches over the declared ranges, and |c| L >= 4 Y. If |x| > L and the
  other readings are in their ranges, then |y| >= |c| L - Y >= 3/4 |c| L, and the guard is |c| L / 2 or less; rounding
  is far smaller. NaN and infinity stay NaN or infinite through products and sums: they show whatever the others are.
* Every other input (in a product, where a small partner can hide it; in two terms; with a tiny coefficient) is
  *watched*: compared with the limit itself.

What remains unseen: finite readings beyond 10^15 or so that cancel in a sum; `predict_row` looks at each reading.
Under the policy `clamp` each reading is compared with its range, which sees everything.
"""

from __future__ import annotations

import math

from edge_lasso_runtime.model import Factor, Model, Output, Term

from .options import Options
from .vectors import largest

# Measured (CPython 3.11, k terms, straight line against loop): 10: 0.31 us, 1.1 kB against 0.99 us, 1.1 kB;
# 128: 2.5 us, 13 kB against 4.3 us, 7 kB; 512: 11 us, 48 kB against 29 us, 19 kB. Beyond this many, memory counts.
LONGEST_LINE = 128
TERMS_PER_STATEMENT = 64
BENT = [
    "                    if hinge is not None:",
    "                        coef = coef * (x[place] - hinge if x[place] > hinge else 0.0)",
    "                    elif step is not None:",
    "                        coef = coef * (1.0 if x[place] > step else 0.0)",
]
CATEGORY_READING = "_category(name, row.get(name)) if name in CATEGORIES else row.get(name)"

CATEGORY = """

def _category(name, value):
    known = CATEGORIES[name]
    return known.index(str(value)) if value is not None and value == value and str(value) in known else -1
"""


def double_lines(model: Model, options: Options, name: str, doc: str) -> str:
    """The function `name` that computes the linear predictor of a row."""
    count = sum(len(output.terms) for output in model.outputs)
    places = [feature.column if options.inputs == "all" else i for i, feature in enumerate(model.inputs)]
    width = len(model.columns) if options.inputs == "all" else len(model.inputs)
    straight = count <= LONGEST_LINE
    tables = "" if straight else _tables(model, places)
    wrong = [
        f"        if len(x) != {width}:",
        f'            raise ValueError("a row has {width} values, got %d" % len(x))',
    ]
    if straight:
        names = [f"x{i}" for i in range(len(model.inputs))]
        if options.inputs == "all":
            lines = [*wrong, *(f"        {name} = x[{place}]" for name, place in zip(names, places, strict=True))]
        else:
            # Unpacking raises for a row of the wrong width, and costs nothing.
            lines = [f"        {', '.join(names)}{',' if len(names) == 1 else ''} = x"] if names else wrong
        lines += _sums(model)
    else:
        lines = [*wrong, *_loop(model)]
    checks = _conditions(model) if straight or _cheap(model) else None
    several = len(model.outputs) > 1
    result = f"[{', '.join(f'y{m}' for m in range(len(model.outputs)))}]" if several else "y"
    if not straight:
        result = "y" if several else "y[0]"
    if checks is None:
        lines = ["        if not clean:", f"            return {name}(check(x)[0], True)", *lines]
    accept = [f"        return {result}"]
    if checks:
        accept = [
            f"        if {checks[0]} or clean:" if len(checks) == 1 else f"        if clean or ({checks[0]}",
            *(f"            and {check}" for check in checks[1:]),
            f"            return {result}",
        ]
        accept[-2] += "):" if len(checks) > 1 else ""
    body = "\n".join([*lines, *accept])
    tail = f"    except (TypeError, OverflowError):\n        pass\n    return {name}(check(x)[0], True)\n"
    if not checks:
        body, tail = body.replace("\n        ", "\n    ").removeprefix("    "), ""
    return f"{tables}\n\ndef {name}(x, clean=False):\n{doc}\n" + ("    try:\n" if checks else "") + f"{body}\n{tail}"


def guards(model: Model) -> tuple[list[float], list[int]]:
    """Which result shows which input, as the module's docstring proves.

    Returns
    -------
    limits : list of float
        Per output, what a result must stay below; 0 where no input relies on it.
    watched : list of int
        The inputs that have to be compared themselves.
    """
    limits = [0.0] * len(model.outputs)
    watched = []
    reach = [largest(model, output) for output in model.outputs]
    readers = [_readers(output) for output in model.outputs]
    for i, feature in enumerate(model.inputs):
        if feature.categories is not None or not any(i in terms for terms in readers):
            continue
        best, where = 0.0, -1
        for m, terms in enumerate(readers):
            value = terms.get(i, [])
            size = abs(value[0].coef) * model.limit if _alone(value) else 0.0
            if size >= 4.0 * reach[m] and size > best:
                best, where = size, m
        if where < 0:
            watched.append(i)
        else:
            limits[where] = min(limits[where] or math.inf, best / 2.0)
    return limits, watched


def _alone(terms: list[Term]) -> bool:
    """Whether an input is read once, as it is: a hinge or a step hides what is below it."""
    return len(terms) == 1 and len(terms[0].factors) == 1 and terms[0].factors[0].plain


def _readers(output: Output) -> dict[int, list[Term]]:
    """The terms that read each input."""
    entry: dict[int, list[Term]] = {}
    for term in output.terms:
        for i in {factor.input for factor in term.factors}:
            entry.setdefault(i, []).append(term)
    return entry


def _conditions(model: Model) -> list[str]:
    several = len(model.outputs) > 1
    limits, watched = guards(model)
    if model.policy == "clamp":
        pairs = [(i, feature.low, feature.high) for i, feature in enumerate(model.inputs) if feature.categories is None]
        return [f"{low!r} <= x{i} <= {high!r}" for i, low, high in pairs]
    straight = sum(len(output.terms) for output in model.outputs) <= LONGEST_LINE
    results = []
    for m, limit in enumerate(limits):
        y = (f"y{m}" if straight else f"y[{m}]") if several or not straight else "y"
        results += [f"{-limit!r} < {y} < {limit!r}"] if limit else []
    return results + [f"{-model.limit!r} <= x{i} <= {model.limit!r}" for i in watched]


def _cheap(model: Model) -> bool:
    """Whether the results of a loop show every input."""
    return model.policy == "extrapolate" and not guards(model)[1]


def _sums(model: Model) -> list[str]:
    lines = []
    several = len(model.outputs) > 1
    for m, output in enumerate(model.outputs):
        y = f"y{m}" if several else "y"
        sums = [repr(output.intercept), *(_product(term) for term in output.terms)]
        lines.append(f"        {y} = {' + '.join(sums[: TERMS_PER_STATEMENT + 1])}")
        for start in range(TERMS_PER_STATEMENT + 1, len(sums), TERMS_PER_STATEMENT):
            lines.append(f"        {y} = {' + '.join([y, *sums[start : start + TERMS_PER_STATEMENT]])}")
    return lines


def _product(term: Term) -> str:
    factors = [repr(term.coef)]
    for factor in term.factors:
        factors.append(_factor(factor, f"x{factor.input}"))
    return " * ".join(factors)


def _factor(factor: Factor, x: str) -> str:
    if factor.category is not None:
        return f"(1.0 if {x} == {factor.category} else 0.0)"
    if factor.hinge is not None:
        return f"({x} - {factor.hinge!r} if {x} > {factor.hinge!r} else 0.0)"
    return x if factor.step is None else f"(1.0 if {x} > {factor.step!r} else 0.0)"


def _plain(model: Model) -> bool:
    terms = [term for output in model.outputs for term in output.terms]
    return all(len(term.factors) == 1 and term.factors[0].plain for term in terms)


def _tables(model: Model, places: list[int]) -> str:
    plain = _plain(model)
    what = "(coefficient, place)" if plain else "(coefficient, ((place, category, hinge, step), ...))"
    what = what if plain or model.bent else "(coefficient, ((place, category or None), ...))"
    lines = ["", f"# per output: intercept, then {what} per term", "TERMS = ("]
    for output in model.outputs:
        lines.append(f"    ({output.intercept!r}, (")
        for term in output.terms:
            if plain:
                lines.append(f"        ({term.coef!r}, {places[term.factors[0].input]}),")
                continue
            more = ", {0.hinge!r}, {0.step!r}" if model.bent else ""
            factors = "".join(
                f"({places[factor.input]}, {factor.category}{more.format(factor)}), " for factor in term.factors
            )
            lines.append(f"        ({term.coef!r}, ({factors.rstrip()})),")
        lines.append("    )),")
    return "\n".join([*lines, ")", ""])


def _loop(model: Model) -> list[str]:
    inner = ["            for coef, place in terms:", "                z = z + coef * x[place]"]
    if not _plain(model):
        inner = [
            "            for coef, factors in terms:",
            f"                for place, category{', hinge, step' if model.bent else ''} in factors:",
            *(BENT if model.bent else []),
            f"                    {'elif' if model.bent else 'if'} category is None:",
            "                        coef = coef * x[place]",
            "                    elif x[place] != category:",
            "                        coef = coef * 0.0",
            "                z = z + coef",
        ]
    return ["        y = []", "        for z, terms in TERMS:", *inner, "            y.append(z)"]
