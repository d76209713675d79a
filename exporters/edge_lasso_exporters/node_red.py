"""What makes a folder with a JavaScript module a package of npm, and a node of Node-RED."""

from __future__ import annotations

import html
import json
import re

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state, readings

from . import LICENCE, SPDX
from .options import Options
from .templates import filled

IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = re.compile(
    r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}"
    rf"(?:-{IDENTIFIER}(?:\.{IDENTIFIER})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)

NODE = """// @SPDX@
// A node of Node-RED: msg.payload is a row, an object of readings by name, and becomes the model's result.
module.exports = (RED) => {
@RESTORED@  function Model(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const ready = import("./@NAME@.mjs").then(async (model) => {
      if (!model.selftest()) {
        throw new Error("the model's self-test fails in this engine");
      }
      return @READY@;
    });
    ready.catch((error) => node.status({ fill: "red", shape: "ring", text: error.message }));
    node.on("input", (msg, send, done) => {
      ready.then((memory) => {
        const row = msg.payload;
        if (row === null || typeof row !== "object" || Array.isArray(row)) {
          throw new Error("msg.payload has to be an object of readings by name");
        }
        @RESULT@
        const { alarm, status } = msg.payload;
        const fill = alarm ? "red" : status === "ok" ? "green" : "yellow";
        node.status({ fill, shape: "dot", text: alarm ? `alarm, ${status}` : status });
        send(msg);
        @DONE@
      }).catch(done);
    });
  }
  RED.nodes.registerType("@TYPE@", Model);
};
"""
RESTORED = """\
  // What the model remembers is in the node's context after every row; another model's is of no use. A store of JSON
  // makes null of NaN: in a state there are numbers alone.
  const revived = (state) => JSON.parse(JSON.stringify(state), (key, value) => (value === null ? NaN : value));
  const restored = (node, model) => new Promise((resolve, reject) => {
    node.context().get("state", (error, kept) => {
      if (error) {
        reject(error);
      } else {
        resolve(kept && kept.model === model.MODEL_HASH ? revived(kept.state) : model.start());
      }
    });
  });

"""
REMEMBERS = {
    "RESTORED": RESTORED,
    "READY": "{ model, state: await restored(node, model) }",
    "RESULT": """if (msg.reset === true) {
          memory.state = memory.model.start();
        }
        msg.payload = memory.model.step(memory.state, row);""",
    "DONE": 'node.context().set("state", { model: memory.model.MODEL_HASH, state: memory.state }, done);',
}
PREDICTS = {
    "RESTORED": "",
    "READY": "{ model }",
    "RESULT": "msg.payload = memory.model.predictRow(row);",
    "DONE": "done();",
}
PAGE = """<!-- @SPDX@ -->
<script type="text/javascript">
  RED.nodes.registerType("@TYPE@", {
    category: "function",
    color: "#C7E9C0",
    defaults: { name: { value: "" } },
    inputs: 1,
    outputs: 1,
    icon: "function.svg",
    label() { return this.name || "@NAME@"; },
  });
</script>
<script type="text/html" data-template-name="@TYPE@">
  <div class="form-row">
    <label for="node-input-name"><i class="fa fa-tag"></i> Name</label>
    <input type="text" id="node-input-name">
  </div>
</script>
<script type="text/html" data-help-name="@TYPE@">
  <p>A sparse linear model. <code>msg.payload</code> is an object of readings by name, and becomes the result: its
  <code>status</code> is <code>ok</code>, or says that readings are missing or out of range.@RESET@</p>
  <h3>Readings</h3>
  <ul>
@READINGS@
  </ul>
</script>
"""
RESET = " <code>msg.reset</code> = true forgets the rows before."


def package(model: Model, options: Options) -> dict[str, bytes]:
    """``package.json``, ``node-red.js`` and ``node-red.html``, beside ``NAME.mjs``."""
    name, steps, kind = options.name, keeps_state(model), node_type(options.name)
    inputs = [model.inputs[i] for i in readings(model)] if steps else model.inputs
    items = [html.escape(f"{feature.name} [{feature.unit}]" if feature.unit else feature.name) for feature in inputs]
    words = {
        "SPDX": SPDX, "NAME": name, "TYPE": kind, "RESET": RESET if steps else "",
        "READINGS": "\n".join(f"    <li>{_ascii(item)}</li>" for item in items),
        **(REMEMBERS if steps else PREDICTS),
    }  # fmt: skip
    about = {
        "name": kind, "version": npm_version(options.version), "license": LICENCE,
        "description": "A sparse linear model: a module without dependencies, and a node of Node-RED.",
        "keywords": ["node-red"], "main": f"{name}.mjs",
        "node-red": {"nodes": {kind: "node-red.js"}},
    }  # fmt: skip
    return {
        "package.json": (json.dumps(about, indent=2) + "\n").encode(),
        "node-red.js": filled(NODE, words).encode(),
        "node-red.html": filled(PAGE, words).encode(),
    }


def node_type(name: str) -> str:
    """The node's type in flows, and the package's name: npm's names have no capitals."""
    return "edge-lasso-" + name.lower().replace("_", "-")


def npm_version(text: str) -> str:
    """A version that npm takes: ``1.4`` is 1.4.0, and what is no number goes behind a plus."""
    if SEMVER.fullmatch(text):
        return text
    rest = text.lstrip("0123456789.")
    numbers = [str(int(digits)) for digits in text[: len(text) - len(rest)].split(".") if digits]
    words = [*numbers[3:], *filter(None, re.split("[^0-9A-Za-z-]+", rest))]
    return ".".join([*numbers, "0", "0", "0"][:3]) + ("+" + ".".join(words) if words else "")


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else f"&#{ord(c)};" for c in text)
