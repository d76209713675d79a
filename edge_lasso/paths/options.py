"""What training is asked for, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths import select as selection
from edge_lasso.paths.methods import METHODS, that

Array = npt.NDArray[Any]
EPS = 1e-3
"""Part of the largest alpha where paths end, as in scikit-learn and glmnet."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Parameters
    ----------
    method : {"lasso", "relaxed", "adaptive", "omp", "group", "subset"}
        "lasso": the relaxed lasso competes with it (see `refit`). "relaxed": least squares on its inputs, whole or
        halfway, always. "adaptive": weights from a ridge regression of the same rows. "omp": orthogonal matching
        pursuit. "group": columns of one group are chosen together. "subset": least squares on the best subset of each
        size; within a budget it competes with "lasso", too.
    l1_ratio : float
        1: lasso; between 0 and 1: elastic net.
    alphas : int or sequence of float
        Number of alphas, or the alphas.
    eps : float, optional
        Smallest alpha as a part of the largest. Default: `EPS`, and on from there as long as the held-out error falls.
    select : {"auto", "min", "1se", "paired", "knee", "aic", "bic", "ebic"}
        "auto": the fewest that are hardly worse; with a budget as many inputs as are worth it (see `select.choose` and
        `select.filled`).
    max_inputs : int, optional
        Budget: tune the number of inputs up to this, instead of alpha.
    refit : bool
        Let the relaxed lasso (gamma 0 and 0.5) compete with the lasso (gamma 1).
    positive : bool
        No negative coefficients; nothing is refitted, best subsets obey it.
    signs : sequence of int, optional
        For each column 1 (no negative coefficient), -1 (no positive one) or 0; the same.
    penalty : sequence of float, optional
        Penalty factor of each column, larger than 0 (a sensor that costs more is penalized more).
    groups : sequence of int, optional
        For "group" and "omp": 0, 1, ..: the group of each column. Default: each is alone.
    scale : {"auto", "all", "fold"}
        Deviations to scale by: of all training rows, or of each fold's own. "auto": all rows for K-fold (as
        ``make_pipeline(StandardScaler(), LassoCV())``), the fold's own in forward chains, so that no future leaks in.
    tol : float
        scikit-learn's `tol` of coordinate descent: 1e-4 times this on all training rows, 100 times this in the folds.
        Slow descent is ended by solving for the active set, which is exact.
    max_iter : int
    workers : int
        Threads, each with one BLAS thread.
    """

    l1_ratio: float = 1.0
    alphas: int | Sequence[float] = 100
    eps: float | None = None
    select: str = "auto"
    max_inputs: int | None = None
    refit: bool = True
    positive: bool = False
    penalty: Sequence[float] | None = None
    scale: str = "auto"
    tol: float = 1e-9
    max_iter: int = 10_000
    workers: int = 1
    method: str = "lasso"
    groups: Sequence[int] | None = None
    signs: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise DataError(f"method is {self.method!r}; allowed are {', '.join(METHODS)}")
        can = METHODS[self.method]
        if self.groups is not None and not can.groups:
            raise DataError(f"groups need method {_either('groups')}; method is {self.method!r}")
        if not can.alphas and (self.l1_ratio != 1.0 or not isinstance(self.alphas, int | np.integer)):
            raise DataError(f"method {self.method!r} has no l1_ratio and no alphas; leave them out")
        if (self.positive or self.signs is not None) and not can.signs:
            raise DataError(f"positive and signs need method {_either('signs')}; method is {self.method!r}")
        if self.positive and self.signs is not None:
            raise DataError("positive is a sign for every column; give positive or signs, not both")
        if self.method == "relaxed" and not self.refit:
            raise DataError("method 'relaxed' is a refit; use method 'lasso' with refit=False")
        if not 0.0 < self.l1_ratio <= 1.0:
            raise DataError(f"l1_ratio is {self.l1_ratio}; it must be larger than 0 and at most 1 (1 is the lasso)")
        if self.eps is not None and not 0.0 < self.eps < 1.0:
            raise DataError(f"eps is {self.eps}; it must be between 0 and 1")
        if self.select not in selection.RULES:
            raise DataError(f"select is {self.select!r}; allowed are {', '.join(selection.RULES)}")
        if self.scale not in ("auto", "all", "fold"):
            raise DataError(f"scale is {self.scale!r}; allowed are auto, all, fold")
        if self.max_inputs is not None and self.max_inputs < 1:
            raise DataError(f"max_inputs is {self.max_inputs}; it must be 1 or more")
        if not self.tol > 0.0 or self.max_iter < 1:
            raise DataError(f"tol is {self.tol} and max_iter {self.max_iter}; both must be larger than 0")

    @property
    def smallest(self) -> float:
        """The alpha, as a part of the largest, at which a path ends unless it pays to go on."""
        return EPS if self.eps is None else self.eps

    def check_splits(self, splits: Sequence[Any]) -> None:
        """Refuse to choose by held-out errors where no rows are held out."""
        if not splits and self.select not in selection.CRITERIA:
            raise DataError(
                f"select {self.select!r} needs cross-validation; give cv=2 or more, or select aic, bic or ebic"
            )

    def on_columns(self, columns: Array) -> TrainOptions:
        """The same for some of the columns, by position."""
        some: dict[str, Any] = {
            name: [values[j] for j in columns.tolist()]
            for name, values in (("penalty", self.penalty), ("signs", self.signs))
            if values is not None
        }
        return replace(self, **some)


@dataclass(frozen=True)
class Path:
    """The lasso path on all training rows, in raw units, and its cross-validated error.

    Parameters
    ----------
    alphas : array, shape (m,)
        Decreasing.
    coefs : array, shape (p, m)
    intercepts : array, shape (m,)
    cv_mean, cv_se : array, shape (m,)
        Mean over folds of the held-out mean squared error of the lasso, and its standard error; NaN without folds.
    fold_errors : array, shape (folds, m)
    n_nonzero, n_inputs : array of int, shape (m,)
    ended : str
        Why the path ended.
    """

    alphas: Array
    coefs: Array
    intercepts: Array
    cv_mean: Array
    cv_se: Array
    fold_errors: Array
    n_nonzero: Array
    n_inputs: Array
    ended: str

    def plot(self, axes: Any = None) -> Any:
        """Draw the coefficients against alpha with matplotlib; returns the axes."""
        from edge_lasso.paths.plots import plot_coefs

        return plot_coefs(self, axes)


@dataclass(frozen=True)
class Candidate:
    """The best model of a size: what the curve of error against inputs is made of."""

    n_inputs: int
    alpha: float
    gamma: float
    cv_error: float
    cv_se: float


@dataclass(frozen=True)
class Fit:
    """One target's model on the columns of the statistics.

    Parameters
    ----------
    target : str
    coef : array, shape (p,)
        Raw units.
    intercept : float
    alpha, gamma : float
        ``gamma * lasso + (1 - gamma) * least squares on its support``.
    method : str
        "lasso", "elastic net", "adaptive lasso", "group lasso" or "orthogonal matching pursuit", with ", relaxed"
        or ", refitted"; "relaxed lasso" and "refit" of the lasso.
    n_inputs : int
    n_iter : int
        Sweeps of coordinate descent on all training rows.
    optimality_gap : float
        Duality gap of the lasso at `alpha`, relative to the target's variance.
    cv_error, cv_se, cv_paired_se, cv_null : float
        Held-out mean squared error of this choice (each fold found its own support), its standard error, that of the
        difference to the smallest error, and the error of a constant. The choice was made by it: an untouched last
        block tells more.
    fold_errors : array, shape (folds,)
    dependent, constant : tuple of str
        Columns left out because they depend on others, or do not vary.
    path : Path
    curve : tuple of Candidate
    """

    target: str
    coef: Array
    intercept: float
    alpha: float
    gamma: float
    method: str
    n_inputs: int
    n_iter: int
    optimality_gap: float
    cv_error: float
    cv_se: float
    cv_paired_se: float
    cv_null: float
    fold_errors: Array
    dependent: tuple[str, ...]
    constant: tuple[str, ...]
    path: Path
    curve: tuple[Candidate, ...]


def _either(ability: str) -> str:
    """The methods with an ability, as a sentence names them."""
    return " or ".join(map(repr, that(ability)))


def penalty_factors(penalty: Sequence[float] | None, p: int) -> Array:
    """Penalty factors as an array; 1 where none are given."""
    if penalty is None:
        return np.ones(p)
    factors = np.asarray(penalty, dtype=np.float64)
    if factors.shape != (p,) or not (np.isfinite(factors).all() and (factors > 0.0).all()):
        raise DataError(f"penalty must be {p} finite factors larger than 0, one for each column")
    return factors


def sign_constraints(options: TrainOptions, p: int) -> Array | None:
    """The sign each coefficient may have (1, -1, or 0: either); None where all are free."""
    if options.signs is None:
        return np.ones(p, dtype=np.int64) if options.positive else None
    signs = np.asarray(options.signs)
    if signs.shape != (p,) or not np.isin(signs, (-1, 0, 1)).all():
        raise DataError(f"signs must be {p} of -1, 0 and 1, one for each column")
    return signs.astype(np.int64) if signs.any() else None


def group_labels(groups: Sequence[int] | None, p: int) -> Array:
    """Groups as an array; every column alone where none are given."""
    if groups is None:
        return np.arange(p)
    labels = np.asarray(groups)
    if labels.shape != (p,) or labels.dtype.kind not in "iu":
        raise DataError(f"groups must be {p} whole numbers, one for each column")
    return np.asarray(np.unique(labels, return_inverse=True)[1])
