"""How a Python artifact is used."""

from __future__ import annotations

from edge_lasso_exporters.detector_q import has_step_q
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from .sample import by_name, sample

INTEGERS = """
On the way are integers alone, which a board without floating point computes, too:

```python
import {name}

q, status = {name}.encode({row})  # readings in the order of FEATURES, as integers
r = {name}.predict(q)
print({decoded}, status)
```
"""
INTEGER_STEPS = """
From the sensors' integers to the alarm without floating point:

```python
import {name}

state = {name}.start_q()
for row in [{row}] * 3:
    result = {name}.step_q(state, {name}.readings_q(row))
print(result["score"] * {name}.SCORE_UNIT / max(result["total"], 1), result["alarm"], result["status"])
```
"""
PYZ = """```sh
python3 {name}.pyz selftest
python3 {name}.pyz predict readings.csv
python3 {name}.pyz score readings.csv --state state.json
```

One file for CPython 3.9 or later that needs nothing else. `python3 {name}.pyz --help` names what it can do."""
LAST = """
The file imports nothing{exp}: copy it to a board with CPython 3.9 or later, or MicroPython
(`mpremote cp {name}.py :`), and ask `{name}.selftest()` at boot. What it reads and gives
is in `{name}.FEATURES`, `{name}.UNITS`, `{name}.INPUTS` and `{name}.OUTPUTS`."""


def usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text; its code runs in the artifact's folder."""
    name = options.name
    if options.variant == "pyz":
        return PYZ.format(name=name), {}
    steps = keeps_state(model)
    positions = Stateful(model, options).readings if steps else list(range(len(model.inputs)))
    row = repr(by_name(model, positions))
    if steps:
        shown = ['result["value"]', 'result["status"]']
        if "detector/1" in model.sections:
            shown = ['result["score"]', 'result["alarm"]', 'result["shares"]', 'result["status"]']
        elif model.classes is not None:
            shown[1:1] = ['result["label"]']
        lines = [
            f"state = {name}.start()  # what step remembers: the caller's to keep",
            f"for row in [{row}] * 3:  # here would be the rows as they come",
            f"    result = {name}.step(state, row)",
            f"print({', '.join(shown)})",
        ]
    else:
        lines = [f"value, status = {name}.predict_row({row})", "print(value, status)"]
    text = "\n".join(["```python", f"import {name}", "", f"assert {name}.selftest()", *lines, "```", ""])
    if options.variant == "fixed":
        text += _integers(model, options, row, steps)
    exp = " but `exp`" if model.outputs[0].link != "identity" else ""
    return text + LAST.format(name=name, exp=exp), {}


def _integers(model: Model, options: Options, row: str, steps: bool) -> str:
    name = options.name
    if steps:
        return INTEGER_STEPS.format(name=name, row=row) if has_step_q(model) else ""
    values = sample(model)
    if options.inputs == "all":
        wide = [0.0] * len(model.columns)
        for feature, value in zip(model.inputs, values, strict=True):
            wide[feature.column] = value
        values = wide
    several = len(model.outputs) > 1
    decoded = f"[{name}.decode(y, m) for m, y in enumerate(r)]" if several else f"{name}.decode(r)"
    return INTEGERS.format(name=name, row=values, decoded=decoded)
