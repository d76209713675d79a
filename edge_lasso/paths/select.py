"""Choosing a point of the path: held-out error and what may be lost of it, the knee, information criteria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
RULES = ("auto", "min", "1se", "paired", "knee", "aic", "bic", "ebic")
CRITERIA = ("aic", "bic", "ebic")
MANY = 1000
"""Rows from which a budget is used up where that is safe (on 89 real tables; see `benchmarks/subsets.py`)."""
NEAR = 0.02
"""Part of the smallest held-out mean squared error (1 % of its root) that fewer inputs may cost, where no number of
inputs is asked for: on 87 real tables less error and fewer inputs than the smallest error, and less error than any rule
of one standard error (`benchmarks/choice.py`)."""
TIE = 1e-9
"""Part by which held-out errors differ by rounding alone; the sparser is taken. Such ties are common: refitted, one
support has one error at many alphas, and where a single fold tells two candidates apart, the difference of their means
*is* its standard error."""
WORTH = 1e-3
"""An input of a budget that lowers the held-out error by a smaller part is not handed out."""


@dataclass(frozen=True)
class Choice:
    """The chosen candidate.

    Parameters
    ----------
    index : int
        Along the path or the budgets, sparsest first.
    gamma : int
        Position among the gammas.
    mean, se : float
        Mean held-out error and its standard error over the folds; NaN without folds.
    paired_se : float
        Standard error of the difference to the candidate with the smallest mean.
    """

    index: int
    gamma: int
    mean: float
    se: float
    paired_se: float


def mean_and_error(errors: Array, repeats: int = 1) -> tuple[Array, Array]:
    """Mean over the folds (first axis) and its standard error (NaN for a single fold).

    Repetitions divide the same rows anew: they steady the mean, and the error is that of the folds of one.
    """
    folds = len(errors)
    with np.errstate(invalid="ignore"):
        spread = errors.std(axis=0, ddof=1) if folds > 1 else np.full(errors.shape[1:], np.nan)
    return errors.mean(axis=0), spread / np.sqrt(folds / repeats)


def choose(errors: Array, sizes: Array, rule: str, budget: bool = False, repeats: int = 1) -> Choice:
    """Choose by held-out errors.

    Parameters
    ----------
    errors : array, shape (folds, candidates, gammas)
        Infinite: not a candidate.
    sizes : array, shape (candidates,)
        Inputs of each candidate, or what they cost; sparsest first.
    rule : {"auto", "min", "1se", "paired", "knee"}
        "min": the smallest mean. "1se": the first candidate whose mean is within one standard error of the smallest,
        the error taken at the smallest. "paired": within one standard error of its *difference* to the smallest, as
        folds differ more than models do. "auto": the same, and within `NEAR` of the smallest; within a budget the first
        within `WORTH` alone: who sets a limit has said already how much is too much.
        "knee": where leaving out further inputs begins to cost most, between no input and the smallest error.
    budget : bool
        The size is limited already.
    repeats : int
        How often the rows were divided into folds.
    """
    mean, se = mean_and_error(errors, repeats)
    best, variant = mean.min(axis=1), mean.argmin(axis=1)
    least = _first_within(best, 0.0)
    index = least
    if rule == "auto" and budget:
        index = _first_within(best, WORTH * best[least])
    elif rule == "1se":
        index = _first_within(best, se[least, variant[least]])
    elif rule in ("auto", "paired"):
        of_best = errors[:, np.arange(len(best)), variant]
        slack = mean_and_error(of_best - of_best[:, least, None], repeats)[1]
        index = _first_within(best, np.minimum(slack, NEAR * best[least]) if rule == "auto" else slack)
    elif rule == "knee":
        span, drop = float(sizes[least] - sizes[0]), float(best[0] - best[least])
        if span > 0.0 and drop > 0.0:
            index = knee(sizes[: least + 1], best[: least + 1])
    gamma = int(np.argmin(mean[index]))
    gap = errors[:, index, gamma] - errors[:, least, int(np.argmin(mean[least]))]
    paired_se = float(mean_and_error(gap[:, None], repeats)[1][0])
    return Choice(index, gamma, float(mean[index, gamma]), float(se[index, gamma]), paired_se)


def _first_within(best: Array, slack: Array | float) -> int:
    """The first candidate that is no further from the smallest error than it may be; NaN: not at all."""
    return int(np.flatnonzero(best <= best.min() + np.nan_to_num(slack) + TIE * abs(best.min()))[0])


def filled(choice: Choice, errors: Array, value: Array, variant: int, repeats: int = 1) -> Choice:
    """The budget used up, where that is safe: folds of rows that drift judge harshly what many rows support.

    From the choice on, the subset with the best criterion of the training rows is taken, unless its held-out error is
    above the smallest by more than the standard error of the difference.

    Parameters
    ----------
    choice : Choice
    errors : array, shape (folds, candidates, variants)
    value : array, shape (candidates,)
        EBIC of the best subset of each size; infinite where there is none.
    variant : int
        Position of the best subsets among the variants.
    repeats : int
    """
    mean, se = mean_and_error(errors, repeats)
    least = np.unravel_index(int(np.argmin(mean)), mean.shape)
    behind, slack = mean_and_error(errors[:, :, variant] - errors[:, least[0], least[1]][:, None], repeats)
    for index in np.argsort(value, kind="stable").tolist():
        if index >= choice.index and value[index] < np.inf and behind[index] <= slack[index]:
            held = float(mean[index, variant]), float(se[index, variant])
            return Choice(index, variant, *held, float(slack[index]))
    return choice


def knee(x: Array, y: Array) -> int:
    """The point farthest below the line between the first and the last (Satopaa et al. 2011), whose ends differ."""
    run, rise = float(x[-1] - x[0]), float(y[-1] - y[0])
    return int(np.argmax((y[0] - y) / abs(rise) + np.copysign((x - x[0]) / run, rise)))


def most_freedom(rows: int, columns: int) -> float:
    """The largest model that a criterion may compare.

    With as many columns as rows the largest models fit the rows exactly, and every criterion falls without end: the
    residual must be left more rows than the model takes.
    """
    return rows / 2.0 if columns >= rows / 2.0 else float(rows - 2)


def criterion(residual: Array, yy: float, freedom: Array, rows: int, columns: int, rule: str) -> Array:
    """AIC, BIC or EBIC (Chen and Chen 2008, gamma = 1) of Gaussian models.

    Parameters
    ----------
    residual : array
        Mean squared residual on the training rows.
    yy : float
        Variance of the target: residuals below its rounding count as that.
    freedom : array
        Non-zero coefficients.
    rows, columns : int
    rule : {"aic", "bic", "ebic"}
    """
    from scipy.special import gammaln

    if rule not in CRITERIA:
        raise DataError(f"select is {rule!r}; allowed are {', '.join(RULES)}")
    if rule != "ebic" and columns >= rows:
        raise DataError(
            f"select {rule!r} tells nothing with {columns} columns for {rows} rows, of which some fit any target; use "
            "ebic, which counts how many were tried, or cross-validation"
        )
    value = rows * np.log(np.maximum(residual, 1e-15 * yy))
    value = value + freedom * (2.0 if rule == "aic" else np.log(rows))
    if rule == "ebic":
        value = value + 2.0 * (gammaln(columns + 1) - gammaln(freedom + 1) - gammaln(columns - freedom + 1))
    return np.asarray(value)
