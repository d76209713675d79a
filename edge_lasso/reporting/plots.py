"""Pictures with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_lasso.errors import DataError
from edge_lasso_runtime import Model, load

if TYPE_CHECKING:
    from edge_lasso.training.train_table import TrainResult


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
    """
    import numpy as np

    from edge_lasso.detecting.scored_table import score_table

    model = getattr(detector, "model", None) or getattr(detector, "model_", None) or detector
    scored = score_table(model if isinstance(model, Model) else load(model), table)
    axes = _axes(axes)
    x = scored.x.astype("datetime64[s]") if scored.timed else scored.x
    axes.plot(x, scored.scores, linewidth=0.8, label="score")
    axes.plot(x, scored.thresholds, linestyle=":", label="threshold")
    top = float(np.nanmax(np.concatenate([scored.scores, scored.thresholds])))
    axes.fill_between(x, 0.0, top, where=scored.hits, alpha=0.2, step="mid", label="in alarm")
    axes.set(xlabel="time" if scored.timed else "row", ylabel="score", title=scored.title)
    axes.legend()
    return axes


def _axes(axes: Any) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise DataError("pictures need an extra; install it with: pip install 'edge-lasso[plot]'") from None
    return pyplot.subplots()[1] if axes is None else axes


def plot_path(result: TrainResult, output: int = 0, axes: Any = None) -> Any:
    """Draw the error of cross-validation against the number of inputs, with its standard error.

    Parameters
    ----------
    result : TrainResult
    output : int
        Which target.
    axes : matplotlib axes, optional

    Returns
    -------
    matplotlib axes
    """
    fit = result.fits[output]
    axes = _axes(axes)
    sizes = [candidate.n_inputs for candidate in fit.curve]
    axes.errorbar(
        sizes, [candidate.cv_error for candidate in fit.curve], [candidate.cv_se for candidate in fit.curve], marker="o"
    )
    axes.axvline(fit.n_inputs, linestyle=":")
    axes.set(xlabel="inputs", ylabel="cross-validated squared error", title=fit.target)
    return axes
