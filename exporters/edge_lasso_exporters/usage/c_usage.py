"""How a C artifact is used: a program for a desktop and a sketch for Arduino that call what the model needs."""

from __future__ import annotations

from edge_lasso_exporters import LICENCE
from edge_lasso_exporters.c_layout import c_double, c_float
from edge_lasso_exporters.detector_q import has_step_q
from edge_lasso_exporters.names import ascii_text, c_string, identifiers
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from .sample import MOST, sample

PROGRAM = """/* SPDX-License-Identifier: {licence}
   An example: {command} */
#include <stdio.h>
#include "{name}.h"

#define SHOW(text, value) printf("%s %.9g\\n", (text), (double)(value))

static void use(void)
{{
{body}
}}

int main(void)
{{
    use();
    return 0;
}}
"""
SKETCH = """// SPDX-License-Identifier: {licence}
// An example: prints what the model gives for a row of readings.
#include <{name}.h>

#define SHOW(text, value) (Serial.print(text), Serial.print(" "), Serial.println((double)(value)))

static void use(void)
{{
{body}
}}

void setup() {{
  Serial.begin(115200);
}}

void loop() {{
  use();
  delay(1000);
}}
"""
TEXT = """```c
#include "{name}.h"

{body}
```

`SHOW` prints. The whole program for a desktop is `examples/use_{name}.c`:

```sh
{command}
```

Arduino: copy this folder into `libraries/`; the sketches are under *File > Examples > {name}*. CMake:
`add_subdirectory(FOLDER)` and `target_link_libraries(YOURS {name})`. Anywhere else: add `{name}.c` to your sources.
It needs no heap{libc}, and a C99 compiler without `-Ofast` or `-ffast-math`, which remove the tests for missing
readings."""


def usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text, and the example files."""
    name = options.name
    command = (
        f"cc -std=c99 -ffp-contract=off -D{name.upper()}_SELFTEST -I. {name}.c examples/use_{name}.c -lm -o use_{name}"
        f" && ./use_{name}"
    )
    lines = _body(model, options)
    body = "\n".join(f"    {line}" if line and line[0] != "#" else line for line in lines)
    words = {"licence": LICENCE, "name": name, "body": body, "command": command}
    libc = " and no libc" if options.variant == "fixed" or model.outputs[0].link == "identity" else ", and exp of libm"
    return TEXT.format(**{**words, "body": "\n".join(lines)}, libc=libc), {
        f"examples/use_{name}.c": PROGRAM.format(**words).encode(),
        "examples/use/use.ino": SKETCH.format(**words).encode(),
    }


def _body(model: Model, options: Options) -> list[str]:
    p, upper = options.name, options.name.upper()
    kind = f"{upper}_REAL" if options.variant == "fixed" else options.variant
    steps = keeps_state(model)
    integers = steps and options.variant == "fixed" and has_step_q(model)
    lines = [f"{kind} x[{upper}_{'READINGS' if steps else 'INPUTS'}] = {{0}}; /* a row of readings */"]
    if integers:
        lines += [f"int16_t q[{upper}_READINGS]; /* the readings as integers */",
                  f"static {p}_state_q state; /* what step remembers, one for each sequence of rows */",
                  f"static {p}_result_q result;", "int i;"]  # fmt: skip
    elif steps:
        lines += [f"static {p}_state state; /* what step remembers, one for each sequence of rows */",
                  f"static {p}_result result;", "int i;"]  # fmt: skip
    elif options.variant == "fixed":
        lines += [f"int16_t q[{upper}_INPUTS]; /* the readings as integers */", f"int32_t r[{upper}_OUTPUTS];"]
    elif len(model.outputs) > 1:
        lines.append(f"{kind} y[{upper}_OUTPUTS];")
    lines += ["uint32_t wrong = 0; /* bits: which readings are missing or out of range */", ""]
    lines += _readings(model, options, steps)
    if integers:
        lines += [f"{p}_start_q(&state);", "for (i = 0; i < 3; i++) { /* for each new row */",
                  f"    {p}_readings_q(x, q); /* not needed where sensors deliver these integers */",
                  f"    wrong = {p}_step_q(&state, q, &result);", "}",
                  f'SHOW("score", (result.total > 0) ? (result.score * {upper}_SCORE_UNIT / result.total) : 0);',
                  'SHOW("alarm", result.alarm);']  # fmt: skip
    elif steps:
        lines += [f"{p}_start(&state);", "for (i = 0; i < 3; i++) { /* for each new row */",
                  f"    wrong = {p}_step(&state, x, &result);", "}",
                  *(_show(output.name, f"result.values[{m}]") for m, output in enumerate(model.outputs))]  # fmt: skip
        if "detector/1" in model.sections:
            lines += ['SHOW("score", result.score);', 'SHOW("alarm", result.alarm);']
        if model.classes is not None:
            lines.append('SHOW("class", result.label);')
    else:
        lines += _dense(model, options)
    return [*lines, 'SHOW("wrong", wrong);', f"#ifdef {upper}_SELFTEST", f'SHOW("self-test", {p}_selftest());',
            "#endif"]  # fmt: skip


def _dense(model: Model, options: Options) -> list[str]:
    p, several, lines = options.name, len(model.outputs) > 1, []
    if options.variant == "fixed":
        lines = [f"wrong = {p}_encode(x, q);", f"{p}_predict(q, r);" if several else f"r[0] = {p}_predict(q);"]
        for m, output in enumerate(model.outputs):
            lines.append(_show(output.name, f"{p}_decode(r[{m}]{f', {m}' if several else ''})"))
        if model.outputs[0].link == "logistic":
            lines.append(f'SHOW("probability", {p}_probability(r[0]) / 65536.0);')
    else:
        lines = [f"wrong = {p}_status(x);"]
        if several:
            lines.append(f"{p}_predict(x, y);")
            lines += [_show(output.name, f"y[{m}]") for m, output in enumerate(model.outputs)]
        else:
            lines.append(_show(model.outputs[0].name, f"{p}_predict(x)"))
    if model.classes is not None:
        lines.append(f'SHOW("class", {p}_label({"q" if options.variant == "fixed" else "x"}));')
    return lines


def _readings(model: Model, options: Options, steps: bool) -> list[str]:
    """A line per reading, by the name of its place."""
    upper = options.name.upper()
    positions = Stateful(model, options).readings if steps else list(range(len(model.inputs)))
    fields = identifiers(model.inputs[i].name for i in positions)
    row = sample(model)
    literal = c_float if options.variant == "float" else c_double
    lines = [
        f"x[{upper}_{'READ' if steps else 'IN'}_{field.upper()}] = {literal(row[i])};"
        for i, field in list(zip(positions, fields, strict=True))[:MOST]
    ]
    if len(positions) > MOST:
        lines.append(f"/* and {len(positions) - MOST} more, which are 0 here */")
    return lines


def _show(name: str, value: str) -> str:
    return f"SHOW({c_string(ascii_text(name))}, {value});"
