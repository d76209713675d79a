"""A fitted classifier as a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.scaling import Scaling
from edge_lasso.statistics.plans import FoldPlan, plan_folds
from edge_lasso.training.fit_classes import LogisticFit
from edge_lasso.training.models import date, to_model, versions
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


class Fitted(NamedTuple):
    """One output in raw units."""

    target: str
    coef: Array
    intercept: float


def class_folds(cv: Any, X: Array, codes: Array, groups: Any = None) -> FoldPlan:
    """Stratified folds for a number, no more than the rarest class has rows; otherwise see `folds.plan_folds`."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool) and cv:
        rarest = int(np.bincount(codes).min())
        if min(cv, rarest) < 2:
            raise DataError(f"cv is {cv}, and the rarest class has {rarest} rows; 2 folds, and 2 rows, are the least")
        cv = StratifiedKFold(min(int(cv), rarest))
    return plan_folds(cv, len(X), X, codes, groups)


def classifier_model(
    fit: LogisticFit,
    scaled: Scaling,
    inputs: Any,
    columns: Sequence[str],
    terms: Any,
    target: str,
    classes: Sequence[str],
    about: Mapping[str, Any],
) -> Model:
    """The model in raw units, calibrated; see `terms.to_model`."""
    raw = fit.raw(scaled)
    names = [target] if len(raw) == 1 else [f"{target} = {name}" for name in classes]
    outputs = [Fitted(name, row[:-1], float(row[-1])) for name, row in zip(names, raw, strict=True)]
    return to_model(outputs, inputs, columns, terms, about, classes=classes)


def provenance(fit: LogisticFit, options: TrainOptions, target: str, rows: int, plan: FoldPlan) -> dict[str, Any]:
    """What is needed to audit a training; JSON-ready."""

    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return {
        "solver": "proximal Newton steps on weighted statistics",
        "select": options.select,
        "method": options.method,
        "l1_ratio": options.l1_ratio,
        "max_inputs": options.max_inputs,
        "folds": {"count": len(plan.splits), "forward": plan.forward},
        "rows": rows,
        "fits": [
            {
                "target": target,
                "method": fit.method,
                "alpha": fit.alpha,
                "gamma": max(fit.gamma, 0.0),
                "cv_log_loss": plain(fit.cv_error),
                "cv_log_loss_se": plain(fit.cv_se),
                "cv_log_loss_constant": plain(fit.cv_null),
                "optimality_gap": fit.optimality_gap,
                "path_ended": fit.ended,
                "calibration": {"slope": fit.slope, "shift": fit.shift, **fit.calibration},
            }
        ],
        "versions": dict(versions()),
        "date": date(),
    }
