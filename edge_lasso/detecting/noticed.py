"""What a detector will and will not notice: the smallest bias of each sensor that raises an alarm within some rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso_runtime.detector import KEY, STRAY, sensors, watched
from edge_lasso_runtime.model import Input, Model

Array = npt.NDArray[Any]
LARGEST = 1e6
"""Of a bias, in scales of the sensor's residual; beyond, it is not noticed."""


def rows_of(section: dict[str, Any]) -> int:
    """A time constant of the evidence: within it a lasting fault has most of its effect."""
    return max(math.ceil(1.0 / float(section["smoothing"])), 1)


def smallest_biases(model: Model, rows: int) -> dict[str, float | None]:
    """The bias of each sensor from which on the score is above the threshold within so many rows, on the average.

    A bias of sensor i moves the residual of output k by ``(1 if k is of i, less the coefficients of i) bias / scale``;
    to that adds the usual evidence, 1 in the mean. What `detector` does to a residual of that size is followed row by
    row; a given row may be luckier or not. Lags are taken as they are after their length, products are left out.

    Parameters
    ----------
    model : Model
        A detector.
    rows : int

    Returns
    -------
    dict
        Sensor to its bias, in its unit; None where none is noticed: what is cut off and followed never adds up.
    """
    section = model.sections[KEY]
    scale = np.array([sensor["scale"] for sensor in section["watched"]])
    readings = watched(model)
    result: dict[str, float | None] = {}
    for name in sensors(model):
        same = {i for i, feature in enumerate(model.inputs) if name in (feature.name, _source(feature))}
        slope = np.array([float(reading == name) for reading in readings])
        for k, output in enumerate(model.outputs):
            slope[k] -= sum(term.coef for term in output.terms if {factor.input for factor in term.factors} <= same)
        slope = slope / scale
        unit = 1.0 / max(float(np.abs(slope).max()), 1e-300)
        result[name] = _least(section, slope, unit, rows)
    return result


def _source(feature: Input) -> str | None:
    """What a derived input that moves with its sensor is computed from; a difference does not stay moved."""
    return None if feature.stream is None or feature.stream[0] == "difference" else feature.stream[1]


def _least(section: dict[str, Any], slope: Array, unit: float, rows: int) -> float | None:
    """By halving, in logarithms: what a larger bias does is no less."""
    limit = section["threshold"]["score"]
    low, high = 1e-3 * unit, LARGEST * unit
    if _score(section, slope * high, rows) <= limit:
        return None
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _score(section, slope * middle, rows) > limit else (middle, high)
    return high


def _score(section: dict[str, Any], shift: Array, rows: int) -> float:
    """The largest mean score within the rows after residuals have moved."""
    smoothing, clip, track = section["smoothing"], section["clip"], section["track"]
    weight = np.array([sensor["weight"] for sensor in section["watched"]])
    slow = np.array([sensor["slow"] for sensor in section["watched"]])
    level, z, e, most = np.zeros(len(shift)), np.zeros(len(shift)), np.ones(len(shift)), 0.0
    for _ in range(rows):
        r = shift - level
        if track:
            level = level + np.clip(r, -STRAY, STRAY) * 2.0**-track
        r = np.clip(r, -clip, clip)
        z = z + (r - z) * smoothing
        q = 1.0 + ((r**2 + (z / slow) ** 2) / 2.0 if smoothing < 1.0 else r**2)
        e = e + (q - e) * smoothing
        quick = section["fast"] * (1.0 + r**2) @ weight
        most = max(most, float(e @ weight), float(quick))
    return most / float(weight.sum())
