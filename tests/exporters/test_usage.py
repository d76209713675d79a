"""What an artifact's README and examples say is run as it stands, in the artifact's folder, and gives the reference."""

import json
import re
import sqlite3
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import edge_lasso
from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.verify import export, verify
from edge_lasso_devices.build import find_compiler
from edge_lasso_exporters import LICENCE, registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_exporters.usage.sample import sample
from edge_lasso_runtime import Factor, Input, Model, Output, Term, load, save
from edge_lasso_runtime.predict import predict
from edge_lasso_runtime.step import start, step


def named(**changes):
    """Names that nobody would give in ASCII."""
    inputs = (Input("Küche (°C)", 0, 21.0, 10.0, 30.0, "°C"), Input("日本", 1, None, None, None, categories=("auf", "zu")),
              Input("PM₂.₅", 2, 12.34567, 0.0, 99.9, "µg/m³"))  # fmt: skip
    terms = (Term(0.5, (Factor(0),)), Term(-2.25, (Factor(1, 1),)), Term(0.125, (Factor(2),)))
    return Model(("Küche (°C)", "日本", "PM₂.₅"), inputs, (Output("Büro", 1.5, terms, unit="°C"),)).replace(**changes)


@pytest.fixture(scope="module")
def models(shapes, small_detector):
    """Models by name; the detector is one that scores at once."""
    section = small_detector.sections["detector/1"]
    section = {**section, "warm_up": 1, "threshold": {**section["threshold"], "score": 0.05}}
    return {**shapes, "named": named(), "detector": small_detector.replace(sections={"detector/1": section})}


def model_of(models, name, variant):
    return quantize(models[name], to="int16") if variant == "fixed" else models[name]


def wanted(model):
    """What the example's readings must give: the score of a detector, else the first value."""
    row = sample(model)
    if "detector/1" not in model.sections:
        return predict(model, row).values[0]
    state = start(model)
    readings = [x for feature, x in zip(model.inputs, row, strict=True) if feature.stream is None]
    for _ in range(3):
        result, state = step(model, state, readings)
    return result.score


def folder_of(model, target, variant, path):
    for name, data in registry.render(model, target, variant).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return (path / "README.md").read_text(encoding="utf-8")


def blocks(readme, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)


def run(command, folder, **choices):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **choices)
    assert done.returncode == 0, done.stderr
    return done.stdout


def close(model, variant):
    """How near: the proven bound of integers, and what the text shows."""
    return {
        "rel": 1e-4 if variant in ("float", "float32") else 1e-8,
        "abs": 2e-3 if "fixed_point/1" in model.sections else 1e-8,
    }


C = [("named", "double"), ("three outputs", "float"), ("softmax", "double"), ("logistic", "fixed"), ("named", "fixed"),
     ("detector", "double"), ("detector", "fixed")]  # fmt: skip


@pytest.mark.needs("cc")
@pytest.mark.parametrize(("name", "variant"), C)
def test_c(models, name, variant, tmp_path):
    model = model_of(models, name, variant)
    (command,) = blocks(folder_of(model, "c", variant, tmp_path), "sh")
    assert command.startswith("cc ")
    shown = run(f"{' '.join(find_compiler())} -Wall -Wextra -pedantic -Werror {command[3:]}", tmp_path, shell=True)
    values = dict(line.rsplit(" ", 1) for line in shown.splitlines())
    assert (values["self-test"], values["wrong"]) == ("1", "0")
    first = {"detector": "score", "logistic": "probability"}.get(name, next(iter(values)))
    assert float(values[first]) == pytest.approx(wanted(model), **close(model, variant))
    assert name != "named" or first == "Buero"
    assert ("alarm" in values) == (name == "detector")
    assert ("class" in values) == (model.classes is not None)


@pytest.mark.parametrize(("name", "variant"), [
    ("named", "double"), ("softmax", "double"), ("detector", "double"), ("logistic", "fixed"), ("named", "fixed"), ("detector", "fixed"),
])  # fmt: skip
def test_python(models, name, variant, tmp_path):
    model = model_of(models, name, variant)
    codes = blocks(folder_of(model, "python", variant, tmp_path), "python")
    assert len(codes) == 1 + (variant == "fixed")
    for code in codes[:1] if name == "logistic" else codes:
        shown = run([sys.executable, "-c", code], tmp_path)
        number = float(re.match(r"\[?([-+.\de]+)", shown)[1])
        assert number == pytest.approx(wanted(model), **close(model, variant))
        assert shown.rstrip().endswith("ok")


@pytest.mark.needs("node")
@pytest.mark.parametrize(("target", "name", "variant"), [
    ("js", "named", "double"), ("js", "detector", "fixed"), ("wasm", "named", "double"),
])  # fmt: skip
def test_javascript(models, target, name, variant, tmp_path):
    model = model_of(models, name, variant)
    (code,) = blocks(folder_of(model, target, variant, tmp_path), "js")
    (tmp_path / "use.mjs").write_text(code, encoding="utf-8")
    shown = run(["node", "use.mjs"], tmp_path)
    key = {"wasm": r"values: \[ ", "js": "value: "}[target] if name == "named" else "score: "
    numbers = re.findall(rf"{key}([-+.\de]+)", shown)
    assert float(numbers[-1]) == pytest.approx(wanted(model), **close(model, variant))


@pytest.mark.needs("module:onnxruntime", "module:ai_edge_litert")
@pytest.mark.parametrize(("target", "variant"), [("onnx", "float32"), ("tflite", "float32"), ("tflite", "int8io")])
def test_tensors(shapes, target, variant, tmp_path):
    model = shapes["plain"] if variant == "int8io" else named()
    (code,) = blocks(folder_of(model, target, variant, tmp_path), "python")
    shown = run([sys.executable, "-c", code], tmp_path)
    (number,) = re.findall(r"\[\[([-+.\de]+)", shown)[:1]
    if variant == "int8io":
        assert -128 <= float(number) <= 127
    else:
        assert float(number) == pytest.approx(wanted(model), **close(model, variant))


def test_sql(tmp_path):
    readme = folder_of(named(), "sql", "sqlite", tmp_path)
    (code,) = blocks(readme, "sql")
    assert ".read model.sql\n" in code
    database = sqlite3.connect(":memory:")
    database.execute('CREATE TABLE "readings" ("Küche (°C)", "日本", "PM₂.₅")')
    row = sample(named())
    database.execute('INSERT INTO "readings" VALUES (?, ?, ?)', (row[0], ("auf", "zu")[int(row[1])], row[2]))
    text = code.replace(".read model.sql", (tmp_path / "model.sql").read_text(encoding="utf-8"))
    before, _, last = text.rpartition("SELECT * FROM")
    database.executescript(before)
    assert wanted(named()) in database.execute(f"SELECT * FROM {last}").fetchone()


@pytest.mark.needs("module:onnx", "module:flatbuffers")
def test_every_artifact_explains_itself_and_names_its_licence():
    for target in registry.modules():
        for variant in registry.target(target).VARIANTS:
            model = named()
            if variant == "int8io":
                model = named(outputs=(Output("Büro", 1.5, (Term(0.5, (Factor(0),)),), unit="°C"),))
            model = quantize(model, to="int16") if variant == "fixed" else model
            files = registry.render(model, target, variant, version="1.4.0-rc.1")
            readme = files["README.md"].decode()
            assert "| 0 | Küche \\(°C\\) \\[°C\\] | 2" in readme
            assert "version 1.4.0-rc.1" in readme
            assert f"SPDX-License-Identifier: {LICENCE}" in readme
            for name, data in files.items():
                if name.endswith((".c", ".h", ".ino", ".py", ".mjs", ".sql", ".yml", "CMakeLists.txt", "Kconfig")):
                    assert f"SPDX-License-Identifier: {LICENCE}" in data.decode().partition("\n")[0], name
            described = json.loads(files["artifact.json"])
            assert (described["version"], described["license"]) == ("1.4.0-rc.1", LICENCE)
    for name in ("model.h", "model.py", "model.mjs"):
        target = {"h": "c", "py": "python", "mjs": "js"}[name.rpartition(".")[2]]
        assert b"1.4.0" in registry.render(named(), target, "double", version="1.4.0")[name]


def test_c_says_that_its_names_are_in_ascii(small_detector):
    header = registry.render(named(), "c", "double")["model.h"].decode()
    assert "Names are in ASCII here; README.md has them as they are." in header
    assert "#define MODEL_IN_KUECHE_C 0 /* Kueche (degC) [degC], default 21.0, 10.0 to 30.0 */" in header
    assert "Output 0: Buero [degC]" in header
    assert header.isascii()
    plain = registry.render(small_detector, "c", "double")["model.h"].decode()
    assert "Names are in ASCII" not in plain


def test_the_version_is_the_day_of_training_or_what_is_said(tmp_path):
    assert registry.version_of(named()) == "1.0.0"
    model = named(provenance={"date": "2026-03-05T08:00:00Z"})
    assert json.loads(registry.render(model, "python", "double")["artifact.json"])["version"] == "2026.3.5"
    for bad in ("1.0\n", "one two", "x" * 41, '"', "-1"):
        with pytest.raises(ExportError, match=r"must look like 1\.4\.0"):
            registry.render(model, "python", "double", version=bad)
    save(model, tmp_path / "model.json")
    certificate = export(model, "python", tmp_path / "out", version="2.0", allow_unverified=True)
    assert certificate.status != "failed"
    assert verify(load(tmp_path / "model.json"), tmp_path / "out").status != "failed"
    readme = tmp_path / "out" / "python-double" / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "rm -rf /\n", encoding="utf-8")
    changed = verify(model, tmp_path / "out")
    assert changed.status == "failed"
    assert "differs in README.md" in changed.artifacts[0].reason


@pytest.mark.needs("cc")
@pytest.mark.parametrize(
    "name", ["a | b", "`x`", "<script>", "*/ int", 'a"b\\', "new\nline", "```", "%s%n", "{x}", "??/"]
)
def test_names_mean_nothing_in_texts(name, tmp_path):
    inputs = (Input(name, 0, 1.0, 0.0, 2.0, unit=name),)
    model = Model((name,), inputs, (Output(name, 0.5, (Term(2.0, (Factor(0),)),), unit=name),))
    readme = folder_of(model, "c", "double", tmp_path)
    assert "<script>" not in re.sub(r"```.*?^```$", "", readme, flags=re.DOTALL | re.MULTILINE)
    assert next(line for line in readme.splitlines() if line.startswith("| 0 |")).replace("\\|", "").count("|") == 5
    command = f"{' '.join(find_compiler())} -std=c99 -Wall -Werror -fsyntax-only -I. examples/use_model.c"
    run(command, tmp_path, shell=True)
    (code,) = blocks(folder_of(model, "python", "double", tmp_path), "python")
    assert run([sys.executable, "-c", code], tmp_path).endswith("ok\n")


@pytest.mark.needs("cc")
def test_a_model_that_reads_nothing_is_exported_like_any_other(tmp_path):
    rng = np.random.default_rng(3)
    times = np.arange(300) * 60.0 + 1.7e9
    table = pa.table({"time": times, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    model = edge_lasso.train(table, "y", time="time", select="1se").model
    assert model.inputs == ()
    certificate = export(model, "python,c", tmp_path, allow_unverified=True)
    assert certificate.status != "failed", certificate.artifacts
