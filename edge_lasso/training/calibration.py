"""Calibrated probabilities: a slope, and for two classes a shift, found on held-out rows and folded into the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from edge_lasso.paths.logistic import Block, LogisticSolver, Rows, linear, losses, probabilities

Array = npt.NDArray[Any]
BINS = 10
AS_THEY_ARE = np.array([1.0, 0.0])
"""Slope and shift that change nothing."""
LIMITS = (1e-2, 1e2)
"""Slopes beyond say that there is nothing to calibrate."""


def calibrate(held: list[Array], tests: list[Rows]) -> tuple[float, float, dict[str, Any]]:
    """Slope and shift of linear predictors (Platt 1999; Guo et al. 2017), if they help on folds they have not seen.

    Parameters
    ----------
    held : list of array
        Of each fold, the coefficients that its training rows gave.
    tests : list of Rows
        Its held-out rows.

    Returns
    -------
    slope, shift : float
        1 and 0 where held-out log-loss gains nothing, and where no held-out row is on the wrong side: the best slope
        would be infinite. Several classes have no shift.
    report : dict
        `reliability` before, and after where it was calibrated.
    """
    if not tests:
        return 1.0, 0.0, {}
    folds = [_predictors(test, coefs) for test, coefs in zip(tests, held, strict=True)]
    before = [_scaled_loss(AS_THEY_ARE, [fold]) for fold in folds]
    fitted = [_slope([fold for j, fold in enumerate(folds) if j != i]) for i in range(len(folds))] if folds[1:] else []
    after = [_scaled_loss(result, [fold]) for result, fold in zip(fitted, folds, strict=False)]
    report = {"before": reliability(folds, AS_THEY_ARE)}
    if report["before"]["accuracy"] > 1.0 - 1e-12:
        return 1.0, 0.0, report
    if not after or not np.mean(after) < np.mean(before):
        return 1.0, 0.0, report
    result = _slope(folds)
    report["after"] = {**reliability(folds, result), "log_loss_on_unseen_folds": float(np.mean(after))}
    return float(result[0]), float(result[1]), report


def _predictors(rows: Rows, coefs: Array) -> Block:
    z, Y, weight = zip(*((linear(Z, coefs), Y, weight) for Z, Y, weight in rows.blocks()), strict=True)
    return np.concatenate(z), np.concatenate(Y), np.concatenate(weight)


def _scaled_loss(change: Array, folds: Sequence[Block]) -> float:
    return float(np.mean([weight @ losses(_changed(z, change), Y) for z, Y, weight in folds]))


def _changed(z: Array, change: Array) -> Array:
    return np.asarray(z * change[0] + (change[1] if z.shape[1] == 1 else 0.0))


def _slope(folds: Sequence[Block]) -> Array:
    share: Array = np.mean([weight @ Y for _, Y, weight in folds], axis=0)
    if not np.logical_and(share > 0.0, share < 1.0).all():  # a class that is not there says nothing
        return AS_THEY_ARE
    if folds[0][0].shape[1] == 1:  # a logistic regression on one column
        rows = Rows(lambda: ((z, Y, weight / len(folds)) for z, Y, weight in folds), 1, 1)
        values = LogisticSolver(rows, tol=1e-10).refit(np.array([[1.0, 0.0]]))[0]
    else:  # the loss is convex in the slope

        def rise(slope: float) -> float:
            changed = ((probabilities(slope * z) - Y) * z for z, Y, _ in folds)
            return sum(float(weight @ entry.sum(axis=1)) for entry, (_, _, weight) in zip(changed, folds, strict=True))

        inside = rise(LIMITS[0]) < 0.0 < rise(LIMITS[1])
        values = np.array([brentq(rise, *LIMITS, xtol=1e-13) if inside else LIMITS[1], 0.0])
    return values if LIMITS[0] < values[0] < LIMITS[1] else AS_THEY_ARE


def reliability(folds: Sequence[Block], change: Array) -> dict[str, float]:
    """Log-loss, Brier score and expected calibration error (ten bins of the winning class's probability)."""
    z = np.concatenate([_changed(z, change) for z, _, _ in folds])
    Y = np.concatenate([Y for _, Y, _ in folds])
    weight = np.concatenate([weight for _, _, weight in folds]) / len(folds)
    p = probabilities(z)
    if p.shape[1] == 1:
        p, Y = np.append(1.0 - p, p, axis=1), np.append(1.0 - Y, Y, axis=1)
    top = p.argmax(axis=1)
    rows = np.arange(len(p))
    sure, right = p[rows, top], Y[rows, top]
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = np.abs(np.bincount(bins, weights=weight * (sure - right), minlength=BINS)).sum()
    return {
        "log_loss": float(weight @ losses(z, Y[:, 1:] if z.shape[1] == 1 else Y)),
        "brier": float(weight @ ((p - Y) ** 2).sum(axis=1)),
        "expected_calibration_error": float(error),
        "accuracy": float(weight @ right),
    }
