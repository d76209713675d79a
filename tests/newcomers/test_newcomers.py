"""Four newcomers, typing what such people type; the steps to a first result are counted."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from edge_lasso.commands.main import main
from edge_lasso_devices.build import find_compiler


def type_in(capsys, command):
    """Type a command line; what it says."""
    words = shlex.split(command)
    assert words[0] == "edge-lasso"
    capsys.readouterr()
    assert main(words[1:]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def offered(out):
    """The command that `check` offers last."""
    return [line.strip() for line in out.splitlines() if line.strip().startswith("edge-lasso")]


def test_a_maker_with_an_export_of_home_assistant(root, tmp_path, monkeypatch, capsys):
    """Three steps: check, the line it offers with a target, the line that offers."""
    monkeypatch.chdir(tmp_path)
    history = root / "examples" / "home_assistant" / "history.csv"
    (line,) = offered(type_in(capsys, f"edge-lasso check {shlex.quote(str(history))}"))
    (line,) = offered(type_in(capsys, f"{line} --target sensor.flow"))
    out = type_in(capsys, line)
    assert re.search(r"never seen: R2 0\.[6-9]", out)
    assert (tmp_path / "model.json").exists()


def test_a_maker_with_a_csv_of_a_german_excel(tmp_path, monkeypatch, capsys):
    """Three steps from an own CSV to an artifact: cp1252, semicolons, decimal commas, German dates, text for gaps."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(20.0, 5.0, 300)
    lines = ["Zeit;Außen (°C);Tür;Vorlauf (°C)"]
    for i, value in enumerate(x):
        flow = f"{60 - 0.8 * value:.2f}".replace(".", ",")
        outside = "k. A." if i == 7 else f"{value:.2f}".replace(".", ",")
        lines.append(f"{1 + i // 24:02d}.01.2024 {i % 24:02d}:00;{outside};{'on' if i % 5 else 'off'};{flow}")
    (tmp_path / "heizung.csv").write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))
    (line,) = offered(type_in(capsys, "edge-lasso check heizung.csv --target Vorlauf"))
    out = type_in(capsys, line)
    assert "Außen" in out
    type_in(capsys, "edge-lasso export model.json --to python --out board")
    done = subprocess.run(
        [sys.executable, "-c", "import model; print(model.predict_row({'Außen': 10.0})[0])"],
        cwd=tmp_path / "board" / "python-double", capture_output=True, text=True, check=True, env={"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert float(done.stdout) == pytest.approx(52.0, abs=0.5)


def test_a_data_scientist_with_a_fitted_pipeline(tmp_path, monkeypatch):
    """Two lines from a fitted pipeline to verified artifacts."""
    from sklearn.linear_model import LassoCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(20.0, 5.0, (300, 5)), columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), LassoCV()).fit(X, X["a"] - 2 * X["c"])

    import edge_lasso

    certificate = edge_lasso.export(pipeline, "python", "artifacts")
    assert certificate.status == "passed"


@pytest.mark.needs("cc")
def test_a_firmware_engineer_wants_a_linked_image(tmp_path, monkeypatch, capsys):
    """Four steps: train, quantize, export, and their own main() linked with the artifact by their own compiler."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(500.0, 100.0, (300, 3)).round(), columns=["adc0", "adc1", "adc2"])
    table["load"] = 0.25 * table["adc0"] - 0.5 * table["adc2"]
    table.to_csv("adc.csv", index=False)
    type_in(capsys, "edge-lasso train adc.csv --target load")
    type_in(capsys, "edge-lasso quantize model.json --to int16 --out small.json")
    type_in(capsys, "edge-lasso export small.json --to c --name scale --out firmware")
    folder = tmp_path / "firmware" / "c-fixed"
    (folder / "main.c").write_text(
        '#include "scale.h"\n#include <stdio.h>\nint main(void)\n{\n    const double readings[SCALE_INPUTS] = {500.0, 400.0};\n'
        "    int16_t q[SCALE_INPUTS];\n    uint32_t status = scale_encode(readings, q);\n"
        '    printf("%u %.3f\\n", (unsigned)status, scale_decode(scale_predict(q)));\n    return 0;\n}\n'
    )
    subprocess.run([*find_compiler(), "-std=c99", "-Os", "main.c", "scale.c", "-o", "image"], cwd=folder, check=True)
    status, value = subprocess.run([folder / "image"], check=True, capture_output=True, text=True).stdout.split()
    assert status == "0"
    assert float(value) == pytest.approx(0.25 * 500 - 0.5 * 400, abs=3.0)


def test_an_operator_watches_a_plant(tmp_path, monkeypatch, capsys):
    """Three steps: check, the line for normal operation that it offers, and yesterday's rows scored on the board's side."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 3000
    load = rng.normal(size=n)
    table = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=n, freq="min").astype(str)})
    for name in ("pump", "valve", "flow", "heat"):
        table[name] = load + rng.normal(size=n) * 0.1
    table["label"] = (rng.random(n) < 0.01).astype(int)
    table.to_csv("normal.csv", index=False)
    lines = offered(type_in(capsys, "edge-lasso check normal.csv --time time"))
    line = next(line for line in lines if line.startswith("edge-lasso watch"))
    out = type_in(capsys, f"{line} --max-coefs 8")
    assert "sensors watched" in out
    table.loc[2900:, "flow"] += 5.0
    table[2800:].to_csv("yesterday.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "edge_lasso_runtime", "score", "model.json", "yesterday.csv", "--time", "time"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"alarm": true' in done.stdout.splitlines()[-1] or '"alarm":true' in done.stdout.splitlines()[-1]
