"""Pictures with matplotlib: coefficients along a path, and the error against the number of inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_lasso.errors import DataError

if TYPE_CHECKING:
    from edge_lasso.paths.options import Fit, Path


def axes_or_new(axes: Any) -> Any:
    """The axes, or new ones.

    Raises
    ------
    DataError
        matplotlib is missing.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise DataError("pictures need an extra; install it with: pip install 'edge-lasso[plot]'") from None
    return pyplot.subplots()[1] if axes is None else axes


def plot_coefs(path: Path, axes: Any = None) -> Any:
    """Draw the coefficients that a path ever has against alpha, which falls to the right."""
    axes = axes_or_new(axes)
    for coef in path.coefs[path.coefs.any(axis=1)]:
        axes.semilogx(path.alphas, coef, linewidth=0.8)
    axes.invert_xaxis()
    axes.set(xlabel="alpha", ylabel="coefficient")
    return axes


def plot_path(result: Any, output: int = 0, axes: Any = None) -> Any:
    """Draw the error of cross-validation against the number of inputs, with its standard error.

    Parameters
    ----------
    result : TrainResult or LassoRegressor
    output : int
        Which target.
    axes : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Raises
    ------
    DataError
        matplotlib is missing.
    """
    fits: Any = getattr(result, "fits", None) or result.fit_
    fit: Fit = fits[output] if isinstance(fits, list) else fits
    axes = axes_or_new(axes)
    sizes = [candidate.n_inputs for candidate in fit.curve]
    axes.errorbar(
        sizes, [candidate.cv_error for candidate in fit.curve], [candidate.cv_se for candidate in fit.curve], marker="o"
    )
    axes.axvline(fit.n_inputs, linestyle=":")
    axes.set(xlabel="inputs", ylabel="cross-validated squared error", title=fit.target)
    return axes
