"""The ranges that a fixed-point model is made for, and what it costs that readings outside them are clamped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_lasso.errors import DataError
from edge_lasso.predicting.linear_columns import linear_sums
from edge_lasso_runtime.model import Input, Model

MARGIN = 0.1


def parse_range(text: str) -> tuple[str, tuple[float, float]]:
    """Read ``NAME=LOW:HIGH``."""
    name, _, bounds = text.rpartition("=")
    low, colon, high = bounds.partition(":")
    if not (name and colon):
        raise DataError(f"range {text!r} is not NAME=LOW:HIGH, as in temperature=-40:85")
    try:
        return name, (float(low), float(high))
    except ValueError:
        raise DataError(f"range {text!r}: {bounds!r} is not LOW:HIGH with two numbers, as in {name}=0:500") from None


def parse_quantiles(text: str) -> tuple[float, float]:
    """Read ``LOW:HIGH``, two shares of the readings."""
    low, _, high = text.partition(":")
    try:
        pair = float(low), float(high)
    except ValueError:
        pair = math.nan, math.nan
    if not 0.0 <= pair[0] < pair[1] <= 1.0:
        raise DataError(f"quantiles {text!r} are not LOW:HIGH between 0 and 1, as in 0.001:0.999")
    return pair


def with_ranges(model: Model, declared: Mapping[str, tuple[float, float]] | None, margin: float) -> Model:
    """Give every numeric input its final range.

    A declared range is taken as it is. Any other is the training range, widened on both sides by `margin` times its
    width; a side that does not cross zero in training does not cross it through the margin.

    Raises
    ------
    DataError
        For an unknown name; a range that is empty, inverted, infinite, without the default or too large for the model.
    """
    declared = dict(declared or {})
    known = {feature.name: feature for feature in model.inputs}
    for name in declared:
        if name not in known:
            near = get_close_matches(name, list(known), 1, 0.5)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise DataError(f"a range is declared for {name!r}, which is not an input of the model{hint}")
        if known[name].categories is not None:
            raise DataError(f"a range is declared for {name!r}, which is categorical; categories have no range")
        stream = known[name].stream
        if stream is not None and not _has_range(known[name]):
            raise DataError(f"a range is declared for {name!r}, which is computed from {stream[1]!r} and has its range")
    if not 0.0 <= margin < math.inf:
        raise DataError(f"margin is {margin!r}; it must be 0 or more, as in 0.1 for 10 % on both sides")
    limit = model.limit
    own = {
        feature.name: _with_range(feature, declared.get(feature.name), margin, limit)
        for feature in model.inputs
        if _has_range(feature)
    }
    return model.replace(
        inputs=tuple(own.get(feature.name) or _of_source(feature, own, limit) for feature in model.inputs)
    )


def _has_range(one: Input) -> bool:
    """Whether an input has a range of its own."""
    return one.stream is None or one.stream[0] == "difference"


def _of_source(one: Input, own: Mapping[str, Input], limit: float) -> Input:
    """A lag or a mean of a reading lies where the reading does."""
    assert one.stream is not None
    source = own[one.stream[1]]
    assert source.low is not None
    assert source.high is not None
    return _with_range(one, (source.low, source.high), 0.0, limit)


def _with_range(one: Input, declared: tuple[float, float] | None, margin: float, limit: float) -> Input:
    if one.categories is not None:
        return one
    assert one.low is not None
    assert one.high is not None
    assert one.default is not None
    low, high = (float(end) for end in declared) if declared else _widened(one.low, one.high, margin)
    text = f"the range {low!r} to {high!r} of input {one.name!r}"
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{text} is not finite; declare one like {one.name}=0:100")
    if low >= high:
        what = "is empty" if low == high else "is inverted"
        raise DataError(f"{text} {what}; declare one with LOW below HIGH, like {one.name}=0:100")
    if max(-low, high) > limit:
        raise DataError(f"{text} goes beyond what this model accepts as a reading (+-{limit!r})")
    if not low <= one.default <= high:
        raise DataError(
            f"{text} does not hold its default {one.default!r}, the training mean, which stands in for missing "
            "readings; declare a range that holds it"
        )
    return one.replace(low=low, high=high)


def _widened(low: float, high: float, margin: float) -> tuple[float, float]:
    extra = (high - low) * margin
    return (
        max(low - extra, 0.0) if low >= 0.0 else low - extra,
        min(high + extra, 0.0) if high <= 0.0 else high + extra,
    )


def quantile_ranges(
    model: Model, rows: ArrayLike, lower: float = 0.001, upper: float = 0.999
) -> dict[str, tuple[float, float]]:
    """Ranges that hold all but the given share of the readings, to be declared to `quantize`.

    Parameters
    ----------
    model : Model
    rows : array of shape (n, inputs)
        Readings in the order of the model's inputs; NaN is missing.
    lower, upper : float
        Quantiles.

    Returns
    -------
    dict
        Input name to (low, high), widened where needed to hold the default; only inputs with two different quantiles.
        Lags and means have the range of their reading.
    """
    result = {}
    for feature, column in zip(model.inputs, _columns(model, rows), strict=True):
        readings = column[np.isfinite(column)]
        if feature.categories is not None or not len(readings) or not _has_range(feature):
            continue
        assert feature.default is not None
        low, high = (float(q) for q in np.quantile(readings, (lower, upper)))
        low, high = min(low, feature.default), max(high, feature.default)
        if low < high:
            result[feature.name] = (low, high)
    return result


@dataclass(frozen=True)
class Saturation:
    """What clamping to the ranges does on given rows.

    Parameters
    ----------
    rows : int
    below, above, missing : dict
        Input name to the number of readings below or above the range, or missing.
    rows_affected : int
        Rows with at least one reading outside its range.
    largest, rms : list of float
        Per output: the largest and the root mean square (over all rows) of |clamped - unclamped| linear predictor.
    """

    rows: int
    below: dict[str, int]
    above: dict[str, int]
    missing: dict[str, int]
    rows_affected: int
    largest: list[float]
    rms: list[float]


def saturation(model: Model, rows: ArrayLike) -> Saturation:
    """Count on data what the model's ranges cut off, and what that changes in the prediction.

    Parameters
    ----------
    model : Model
    rows : array of shape (n, inputs)
        Readings in the order of the model's inputs; NaN is missing.
    """
    columns = _columns(model, rows)
    limit = model.limit
    free: list[NDArray[np.float64]] = []
    clamped: list[NDArray[np.float64]] = []
    below, above, missing = {}, {}, {}
    n = len(columns[0]) if columns else 0
    affected = np.zeros(n, dtype=bool)
    for feature, column in zip(model.inputs, columns, strict=True):
        if feature.categories is not None:
            known = np.isin(column, np.arange(len(feature.categories)))
            missing[feature.name] = int((~known).sum())
            free.append(np.where(known, column, -1.0))
            clamped.append(free[-1])
            continue
        known = np.abs(column) <= limit
        assert feature.default is not None
        x = np.where(known, column, feature.default)
        low, high = x < feature.low, x > feature.high
        below[feature.name], above[feature.name] = int(low.sum()), int(high.sum())
        missing[feature.name] = int((~known).sum())
        affected |= low | high
        free.append(x)
        clamped.append(np.clip(x, feature.low, feature.high))
    changes = [np.abs(a - b) for a, b in zip(linear_sums(model, clamped, n), linear_sums(model, free, n), strict=True)]
    return Saturation(
        n,
        below,
        above,
        missing,
        int(affected.sum()),
        [float(change.max(initial=0.0)) for change in changes],
        [float(np.sqrt(np.mean(change**2))) if n else 0.0 for change in changes],
    )


def _columns(model: Model, rows: ArrayLike) -> list[NDArray[np.float64]]:
    data: NDArray[np.float64] = np.asarray(rows, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] != len(model.inputs):
        raise DataError(f"rows have shape {data.shape}; expected (n, {len(model.inputs)}): the model's inputs in order")
    return list(data.T)
