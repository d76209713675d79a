"""What is bought together: a column, a sensor with several columns, inputs whose products come with them.

A set of units opens every column that reads nothing but them. `Support` is least squares on those columns, from the
Gram matrix alone, and what every single change of the set would do to its residual, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from edge_lasso.paths.problem import Array, Problem
from edge_lasso.paths.refit import RANK_TOLERANCE, conditioned_inverse, independent, inverse

SETTLED = 1e-12
"""Changes of the residual, relative to the target's variance, that are rounding."""


class Units:
    """Which units each column reads.

    Parameters
    ----------
    problem : Problem
    owners : sequence of tuple of int, optional
        Units 0, 1, .. that each column reads. Default: each column is a unit.
    """

    def __init__(self, problem: Problem, owners: Sequence[tuple[int, ...]] | None = None) -> None:
        p = len(problem.xy)
        self.problem = problem
        self.open = ~problem.constant
        self.alone = owners is None
        if owners is None:
            self.count = p
            self.usable = np.flatnonzero(self.open)
            return
        self.count = 1 + max((unit for units in owners for unit in units), default=-1)
        reads = np.zeros((p, self.count), dtype=bool)
        for column, units in enumerate(owners):
            reads[column, list(units)] = True
        self._reads = reads
        self._needs = reads.sum(axis=1)
        self.usable = np.flatnonzero(reads[self.open].any(axis=0))

    def columns(self, chosen: Array) -> Array:
        """Columns that read nothing but the chosen units."""
        if self.alone:
            return chosen
        return np.flatnonzero((self._reads[:, chosen].sum(axis=1) == self._needs) & self.open)

    def reading(self, columns: Array, unit: int) -> Array:
        """Positions of those columns that read a unit."""
        return np.flatnonzero(columns == unit if self.alone else self._reads[columns, unit])

    def of(self, columns: Array) -> Array:
        """The units that columns read."""
        return np.unique(columns) if self.alone else np.flatnonzero(self._reads[columns].any(axis=0))

    def additions(self, chosen: Array) -> list[tuple[int, Array]]:
        """For each further unit the columns that it would open (only units that open any)."""
        read = self._reads[:, chosen].sum(axis=1)
        nearly = np.flatnonzero((self._needs - read == 1) & self.open)
        rest = self._reads[nearly].copy()
        rest[:, chosen] = False
        unit = rest.argmax(axis=1)
        order = np.argsort(unit, kind="stable")
        edges = np.flatnonzero(np.diff(unit[order])) + 1
        return [(int(unit[part[0]]), nearly[part]) for part in np.split(order, edges) if len(part)]


class Support:
    """Least squares on the columns of chosen units.

    Attributes
    ----------
    chosen : array of int
        The units, in order.
    columns : array of int
        Their columns that do not depend on each other.
    coef : array
        On `columns`.
    residual : float
        Mean squared residual.
    """

    def __init__(self, units: Units, chosen: Array) -> None:
        problem = units.problem
        self.units, self.chosen = units, chosen
        self.columns = units.columns(chosen)
        self._rows = problem.gram[self.columns]
        result = conditioned_inverse(self._rows[:, self.columns])
        if result is None:
            self.columns = self.columns[independent(self._rows[:, self.columns])]
            self._rows = problem.gram[self.columns]
            result = inverse(self._rows[:, self.columns])
        self.inverse = result
        self.coef = self.inverse @ problem.xy[self.columns]
        self.residual = max(problem.yy - float(self.coef @ problem.xy[self.columns]), 0.0)

    def full(self) -> Array:
        """Coefficients on all columns."""
        coef = np.zeros(len(self.units.problem.xy))
        coef[self.columns] = self.coef
        return coef

    def drops(self) -> Array:
        """Rise of the residual without each chosen unit, the others refitted."""
        if self.units.alone and len(self.columns) == len(self.chosen):
            return np.asarray(self.coef**2 / np.diagonal(self.inverse))
        if self.units.alone:
            at = np.searchsorted(self.columns, self.chosen)
            inside = np.isin(self.chosen, self.columns)
            at = np.where(inside, at, 0)
            return np.where(inside, (self.coef**2 / np.diagonal(self.inverse))[at] if len(self.coef) else 0.0, 0.0)
        return np.array([self._block_cost(self.units.reading(self.columns, int(unit))) for unit in self.chosen])

    @cached_property
    def gradient(self) -> Array:
        """Of half the residual, downwards: what is left for each column to explain."""
        return np.asarray(self.units.problem.xy - self.coef @ self._rows)

    @cached_property
    def _along(self) -> Array:
        """Coefficients of every column on those of the support."""
        return np.asarray(self.inverse @ self._rows)

    @cached_property
    def _spread(self) -> Array:
        """What of every column's variance the support does not explain."""
        return np.asarray(np.diagonal(self.units.problem.gram) - np.einsum("ij,ij->j", self._along, self._rows))

    def _block_cost(self, at: Array) -> float:
        if not len(at):
            return 0.0
        return float(self.coef[at] @ np.linalg.solve(self.inverse[at[:, None], at], self.coef[at]))

    def gains(self) -> Array:
        """Fall of the residual with each further unit, shape (units,); minus infinity for those that add nothing."""
        if self.units.alone:
            return self._single_gains(self.gradient, self._spread)
        return self._block_gains(self.chosen, self.gradient, None)

    def exchanges(self) -> Array:
        """Fall of the residual when a chosen unit (rows) is exchanged for another (columns); of `chosen` order."""
        units, along = self.units, self._along
        if units.alone and len(self.columns) == len(self.chosen):
            pivots = np.diagonal(self.inverse)
            moved = self.gradient + along * (self.coef / pivots)[:, None]
            gains = self._single_gains(moved, self._spread + along**2 / pivots[:, None])
            return np.asarray(gains - (self.coef**2 / pivots)[:, None])
        change = np.full((len(self.chosen), units.count), -np.inf)
        for i, unit in enumerate(self.chosen.tolist()):
            at = units.reading(self.columns, unit)
            if not len(at):
                change[i] = self.gains()
                continue
            held = np.linalg.inv(self.inverse[at[:, None], at]) @ along[at]
            moved = self.gradient + self.coef[at] @ held
            if units.alone:
                gains = self._single_gains(moved, self._spread + np.einsum("ij,ij->j", along[at], held))
            else:
                gains = self._block_gains(np.delete(self.chosen, i), moved, (along[at], held))
            gains[unit] = -np.inf
            change[i] = gains - self._block_cost(at)
        return change

    def _single_gains(self, gradient: Array, spread: Array) -> Array:
        size = np.diagonal(self.units.problem.gram)
        free = self.units.open & (spread > RANK_TOLERANCE * size)
        free[..., self.chosen] = False
        return np.asarray(np.where(free, gradient**2 / np.where(free, spread, 1.0), -np.inf))

    def _block_gains(self, chosen: Array, gradient: Array, back: tuple[Array, Array] | None) -> Array:
        """Gains of units that open several columns, in batches of equal width; `back`: what a dropped unit leaves."""
        units, gram, along, rows = self.units, self.units.problem.gram, self._along, self._rows
        gains = np.full(units.count, -np.inf)
        every = units.additions(chosen)
        for width in {len(columns) for _, columns in every}:
            of = [unit for unit, columns in every if len(columns) == width]
            at = np.array([columns for _, columns in every if len(columns) == width])
            spread = gram[at[:, :, None], at[:, None, :]]
            size = np.einsum("uii->ui", spread).copy()
            spread = spread - np.einsum("mui,muj->uij", along[:, at], rows[:, at])
            if back is not None:
                spread += np.einsum("mui,muj->uij", back[0][:, at], back[1][:, at])
            spread += np.eye(width) * (RANK_TOLERANCE * size)[:, :, None]  # columns that repeat others add nothing
            pull = gradient[at]
            gains[of] = np.einsum("ui,ui->u", pull, np.linalg.solve(spread, pull[:, :, None])[:, :, 0])
        gains[self.chosen] = -np.inf
        return gains
