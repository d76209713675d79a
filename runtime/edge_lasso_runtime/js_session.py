"""Sessions for JavaScript and WebAssembly: a fresh node per call, which answers in hexadecimal binary64."""

from __future__ import annotations

from .errors import MissingRuntimeError
from .interpreter_session import InterpreterSession, packed_rows, worker_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .artifact import Artifact
    from .sessions import Rows, Session

# The operations of `python_worker.WORKER`, in JavaScript: a result is a list of numbers.
WORKER = """
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
const [path, ops, width, count] = process.argv.slice(1);
const ns = await import(pathToFileURL(path).href);
const STATUS = ['ok', 'warming up', 'degraded'];
const FAULTS = ['', 'missing', 'stuck', 'jump', 'out of range'];
let memory = null;
function row(x) {
  const reading = {};
  ns.FEATURES.forEach((name, i) => {
    const known = (ns.CATEGORIES || {})[name];
    if (x[i] === x[i]) {
      reading[name] = known ? (Number.isInteger(x[i]) && known[x[i]] !== undefined ? known[x[i]] : '?') : x[i];
    }
  });
  return ns.predictRow(reading);
}
const OPS = {
  linear: (x) => [ns.linear(x)].flat(),
  predict: (x) => [ns.predict(x)].flat(),
  fixed: (x) => [ns.predict(ns.encode(x).q)].flat().map((value, m) => ns.decode(value, m)),
  encode: (x) => ns.encode(x).q,
  predict_q: (x) => [ns.predict(x)].flat(),
  row: (x) => [row(x)].map(({ value, values }) => values || value).flat(),
  degraded: (x) => [row(x).status === 'ok' ? 0 : 1],
  label: (x) => [ns.CLASSES.indexOf(ns.label(ns.encode ? ns.encode(x).q : x))],
  verdict: (x) => [ns.verdict(x[0])],
  probability: (x) => [ns.probability(x[0])],
  step: (x) => {
    if (x[0] !== 0) {
      memory = ns.start();
    }
    const found = ns.step(memory, x.slice(1).map((value) => value === value ? value : null));
    const y = [STATUS.indexOf(found.status), ...ns.READINGS.map((name) => FAULTS.indexOf(found.faults[name] || ''))];
    y.push(...[found.value].flat());
    if ('linear' in found) {
      y.push(...[found.linear].flat());
    }
    if ('label' in found) {
      y.push(ns.CLASSES.indexOf(found.label));
    }
    if ('widths' in found) {
      y.push(...found.widths);
    }
    if ('score' in found) {
      y.push(found.score, Number(found.alarm), Number(found.onset), ...found.parts);
    }
    return y;
  },
  step_q: (x) => {
    if (x[0] !== 0) {
      memory = ns.startQ();
    }
    const found = ns.stepQ(memory, x.slice(1));
    return [found.score, found.total, Number(found.alarm), Number(found.onset), Number(found.status === 'warming up'),
      ...found.parts, ...ns.READINGS.map((name) => FAULTS.indexOf(found.faults[name] || ''))];
  },
};
if (ops === 'about') {
  const has = [['predictRow', 'predict_row'], ['label', 'label'], ['probability', 'probability'],
    ['verdict', 'verdict']];
  const here = has.filter(([name]) => name in ns && (name !== 'label' || ns.CLASSES));
  const names = here.map(([, name]) => name).join(',');
  const said = ['node', process.versions.node, Number.EPSILON, ns.MODEL_HASH, 1, Number(ns.selftest()), names];
  console.log(said.join(' ')); // as text: numbers alone would be coloured where that is asked for
} else {
  const data = readFileSync(0);
  const lines = [];
  for (let i = 0; i < Number(count); i++) {
    const x = Array.from({ length: Number(width) }, (_, k) => data.readDoubleLE(8 * (Number(width) * i + k)));
    for (const op of ops.split(',')) {
      const y = OPS[op](x);
      const bytes = Buffer.alloc(8 * y.length);
      y.forEach((value, k) => bytes.writeDoubleLE(value, 8 * k));
      lines.push(':' + bytes.toString('hex'));
    }
  }
  process.stdout.write(lines.join('\\n') + '\\n');
}
"""


def open_session(kind: str, artifact: Artifact, command: str | None = None) -> Session:
    """See `sessions.load`."""
    from shutil import which

    node = command or which("node")
    if node is None:
        raise MissingRuntimeError("running this artifact needs node (14 or later); install it: https://nodejs.org")
    return InterpreterSession(artifact, Node(artifact, node))


class Node:
    """Runs a worker operation in a fresh node."""

    def __init__(self, artifact: Artifact, node: str) -> None:
        self.path, self.node = artifact.path(), node

    def __call__(self, ops: str, rows: Rows) -> list[str]:
        """The lines it prints: one per row and operation."""
        width = len(rows[0]) if rows else 0
        shape: list[Any] = [str(width), str(len(rows))]
        argv = [self.node, "--input-type=module", "-e", WORKER, self.path, ops, *shape]
        return worker_lines(argv, "node", packed_rows(rows))
