"""Functions of scikit-learn's FunctionTransformer that are sums of terms."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.bending import absolute, clip_all
from edge_lasso.estimators.folding.columns import ONE, ZERO, Column, filled, multiply, scaled
from edge_lasso.estimators.folding.registry import Fold, step

AS_IT_IS = (None, np.asarray, np.array, np.asanyarray, np.ascontiguousarray, np.positive, np.copy, float)
CURVES = {
    "log": "a logarithm", "log1p": "a logarithm", "log10": "a logarithm", "log2": "a logarithm", "sqrt": "a root",
    "cbrt": "a root", "exp": "an exponential", "expm1": "an exponential", "sin": "a sine", "cos": "a cosine",
    "tanh": "a curve", "reciprocal": "a quotient",
}  # fmt: skip
INSTEAD = "give the column {}(x) to the pipeline instead of x"
CLIP = ("a_min", "a_max", "min", "max")
PIECES = ("sign", "maximum", "minimum", "round", "floor", "ceil", "heaviside")


@step("sklearn.preprocessing._function_transformer.FunctionTransformer")
def function(transformer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """A known function on each column."""
    func, options = transformer.func, transformer.kw_args or {}
    if func in AS_IT_IS and not options:
        return columns
    if func is np.negative and not options:
        return [scaled(column, -ONE) for column in columns]
    if func is np.square and not options:
        return [multiply(column, column) for column in columns]
    if func is np.nan_to_num and set(options) <= {"nan", "copy"}:
        full = [filled(column, Decimal(float(options.get("nan", 0.0)))) for column in columns]
        if any(column is None for column in full):
            raise fold.refuse(transformer, "it fills a column that is made of several readings; fill before that step")
        return [column for column in full if column is not None]
    if func in (np.abs, np.fabs) and not options:
        return absolute(transformer, columns, fold)
    if func is np.clip and set(options) <= set(CLIP):
        low, high = (_end(transformer, options, names, len(columns), fold) for names in (CLIP[::2], CLIP[1::2]))
        return clip_all(transformer, columns, low, high, fold)
    if func in (np.deg2rad, np.radians, np.rad2deg, np.degrees) and not options:
        factor = Decimal(float(func(1.0)))
        return [scaled(column, factor, ZERO) for column in columns]
    raise fold.refuse(transformer, _why(func))


def _end(
    transformer: Any, options: dict[str, Any], names: Sequence[str], count: int, fold: Fold
) -> list[Decimal | None]:
    """One end of `np.clip` for each column."""
    values = [options[name] for name in names if options.get(name) is not None]
    if not values:
        return [None] * count
    ends = np.asarray(values[0], dtype=np.float64)
    if ends.ndim and ends.shape != (count,):
        raise fold.refuse(transformer, f"np.clip has ends of shape {ends.shape} for {count} columns")
    return [Decimal(float(end)) if np.isfinite(end) else None for end in np.broadcast_to(ends, count)]


def _why(func: Any) -> str:
    name = getattr(func, "__name__", type(func).__name__)
    if name in CURVES:
        return f"{name} is {CURVES[name]}, which is no sum of terms; {INSTEAD.format(name)}"
    if name in PIECES:
        return f"{name} has pieces that are not folded; {INSTEAD.format(name)}"
    named = "a lambda" if name == "<lambda>" else f"the function '{name}'"
    return (
        f"{named} can be anything; known are numpy's square, abs, clip, negative, positive, nan_to_num, deg2rad, "
        "rad2deg and no function at all"
    )
