"""How much of its proven bound each target and variant uses: the worst error seen over the bound, on real data.

    python benchmarks/quantization.py [--data ../shared/data] [--rows 500] [--targets c,onnx] [--json FILE]

A model is trained for each task; each artifact of it is run in its own runtime on rows inside the model's ranges: real
ones (a missing reading is the model's default), random ones, and corners, where every reading is at one end of its
range; among them those that push all rounding the same way. The error is that of the linear predictor against the
reference model in binary64, the bound what the artifact promises over the ranges. A ratio above 1 would be a broken
promise; the smaller it is, the more the bound gives away. Without the folder of data sets, the packaged one is used.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.csv

from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError, ExportError, SessionError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.linear_columns import linear_columns
from edge_lasso.reporting import terminal
from edge_lasso.tables.tables import model_rows
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table
from edge_lasso.verifying.executions import opened, runtimes
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Model

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parent / "edge_lasso" / "data" / "beijing_air.csv.gz"
FLOAT = ("python:double", "c:double", "c:float", "onnx:float32", "onnx:float64", *(
    f"tflite:{text}" for text in ("float32", "float16", "dynamic", "int8", "int8io", "int16x8")
))  # fmt: skip
VARIANTS = {
    "float": FLOAT,
    "float32": ("python:double", "c:float"),
    "float16": ("python:double", "c:float"),
    "int16": ("python:fixed", "c:fixed"),
    "int8": ("python:fixed", "c:fixed"),
}
"""What the coefficients are stored in, and the artifacts that are run for it."""


def tasks(folder: Path) -> Iterator[tuple[str, Model, Any]]:
    """Name, model and table of every task."""
    air = folder / "beijing_air" / "beijing_air.csv.gz"
    air = air if air.is_file() else PACKAGED
    for target, most in (("Dongsi.PM2.5", 6), ("Dongsi.PM2.5", 13), ("Dongsi.O3", 5)):
        yield _regression(f"Beijing {target}, {most} inputs", air, target, most, time="time", drop=["Dongsi.*"])
    path = folder / "appliances_energy" / "appliances_energy.csv.gz"
    if path.is_file():
        table = pa.csv.read_csv(path)
        numeric = [
            entry.name for entry in table.schema if pa.types.is_floating(entry.type) or pa.types.is_integer(entry.type)
        ]
        table = table.select(numeric)
        for target, most in (("RH_1", 10), ("T9", 10), ("Appliances", 8)):
            yield _regression(f"Appliances {target}, {most} inputs", table, target, most)
        yield _regression("Appliances T9, squares and products", table, "T9", 4, degree=2)
    path = folder / "occupancy" / "datatraining.txt"
    if path.is_file():
        trained = train_classes(path, "Occupancy", Training.of(drop=["date"], method=TrainOptions(select="min")))
        yield "Occupancy, logistic", trained.model, path
    path = folder / "tennessee_eastman" / "d00_te.dat.gz"
    if path.is_file():
        with gzip.open(path) as file:
            table = pa.table({f"x{j + 1}": column for j, column in enumerate(np.loadtxt(file).T)})
        for target in ("x9", "x20"):
            yield _regression(f"Tennessee Eastman {target}, 8 inputs", table, target, 8)


def _regression(name: str, data: Any, target: str, most: int, **how: Any) -> tuple[str, Model, Any]:
    return (
        name,
        train_table(data, target, Training.of(method=TrainOptions(max_inputs=most, select="min"), **how)).model,
        data,
    )


def rows_inside(model: Model, data: Any, count: int, signs: Sequence[np.ndarray]) -> np.ndarray:
    """Real, random and extreme rows inside the ranges."""
    low, high, rest = (
        np.array([0.0 if (value := getattr(feature, key)) is None else value for feature in model.inputs])
        for key in ("low", "high", "default")
    )
    rng = np.random.default_rng(0)
    real = model_rows(data, model)
    real = real[np.linspace(0, len(real) - 1, min(count, len(real))).astype(int)]
    real = np.clip(np.where(np.isnan(real), rest, real), low, high)
    random = low + (high - low) * rng.random((count, len(low)))
    corners = np.where(rng.random((count, len(low))) < 0.5, low, high)
    pushed = np.array([np.where(sign > 0, high, low) for entry in signs for sign in (entry, -entry)])
    return np.clip(np.concatenate([real, random, corners, pushed]), low, high)


def lost(model: Model, reduced: Model) -> list[np.ndarray]:
    """Per output and input, which way storing the coefficients moved them; and the signs of the coefficients."""
    results = []
    for before, after in zip(model.outputs, reduced.outputs, strict=True):
        for way in (lambda a, b: a - b, lambda a, b: a):
            signs = np.zeros(len(model.inputs))
            for a, b in zip(before.terms, after.terms, strict=True):
                if len(a.factors) == 1:
                    signs[a.factors[0].input] += way(a.coef, b.coef)
            results.append(signs)
    return results


def seen(name: str, reduced: Model, rows: np.ndarray, wanted: np.ndarray) -> tuple[float, str]:
    """The largest error of an artifact, and what ran it."""
    target, _, variant = name.partition(":")
    with tempfile.TemporaryDirectory() as away:
        folder = Path(away)
        files = registry.render(reduced, target, variant)
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        with opened(runtimes(target, folder, files)[0]) as session:
            got = np.array(session.linear(rows.tolist()))
            return float(np.max(np.abs(got - wanted))), session.runtime


def bound_of(name: str, reduced: Model) -> float:
    """What an artifact of a model promises against the model before it was stored in fewer bits."""
    target, _, variant = name.partition(":")
    quantized = reduced.provenance.get("quantized")
    stored = max(quantized["bounds"]) if quantized else 0.0
    if variant == "fixed":
        return stored
    promised = registry.target(target).promise(reduced, Options(variant))["bound"]
    return stored + float(promised or 0.0)


def lines(folder: Path, count: int, targets: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every artifact of every task."""
    for task, model, data in tasks(folder):
        terminal.note(f"  {task}: {len(model.inputs)} inputs")
        for stored, names in VARIANTS.items():
            try:
                reduced = model if stored == "float" else quantize(model, stored)
            except DataError as error:
                terminal.note(f"note: {task}, {stored}: {error}")
                continue
            rows = rows_inside(model, data, count, lost(model, reduced))
            wanted = linear_columns(model, list(rows.T), len(rows))[0].T
            for name in names:
                if targets and name.partition(":")[0] not in targets:
                    continue
                try:
                    error, runtime = seen(name, reduced, rows, wanted)
                except (ExportError, SessionError) as refusal:
                    terminal.note(f"note: {task}, {stored}, {name}: {refusal}")
                    continue
                yield {
                    "task": task, "stored": stored, "artifact": name, "error": error, "bound": bound_of(name, reduced),
                    "span": float(np.ptp(wanted)), "runtime": runtime, "rows": len(rows),
                }  # fmt: skip


def ratio(one: dict[str, Any]) -> float:
    """Worst seen over bound; nothing seen of a bound of nothing is 0."""
    if one["bound"] == 0.0:
        return 0.0 if one["error"] == 0.0 else float("inf")
    return float(one["error"] / one["bound"])


def show(entries: list[dict[str, Any]]) -> bool:
    """A line per kind of artifact over all tasks; whether every promise was kept."""
    rows = []
    for key in dict.fromkeys((entry["stored"], entry["artifact"]) for entry in entries):
        here = [entry for entry in entries if (entry["stored"], entry["artifact"]) == key]
        ratios = [ratio(entry) for entry in here]
        spans = [100.0 * entry["bound"] / entry["span"] for entry in here if entry["span"] > 0.0]
        middle, largest = f"{statistics.median(ratios):.3f}", f"{max(ratios):.3f}"
        if not any(ratios) and not any(entry["bound"] for entry in here):
            middle = largest = "exact"
        percent = f"{statistics.median(spans):.2g} %" if spans else "-"
        rows.append((key[1], key[0], str(len(here)), middle, largest, percent, here[0]["runtime"].split(" (")[0][:34]))
    columns = ("artifact", "stored in", "tasks", "median ratio", "largest", "bound/span", "run by")
    names = len({entry["task"] for entry in entries})
    title = f"worst error seen / proven bound, {names} tasks, linear predictor inside the ranges"
    terminal.table(title, columns, rows, text_columns=2)
    worst = max(entries, key=ratio)
    all_ratios = [ratio(entry) for entry in entries if entry["bound"] > 0.0]
    remaining = ratio(worst) <= 1.0
    which = f"{worst['artifact']} stored in {worst['stored']}, {worst['task']}"
    said = "no promise is broken" if remaining else "A PROMISE IS BROKEN"
    terminal.say(f"{len(entries)} artifacts, {sum(entry['rows'] for entry in entries):,} rows in all")
    terminal.say(f"largest {ratio(worst):.3f} ({which}), median {statistics.median(all_ratios):.3f}: {said}")
    return remaining


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=shared, help="folder of the data sets")
    parser.add_argument("--rows", type=int, default=500, help="rows of each kind")
    parser.add_argument("--targets", default="", help="only these, such as c,onnx")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    options = parser.parse_args()
    items = list(lines(options.data, options.rows, [part for part in options.targets.split(",") if part]))
    if options.json:
        options.json.write_text(json.dumps(items, indent=1) + "\n")
    return 0 if show(items) else 1


if __name__ == "__main__":
    sys.exit(main())
