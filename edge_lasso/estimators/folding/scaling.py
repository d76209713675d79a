"""Scalers: a column times a factor plus a shift."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.bending import clip_all
from edge_lasso.estimators.folding.columns import ONE, ZERO, Column, decimals, scaled
from edge_lasso.estimators.folding.registry import REFUSED, Fold, step

QUARTILES = 3.0
"""Interquartile ranges around a median that count as an input's range."""

REFUSED.update(
    Normalizer="each row is divided by its own length, which is no sum of terms; use StandardScaler",
    PowerTransformer="a power of a reading is no sum of terms; compute it before the table, or use StandardScaler",
    QuantileTransformer="it has a curve of up to 1,000 pieces for each reading; use KBinsDiscretizer or StandardScaler",
    KernelCenterer="kernels are made of training rows, which a sparse model does not carry",
)


@step("sklearn.preprocessing._data.StandardScaler")
def standard(scaler: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """``(x - mean) / scale``."""
    for j, column in enumerate(columns if scaler.mean_ is not None else ()):
        deviation = None if scaler.var_ is None else float(np.sqrt(scaler.var_[j]))
        fold.readings.learn(column, mean=scaler.mean_[j], deviation=deviation)
    return _scale(columns, scaler.mean_ if scaler.with_mean else None, scaler.scale_)


@step("sklearn.preprocessing._data.RobustScaler")
def robust(scaler: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """``(x - median) / interquartile range``."""
    if scaler.with_centering and scaler.with_scaling:
        for j, column in enumerate(columns):
            reach = QUARTILES * scaler.scale_[j]
            center = scaler.center_[j]
            fold.readings.learn(column, mean=center, deviation=reach / 4.0)
    return _scale(
        columns, scaler.center_ if scaler.with_centering else None, scaler.scale_ if scaler.with_scaling else None
    )


@step("sklearn.preprocessing._data.MaxAbsScaler")
def largest(scaler: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """``x / max |x|``."""
    for column, most in zip(columns, scaler.max_abs_, strict=True):
        fold.readings.learn(column, low=-most, high=most)
    result = _scale(columns, None, scaler.scale_)
    if not getattr(scaler, "clip", False):
        return result
    return clip_all(scaler, result, [-ONE] * len(result), [ONE] * len(result), fold)


@step("sklearn.preprocessing._data.MinMaxScaler")
def between(scaler: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """``x * scale + min``."""
    for column, low, high in zip(columns, scaler.data_min_, scaler.data_max_, strict=True):
        fold.readings.learn(column, low=low, high=high)
    result = [
        scaled(column, factor, shift)
        for column, factor, shift in zip(columns, decimals(scaler.scale_), decimals(scaler.min_), strict=True)
    ]
    if not scaler.clip:
        return result
    low, high = decimals(scaler.feature_range)
    return clip_all(scaler, result, [low] * len(result), [high] * len(result), fold)


def _scale(columns: list[Column], shift: Any, scale: Any) -> list[Column]:
    shifts: list[Decimal] = [ZERO] * len(columns) if shift is None else decimals(shift)
    scales: list[Decimal] = [ONE] * len(columns) if scale is None else decimals(scale)
    return [scaled(column, ONE / d, -s / d) for column, s, d in zip(columns, shifts, scales, strict=True)]
