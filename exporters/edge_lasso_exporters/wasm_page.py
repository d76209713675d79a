"""``NAME.html``: a page without a server that runs a WebAssembly artifact, which stands in it."""

from __future__ import annotations

import html
import json

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state, readings

from . import SPDX
from .templates import filled

PAGE = """<!doctype html>
<!-- @SPDX@ -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 40rem; padding: 0 1rem; }
label { display: grid; grid-template-columns: 1fr 10rem; gap: 1rem; margin: .5rem 0; }
input, select, button { font: inherit; }
pre { white-space: pre-wrap; }
</style>
</head>
<body>
<main>
<h1>@TITLE@</h1>
<p id="test">This browser cannot run WebAssembly.</p>
<form id="row"></form>
<pre id="result" role="status"></pre>
</main>
<script type="module">
@MODULE@
const READ = @READ@; // name, unit, default, categories
const form = document.getElementById("row");
const fields = READ.map(([name, unit, usual, words]) => {
  const label = form.appendChild(document.createElement("label"));
  label.append(unit === "" ? name : `${name} [${unit}]`);
  const field = label.appendChild(document.createElement(words === null ? "input" : "select"));
  if (words === null) {
    Object.assign(field, { type: "number", step: "any", value: usual });
  } else {
    field.append(new Option("", ""), ...words.map((word) => new Option(word, word)));
  }
  return field;
});
const button = form.appendChild(document.createElement("button"));
button.textContent = "@BUTTON@";
@STATE@function run(event) {
  event?.preventDefault();
  const row = Object.fromEntries(READ.map(([name], k) => [name, fields[k].value === "" ? null : fields[k].value]));
  document.getElementById("result").textContent = JSON.stringify(@CALL@, null, 1);
}
form.addEventListener("submit", run);
const passed = selftest();
const said = `self-test ${passed ? "passed" : "FAILED"} in this browser; a field that is empty is missing`;
document.getElementById("test").textContent = said;
run();
</script>
</body>
</html>
"""


def page(model: Model, name: str, module: str) -> bytes:
    """The page.

    Parameters
    ----------
    model : Model
    name : str
    module : str
        The text of ``NAME.mjs``, which cannot end a script.
    """
    steps = keeps_state(model)
    positions = readings(model) if steps else range(len(model.inputs))
    read = [
        [feature.name, feature.unit, feature.default, None if feature.categories is None else list(feature.categories)]
        for feature in (model.inputs[i] for i in positions)
    ]
    words = {
        "SPDX": SPDX, "TITLE": html.escape(name), "MODULE": module, "READ": json.dumps(read).replace("<", "\\u003c"),
        "BUTTON": "Take in a row" if steps else "Predict", "CALL": "step(state, row)" if steps else "predictRow(row)",
        "STATE": "const state = start(); // what the rows before have left\n" if steps else "",
    }  # fmt: skip
    return filled(PAGE, words).encode()
