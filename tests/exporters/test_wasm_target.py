"""WebAssembly: bit-equal in Node.js, no imports, a few hundred bytes, nothing that breaks out of a page."""

import json
import subprocess

import pytest

from edge_lasso import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_exporters.wasm_writer import unsigned
from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict

pytestmark = pytest.mark.needs("node")


@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("which", ["two outputs", "clamp", "logistic", "softmax", "constant"])
def test_runs_in_node(tmp_path, hostile, which, inputs):
    certificate = export(hostile[which], "wasm", tmp_path / "out", inputs=inputs)
    (execution,) = certificate.artifacts
    assert execution.status == "passed", execution.reason
    assert execution.largest_error == 0.0


def in_node(folder, script):
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, cwd=folder, check=True
    )
    return json.loads(done.stdout)


def test_mappings_as_a_page_gives_them(tmp_path, hostile):
    model = hostile["softmax"]
    for name, data in registry.render(model, "wasm", "double").items():
        (tmp_path / name).write_bytes(data)
    rows = [
        dict(zip(model.columns, (21.5, 1e5, "*/ shut", 0.25), strict=True)),
        dict(zip(model.columns, (None, 2e5, "never seen", "0.5"), strict=True)),
        {"constructor": 1.0},
    ]
    answers = in_node(
        tmp_path,
        f"const m = await import('./model.mjs'); console.log(JSON.stringify({json.dumps(rows)}.map(m.predictRow)))",
    )
    for row, answer in zip(rows, answers, strict=True):
        wanted = predict(model, row)
        assert answer["values"] == pytest.approx(wanted.values, abs=1e-15)
        assert answer["label"] == wanted.label
        faults = ", ".join(f"{name} {fault}" for name, fault in wanted.faults.items())
        assert answer["status"] == (f"degraded: {faults}" if faults else "ok")


def test_the_module_imports_nothing_and_is_small(tmp_path):
    inputs = tuple(Input(f"s{i}", i, 0.0, -1.0, 1.0) for i in range(6))
    model = Model(
        tuple(f"s{i}" for i in range(6)), inputs, (Output("y", 1.0, tuple(Term(0.1, (Factor(i),)) for i in range(6))),)
    )
    (tmp_path / "model.wasm").write_bytes(registry.render(model, "wasm", "double")["model.wasm"])
    found = in_node(
        tmp_path,
        "const fs = await import('node:fs'); const bytes = fs.readFileSync('model.wasm');"
        "const m = await WebAssembly.compile(bytes); const f = (await WebAssembly.instantiate(m)).exports.linear0;"
        "console.log(JSON.stringify({imports: WebAssembly.Module.imports(m).length, bytes: bytes.length,"
        "hash: new TextDecoder().decode(WebAssembly.Module.customSections(m, 'edge-lasso')[0]), value: f(1,1,1,1,1,NaN)}))",
    )
    assert found["imports"] == 0
    assert found["bytes"] < 450
    assert len(found["hash"]) == 64
    assert found["value"] == predict(model, [1.0] * 5 + [None]).linear[0]


def test_a_name_does_not_end_a_page_s_script():
    name = "</script><script>alert(1)//\u2028`${x}`"
    model = Model((name,), (Input(name, 0, 0.0, -1.0, 1.0),), (Output("y", 0.0, (Term(1.0, (Factor(0),)),)),))
    text = registry.render(model, "wasm", "double")["model.mjs"].decode("ascii")
    assert "</script" not in text


def test_too_many_inputs():
    columns = tuple(f"s{i}" for i in range(1200))
    model = Model(columns, (Input("s0", 0, 0.0, -1.0, 1.0),), (Output("y", 0.0, (Term(1.0, (Factor(0),)),)),))
    with pytest.raises(ExportError, match="a row has 1,200 inputs, and a WebAssembly function takes 1,000"):
        registry.render(model, "wasm", "double", inputs="all")


def test_leb128():
    assert [unsigned(value) for value in (0, 127, 128, 624485)] == [b"\0", b"\x7f", b"\x80\x01", b"\xe5\x8e\x26"]


@pytest.mark.parametrize("seed", range(4))
def test_rows_one_after_another(tmp_path, stateful_model, seed):
    some = {"detector": seed % 2 == 0, "streams": 6, "health": True, "estimate": seed > 1}
    (found,) = export(stateful_model(seed, **some), "wasm", tmp_path / "out").artifacts
    assert (found.status, found.reason) == ("passed", "")
    assert found.promised["step"].startswith("results of step bit for bit")
    assert found.rows > 500


def test_a_link_is_the_one_import(tmp_path, small_detector, hostile):
    links = {"detector": small_detector, "softmax": with_health(hostile["softmax"])}
    for name, model in links.items():
        (tmp_path / f"{name}.wasm").write_bytes(registry.render(model, "wasm", "double")["model.wasm"])
    (found,) = export(links["softmax"], "wasm", tmp_path / "out").artifacts
    assert (found.status, found.reason) == ("passed", "")
    found = in_node(
        tmp_path,
        "const fs = await import('node:fs'); const of = async (name) => WebAssembly.Module.imports("
        "await WebAssembly.compile(fs.readFileSync(name + '.wasm'))).map((part) => part.module + '.' + part.name);"
        "console.log(JSON.stringify([await of('detector'), await of('softmax')]))",
    )
    assert found == [[], ["math.exp"]]
    assert (tmp_path / "detector.wasm").stat().st_size < 4000


def with_health(model):
    name = next(entry.name for entry in model.inputs if entry.categories is None)
    return model.replace(sections={"health/1": {"readings": [{"input": name, "stuck": 3, "jump": 1e9}]}})


def test_two_sequences_beside_each_other(tmp_path, small_detector):
    """What one remembers is nothing to the other, also through JSON."""
    for name, data in registry.render(small_detector, "wasm", "double").items():
        (tmp_path / name).write_bytes(data)
    apart, beside = in_node(
        tmp_path,
        "const m = await import('./model.mjs'); const rows = [[0.2, -2], [1.9, -1], [0.4, -3], [null, -2], [1, -4]];"
        "const run = (state) => rows.map((row) => m.step(state, row).score);"
        "let a = m.start(), b = m.start(); const both = [[], []];"
        "for (const row of rows) { both[0].push(m.step(a, row).score); m.step(b, [2, 0]); both[1].push(0);"
        "a = JSON.parse(JSON.stringify(a)).map((value) => value === null ? NaN : value); }"
        "console.log(JSON.stringify([run(m.start()), both[0]]))",
    )
    assert apart == beside
    assert len(set(apart)) > 2


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("kind", ["detector", "softmax", "breaks out"])
def test_the_page_runs_without_a_server(tmp_path, small_detector, hostile, kind):
    breaks = "</script><script>alert(1)//"
    plain = Model((breaks,), (Input(breaks, 0, 0.5, -1.0, 1.0),), (Output("y", 0.25, (Term(1.0, (Factor(0),)),)),))
    model = {"detector": small_detector, "softmax": hostile["softmax"], "breaks out": plain}[kind]
    (tmp_path / "model.html").write_bytes(registry.render(model, "wasm", "double")["model.html"])
    done = subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom",
         f"file://{tmp_path / 'model.html'}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "self-test passed in this browser" in done.stdout
    shown = json.loads(done.stdout.partition('role="status">')[2].partition("</pre>")[0])
    usual = {entry.name: entry.default for entry in model.inputs if entry.categories is None}
    wanted = predict(model, usual)
    values = shown["values"] if "values" in shown else shown["value"]
    if kind == "detector":
        assert values[1] == wanted.values[1]
        assert (shown["status"], shown["alarm"], len(shown["parts"])) == ("warming up", False, 2)
    else:
        assert values == pytest.approx(wanted.values, abs=1e-15)
