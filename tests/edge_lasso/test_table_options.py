"""The options that say how a table is read, on the commands that take rows beside a model."""

import numpy as np
import pytest

from edge_lasso.commands.main import main

OPTIONS = ["--time", "Day,Clock", "--missing=-999", "--encoding", "cp1252"]


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A table as it comes from elsewhere, and a model of it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = ["Day;Clock;Küche (°C);Bad (°C);Strom"]
    for i in range(200):
        bath, power = rng.normal(20, 2), rng.normal(5, 1)
        kitchen = 4 + 0.5 * bath + power + rng.normal(0, 0.05)
        cells = [f"{kitchen:.2f}", "-999" if i % 40 == 7 else f"{bath:.2f}", f"{power:.2f}"]
        lines.append(f"{i // 24 + 13:02d}.01.2025;{i % 24:02d}:00;" + ";".join(cells).replace(".", ","))
    (tmp_path / "plant.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("cp1252"))
    assert main(["train", "plant.csv", "--target", "Küche", *OPTIONS, "--out", "model.json"]) == 0


EXPORT = ["export", "model.json", "--to", "python", "--data", "plant.csv", "--out", ".", "--allow-unverified"]


@pytest.mark.parametrize("command", [
    ["report", "model.json", "--data", "plant.csv"], ["drift", "model.json", "plant.csv"],
    ["quantize", "model.json", "--to", "int16", "--data", "plant.csv", "--out", "int16.json"],
    ["verify", "model.json", "python-double", "--data", "plant.csv"],
])  # fmt: skip
@pytest.mark.long
def test_every_command_reads_it(plant, command, capsys):
    if command[0] == "verify":
        assert main([*EXPORT, *OPTIONS]) == 0
    capsys.readouterr()
    status = main([*command, *OPTIONS])
    told = capsys.readouterr()
    assert status == 0 or "not executed" in told.err, told.err
    if command[0] == "quantize":
        assert "of 200 rows 0 (0 %) have a reading outside its range" in told.out
    if command[0] == "drift":
        assert "stable: no reason to retrain" in told.out
        assert "2.5%" in told.out  # what -999 stands for is missing


def test_without_them_a_sentinel_is_a_reading(plant, capsys):
    capsys.readouterr()
    assert main(["drift", "model.json", "plant.csv", "--encoding", "cp1252"]) == 0
    bath = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Bad "))
    assert bath.split()[-3:-1] == ["0.0%", "2.5%"]
