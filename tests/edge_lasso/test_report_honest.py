"""The report does not flatter: which rows a figure is of, whose measurements are shown, and what can be copied."""

import html
import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import edge_lasso
from edge_lasso.reporting.formula import formulas
from edge_lasso_runtime import model_hash, predict
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 6000
    x = rng.normal(size=(n, 3))
    table = pd.DataFrame(x, columns=["a", "b (°C)", "c"])
    table.insert(0, "time", pd.date_range("2024-01-01", periods=n, freq="10min").astype(str))
    table["y"] = 2 * x[:, 0] - x[:, 1] + rng.normal(size=n) * 0.3
    table["hot"] = np.where(table["y"] + rng.normal(size=n) > 0, "yes", "no")
    table.to_csv("data.csv", index=False)
    table[:500].to_csv("other.csv", index=False)
    return tmp_path


def test_figures_held_out_are_the_headline_and_others_say_what_they_are(folder):
    result = edge_lasso.train("data.csv", "y", time="time", drop="hot", holdout=0.2)
    edge_lasso.save(result, "model.json")
    page = edge_lasso.report("model.json").read_text()
    assert "<dt>R2, held out</dt>" in page
    page = edge_lasso.report("model.json", "data.csv").read_text()
    assert "<dt>R2, held out</dt>" in page
    assert "<div class=warned><dt>R2, on rows trained on</dt>" in page
    assert "rows that it was trained on: R2" in page
    assert "The two weeks with the widest swings." in page
    assert "days from 2024-" in page
    page = edge_lasso.report("model.json", "other.csv").read_text()
    assert "<dt>R2, table given</dt>" in page
    assert "class=warned" not in page
    assert "The 336 rows with the widest swings." not in page
    assert "The 500 rows with the widest swings." in page


def test_a_model_that_is_worse_than_the_mean_says_so(folder):
    table = pd.read_csv("data.csv")
    table.loc[4800:, "y"] = 5 * table["c"][4800:] - table["y"][4800:]
    table.to_csv("turned.csv", index=False)
    edge_lasso.save(edge_lasso.train("turned.csv", "y", time="time", drop="hot", holdout=0.2), "model.json")
    assert "worse than always saying the mean" in edge_lasso.report("model.json").read_text()


@pytest.mark.long
def test_only_this_models_measurements_and_certificates_are_shown(folder):
    result = edge_lasso.train("data.csv", "y", drop=["hot", "time"])
    edge_lasso.save(result, "model.json")
    edge_lasso.export("model.json", "python", "artifacts")
    figures = {"p50_us": {"value": 1.5, "unit": "us", "kind": "measured"}}
    about = {"name": "python:double", "kind": "measured", "machine": "this board", "figures": figures}
    (folder / "artifacts" / "measurements.json").write_text(
        json.dumps([{**about, "model_hash": model_hash(result.model)}, {**about, "name": "a peer", "model_hash": ""}])
    )
    page = edge_lasso.report("model.json").read_text()
    assert "this board" in page
    assert "a peer" in page
    assert "executions verified" in page
    edge_lasso.save(edge_lasso.train("data.csv", "y", drop=["hot", "time", "a"]), "model.json")
    page = edge_lasso.report("model.json").read_text()
    assert "this board" not in page
    assert "executions verified" not in page


def test_the_formula_computes_what_the_model_does(folder):
    model = edge_lasso.train("data.csv", "y", drop=["hot", "time"]).model
    written = formulas(model)
    row = {each.name: value for each, value in zip(model.inputs, (0.25, -1.5, 3.0), strict=False)}
    wanted = predict(model, row).values[0]
    assert eval(written["Python"], {}, row) == pytest.approx(wanted, rel=1e-12)
    with sqlite3.connect(":memory:") as database:
        names = ", ".join(f'? AS "{name}"' for name in row)
        (value,) = database.execute(f"SELECT {written['SQL']} FROM (SELECT {names})", list(row.values())).fetchone()
    database.close()
    assert value == pytest.approx(wanted, rel=1e-12)
    assert written["Spreadsheet"].startswith("=")
    edge_lasso.save(model, "model.json")
    assert "<h2>The formula</h2>" in edge_lasso.report("model.json").read_text()


def test_classifiers_have_curves(folder):
    edge_lasso.save(edge_lasso.classify("data.csv", "hot", drop=["y", "time"], holdout=0.2), "model.json")
    page = edge_lasso.report("model.json", "other.csv").read_text()
    for part in ("<title>Reliability</title>", "<title>Precision against recall</title>", "Thresholds for yes"):
        assert part in page


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
def test_the_artifact_runs_in_the_page(folder, size):
    """Headless, offline: the exported JavaScript tests itself, and predicts what the model predicts."""
    model = edge_lasso.train("data.csv", "y", drop=["hot", "time"]).model
    edge_lasso.save(model, "model.json")
    path = edge_lasso.report("model.json")
    rows = "b;a\\n1,5;2\\n;2\\n"
    probe = (
        f'<script type="module">const area = document.getElementById("live-rows"); area.value = "{rows}"; '
        'area.dispatchEvent(new Event("input"));</script></body>'
    )
    path.write_text(path.read_text().replace("</body>", probe))
    done = subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={size}", "--dump-dom", f"file://{folder / path}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "self-test passed in this browser" in done.stdout
    shown = re.search(r'id="live-value">([^<]+)<', done.stdout).group(1)
    usual = {each.name: float(f"{each.default:.5g}") for each in model.inputs}
    assert float(shown) == pytest.approx(predict(model, usual).values[0], abs=1e-6)
    assert re.search(r'id="live-status">ok<', done.stdout)
    pasted = re.search(r'id="live-results"[^>]*>([^<]+)<', done.stdout).group(1).splitlines()
    wanted = [predict(model, [{"a": 2.0, "b": b}[each.name] for each in model.inputs]) for b in (1.5, None)]
    assert [float(line.split("\t")[0]) for line in pasted] == pytest.approx(
        [result.values[0] for result in wanted], rel=1e-6
    )
    assert pasted[0].endswith("ok")
    assert pasted[1].endswith("degraded: b")
    assert path.stat().st_size < 2_000_000


def browsed(path, size="1280,900", *flags):
    """The page after its scripts ran."""
    done = subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={size}", *flags,
         "--virtual-time-budget=30000", "--dump-dom", f"file://{path}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def results(page):
    assert "self-test passed in this browser" in page
    _, *lines = html.unescape(re.search(r'id="live-results"[^>]*>([^<]+)<', page).group(1)).splitlines()
    return [line.split("\t") for line in lines]


def pasted(path, rows):
    text = json.dumps(rows).replace("</", "<\\/")
    probe = (
        f'<script type="module">const area = document.getElementById("live-rows"); area.value = {text}; '
        'area.dispatchEvent(new Event("input"));</script></body>'
    )
    path.write_text(path.read_text().replace("</body>", probe))
    return path


@pytest.mark.needs("chromium")
def test_a_detector_takes_in_pasted_rows_one_after_another(folder):
    """State, scores, alarms and faults in the page are those of the runtime."""
    table = pd.read_csv("data.csv")
    model = edge_lasso.watch(table[["time", "a", "b (°C)", "y"]], time="time", smoothing=0.2).model
    edge_lasso.save(model, "model.json")
    path = folder / edge_lasso.report("model.json")
    assert len(results(browsed(path))) > 25  # there are rows to begin with
    rows = table[["a", "b (°C)", "y"]][:150]
    rows.loc[120:, "y"] += 8.0
    rows.loc[60, "a"] = np.nan
    page = browsed(pasted(path, rows.to_csv(index=False, sep=";")))
    state, names, onsets = start(model), [model.inputs[i].name for i in readings(model)], 0
    for line, row in zip(results(page), rows.to_dict("records"), strict=True):
        result, _ = step(model, state, [row[name] for name in names])
        onsets += result.onset
        assert float(line[1]) == pytest.approx(result.score, rel=1e-6, abs=1e-9)
        assert (bool(line[2]), "begins" in line[2], line[3]) == (result.alarm, result.onset, result.status)
        assert line[4:] == [f"{name}: {fault}" for name, fault in result.faults.items()]
    assert onsets
    assert f"{onsets} of which begin one; the last: {result.status}" in page


@pytest.mark.needs("chromium")
def test_a_model_that_looks_back_and_one_with_categories_take_in_pasted_rows(folder):
    table = pd.read_csv("data.csv")
    table["mode"] = np.where(table["c"] > 0, "up", "down")
    table["y"] += table["a"].shift(1, fill_value=0.0) * 2 + (table["c"] > 0) * 3.0
    model = edge_lasso.train(table, "y", inputs=["a", "b (°C)", "mode"], categorical="mode", time="time", lags=1).model
    assert model.looks_back
    assert any(each.categories for each in model.inputs)
    edge_lasso.save(model, "model.json")
    rows = table[["a", "b (°C)", "mode"]][:20]
    page = browsed(pasted(folder / edge_lasso.report("model.json"), rows.to_csv(index=False, sep="\t")))
    state, inputs = start(model), [model.inputs[i] for i in readings(model)]
    for line, row in zip(results(page), rows.to_dict("records"), strict=True):
        given = [each.categories.index(row[each.name]) if each.categories else row[each.name] for each in inputs]
        result, _ = step(model, state, given)
        assert float(line[1]) == pytest.approx(result.values[0], rel=1e-6)
        assert line[2] == result.status


@pytest.mark.needs("chromium", "node:axe-core")
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(
    ("kind", "size"), [("numbers", "1280,900"), ("numbers", "390,844"), ("classes", "390,844"), ("detector", "390,844")]
)
def test_nobody_is_shut_out(folder, kind, size, scheme):
    """axe-core finds no violation: names of fields, contrast, headings, what the keyboard reaches."""
    if kind == "numbers":
        edge_lasso.save(edge_lasso.train("data.csv", "y", drop=["hot", "time"], holdout=0.2), "model.json")
        edge_lasso.export("model.json", "python", "artifacts")
    elif kind == "classes":
        edge_lasso.save(edge_lasso.classify("data.csv", "hot", drop=["y", "time"], holdout=0.2), "model.json")
    else:
        edge_lasso.save(edge_lasso.watch("data.csv", ["a", "b", "y"], time="time", drop="hot"), "model.json")
    page = edge_lasso.report("model.json", "data.csv").read_text()
    axe = Path(os.environ["EDGE_LASSO_NODE_MODULES"], "axe-core", "axe.min.js").read_text()
    axe = axe.replace("</script", "<\\/script")
    report = (
        "axe.run().then(found => { document.title = (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')"
        " + JSON.stringify(found.violations.map(one => one.id)); })"
    )
    (folder / "axe.html").write_text(page.replace("</body>", f"<script>{axe}</script><script>{report}</script></body>"))
    shown = browsed(folder / "axe.html", size, f"--blink-settings=preferredColorScheme={int(scheme == 'light')}")
    assert f"<title>{scheme}[]</title>" in shown
