"""The search: what it chooses keeps the budgets, nothing on the front is beaten, and refusals name the nearest miss."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import BoardError, DataError
from edge_lasso.measuring.measurement import Measurement
from edge_lasso.measuring.prices import Prices, read_prices
from edge_lasso.measuring.search import COSTS, knee, rounded_up, search, sized_models
from edge_lasso.paths.options import TrainOptions
from edge_lasso.reporting.show_search import show_front
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso_devices.boards import load_board
from edge_lasso_runtime import load

pytestmark = pytest.mark.needs("avr-gcc", "cc")


@pytest.fixture(scope="module")
def table():
    import pyarrow as pa

    rng = np.random.default_rng(8)
    X = rng.normal(20.0, 5.0, (600, 10))
    columns = {f"s{j}": X[:, j] for j in range(10)}
    columns["y"] = X[:, :4] @ np.array([2.0, -1.0, 0.5, 0.2]) + rng.normal(0.0, 0.3, 600)
    return pa.table(columns)


@pytest.fixture(scope="module")
def statistics(table):
    return train_table(table, "y").folds


@pytest.fixture(scope="module")
def front(statistics):
    return search(statistics, load_board("arduino-uno"), {"flash_bytes": 900.0})


def test_models_of_growing_size_err_less(statistics):
    found = sized_models(statistics, 6)
    sizes = [len(model.inputs) for model, _ in found]
    errors = [error for _, error in found]
    assert sizes == sorted(set(sizes))
    assert sizes[:4] == [1, 2, 3, 4]
    assert errors[:4] == sorted(errors[:4], reverse=True)
    assert errors[3] == pytest.approx(0.3, abs=0.05)


def test_missing_inputs_are_estimated_as_a_trained_model_does(table, statistics):
    trained = train_table(table, "y", Training.of(method=TrainOptions(select="min", max_inputs=4))).model
    found = {len(model.inputs): model for model, _ in sized_models(statistics, 4)}
    assert found[4].sections["estimate/1"] == trained.sections["estimate/1"]
    assert not found[1].sections
    assert not any(model.sections for model, _ in sized_models(statistics, 3, estimate=False))


def test_the_choice_is_the_most_accurate_that_keeps_the_budgets(front):
    fitting = [candidate for candidate in front.candidates if candidate.cost("flash_bytes") <= 900]
    assert 0 < len(fitting) < len(front.candidates)
    assert front.choice.error == min(candidate.error for candidate in fitting)
    assert front.choice.artifact == "c:float"
    assert {front.choice.kind("cycles"), front.choice.kind("p50_us")} == {"emulated", "modelled"}


def test_integers_are_counted_from_readings_to_values(front):
    """Their sums alone would keep a budget that no program of float readings keeps."""
    integers = [candidate for candidate in front.candidates if candidate.artifact == "c:fixed"]
    for candidate in integers:
        kernel = next(value for entry in candidate.measurements if (value := entry.value("kernel_flash_bytes")))
        assert 0 < kernel < candidate.cost("flash_bytes") / 4


def test_nothing_on_the_front_is_beaten_and_everything_else_is(front):
    def beaten(one):
        return any(
            other.error <= one.error
            and other.inputs <= one.inputs
            and all(other.cost(key) <= one.cost(key) for key in COSTS if one.cost(key) is not None)
            and other is not one
            for other in front.candidates
        )

    assert not any(beaten(one) for one in front.best)
    assert all(beaten(one) for one in front.candidates if one not in front.best)
    assert front.knee in front.best
    assert knee(front.best) is front.knee


def test_the_proven_bound_is_part_of_the_error(front):
    exact = {one.inputs: one.error - one.bound for one in front.candidates if one.precision == "float"}
    for one in front.candidates:
        assert one.error - one.bound == pytest.approx(exact[one.inputs])
        assert one.bound > 0.0


def test_no_candidate_keeps_an_impossible_budget(statistics):
    found = search(statistics, load_board("arduino-uno"), {"cycles": 5.0, "inputs": 1.0}, max_inputs=2)
    assert found.choice is None
    assert found.missed.startswith("no candidate keeps every budget; the nearest is 1 inputs")
    assert "; no candidate needs less than cycles=" in found.missed
    enough = dict(re.findall(r"--budget (\w+)=(\S+?)(?:;|$| )", found.missed))
    assert list(enough) == ["cycles"]
    limits = {"inputs": 1.0, **{key: float(value) for key, value in enough.items()}}
    assert search(statistics, load_board("arduino-uno"), limits, max_inputs=2).choice is not None


@pytest.mark.slow
def test_the_command(table, tmp_path, monkeypatch, capsys):
    import pyarrow.csv

    monkeypatch.chdir(tmp_path)
    pyarrow.csv.write_csv(table, "data.csv")
    arguments = ["search", "data.csv", "--target", "y", "--board", "arduino-uno", "--max-inputs", "3"]
    assert main([*arguments, "--budget", "flash_bytes=900", "--out", "uno"]) == 0
    assert "choice" in capsys.readouterr().out
    front = json.loads((tmp_path / "uno" / "front.json").read_text())
    [choice] = [one for one in front["candidates"] if one["choice"]]
    assert [one.name for one in load("uno/model.json").inputs] == choice["inputs"]
    assert (tmp_path / "uno" / "artifacts" / "c-float").is_dir()
    assert "estimate/1" in load("uno/model.json").sections
    ElementTree.parse(tmp_path / "uno" / "front.svg")
    assert main(["export", "uno/model.json", "--to", "c:double", "--out", "uno/artifacts"]) == 0
    capsys.readouterr()
    assert main([*arguments, "--sections", "none", "--out", "uno"]) == 0
    assert not load("uno/model.json").sections
    assert "uno/artifacts/c-double is of an earlier model" in capsys.readouterr().err
    assert main([*arguments, "--budget", "cycles=5", "--out", "none"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "none").exists()
    for wrong, said in (
        (("--budget", "flashes=1"), "is unknown"),
        (("--cv", "0"), "--cv is 0; search compares models by cross-validation"),
        (("--max-inputs", "0"), "--max-inputs is 0; it must be 1 or more"),
        (("--sections", "drift"), "search takes estimate or none"),
    ):
        assert main([*arguments, *wrong, "--out", "none"]) == 2
        found = capsys.readouterr()
        assert said in found.err
        assert found.err.count("\n") == 1


LINUX = pytest.mark.needs("module:onnx", "module:flatbuffers")


def two_of(board, statistics, monkeypatch, without):
    """A search of two sizes where an emulator or a runtime is not to be had; no C, which compiles for long."""
    from edge_lasso.measuring import board_costs
    from edge_lasso.measuring import search as module
    from edge_lasso_devices.qemu import QemuShell

    def refuse(*_):
        raise BoardError(without)

    kept = {key: tuple(a for a in value if not a.startswith("c:")) for key, value in module.PRECISIONS.items()}
    monkeypatch.setattr(module, "PRECISIONS", kept)
    monkeypatch.setattr(board_costs.Emulators if "qemu" in without else QemuShell, "_shell" if "qemu" in without else "install", refuse)  # fmt: skip
    return search(statistics, load_board(board), {"inputs": 1.0}, max_inputs=2)


@LINUX
def test_what_cannot_be_emulated_has_a_kept_count_and_says_so(statistics, monkeypatch):
    front = two_of("pi-4b", statistics, monkeypatch, "link 'qemu:arm64' needs qemu-aarch64; install Debian's qemu-user")
    found = {one.artifact for one in front.candidates}
    assert found == {"onnx:float32", "onnx:float64", *(f"tflite:{v}" for v in ("float32", "float16", "dynamic", "int8", "int16x8"))}  # fmt: skip
    for one in front.candidates:
        assert one.kind("instructions") == one.kind("p50_us") == "modelled"
        assert "calibrated" in one.source("instructions")["of"]
        assert "needs qemu-aarch64" in one.source("instructions")["of"]
        assert one.kind("size_bytes") == "measured"
        assert one.bound > 0.0
    by_name = {(one.artifact, one.inputs): one for one in front.candidates}
    assert by_name["tflite:int8", 2].bound > by_name["tflite:float32", 2].bound
    assert by_name["onnx:float64", 2].bound < by_name["onnx:float32", 2].bound
    assert any("needs qemu-aarch64" in why for _, why in front.lost)  # python has no kept count


@LINUX
def test_a_board_without_wheels_gets_none(statistics, monkeypatch):
    with pytest.raises(DataError, match="nothing could be counted for pi-zero-w: link 'qemu:armel' needs qemu-arm"):
        two_of("pi-zero-w", statistics, monkeypatch, "link 'qemu:armel' needs qemu-arm; install Debian's qemu-user")


def test_counted_and_calibrated_figures_have_columns_of_their_own(statistics, monkeypatch, capsys):
    front = two_of("pi-4b", statistics, monkeypatch, "link 'qemu:arm64' needs qemu-aarch64; install Debian's qemu-user")
    counted = Measurement("x", "pi-4b", "emulated", "", {"instructions": {"value": 5.0, "kind": "emulated"}})
    mixed = (replace(front.best[0], measurements=(counted,)), *front.best[1:])
    show_front(replace(front, best=mixed), load_board("pi-4b"), False)
    head = " ".join(capsys.readouterr().out.partition("\npi")[0].split())
    assert head.count("instr.,") == 2
    assert head.count("emulated") == 1


@pytest.mark.parametrize("value", [0.0123456, 1.0, 3.14159, 12.3456, 999.94, 1234.2, 80.0, 0.1])
def test_a_budget_rounded_up_is_kept_and_near(value):
    assert value <= float(rounded_up(value)) <= value * 1.001 + (value >= 1000.0)


def test_energy_is_time_times_what_the_board_draws(front):
    power = load_board("arduino-uno").active_mw
    for candidate in front.candidates:
        assert candidate.kind("energy_nj") == "modelled"
        assert candidate.cost("energy_nj") == pytest.approx(candidate.cost("p50_us") * power.value)
        assert power.source in candidate.source("energy_nj")["of"]


def test_a_million_rows_have_a_price(statistics, front):
    board = load_board("arduino-uno")
    priced = search(statistics, board, max_inputs=2, prices=Prices("EUR", kwh=0.36, hour=0.001))
    for candidate in priced.candidates:
        hours, kwh = candidate.cost("p50_us") / 3600.0, candidate.cost("energy_nj") / 3.6e9
        assert candidate.cost("price") == pytest.approx(hours * 0.001 + kwh * 0.36)
        assert candidate.kind("price") == "modelled"
    assert all(candidate.cost("price") is None for candidate in front.candidates)
    silent = search(statistics, replace(board, active_mw=None), max_inputs=1, prices=Prices("EUR", kwh=0.36))
    assert all(candidate.cost("price") is None for candidate in silent.candidates)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kwh = 0.3", "currency must be a text"),
        ('currency = "EUR"', "has no price; state kwh"),
        ('currency = "EUR"\nkwh = -1', "kwh is -1; it must be a number of 0 or more"),
        ('currency = "EUR"\nkwh = nan', "kwh is nan; it must be"),
        ('currency = "EUR"\nwatt = 3', "watt is unknown; allowed are currency, kwh, hour"),
        ("currency", "cannot be read as prices"),
    ],
)
def test_prices_that_are_none_are_refused(tmp_path, text, said):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(DataError, match=re.escape(said)):
        read_prices(tmp_path / "prices.toml")


def test_prices_from_a_file(tmp_path):
    (tmp_path / "prices.toml").write_text('currency = "EUR"\nkwh = 0.36\n')
    assert read_prices(tmp_path / "prices.toml") == Prices("EUR", 0.36, 0.0)
