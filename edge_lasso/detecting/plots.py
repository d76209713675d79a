"""Pictures with matplotlib: a detector's score over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_lasso.detecting.scored_table import score_table
from edge_lasso.paths.plots import axes_or_new
from edge_lasso_runtime import Model, load


def plot_scores(detector: Any, table: Any, axes: Any = None) -> Any:
    """Draw a detector's score over a table's rows, its threshold, and what was in alarm.

    Parameters
    ----------
    detector : Model, DetectorResult, ResidualDetector or path
    table : path or table
        Readings in their order.
    axes : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Raises
    ------
    DataError
        matplotlib is missing.
    """
    model = getattr(detector, "model", None) or getattr(detector, "model_", None) or detector
    scored = score_table(model if isinstance(model, Model) else load(model), table)
    axes = axes_or_new(axes)
    x = scored.x.astype("datetime64[s]") if scored.timed else scored.x
    axes.plot(x, scored.scores, linewidth=0.8, label="score")
    axes.plot(x, scored.thresholds, linestyle=":", label="threshold")
    top = float(np.nanmax(np.concatenate([scored.scores, scored.thresholds])))
    axes.fill_between(x, 0.0, top, where=scored.hits, alpha=0.2, step="mid", label="in alarm")
    axes.set(xlabel="time" if scored.timed else "row", ylabel="score", title=scored.title)
    axes.legend()
    return axes
