"""The double and float variants of the C target."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Any

from edge_lasso_runtime import Model
from edge_lasso_runtime.model import EXP_ROOM, Input

from . import SPDX, dense_bounds
from .c_layout import (
    CONTRACT,
    IEEE,
    MISSING,
    ROM,
    Names,
    c_double,
    c_factor,
    c_float,
    extra_files,
    has_struct,
    status_word,
)
from .dense import dense
from .floating_c_header import declarations
from .floating_c_text import (
    BATCH,
    BITS,
    BITS_OF_DOUBLE,
    CLAMP,
    EXP,
    EXP_SEVERAL,
    LOGISTIC,
    READ,
    SELFTEST,
    SOFTMAX,
    STATUS_LOOP,
)
from .options import Options
from .vectors import reference, self_test_faults, self_test_sizes, test_rows

# avr-libc's expf returns double: hence the cast in links.
# Beyond this many plain terms, a loop over a table is smaller and a line per term hardly faster.
LONGEST_LINE = 64
LONGEST_STATUS = 32


class Floating:
    """The double and float variants."""

    def __init__(self, model: Model, options: Options, names: Names) -> None:
        self.model = model
        self.options = options
        self.names = names
        self.single = options.variant == "float"
        self.number = c_float if self.single else c_double
        self.kind = "float" if self.single else "double"
        self.several = len(model.outputs) > 1
        self.long_status = len(model.inputs) > LONGEST_STATUS and all(
            feature.categories is None for feature in model.inputs
        )
        self.words = {
            "T": self.kind, "p": names.prefix, "P": names.upper, "L": self.number(model.limit),
            "zero": self.number(0.0), "one": self.number(1.0), "exp": "expf" if self.single else "exp",
            "top": self.number(EXP_ROOM),
        }  # fmt: skip

    @cached_property
    def shape(self) -> dense_bounds.Form:
        """What the float variant computes."""
        return dense_bounds.choose(dense(self.model), "float32")

    def files(self) -> dict[str, bytes]:
        """Render all of them."""
        row = [self.number(0.0)] * self.names.width
        for place, feature in zip(self.names.places, self.model.inputs, strict=True):
            row[place] = self.number(feature.default or 0.0)
        return {
            f"{self.names.prefix}.c": self._source().encode(),
            f"{self.names.prefix}.h": declarations(self.model, self.options, self.names, self.kind).encode(),
            **extra_files(self.model, self.options, self.names, self.kind, self.kind, row),
        }

    def _source(self) -> str:
        p, upper, kind = self.names.prefix, self.names.upper, self.kind
        link = self.model.outputs[0].link
        text = f'/* {SPDX} */\n#include "{p}.h"\n' + ("" if self.single else "#include <float.h>\n")
        text += "#include <math.h>\n" if link != "identity" else ""
        lines = self._lines()
        text += IEEE.format(instead="") + CONTRACT
        text += ROM.format(P=upper) if self.long_status or not lines else ""
        clamp = self.model.policy == "clamp"
        if any(f"{p}_read(" in line for line in lines or self._loop()):
            limits = f", {kind} low, {kind} high" if clamp else ""
            text += READ.format(**self.words, limits=limits, clamp=CLAMP if clamp else "", bits=self._bits())
        exponential = EXP_SEVERAL if self.several else EXP
        links = {"identity": "", "logistic": LOGISTIC, "softmax": SOFTMAX, "exp": exponential}
        text += links[link].format(**self.words)
        result = "void" if self.several else kind
        into = f", {kind} y[{upper}_OUTPUTS]" if self.several else ""
        body = lines or self._loop()
        text += "" if lines else self._tables()
        text += f"\n{result} {p}_linear(const {kind} x[{upper}_INPUTS]{into})\n{{\n" + "\n".join(body) + "\n}\n"
        text += f"\n{result} {p}_predict(const {kind} x[{upper}_INPUTS]{into})\n{{\n"
        if self.several:
            text += f"    {p}_linear(x, y);\n" + (f"    {p}_link(y);\n" if link != "identity" else "") + "}\n"
        else:
            text += (
                f"    return {p}_linear(x);\n}}\n"
                if link == "identity"
                else f"    return {p}_link({p}_linear(x));\n}}\n"
            )
        text += self._status() + self._label() + self._struct(result, into)
        for what in ("linear", "predict"):
            step = f"{upper}_INPUTS"
            call = f"y[i] = {p}_{what}(x + (i * {step}));"
            if self.several:
                call = f"{p}_{what}(x + (i * {step}), y + (i * {upper}_OUTPUTS));"
            text += BATCH.format(**self.words, what=what, call=call)
        return text + self._selftest()

    def _bits(self) -> str:
        """The type of a number's bits, and those of the limit without the sign."""
        narrow, wide = (
            BITS.format(**self.words, size=size, limit=hex(int.from_bytes(struct.pack(form, self.model.limit)) << 1))
            for size, form in ((32, ">f"), (64, ">d"))
        )
        return narrow if self.single else BITS_OF_DOUBLE.format(narrow=narrow, wide=wide)

    def _read(self, i: int, one: Input) -> str:
        reading = f"x[{self.names.places[i]}]"
        if one.categories is not None:
            return reading
        ends = [one.low, one.high] if self.model.policy == "clamp" else []
        arguments = ", ".join(self.number(float(value)) for value in [one.default, *ends] if value is not None)
        return f"{self.names.prefix}_read({reading}, {arguments})"

    def _lines(self) -> list[str]:
        """A line per term; nothing where a loop is better."""
        terms = [term for output in self.model.outputs for term in output.terms]
        plain = all(len(term.factors) == 1 and term.factors[0].plain for term in terms)
        if plain and len(terms) > LONGEST_LINE and self.model.policy == "extrapolate":
            return []
        used = self._used()
        lines = [
            f"    const {self.kind} x{i} = {self._read(i, feature)};"
            for i, feature in enumerate(self.model.inputs)
            if i in used
        ]
        lines += [] if used else ["    (void)x;"]
        for m, (start, products) in enumerate(self._sums()):
            y = f"y[{m}]" if self.several else "y"
            lines.append(f"    {'' if self.several else self.kind + ' '}{y} = {start};")
            lines += [f"    {y} += {product};" for product in products]
        return [*lines, *([] if self.several else ["    return y;"])]

    def _used(self) -> set[int]:
        """The inputs that a line reads: a coefficient that is 0 in float32 reads none."""
        if not self.single:
            return {factor.input for output in self.model.outputs for term in output.terms for factor in term.factors}
        plan = self.shape.plan
        features = [plan.factor(feature).input for feature in range(plan.width)]
        seen = [term for term, weights in zip(plan.terms, self.shape.weights.T, strict=True) if weights.any()]
        return {features[feature] for term in seen for feature in term.factors}

    def _sums(self) -> list[tuple[str, list[str]]]:
        """Intercept and products of each output."""
        if not self.single:
            return [
                (c_double(output.intercept), [self._product(term.coef, term.factors) for term in output.terms])
                for output in self.model.outputs
            ]
        shape = self.shape
        plan, sums = shape.plan, []
        for m in range(len(self.model.outputs)):
            products = []
            for j, term in enumerate(plan.terms):
                weight = float(shape.weights[m, j])
                if weight == 0.0:
                    continue
                factors = [c_float(term.scale)] if term.scale != 1.0 else []
                value = " * ".join([*factors, *(self._feature(plan, f) for f in term.factors)])
                offset = 0.0 if shape.offset is None else float(shape.offset[j])
                if offset != 0.0:
                    value = f"({value} - {c_float(offset)})"
                elif len(term.factors) > 1:
                    value = f"({value})"
                products.append(f"{c_float(weight)} * {value}")
            sums.append((c_float(float(shape.bias[m])), products))
        return sums

    def _feature(self, plan: Any, feature: int) -> str:
        if feature < len(plan.numeric):
            return f"x{plan.numeric[feature]}"
        factor = plan.factor(feature)
        return c_factor(factor, f"x{factor.input}", c_float)

    def _product(self, coef: float, factors: Any) -> str:
        parts = [c_double(coef)]
        for factor in factors:
            parts.append(c_factor(factor, f"x{factor.input}", c_double))
        return " * ".join(parts)

    def _table_terms(self) -> list[tuple[int, str, str, str]]:
        """Place, default, offset and weight per term, output after output."""
        rows = []
        if self.single:
            shape = self.shape
            for m in range(len(self.model.outputs)):
                for j in self._terms_of(m):
                    i = shape.plan.numeric[shape.plan.terms[j].factors[0]]
                    offset = 0.0 if shape.offset is None else float(shape.offset[j])
                    rows.append((i, offset, float(shape.weights[m, j])))
        else:
            for output in self.model.outputs:
                rows += [(term.factors[0].input, 0.0, term.coef) for term in output.terms]
        number = self.number
        return [
            (self.names.places[i], number(self.model.inputs[i].default or 0.0), number(offset), number(weight))
            for i, offset, weight in rows
        ]

    def _terms_of(self, output: int) -> list[int]:
        """The terms of one output: the shape has a weight for every output and term, most of them 0."""
        return [j for j, weight in enumerate(self.shape.weights[output]) if float(weight) != 0.0]

    def _counts(self) -> list[int]:
        if self.single:
            return [len(self._terms_of(m)) for m in range(len(self.model.outputs))]
        return [len(output.terms) for output in self.model.outputs]

    def _tables(self) -> str:
        p, upper, kind = self.names.prefix, self.names.upper, self.kind
        rows = "\n".join(f"    {{{', '.join([str(place), *rest])}}}," for place, *rest in self._table_terms())
        if not rows:  # all are 0 in float32
            return ""
        return (
            f"\ntypedef struct {{\n    uint16_t place;\n    {kind} missing;\n    {kind} offset;\n    {kind} weight;\n"
            f"}} {p}_term;\n\nstatic const {p}_term {p}_terms[] {upper}_ROM = {{\n{rows}\n}};\n"
        )

    def _loop(self) -> list[str]:
        p, upper = self.names.prefix, self.names.upper
        subtract = "(value - term->offset)" if self.single else "value"
        lines = [
            f"    const {p}_term *at = {p}_terms;",
            f"    {self.kind} value;",
            "    uint16_t i;",
        ]
        lines = lines if any(self._counts()) else ["    (void)x;"]
        starts = [start for start, _ in self._sums()]
        lines += [] if self.several else [f"    {self.kind} y = {starts[0]};"]
        for m, (start, count) in enumerate(zip(starts, self._counts(), strict=True)):
            y = f"y[{m}]" if self.several else "y"
            lines += [f"    {y} = {start};"] if self.several else []
            if not count:
                continue
            lines += [
                f"    for (i = 0; i < {count}; i++) {{",
                f"        {upper}_ROW({p}_term, term, at);",
                f"        value = {p}_read(x[term->place], term->missing);",
                f"        {y} += term->weight * {subtract};",
                "        at++;",
                "    }",
            ]
        return [*lines, *([] if self.several else ["    return y;"])]

    def _status_loop(self) -> str:
        ends = ((self.number(entry.low or 0.0), self.number(entry.high or 0.0)) for entry in self.model.inputs)
        rows = [f"    {{{place}, {low}, {high}}}," for place, (low, high) in zip(self.names.places, ends, strict=True)]
        return STATUS_LOOP.format(**self.words, rows="\n".join(rows), count=len(rows))

    def _status(self) -> str:
        if self.long_status:
            return self._status_loop()
        lines = [f"\nuint32_t {self.names.prefix}_status(const {self.kind} x[{self.names.upper}_INPUTS])", "{"]
        lines.append("    uint32_t status = 0;")
        for i, (place, feature) in enumerate(zip(self.names.places, self.model.inputs, strict=True)):
            x = f"x[{place}]"
            if feature.categories is None:
                well = f"({x} >= {self.number(feature.low or 0.0)}) && ({x} <= {self.number(feature.high or 0.0)})"
            else:
                last = self.number(float(len(feature.categories) - 1))
                whole = f"({x} == ({self.kind})(int32_t){x})"
                well = f"({x} >= {self.number(0.0)}) && ({x} <= {last}) && {whole}"
            lines += [f"    if (!({well})) {{", f"        status |= UINT32_C({1 << min(i, 31)});", "    }"]
        lines += [] if self.model.inputs else ["    (void)x;"]
        return "\n".join([*lines, "    return status;", "}", ""])

    def _label(self) -> str:
        if self.model.classes is None:
            return ""
        p, upper = self.names.prefix, self.names.upper
        text = f"\nint {p}_label(const {self.kind} x[{upper}_INPUTS])\n{{\n"
        if not self.several:
            return text + f"    return ({p}_linear(x) > {self.number(0.0)}) ? 1 : 0;\n}}\n"
        return text + (
            f"    {self.kind} z[{upper}_OUTPUTS];\n    int best = 0;\n    int i;\n    {p}_linear(x, z);\n"
            f"    for (i = 1; i < {upper}_OUTPUTS; i++) {{\n        best = (z[i] > z[best]) ? i : best;\n    }}\n"
            "    return best;\n}\n"
        )

    def _struct(self, result: str, into: str) -> str:
        if not has_struct(self.model, self.options):
            return ""
        p, upper, kind = self.names.prefix, self.names.upper, self.kind
        copies = "\n".join(f"    x[{i}] = input->{field};" for i, field in enumerate(self.names.fields))
        call = f"    {p}_predict(x, y);" if self.several else f"    return {p}_predict(x);"
        return (
            f"\n{result} {p}_predict_input(const {p}_input *input, uint32_t *status{into})\n{{\n"
            f"    {kind} x[{upper}_INPUTS];\n{copies}\n    *status = {p}_status(x);\n{call}\n}}\n"
        )

    def _selftest(self) -> str:
        p = self.names.prefix
        rows = [row for row, _ in test_rows(self.model, self.options.inputs)]
        values = reference(self.model, rows, self.options.inputs)
        missing = self.number(2.0 * self.model.limit)
        wide = ["{" + ", ".join(missing if x is None else self.number(x) for x in row or [0.0]) + "}" for row in rows]
        if self.single:
            step = self.number(2.0**-23)
        else:
            step = f"((sizeof(double) >= 8U) ? {c_double(2.0**-52)} : {c_double(2.0**-23)})"
        join = ",\n        ".join
        return SELFTEST.format(
            **self.words, count=len(rows), twice=2 * len(rows), rows=join(wide), step=step,
            call=f"{p}_linear(x, z);" if self.several else f"z[0] = {p}_linear(x);",
            wanted=join("{" + ", ".join(map(self.number, row)) + "}" for row in values),
            statuses=", ".join(map(status_word, self_test_faults(self.model))),
            sizes=", ".join(map(self.number, self_test_sizes(self.model))),
            missing=MISSING.format(**self.words).strip(),
        )  # fmt: skip
