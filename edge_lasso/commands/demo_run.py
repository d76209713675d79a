"""`edge-lasso demo`: station Dongsi's PM2.5 sensor has failed; rebuild it on a Raspberry Pi from the eleven others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path
from time import perf_counter

import numpy as np

from edge_lasso.compressing.prune import prune
from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError, ExportError
from edge_lasso.measuring.bench import bench
from edge_lasso.measuring.measurement import Measurement
from edge_lasso.measuring.peers import peers
from edge_lasso.paths.options import TrainOptions
from edge_lasso.reporting import terminal
from edge_lasso.reporting.facts import number
from edge_lasso.reporting.page import render, shares
from edge_lasso.reporting.report_data import ReportData
from edge_lasso.reporting.show import importance, show_terms
from edge_lasso.reporting.show_measured import show_certificate, show_measurements
from edge_lasso.statistics.beside import save_both
from edge_lasso.tables.tables import open_table
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import Held, TrainResult, train_table
from edge_lasso.verifying.certificate import CERTIFICATE, Certificate
from edge_lasso.verifying.materials import BILL, CARD
from edge_lasso.verifying.verify import export
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model
from edge_lasso_runtime.atomic import Together, json_bytes, together

TARGET = "Dongsi.PM2.5"
UNIT = "ug/m3"
STORY = "Station Dongsi's PM2.5 sensor has failed; this model rebuilds it from the eleven other stations of Beijing."
MAX_INPUTS = 6
MAX_LOSS = 2.0
SECONDS = 1.5
FLOAT_TARGETS = ("python", "c:double", "c:float", "onnx", "tflite")
FIXED_TARGETS = ("python:fixed", "c:fixed")


def demo(out: Path) -> int:
    """Run the whole way on the bundled data.

    Parameters
    ----------
    out : path
        Made if need be; an earlier demo in it is replaced.

    Returns
    -------
    int
        Exit status: 0, or 1 when an artifact failed verification.
    """
    started = perf_counter()
    _prepare(out)
    source = Path(str(resources("edge_lasso").joinpath("data/beijing_air.csv.gz")))
    terminal.say(STORY)
    with _step("train", "on the first 70 % of the hours, forward-chained folds, at most 6 of 121 inputs"):
        result = _train(source)
    model = prune(result.model, result.folds, max_loss=MAX_LOSS)
    fixed = quantize(model, "int16")
    assert result.held is not None
    held = _again(model, result, source)
    _say_quality(result, model, fixed, held)
    show_terms(model, importance(model, result.folds))
    with together(out) as files:
        save_both(model, result.folds, out / "model.json", files)
        save_both(fixed, None, out / "model-int16.json", files)
        with _step("export and verify", "each artifact in its own runtime, against the reference"):
            certificate = _export(model, fixed, source, files)
        show_certificate(certificate, as_json=False)
        with _step("measure", "on this machine, beside scikit-learn and skl2onnx with onnxruntime"):
            measurements = _measure(result, source, Path(files.path("artifacts")))
        show_measurements(measurements)
        figures = [measurement.to_json() for measurement in measurements]
        files.write("measurements.json", json_bytes(figures))
        page = ReportData(
            fixed, STORY, result.fits[0], importance(model, result.folds), shares(model, result.folds), held,
            [certificate], figures,
        )  # fmt: skip
        files.write("report.html", render(page).encode())
    terminal.say(f"{out}/ holds the models, artifacts/, certificate.json, measurements.json and report.html")
    terminal.say(f"done in {perf_counter() - started:.0f} s; open {out}/report.html")
    return 1 if certificate.status == "failed" else 0


def _prepare(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; --out wants a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "model.json").exists():
        raise DataError(f"{out} holds something else than a demo; choose another folder with --out")
    out.mkdir(parents=True, exist_ok=True)


@contextmanager
def _step(what: str, how: str) -> Iterator[None]:
    started = perf_counter()
    yield
    terminal.note(f"[{perf_counter() - started:5.1f} s] {what}: {how}")


def _train(source: Path) -> TrainResult:
    options = TrainOptions(select="min", max_inputs=MAX_INPUTS, workers=os.cpu_count() or 1)
    with terminal.progress("reading") as advance:
        result = train_table(
            source, TARGET, Training.of(time="time", drop=["Dongsi.*"], holdout=0.3, method=options), progress=advance
        )
    model = result.model
    inputs = tuple(feature.replace(unit=_unit(feature.name)) for feature in model.inputs)
    outputs = tuple(output.replace(unit=UNIT) for output in model.outputs)
    return replace(result, model=model.replace(inputs=inputs, outputs=outputs))


def _unit(name: str) -> str:
    units = {"TEMP": "C", "PRES": "hPa", "DEWP": "C", "RAIN": "mm", "WSPM": "m/s"}
    return units.get(name.rsplit(".", 1)[-1], UNIT)


def _again(model: Model, result: TrainResult, source: Path) -> Held:
    """The pruned model on the same held-out hours."""
    from edge_lasso.predicting.predict_table import linear_rows
    from edge_lasso.tables.tables import model_rows

    assert result.held is not None
    if model.outputs == result.model.outputs:
        return result.held
    table = open_table(source)
    truth = np.concatenate([numbers for numbers, _ in table.batches([TARGET])])[:, 0]
    rows = model_rows(table, model)[np.isfinite(truth)][-len(result.held.truth) :]
    return replace(result.held, prediction=linear_rows(model, rows)[0])


def _say_quality(result: TrainResult, model: Model, fixed: Model, held: Held) -> None:
    quality = held.quality()
    bound = fixed.sections["fixed_point/1"]["outputs"][0]["bound"]
    for line in result.notes:
        terminal.note(f"note: {line}")
    pruned = model.provenance["pruned"]
    terminal.say(
        f"trained: {len(result.model.inputs)} of {len(model.columns)} inputs ({result.fits[0].method}); pruned: "
        f"{len(model.inputs)} ({', '.join(pruned['dropped']) or 'nothing'} dropped, cross-validated squared error "
        f"{pruned['error_rise_percent']:+.1f} %)"
    )
    terminal.say(
        f"on the last {quality['rows']:,.0f} hours, never seen: "
        f"R2 {quality['r2']:.4f}, RMSE {number(quality['rmse'])} {UNIT}"
    )
    terminal.say(f"as int16 it errs by at most {number(bound)} {UNIT} more, proven for every reading within its ranges")


def _export(model: Model, fixed: Model, source: Path, files: Together) -> Certificate:
    """Two exports, one for the float artifacts and one for the integer ones, and one certificate of both."""
    missing = []
    targets = []
    for name in FLOAT_TARGETS:
        try:
            registry.target(name.partition(":")[0])
            targets.append(name)
        except ExportError as error:
            missing.append(str(error))
    folder = Path(files.path("artifacts"))
    result = [
        export(entry, some, folder, name="dongsi", data=source, allow_unverified=True)
        for entry, some in ((model, targets), (fixed, FIXED_TARGETS))
    ]
    for line in missing:
        terminal.note(f"note: {line}")
    for name in (CERTIFICATE, BILL, CARD):  # each of the model that was exported last
        (folder / name).unlink(missing_ok=True)
    whole = replace(result[0], artifacts=(*result[0].artifacts, *result[1].artifacts))
    certificates = [entry.to_json() for entry in result]
    files.write(CERTIFICATE, json_bytes(certificates))
    return whole


def _measure(result: TrainResult, source: Path, folder: Path) -> list[Measurement]:
    artifacts = sorted(folder.glob("*/artifact.json"))
    outcome = bench([artifact.parent for artifact in artifacts], seconds=SECONDS)
    table = open_table(source)
    columns = list(result.model.columns)
    blocks = np.concatenate([numbers for numbers, _ in table.batches([*columns, TARGET])])
    rows = blocks[np.isfinite(blocks[:, -1])][:5000]
    deviation = float(np.std(rows[:, -1]))
    alpha = result.fits[0].alpha / max(deviation, 1e-12)
    return [*outcome, *peers(rows[:, :-1], rows[:, -1], min(max(alpha, 0.01), 1.0))]
