"""The model running in its page: the exported JavaScript itself, with a field and a slider for each input."""

from __future__ import annotations

import json
from html import escape

from edge_lasso.reporting.facts import number
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY as DETECTOR

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
const pasted = document.getElementById("live-rows");
pasted.addEventListener("input", () => {
  const lines = pasted.value.split(/\\r?\\n/).filter((line) => line.trim() !== "");
  const mark = ["\\t", ";", ","].find((sign) => lines.some((line) => line.includes(sign))) ?? "\\t";
  const cells = lines.map((line) => line.split(mark).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const named = cells.length > 0 && cells[0].some((cell) => FEATURES.includes(cell));
  const names = named ? cells.shift() : FEATURES;
  const read = (cell) => (cell === "" ? null : Number(mark === "," ? cell : cell.replace(",", ".")));
  document.getElementById("live-results").textContent = cells.map((row) => {
    const result = predictRow(Object.fromEntries(FEATURES.map((name) => [name, read(row[names.indexOf(name)] ?? "")])));
    const value = result.value ?? result.values ?? result.label;
    return `${typeof value === "number" ? Number(value.toPrecision(7)) : JSON.stringify(value)}\\t${result.status ?? ""}`;
  }).join("\\n");
});
document.getElementById("live-test").textContent = selftest() ? "self-test passed in this browser" : "self-test FAILED in this browser";
show();
"""


def live_section(model: Model) -> str:
    """The part of the page; empty for models that read earlier rows, categories, or watch sensors."""
    if DETECTOR in model.sections or any(
        each.stream is not None or each.categories is not None for each in model.inputs
    ):
        return ""
    files = registry.render(model, "js", "double")
    module = next(data.decode() for name, data in files.items() if name.endswith(".mjs"))
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
    script = (module + UI % {"worth": json.dumps(worth)}).replace("</", "<\\/").replace("<!--", "<\\!--")
    output = model.outputs[0]
    return (
        "<h2>Try it</h2><p class='soft'>The exported JavaScript itself computes what is shown here. An empty field is a "
        f"missing reading.</p><div id='live'>{''.join(rows)}</div>"
        "<label for='live-rows' class='soft'>Or paste rows from a spreadsheet or CSV; a first line with names says what "
        "the columns are.</label><textarea id='live-rows' rows='3'></textarea><pre id='live-results' role='region' tabindex='0' "
        "aria-label='results of the pasted rows'></pre>"
        f"<p role='status' aria-live='polite'>{escape(output.name)}: <strong id='live-value'>{number(output.intercept)}</strong> "
        f"{escape(output.unit)} <span id='live-status'></span></p><p class='soft' id='live-test'>needs JavaScript</p>"
        f"<script type='module'>{script}</script>"
    )
