"""Missing sensors on real rows: their default alone against the estimate from the others that travels in the model.

    python benchmarks/missing_inputs.py [--data TABLE] [--json FILE]

The demo's six stations predict Dongsi's PM2.5 in the last 30 % of the hours, row by row as on a board
(`edge_lasso_runtime.step`). Predicted: what the model file states, sqrt(residual + loss).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.reporting import terminal
from edge_lasso.tables.survey import survey
from edge_lasso.tables.tables import model_rows, open_table
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.step import start, step

DATA = Path(__file__).parent.parent / "edge_lasso" / "data" / "beijing_air.csv.gz"
TARGET = "Dongsi.PM2.5"
HOLDOUT = 0.3


def trained(data: Path) -> tuple[Model, Any, Any]:
    """The model, and inputs and truth of the rows that it has not seen."""
    table = open_table(data)
    options = TrainOptions(select="min", max_inputs=6)
    result = train_table(table, TARGET, Training.of(time="time", drop=["Dongsi.*"], holdout=HOLDOUT, method=options))
    model = result.model
    model = model.replace(sections={"estimate/1": model.sections["estimate/1"]})  # no other reason to leave a row
    rows = survey(table, [TARGET], "time", [], HOLDOUT)
    at = rows.rows(rows.kept, rows.used)
    truth = np.concatenate([numbers for numbers, _ in table.batches([TARGET])])[:, 0]
    return model, model_rows(table, model)[at], truth[at]


def on_a_board(model: Model, rows: Any) -> Any:
    """Predictions row by row, missing readings estimated."""
    state = start(model)
    results = []
    for row in rows.tolist():
        result, state = step(model, state, row)
        results.append(result.values[0])
    return np.array(results)


def scores(prediction: Any, truth: Any) -> tuple[float, float]:
    """R2 and RMSE."""
    error = prediction - truth
    return float(1.0 - np.mean(error**2) / np.var(truth)), float(np.sqrt(np.mean(error**2)))


def measure(model: Model, rows: Any, truth: Any, lost: Sequence[int]) -> list[float]:
    """R2 at the default, R2 and RMSE with the estimate, RMSE predicted."""
    gappy = rows.copy()
    gappy[:, list(lost)] = np.nan
    section, k = model.sections["estimate/1"], len(model.inputs)
    inverse = np.zeros((k, k))
    inverse[np.tril_indices(k)] = section["inverse"]
    inverse += np.tril(inverse, -1).T
    w = np.zeros(k)
    for term in model.outputs[0].terms:
        w[term.factors[0].input] = term.coef
    w = w[list(lost)]
    grown = w @ np.linalg.solve(inverse[np.ix_(lost, lost)], w) if len(lost) else 0.0
    return [
        scores(linear_rows(model, gappy)[0][:, 0], truth)[0],
        *scores(on_a_board(model, gappy), truth),
        float(np.sqrt(section["residual"][0] + grown)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model, rows, truth = trained(options.data)
    complete = ~np.isnan(rows).any(axis=1)
    everything, known = rows[complete], truth[complete]
    every = range(len(model.inputs))
    lines = {"nothing": measure(model, everything, known, [])}
    for i in every:
        lines[model.inputs[i].name] = measure(model, everything, known, [i])
    for count in (3, len(model.inputs) - 1):
        some = [measure(model, everything, known, lost) for lost in combinations(every, count)]
        lines[f"any {count} (median of {len(some)})"] = np.median(some, axis=0).tolist()
    for name, chosen in (("rows with real gaps", ~complete), ("all rows", complete | True)):
        lines[name] = [*measure(model, rows[chosen], truth[chosen], [])[:3], float("nan")]
    counts = f"{complete.sum():,} complete rows, {(~complete).sum():,} with gaps"
    table = [
        (name, f"{plain:.4f}", f"{r2:.4f}", f"{rmse:.2f}", "" if predicted != predicted else f"{predicted:.2f}")
        for name, (plain, r2, rmse, predicted) in lines.items()
    ]
    columns = ("missing", "R2, defaults", "R2, estimated", "RMSE", "predicted")
    terminal.table(f"{TARGET} from {len(model.inputs)} stations, rows never seen: {counts}", columns, table)
    if options.json:
        keys = ("r2_default", "r2_estimated", "rmse_estimated", "rmse_predicted")
        figures = {
            name: {key: value for key, value in zip(keys, line, strict=True) if value == value}
            for name, line in lines.items()
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
