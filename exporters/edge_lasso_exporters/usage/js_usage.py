"""How a JavaScript or WebAssembly artifact is used."""

from __future__ import annotations

import json

from edge_lasso_exporters.detector_q import has_step_q
from edge_lasso_exporters.node_red import node_type
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from .sample import by_name

BLOCK = """```js
import * as model from "./{name}.mjs";

if (!model.selftest()) throw new Error("the self-test fails");
{lines}
```
"""
LAST = """
An ES2020 module for node 14 or later and browsers (`<script type="module">`); it imports nothing.{more}"""
NODE_RED = """

The folder is a node of Node-RED, too: `npm install PATH/OF/THIS/FOLDER` in `~/.node-red`, start it again, and take
`{type}` from the palette. `msg.payload`, an object of readings by name, becomes the result.{more}"""
KEEPS = " What it remembers is in the node's context; `msg.reset = true` forgets it."
WASM = """ `{name}.html` is a page that
runs it, without a server. `{name}.wasm` alone is for other hosts: it has a function per output, `linear0(...)`, and
imports nothing{but}."""
BUT = " but `math.exp`"


def _steps(model: Model, options: Options) -> str:
    """Code that takes in rows."""
    row = _object(by_name(model, Stateful(model, options).readings))
    lines = [
        "const state = model.start(); // what step remembers: the caller's to keep",
        f"const row = {row};",
        "for (let i = 0; i < 3; i++) { // for each new row",
        "  const result = model.step(state, row);",
        "  console.log(result);",
        "}",
    ]
    return BLOCK.format(name=options.name, lines="\n".join(lines))


def usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``js``; its code runs in the artifact's folder as a module."""
    more = ""
    kind = node_type(options.name)
    if not keeps_state(model):
        return _predicts(model, options) + LAST.format(more="") + NODE_RED.format(type=kind, more=""), {}
    if options.variant == "fixed" and has_step_q(model):
        more = " In integers alone: `model.stepQ(state, model.readingsQ(row))`, with a state of `model.startQ()`."
    text = _steps(model, options) + LAST.format(more=more)
    return text + NODE_RED.format(type=kind, more=KEEPS), {}


def wasm_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``wasm``."""
    steps = keeps_state(model)
    but = BUT if steps and model.outputs[0].link != "identity" else ""
    text = _steps(model, options) if steps else _predicts(model, options)
    return text + LAST.format(more=WASM.format(name=options.name, but=but)), {}


def _object(row: dict[str, float | str]) -> str:
    """A literal that a reader of any language can read; what is not printed stays escaped."""
    text = json.dumps(row, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _predicts(model: Model, options: Options) -> str:
    row = _object(by_name(model, list(range(len(model.inputs)))))
    return BLOCK.format(name=options.name, lines=f"console.log(model.predictRow({row}));")
