"""From coefficients on a Gram matrix's columns to a model in raw units, and back by name."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

from edge_lasso.paths.options import Fit, TrainOptions
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import Terms
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term


class Linear(Protocol):
    """What an output is made of."""

    @property
    def target(self) -> str:
        """The output's name."""

    @property
    def coef(self) -> Any:
        """Raw units, shape (p,)."""

    @property
    def intercept(self) -> float:
        """Of raw readings."""


def to_model(
    fits: Sequence[Linear],
    inputs: Sequence[Input] | Mapping[int, Input],
    columns: Sequence[str],
    terms: Terms | None = None,
    provenance: Mapping[str, Any] | None = None,
    policy: str = "extrapolate",
    units: Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
) -> Model:
    """Assemble a model: non-zero terms only, and only the inputs they read or are computed from.

    Parameters
    ----------
    fits : sequence of Fit
        One per output.
    inputs : sequence of Input, or mapping
        One per column of the training row; or those that may be used, by column.
    columns : sequence of str
        The training row.
    terms : sequence of tuple of Factor, optional
        As for `fit_statistics`. Default: column i is input i.
    provenance : mapping, optional
    policy : {"extrapolate", "clamp"}
    units : mapping, optional
        Of the targets.
    classes : sequence of str, optional
        Of a classifier: two for one output, or one for each output.
    """
    link = "identity" if classes is None else "logistic" if len(fits) == 1 else "softmax"
    terms = terms or [(Factor(i),) for i in range(len(columns))]
    remaining = [np.flatnonzero(fit.coef).tolist() for fit in fits]
    read = {factor.input for some in remaining for j in some for factor in terms[j]}
    streams = [inputs[column].stream for column in read]
    used = sorted(read | {columns.index(stream[1]) for stream in streams if stream is not None})
    place = {column: i for i, column in enumerate(used)}
    outputs = []
    for fit, some in zip(fits, remaining, strict=True):
        result = tuple(
            Term(float(fit.coef[j]), tuple(factor.replace(input=place[factor.input]) for factor in terms[j]))
            for j in some
        )
        outputs.append(Output(fit.target, float(fit.intercept), result, link, (units or {}).get(fit.target, "")))
    chosen = tuple(inputs[column] for column in used)
    labels = None if classes is None else tuple(classes)
    return Model(tuple(columns), chosen, tuple(outputs), policy, labels, provenance=dict(provenance or {}))


def provenance(fits: Sequence[Fit], folds: FoldStatistics, options: TrainOptions) -> dict[str, Any]:
    """What is needed to audit a training: solver, choice, quality, rows, versions and date; JSON-ready."""
    total = folds.total
    chosen = [
        {
            "target": fit.target,
            "method": fit.method,
            "alpha": fit.alpha,
            "gamma": fit.gamma,
            "cv_mse": _finite(fit.cv_error),
            "cv_mse_se": _finite(fit.cv_se),
            "cv_mse_paired_se": _finite(fit.cv_paired_se),
            "cv_mse_constant": _finite(fit.cv_null),
            "optimality_gap": fit.optimality_gap,
            "path_ended": fit.path.ended,
            "dependent_columns": list(fit.dependent),
            "constant_columns": list(fit.constant),
        }
        for fit in fits
    ]
    return {
        "solver": "on the Gram matrix: homotopy, or coordinate descent (scikit-learn) and active sets solved exactly",
        "select": options.select,
        "method": options.method,
        "l1_ratio": options.l1_ratio,
        "max_inputs": options.max_inputs,
        "folds": {"count": len(folds.splits), "forward": folds.forward, "repeats": folds.repeats},
        "rows": total.rows,
        "dropped_rows": total.dropped,
        "statistics_hash": folds.hash,
        "fits": chosen,
        "versions": dict(versions()),
        "date": date(),
    }


@cache
def versions() -> dict[str, str]:
    """Python and the packages that compute."""
    names = ("edge-lasso", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def date() -> str:
    """Now in UTC, or ``SOURCE_DATE_EPOCH``."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
