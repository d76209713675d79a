"""The model running in its page: the exported JavaScript itself, with a field and a slider for each input."""

from __future__ import annotations

import json
from html import escape

from edge_lasso.reporting.facts import number
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.stream import readings, warm_up

PASTED = """
const WORDS = new Set(%(words)s);
const pasted = document.getElementById("live-rows");
const results = document.getElementById("live-results");
const shown = (value) => typeof value === "number" ? String(Number(value.toPrecision(7))) : JSON.stringify(value);
const rowsOf = (inputs) => {
  const lines = pasted.value.split(/\\r?\\n/).filter((line) => line.trim() !== "");
  const mark = ["\\t", ";", ","].find((sign) => lines.some((line) => line.includes(sign))) ?? "\\t";
  const cells = lines.map((line) => line.split(mark).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const named = cells.length > 0 && cells[0].some((cell) => inputs.includes(cell));
  const names = named ? cells.shift() : inputs;
  const number = (cell) => (cell === "" ? null : Number(mark === "," ? cell : cell.replace(",", ".")));
  const read = (name, cell) => (WORDS.has(name) ? cell : number(cell));
  return cells.map((row) => Object.fromEntries(inputs.map((name) => [name, read(name, row[names.indexOf(name)] ?? "")])));
};
"""
"""Rows that are pasted, as objects: delimiter and decimal mark are found out, a first line may name the columns."""
STEPS = """
const TARGETS = %(targets)s;
const run = () => {
  const state = start();
  let onsets = 0, alarmed = 0, found = null;
  const lines = rowsOf(READINGS).map((row, i) => {
    found = step(state, row);
    const cells = [i + 1];
    if ("score" in found) {
      onsets += Number(found.onset);
      alarmed += Number(found.alarm);
      const total = found.parts.reduce((sum, part) => sum + part, 0);
      const most = found.parts.indexOf(Math.max(...found.parts));
      const cause = found.alarm ? `ALARM: ${WATCHED_NAMES[most]} ${Math.round(100 * found.parts[most] / total)} %%` : "";
      cells.push(shown(found.score), found.onset ? `${cause} (begins)` : cause);
    } else {
      cells.push(...[found.label ?? found.value].flat().map(shown));
    }
    const faults = Object.entries(found.faults).map(([name, fault]) => `${name}: ${fault}`);
    return [...cells, found.status, ...faults].join("\\t");
  });
  results.textContent = [TARGETS, ...lines].join("\\n");
  const alarms = found !== null && "score" in found ? `, ${alarmed} in alarm, ${onsets} of which begin one` : "";
  document.getElementById("live-state").textContent =
    `${lines.length} rows taken in${alarms}; the last: ${found === null ? "none" : found.status}`;
};
pasted.addEventListener("input", run);
run();
"""
LAST = """
document.getElementById("live-test").textContent = selftest() ? "self-test passed in this browser" : "self-test FAILED in this browser";
"""
UI = """
const WORTH = %(worth)s;
const fields = [...document.querySelectorAll("#live input[type=number]")];
const sliders = [...document.querySelectorAll("#live input[type=range]")];
const show = () => {
  const row = {};
  fields.forEach((field, i) => { row[FEATURES[i]] = field.value === "" ? null : Number(field.value); });
  const found = predictRow(row);
  const value = found.value ?? found.values ?? found.label ?? found;
  document.getElementById("live-value").textContent = typeof value === "number" ? String(Number(value.toPrecision(7))) : JSON.stringify(value);
  document.getElementById("live-status").textContent = found.status ?? "";
  const parts = WORTH.map(([name, coef, usual]) => row[name] === null ? 0 : coef * (row[name] - usual));
  const most = Math.max(...parts.map(Math.abs), 1e-300);
  document.querySelectorAll("#live .part").forEach((part, i) => {
    part.firstElementChild.style.width = `${Math.round(70 * Math.abs(parts[i]) / most)}px`;
    part.lastElementChild.textContent = ` ${parts[i] < 0 ? "" : "+"}${Number(parts[i].toPrecision(3))}`;
  });
};
fields.forEach((field, i) => field.addEventListener("input", () => { sliders[i].value = field.value; show(); }));
sliders.forEach((slider, i) => slider.addEventListener("input", () => { fields[i].value = slider.value; show(); }));
pasted.addEventListener("input", () => {
  results.textContent = rowsOf(FEATURES).map((row) => {
    const result = predictRow(row);
    return `${shown(result.value ?? result.values ?? result.label)}\\t${result.status ?? ""}`;
  }).join("\\n");
});
show();
"""
USUAL_ROWS = 100
DRIFTING = 25
"""So many rows at most, and so many in which one reading drifts, stand in the field of a model with a memory."""
WIGGLE, FAR = 0.002, 0.03
"""Parts of a range: sensors that never move are stuck, and one that leaps is a fault of its own."""


def live_section(model: Model) -> str:
    """The part of the page: fields and sliders, or rows to paste for a model with a memory or with categories."""
    if not model.inputs:
        return ""
    files = registry.render(model, "js", "double")
    module = next(data.decode() for name, data in files.items() if name.endswith(".mjs"))
    words = [each.name for each in model.inputs if each.categories is not None]
    module += PASTED % {"words": json.dumps(words)}
    if model.looks_back or words:
        return _steps(model, module)
    order = json.loads(files["artifact.json"])["inputs"]
    by_name = {each.name: each for each in model.inputs}
    names = [entry["name"] if isinstance(entry, dict) else entry for entry in order]
    coefs = {
        model.inputs[term.factors[0].input].name: term.coef
        for term in model.outputs[0].terms
        if len(term.factors) == 1 and term.factors[0].plain
    }
    rows, worth = [], []
    for i, name in enumerate(names):
        each = by_name[name]
        unit = f" [{escape(each.unit)}]" if each.unit else ""
        low, high, usual = (float(value) for value in (each.low or 0.0, each.high or 0.0, each.default or 0.0))
        usual = min(max(float(f"{usual:.5g}"), low), high)  # what a field shows whole
        step = (high - low) / 200 or 1.0
        rows.append(
            f"<div class='live'><label for='live-{i}'>{escape(name)}{unit}</label>"
            f"<input type='number' step='any' id='live-{i}' value='{usual!r}'>"
            f"<input type='range' aria-label='{escape(name, quote=True)}, slider' min='{low!r}' max='{high!r}' "
            f"step='{step!r}' value='{usual!r}'><span class='part'><span class='bar'></span><span></span></span></div>"
        )
        worth.append([name, coefs.get(name, 0.0), usual])
    output = model.outputs[0]
    return (
        "<h2>Try it</h2><p class='soft'>The exported JavaScript itself computes what is shown here. An empty field is a "
        f"missing reading.</p><div id='live'>{''.join(rows)}</div>"
        "<label for='live-rows' class='soft'>Or paste rows from a spreadsheet or CSV; a first line with names says what "
        "the columns are.</label><textarea id='live-rows' rows='3' wrap='off'></textarea><pre id='live-results' role='region' tabindex='0' "
        "aria-label='results of the pasted rows'></pre>"
        f"<p role='status' aria-live='polite'>{escape(output.name)}: <strong id='live-value'>{number(output.intercept)}</strong> "
        f"{escape(output.unit)} <span id='live-status'></span></p><p class='soft' id='live-test'>needs JavaScript</p>"
        f"{_script(module + UI % {'worth': json.dumps(worth)} + LAST)}"
    )


def _script(text: str) -> str:
    return f"<script type='module'>{text.replace('</', '<' + chr(92) + '/').replace('<!--', '<' + chr(92) + '!--')}</script>"


def _steps(model: Model, module: str) -> str:
    """Rows are taken in one after another by the exported `step`, from its start."""
    detects = DETECTOR in model.sections
    heads = (
        ["score", "alarm"] if detects else ["label"] if model.classes is not None else [o.name for o in model.outputs]
    )
    script = STEPS % {"targets": json.dumps("\t".join(["row", *heads, "status", "faults"]))}
    remembers = (
        "Rows go through the exported <code>step</code> one after another, from a fresh start: it remembers what it needs of "
        "those before." if model.looks_back else "Rows go through the exported JavaScript itself."
    )  # fmt: skip
    return (
        f"<h2>Try it</h2><p class='soft'>{remembers} An empty cell is a missing reading.</p><div id='live'>"
        "<label for='live-rows' class='soft'>Paste rows from a spreadsheet or CSV; a first line with names says what the "
        f"columns are.</label><textarea id='live-rows' rows='8' wrap='off'>{escape(_usual_rows(model))}</textarea></div>"
        "<p role='status' aria-live='polite' id='live-state'></p>"
        "<pre id='live-results' role='region' tabindex='0' aria-label='results of the pasted rows'></pre>"
        f"<p class='soft' id='live-test'>needs JavaScript</p>{_script(module + script + LAST)}"
    )


def _usual_rows(model: Model) -> str:
    """Rows near the usual readings until the model is warm; then the first reading moves away from the others."""
    inputs = [model.inputs[i] for i in readings(model)]
    count = min(max(warm_up(model), model.sections.get(DETECTOR, {}).get("warm_up", 0)) + 2, USUAL_ROWS)
    lines = ["\t".join(each.name for each in inputs)]
    for i in range(count + DRIFTING if model.looks_back else 3):
        cells = []
        for each in inputs:
            if each.default is None or each.low is None or each.high is None:
                cells.append((each.categories or ("",))[0])
                continue
            away = (i - count + 1) * FAR if each is inputs[0] and i >= count else 0.0
            cells.append(f"{each.default + (each.high - each.low) * (away + WIGGLE * (7 * i % 5 - 2)):.5g}")
        lines.append("\t".join(cells))
    return "\n".join(lines)
