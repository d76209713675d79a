"""`start` and `step` of a WebAssembly artifact: the program in the module, and what stands around it in JavaScript."""

from __future__ import annotations

from edge_lasso_runtime import Model

from .options import Options
from .programs.layout import layout
from .programs.print_js import camel
from .programs.print_wasm import PrinterWasm
from .programs.running import source
from .programs.specialize import specialize
from .stateful import Stateful
from .step_js import LAST_BIT, names_text, wrapped

MEMORY = """
const ALL = () => new Float64Array(instance.exports.memory.buffer);
const START = Array.from(ALL().subarray({state}, {state} + {count}));

function numbers(x, width) {{
  if (x.length !== width) {{
    throw new RangeError(`a row has ${{width}} values, got ${{x.length}}`);
  }}
  return Array.from(x, number);
}}

function stepRow(state, x, out) {{
  const all = ALL();
  all.set(state, {state});
  all.set(x, {given});
  const wrong = instance.exports.step();
  all.subarray({state}, {state} + {count}).forEach((value, k) => {{
    state[k] = value;
  }});
{lines}
  return wrong;
}}
"""


def steps(model: Model, options: Options, before: int) -> PrinterWasm:
    """The program of a row, for a module that has `before` functions already."""
    spec = layout(Stateful(model, options), last_bit=LAST_BIT)
    return PrinterWasm(specialize(source("step"), spec, expressions=True), spec, before)


def step_text(model: Model, options: Options, printer: PrinterWasm) -> str:
    """The JavaScript: the memory's numbers as `step` of ``js`` has them."""
    lines = []
    for name, (at, count) in printer.at["out"].items():
        value = f"all[{at}]" if count is None else f"Array.from(all.subarray({at}, {at + count}))"
        lines.append(f"  out.{camel(name)} = {value};")
    state, count = printer.span("state")
    given, _ = printer.span("given")
    text = MEMORY.format(state=state, count=count, given=given, lines="\n".join(lines))
    plan = Stateful(model, options)
    return names_text(model, plan) + text + wrapped(model, plan, "START.slice()", "{}")
