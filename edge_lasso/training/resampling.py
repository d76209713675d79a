"""How far a choice of inputs and their coefficients can be trusted, from the statistics of blocks of rows.

Neighbouring rows are alike, so whole blocks are drawn. No row is read again: sums of blocks are all that is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths import homotopy
from edge_lasso.paths.cross_validation import budgets
from edge_lasso.paths.options import Fit, TrainOptions, penalty_factors, sign_constraints
from edge_lasso.paths.path import PathSolver
from edge_lasso.paths.problem import SCREEN_FROM, Problem, alpha_grid, deviations, problems
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.training.intervals import correlation_time

Array = npt.NDArray[Any]
BLOCKS = 40
FEWEST = 10
LEVEL = 0.9


def refined(plan: FoldPlan, n: int, blocks: int = BLOCKS) -> tuple[FoldPlan, list[int]]:
    """Cut the parts of a plan into smaller blocks of neighbouring rows.

    Parameters
    ----------
    plan : FoldPlan
    n : int
        Rows.
    blocks : int
        About how many.

    Returns
    -------
    plan : FoldPlan
        Without splits.
    owner : list of int
        The part that each block is of.
    """
    each = max(1, round(blocks / plan.parts))
    part, within = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for i, rows in enumerate(plan.rows(n)):
        count = len(part[rows])
        part[rows] = i
        within[rows] = np.arange(count) * each // max(count, 1)
    assignment = part * each + within
    owner = [i for i in range(plan.parts) for _ in range(each)]
    edges = np.flatnonzero(np.diff(assignment)) + 1
    if len(edges) == len(owner) - 1:
        return FoldPlan((), bounds=np.array([0, *edges, n])), owner
    return FoldPlan((), assignment=assignment), owner


@dataclass(frozen=True)
class Blocks:
    """Weights, means and centred sums of products of blocks, gaps filled with the means of all rows.

    Parameters
    ----------
    total : Moments
    rows : array of int, shape (blocks,)
    weight : array, shape (blocks,)
    offset : array, shape (blocks, q)
        Means minus those of all rows; columns, then targets.
    covariance : array, shape (blocks, q, q)
    """

    total: Moments
    rows: Array
    weight: Array
    offset: Array
    covariance: Array

    def drawn(self, counts: Array) -> Moments:
        """Moments of the rows when block i is there ``counts[i]`` times."""
        share = counts * self.weight
        weight = float(share.sum())
        share = share / weight
        offset = share @ self.offset
        second = np.tensordot(share, self.covariance, 1) + (self.offset.T * share) @ self.offset
        covariance = second - np.outer(offset, offset)
        mean = self.total.mean
        return Moments(weight, int(counts @ self.rows), mean, offset, covariance, np.diagonal(second).copy())


def blocks_of(folds: FoldStatistics) -> Blocks:
    """The blocks that statistics hold.

    Raises
    ------
    DataError
        Too few of them.
    """
    total = folds.total.moments()
    parts = [part for part in folds.parts if part.rows and part.weight > 0.0]
    if len(parts) < FEWEST:
        raise DataError(f"the statistics hold {len(parts)} blocks of rows; resampling needs {FEWEST} or more")
    moments = [part.moments(total) for part in parts]
    return Blocks(
        total,
        np.array([entry.rows for entry in moments]),
        np.array([entry.weight for entry in moments]),
        np.array([entry.shift - total.shift + entry.delta - total.delta for entry in moments]),
        np.array([entry.covariance for entry in moments]),
    )


def stability(blocks: Blocks, fit: Fit, target: int, options: TrainOptions, pairs: int = 50, seed: int = 0) -> Array:
    """How often each column is chosen on half of the blocks (Meinshausen and Buehlmann 2010; Shah and Samworth 2013).

    The blocks are divided in complementary halves, again and again; on each half the lasso takes as many columns as the
    model has. With q of p columns a half, at most ``q^2 / ((2 share - 1) p)`` columns above a share are expected to be
    noise.

    Parameters
    ----------
    blocks : Blocks
    fit : Fit
    target : int
        Position of the fit's target among the targets.
    options : TrainOptions
        `l1_ratio`, `penalty`, `positive` and `signs` count.
    pairs : int
    seed : int

    Returns
    -------
    array, shape (p,)
        Part of the halves that chose the column.
    """
    p = len(fit.coef)
    size = max(1, int(np.count_nonzero(fit.coef)))
    rng = np.random.default_rng(seed)
    count = len(blocks.weight)
    signs = sign_constraints(options, p)
    penalty = penalty_factors(options.penalty, p)
    halves: list[Problem] = []
    for _ in range(pairs):
        half = np.zeros(count)
        half[rng.permutation(count)[: count // 2]] = 1.0
        for chosen in (half, 1.0 - half):
            moments = blocks.drawn(chosen)
            halves.append(problems(moments, p, deviations(moments, p)[0] * penalty)[target])
    top = max(halves, key=lambda entry: float(np.abs(entry.xy).max()))
    alphas = alpha_grid(top, 100, options.l1_ratio, 1e-3, signs)
    solvers = [PathSolver(half, options.l1_ratio, 1e-6, signs=signs) for half in halves]
    if p <= SCREEN_FROM and options.l1_ratio == 1.0 and signs is None:
        for solver, known in zip(solvers, homotopy.paths(halves, alphas), strict=True):
            solver.known = known
    values = np.zeros(p)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for solver in solvers:
            for some in np.split(alphas, len(alphas)) if solver.known is None else [alphas]:
                solver.extend(some)
                if np.count_nonzero(solver.coef) > size:
                    break
            coefs = solver.solution.coefs
            at = budgets(np.count_nonzero(coefs, axis=1), size)[-1]
            values += coefs[at] != 0.0
    return values / len(halves)


def noise_bound(share: float, size: int, columns: int) -> float:
    """How many columns chosen that often are expected to be noise (Meinshausen and Buehlmann 2010, theorem 1)."""
    return size**2 / ((2.0 * share - 1.0) * columns) if share > 0.5 else float("inf")


def bootstrap(
    blocks: Blocks, fit: Fit, target: int, draws: int = 500, seed: int = 0, level: float = LEVEL
) -> dict[str, Array]:
    """Intervals of least squares on the chosen columns: blocks drawn with replacement (Kuensch 1989).

    The choice of columns is taken as given (`stability` says how firm it is), and what a penalty takes from the
    coefficients is not in it. The standard deviation of the draws is multiplied by a quantile of Student's
    distribution, as there are few blocks, and widened where neighbouring blocks are alike.

    Parameters
    ----------
    blocks : Blocks
    fit : Fit
    target : int
    draws : int
    seed : int
    level : float

    Returns
    -------
    dict
        ``columns`` (k,): the non-zero ones; ``low``, ``high`` (k,): ends; ``error`` (k,): standard error.
    """
    p = len(fit.coef)
    columns = np.flatnonzero(fit.coef)
    t = p + target
    rng = np.random.default_rng(seed)
    count = len(blocks.weight)
    scale = deviations(blocks.total, p)[0][columns]
    inside = np.ix_(columns, columns)

    def solved(covariance: Array, right: Array) -> Array:
        gram = covariance[inside] / scale / scale[:, None]
        result: Array = np.linalg.lstsq(gram, right / scale, rcond=None)[0]
        return result / scale

    whole = blocks.total.covariance
    coef = solved(whole, whole[columns, t])
    drawn = np.empty((draws, len(columns)))
    for i in range(draws):
        moments = blocks.drawn(np.bincount(rng.integers(count, size=count), minlength=count).astype(float))
        drawn[i] = solved(moments.covariance, moments.covariance[columns, t])
    pulls = [solved(whole, _pull(blocks, block, columns, t, coef)) for block in range(count)]
    times = np.array([correlation_time(influence) for influence in np.array(pulls).T])
    error = drawn.std(axis=0, ddof=1) * np.sqrt(times * count / (count - 1.0))
    reach = student.ppf(0.5 + level / 2.0, np.maximum(count / times - 1.0, 1.0)) * error
    return {"columns": columns, "low": coef - reach, "high": coef + reach, "error": error}


def _pull(blocks: Blocks, block: int, columns: Array, target: int, coef: Array) -> Array:
    """What a block adds to the normal equations of all rows."""
    offset = blocks.offset[block]
    second = blocks.covariance[block] + np.outer(offset, offset)
    return np.asarray(blocks.weight[block] * (second[columns, target] - second[np.ix_(columns, columns)] @ coef))


def trust(
    blocks: Blocks, fits: Sequence[Fit], names: Sequence[str], options: TrainOptions, pairs: int, draws: int, seed: int
) -> list[dict[str, Any]]:
    """What `stability` and `bootstrap` say of each target's model, by column; JSON-ready."""
    results = []
    for t, fit in enumerate(fits):
        entry: dict[str, Any] = {"target": fit.target, "blocks": len(blocks.weight)}
        if pairs:
            shares = stability(blocks, fit, t, options, pairs, seed)
            size = max(1, int(np.count_nonzero(fit.coef)))
            entry["chosen"] = {
                names[j]: float(shares[j]) for j in np.argsort(-shares, kind="stable") if shares[j] > 0.0
            }
            entry["halves"] = 2 * pairs
            entry["expected_noise_at_0.9"] = noise_bound(0.9, size, len(fit.coef))
        if draws:
            ends = bootstrap(blocks, fit, t, draws, seed)
            entry["level"], entry["draws"] = LEVEL, draws
            entry["coefficients"] = {
                names[j]: [float(low), float(high)]
                for j, low, high in zip(ends["columns"], ends["low"], ends["high"], strict=True)
            }
        results.append(entry)
    return results
