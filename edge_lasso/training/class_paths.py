"""The logistic paths of the folds and of all rows: followed, scored on held-out rows, and refitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_lasso.paths.cross_validation import RISEN
from edge_lasso.paths.curvature import Quadratic
from edge_lasso.paths.logistic import Array
from edge_lasso.paths.logistic_path import Points, Training, follow
from edge_lasso.paths.logistic_rows import FoldRows
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.problem import EPS

STANDS_STILL = 1e-5
"""A path ends, as in glmnet, when five alphas on end explain less than this part of the deviance more."""
TOLERANCE = 1e-9
FOLD_TOLERANCE = 1e-5
"""Of the folds' coefficients, which only score alphas: held-out losses differ by less than this part."""
REFIT_UP_TO = 200
RIDGE = 1e-4
EXPLAINED = 0.99
"""Part of the deviance explained at which a path ends: the classes are all but separated."""
TOGETHER = 10
WIDE_TOGETHER = 5
WIDE_FROM = 128


class FoldPaths:
    """Paths in step.

    Parameters
    ----------
    rows : FoldRows
    splits : sequence of (training parts, held-out parts)
    options : TrainOptions
    owners : sequence of tuple of int, optional
        The inputs each column reads. Default: every column is an input.

    Attributes
    ----------
    whole : Training
    folds : list of Training
    alphas : array, shape (m,)
    coefs : list of array, shape (m, outputs, p + 1)
        Of the folds, and last of all rows.
    errors : array, shape (folds, m)
        Held-out log-loss.
    losses, gaps : array, shape (m,)
        Training loss of all rows, and duality gap relative to the loss without inputs.
    """

    def __init__(
        self,
        rows: FoldRows,
        splits: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
        options: TrainOptions,
        owners: Sequence[tuple[int, ...]] | None,
    ) -> None:
        self.rows, self.options, self.owners = rows, options, owners
        self.whole = Training(rows, range(len(rows.totals)), TOLERANCE)
        self.folds = [Training(rows, train, FOLD_TOLERANCE) for train, _ in splits]
        self.tests = [test for _, test in splits]
        self.top = self.whole.top / max(options.l1_ratio, EPS)
        self.alphas = np.zeros(0)
        self.coefs: list[Array] = [np.zeros((0, *self.whole.coefs.shape))] * (len(splits) + 1)
        self.errors = np.zeros((len(splits), 0))
        self.losses, self.gaps = np.zeros(0), np.zeros(0)
        self._together = TOGETHER if rows.columns * rows.outputs <= WIDE_FROM else WIDE_TOGETHER

    def sizes(self, coefs: Array) -> npt.NDArray[np.int64]:
        """Inputs used by each of several models, shape (m, outputs, p + 1)."""
        used = np.any(coefs[:, :, :-1], axis=1)
        if self.owners is None:
            return np.asarray(used.sum(axis=1))
        return np.array(
            [len({i for j in np.flatnonzero(row) for i in self.owners[int(j)]}) for row in used], dtype=np.int64
        )

    def follow(self, alphas: Array) -> str:
        """Solve for decreasing alphas until that leads nowhere; returns why it ended."""
        coefs, gradient = self.whole.coefs, self.whole.gradient
        null = float(self.rows.losses(coefs[None], self.whole.parts)[0])
        model: Quadratic | None = None
        for start in range(0, len(alphas), self._together):
            some = alphas[start : start + self._together]
            points = self._points(some, coefs, gradient)
            starts = [self._points(some, coefs, gradient) for _ in self.folds]
            model = follow(self.whole, self.folds, points, starts, model, self.options.l1_ratio, self.options.workers)
            coefs, gradient = points.coefs[-1], points.gradients[-1]
            self._append(some, points, starts, null)
            for count in range(start + 1, start + len(some) + 1):
                reason = self._ended(count, null)
                if reason:
                    self._cut(count)
                    return reason
        return "last alpha"

    def _points(self, alphas: Array, coefs: Array, gradient: Array) -> Points:
        l1 = self.options.l1_ratio * alphas
        repeat = (len(alphas), 1, 1)
        return Points(np.tile(coefs, repeat), np.tile(gradient, repeat), l1, alphas - l1)

    def _append(self, alphas: Array, points: Points, starts: list[Points], null: float) -> None:
        self.alphas = np.append(self.alphas, alphas)
        self.coefs = [np.append(old, new.coefs, axis=0) for old, new in zip(self.coefs, [*starts, points], strict=True)]
        held = [self.rows.losses(start.coefs, test) for start, test in zip(starts, self.tests, strict=True)]
        self.errors = np.append(self.errors, np.array(held).reshape(-1, len(alphas)), axis=1)
        losses, gaps = certificates(self.rows, points)
        self.losses, self.gaps = np.append(self.losses, losses), np.append(self.gaps, gaps / null)

    def _ended(self, count: int, null: float) -> str:
        losses, errors = self.losses[:count], self.errors[:, :count]
        if len(errors) and risen(errors):
            return "held-out loss past its minimum on every fold"
        if losses[-1] < (1.0 - EXPLAINED) * null:
            return f"{EXPLAINED} of the deviance explained"
        if count > 5 and losses[-6] - losses[-1] < 5.0 * STANDS_STILL * null:
            return "the deviance explained stands still"
        budget = self.options.max_inputs
        if budget and all(self.sizes(coefs[count - 1 : count])[0] > 2 * budget + 10 for coefs in self.coefs):
            return "past the input budget"
        return ""

    def _cut(self, count: int) -> None:
        self.alphas, self.losses, self.gaps = self.alphas[:count], self.losses[:count], self.gaps[:count]
        self.coefs, self.errors = [coefs[:count] for coefs in self.coefs], self.errors[:, :count]

    def refits(self, candidates: Sequence[Array]) -> tuple[list[Array], Array]:
        """Maximum likelihood on the columns that candidates use, and its held-out losses.

        Parameters
        ----------
        candidates : sequence of array, shape (m, outputs, p + 1)
            Of the folds, and last of all rows.

        Returns
        -------
        coefs : list of array, shape (m, outputs, p + 1)
        errors : array, shape (folds, m)
            Infinite where a support is too large, and after held-out losses have risen on every fold.
        """
        supports: list[Array] = [np.any(candidate[:, :, :-1], axis=1) for candidate in candidates]
        refits = [candidate.copy() for candidate in candidates]
        errors = np.full((len(self.folds), len(refits[-1])), np.inf)
        small = np.flatnonzero(np.all([support.sum(axis=1) <= REFIT_UP_TO for support in supports], axis=0))
        rough = Training(self.rows, self.whole.parts, FOLD_TOLERANCE)
        coefs = candidates[-1][:1]
        for start in range(0, len(small), self._together):
            at = small[start : start + self._together]
            runs = [_runs(support[at]) for support in supports]
            starts = [_refit_points(support[at], run) for support, run in zip(supports, runs, strict=True)]
            points = starts.pop()
            for some, run in zip(starts, runs, strict=False):
                some.origins = runs[-1][np.unique(run, return_index=True)[1]]
            points.coefs = np.repeat(coefs, len(points.l1), axis=0)
            points.coefs[:, :, :-1] *= np.asarray(points.supports)[:, None]
            points.gradients = rough.gradients(points.coefs)
            follow(rough, self.folds, points, starts, None, 1.0, self.options.workers)
            coefs = points.coefs[-1:]
            for refit, some, run in zip(refits, [*starts, points], runs, strict=True):
                refit[at] = some.coefs[run]
            for fold, (test, some, run) in enumerate(zip(self.tests, starts, runs, strict=False)):
                errors[fold, at] = self.rows.losses(some.coefs, test)[run]
            if len(errors) and risen(errors[:, small[: start + len(at)]]):
                break
        return refits, errors


def _runs(supports: Array) -> npt.NDArray[np.intp]:
    """Which of the different supports each is, where neighbours are often the same."""
    return np.cumsum(np.append(False, (supports[1:] != supports[:-1]).any(axis=1)))


def _refit_points(supports: Array, runs: Array) -> Points:
    different = supports[np.unique(runs, return_index=True)[1]]
    nothing = np.zeros(0)
    return Points(nothing, nothing, np.zeros(len(different)), np.full(len(different), RIDGE), different)


def risen(errors: Array) -> bool:
    """Whether errors, shape (folds, m), ended well above a minimum ten places back or more, on every fold."""
    past = errors.shape[1] - 1 - errors.argmin(axis=1)
    return bool(((past >= 10) & (errors[:, -1] > RISEN * errors.min(axis=1))).all())


def certificates(rows: FoldRows, points: Points) -> tuple[Array, Array]:
    """Mean loss, and how far the penalized loss can be from its minimum (`logistic.duality_gap`); shapes (m,)."""
    w, l1, l2 = points.coefs[:, :, :-1], points.l1, points.l2
    size = np.abs(points.gradients[:, :, :-1])
    largest = np.maximum(size.max(axis=(1, 2), initial=0.0), EPS)
    loss, dual = rows.dual(points.coefs, np.where(l2 == 0.0, np.minimum(1.0, l1 / largest), 1.0))
    over = (np.maximum(size - l1[:, None, None], 0.0) ** 2).sum(axis=(1, 2))
    dual = dual - np.divide(over, 2.0 * l2, out=np.zeros_like(over), where=l2 > 0.0)
    objective = loss + l1 * np.abs(w).sum(axis=(1, 2)) + 0.5 * l2 * (w * w).sum(axis=(1, 2))
    return loss, np.maximum(objective - dual, 0.0)
