"""Draws the picture of the README: ``python docs/picture.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import edge_lasso
from edge_lasso.reporting.charts import Axes, svg_file

OUT = Path(__file__).resolve().parent / "assets" / "virtual-sensor.svg"
AIR = Path(edge_lasso.__file__).parent / "data" / "beijing_air.csv.gz"
TARGET = "Dongsi.PM2.5"
SHOWN = 14 * 24


def picture() -> str:
    """Two weeks that the model of the demo has not seen: the failed sensor, and what three others say it reads."""
    result = edge_lasso.train(AIR, TARGET, time="time", inputs="*.PM2.5", max_inputs=3, holdout=0.3)
    held = result.held
    assert held is not None
    start = int(np.argmax(np.convolve(np.abs(np.diff(held.truth[:, 0])), np.ones(SHOWN - 1), mode="valid")))
    truth, predicted = (values[start : start + SHOWN, 0] for values in (held.truth, held.prediction))
    assert held.times is not None
    hours = (held.times[start : start + SHOWN] - held.times[start]).astype("timedelta64[h]").astype(float)
    days = hours / 24.0
    axes = Axes(
        (0.0, float(days[-1])), (0.0, float(max(truth.max(), predicted.max())) * 1.1), "days", "PM2.5, µg/m³",
        "A sensor rebuilt from three others", f"{TARGET}: measured (grey) and predicted (blue), rows never seen.",
    )  # fmt: skip
    axes.line(days, truth, "truth")
    axes.line(days, predicted, "line")
    return svg_file(axes)


if __name__ == "__main__":
    OUT.write_text(picture(), encoding="utf-8")
