"""Pictures with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_lasso.errors import DataError

if TYPE_CHECKING:
    from edge_lasso.training.train_table import TrainResult


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
    try:
        from matplotlib import pyplot
    except ImportError:
        raise DataError("pictures need an extra; install it with: pip install 'edge-lasso[plot]'") from None
    fit = result.fits[output]
    axes = pyplot.subplots()[1] if axes is None else axes
    sizes = [candidate.n_inputs for candidate in fit.curve]
    axes.errorbar(
        sizes, [candidate.cv_error for candidate in fit.curve], [candidate.cv_se for candidate in fit.curve], marker="o"
    )
    axes.axvline(fit.n_inputs, linestyle=":")
    axes.set(xlabel="inputs", ylabel="cross-validated squared error", title=fit.target)
    return axes
