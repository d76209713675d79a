"""What it costs a detector when a sensor is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from edge_lasso.board_rows import Estimates
from edge_lasso.folds import FoldStatistics
from edge_lasso_runtime.detector import KEY
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.estimate import numeric, slopes
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lost:
    """A sensor that is missing.

    Parameters
    ----------
    name : str
    used_by : int
        Watched sensors whose prediction reads it, or what is computed from it.
    worst : str
        The one of them that suffers most with the default in its place; empty without any.
    widest : float
        How many times as wide the residual of `worst` becomes then.
    evidence : float
        Mean of the squared residuals of all sensors then; about 1 with every sensor there.
    estimated : float or None
        Like `widest`, when the sensor is estimated from the others; None: this model does not.
    """

    name: str
    used_by: int
    worst: str
    widest: float
    evidence: float
    estimated: float | None


def missing_sensors(model: Model, statistics: FoldStatistics) -> list[Lost]:
    """What each missing sensor costs a detector, the dearest first.

    With the default in place of reading j, the squared residual of scale s grows by ``w' C w / s^2`` in the mean,
    w being the coefficients on j and on what is computed from it, C their covariance.

    Parameters
    ----------
    model : Model
        A detector.
    statistics : FoldStatistics
        Of its training rows.
    """
    at = numeric(model)
    place = {name: j for j, name in enumerate(statistics.columns)}
    columns = [place[model.inputs[i].name] for i in at]
    covariance = statistics.total.moments().covariance[np.ix_(columns, columns)]
    weights = np.array(slopes(model, at))
    scale = np.array([one["scale"] for one in model.sections[KEY]["watched"]])
    estimates = Estimates(model) if ESTIMATE in model.sections else None
    names = [one.name for one in model.outputs]
    found = []
    for i in at:
        if model.inputs[i].stream is None:
            gone = np.array(_with_derived(model, at, i))
            w = weights[:, gone]
            extra = np.einsum("mi,ij,mj->m", w, covariance[np.ix_(gone, gone)], w) / scale**2
            users = (w != 0.0).any(axis=1)
            k = int(extra.argmax())
            mask = np.zeros(len(at), dtype=bool)
            mask[gone] = True
            estimated = None if estimates is None else float(estimates.widths(mask).max())
            found.append(
                Lost(
                    model.inputs[i].name,
                    int(users.sum()),
                    names[k] if users.any() else "",
                    float(np.sqrt(1.0 + extra[k])),
                    float(_cut_square(1.0 + extra, model.sections[KEY]["clip"]).mean()),
                    estimated,
                )
            )
    return sorted(found, key=lambda one: -one.evidence)


def _cut_square(variance: Array, clip: float) -> Array:
    """Mean square of normal residuals of these variances, cut to +-`clip`."""
    a = clip / np.sqrt(variance)
    inside = 2.0 * norm.cdf(a) - 1.0
    return np.asarray(variance * (inside - 2.0 * a * norm.pdf(a)) + clip**2 * (1.0 - inside))


def _with_derived(model: Model, at: Sequence[int], i: int) -> list[int]:
    """Positions in `at` of an input and of what is computed from it."""
    name = model.inputs[i].name
    return [
        k for k, j in enumerate(at) if j == i or ((stream := model.inputs[j].stream) is not None and stream[1] == name)
    ]
