"""Calibrated probabilities: a slope, and for two classes a shift, found on held-out rows and folded into the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from edge_lasso.paths.logistic import Block, LogisticSolver, Rows, linear, losses, probabilities
from edge_lasso.training.class_odds import ClassOdds, decisions

Array = npt.NDArray[Any]
BINS = 10
AS_THEY_ARE = np.array([1.0, 0.0])
"""Slope and shift that change nothing."""
LIMITS = (1e-2, 1e2)
"""Slopes beyond say that there is nothing to calibrate."""


def calibrate(
    held: list[Array], tests: list[Rows], classes: Sequence[str], odds: ClassOdds
) -> tuple[float, float, dict[str, Any]]:
    """Slope and shift of linear predictors (Platt 1999; Guo et al. 2017), if they help on folds they have not seen.

    Parameters
    ----------
    held : list of array
        Of each fold, the coefficients that its training rows gave.
    tests : list of Rows
        Its held-out rows.
    classes : sequence of str
    odds : ClassOdds
        Classes are judged as they come, however they were weighed.

    Returns
    -------
    slope, shift : float
        1 and 0 where held-out log-loss gains nothing, and where no held-out row is on the wrong side: the best slope
        would be infinite. Several classes have no shift.
    report : dict
        `reliability` before, and after where it was calibrated; of what is handed out, `by_class`, and `decisions`
        where costs change labels.
    """
    if not tests:
        return 1.0, 0.0, {}
    folds = [_predictors(test, coefs, odds) for test, coefs in zip(tests, held, strict=True)]
    before = [_scaled_loss(AS_THEY_ARE, [fold]) for fold in folds]
    fitted = [_slope([fold for j, fold in enumerate(folds) if j != i]) for i in range(len(folds))] if folds[1:] else []
    after = [_scaled_loss(result, [fold]) for result, fold in zip(fitted, folds, strict=False)]
    report: dict[str, Any] = {"before": reliability(folds, AS_THEY_ARE)}
    perfect = report["before"]["accuracy"] > 1.0 - 1e-12
    if perfect or not after or not np.mean(after) < np.mean(before):
        return 1.0, 0.0, {**report, **judged(folds, classes, odds)}
    result = _slope(folds)
    report["after"] = {**reliability(folds, result), "log_loss_on_unseen_folds": float(np.mean(after))}
    # each fold with what the others say, so that no row is judged by what it taught
    apart = [(_changed(fold[0], change), *fold[1:]) for fold, change in zip(folds, fitted, strict=True)]
    return float(result[0]), float(result[1]), {**report, **judged(apart, classes, odds)}


def _predictors(rows: Rows, coefs: Array, odds: ClassOdds) -> Block:
    z, Y, weight = map(
        np.concatenate, zip(*((linear(Z, coefs), Y, weight) for Z, Y, weight in rows.blocks()), strict=True)
    )
    if (odds.weights == 1.0).all():
        return z, Y, weight
    weight = weight / (np.where(Y[:, 0] > 0.5, *odds.weights[::-1]) if Y.shape[1] == 1 else Y @ odds.weights)
    return z + odds.undone, Y, weight / weight.sum()


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
    p, Y, weight = _every_class(folds, change)
    top = p.argmax(axis=1)
    rows = np.arange(len(p))
    sure, right = p[rows, top], Y[rows, top]
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = np.abs(np.bincount(bins, weights=weight * (sure - right), minlength=BINS)).sum()
    return {
        "log_loss": _scaled_loss(change, folds),
        "brier": float(weight @ ((p - Y) ** 2).sum(axis=1)),
        "expected_calibration_error": float(error),
        "accuracy": float(weight @ right),
    }


def _every_class(folds: Sequence[Block], change: Array) -> tuple[Array, Array, Array]:
    """Probabilities and truth, shape (rows, classes), and weights that sum to 1."""
    p = probabilities(np.concatenate([_changed(z, change) for z, _, _ in folds]))
    Y = np.concatenate([Y for _, Y, _ in folds])
    weight = np.concatenate([weight for _, _, weight in folds]) / len(folds)
    if p.shape[1] == 1:
        p, Y = np.append(1.0 - p, p, axis=1), np.append(1.0 - Y, Y, axis=1)
    return p, Y, weight


def judged(folds: Sequence[Block], classes: Sequence[str], odds: ClassOdds) -> dict[str, Any]:
    """How far each class's probability can be believed, and what labels of least cost bring."""
    p, Y, weight = _every_class(folds, AS_THEY_ARE)
    first = 1 if len(classes) == 2 else 0  # of two classes one says it all
    report: dict[str, Any] = {
        "by_class": {classes[c]: _believed(p[:, c], Y[:, c], weight) for c in range(first, len(classes))}
    }
    if odds.priced:
        report["decisions"] = decisions(p, Y, weight, classes, odds.costs)
    return report


def _believed(p: Array, truth: Array, weight: Array) -> dict[str, Any]:
    """The reliability table of one class: where it says so much, how much it is.

    Returns
    -------
    dict
        "share" of the class and its "mean_probability", the "calibration_error" (mean difference between probability
        and share over `BINS` bins), and "table": of each bin that holds rows its ends, rows, mean and share.
    """
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    held = np.bincount(bins, weights=weight, minlength=BINS)
    said, was = (np.bincount(bins, weights=weight * values, minlength=BINS) for values in (p, truth))
    rows = np.bincount(bins, minlength=BINS)
    table = [
        {"from": b / BINS, "to": (b + 1) / BINS, "rows": int(rows[b]), "mean_probability": float(said[b] / held[b]),
         "share": float(was[b] / held[b])}
        for b in np.flatnonzero(held > 0.0).tolist()
    ]  # fmt: skip
    return {
        "share": float(was.sum()),
        "mean_probability": float(said.sum()),
        "calibration_error": float(np.abs(said - was).sum()),
        "table": table,
    }
