"""The best subset of each size on a Gram matrix: steps forward, backward and exchanges, until nothing helps.

Every size starts from the lasso path's supports, from backward elimination and from its neighbours' best; each start is
improved by exact exchanges of one unit for another (Hazimeh and Mazumder 2020; compare the splicing of Zhu et al. 2020,
which judges exchanges by approximation). No row is read, so that the number of rows does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge_lasso.paths.problem import Array, Problem
from edge_lasso.paths.units import SETTLED, Support, Units

ELIMINATE_FROM = 120
"""Backward elimination starts from no more columns than this."""
ROUNDS = 10
TRIED = 60
"""Exchanges that are tried, the most promising first, where signs may forbid them."""


class SubsetSearch:
    """The best sets of 0, 1, 2, .. units that were seen.

    Parameters
    ----------
    problem : Problem
    owners : sequence of tuple of int, optional
        Units that each column reads (see `Units`).
    signs : array of int, shape (p,), optional
        1: no negative coefficient, -1: no positive one.
    costs : array, shape (units,), optional
        What each unit costs: at equal size, one that costs more has to explain more.

    Attributes
    ----------
    best : dict of int to Support
        By size.
    """

    def __init__(
        self,
        problem: Problem,
        owners: Sequence[tuple[int, ...]] | None = None,
        signs: Array | None = None,
        costs: Array | None = None,
    ) -> None:
        self.units = Units(problem, owners)
        self.signs = signs
        self.costs = None if costs is None or (costs == costs[0]).all() else costs
        self.price = 0.0
        self._seen: dict[bytes, Support] = {}
        self.best: dict[int, Support] = {0: self._support([])}

    def run(self, largest: int, starts: Iterable[Array] = ()) -> None:
        """Search all sizes up to `largest`.

        Parameters
        ----------
        largest : int
        starts : iterable of array of int
            Columns that are promising together, such as supports of the lasso path.
        """
        largest = min(largest, len(self.units.usable), max(self.units.problem.rows - 2, 1))
        if largest < 1:
            return
        sets: dict[bytes, Array] = {}
        last = {len(units): units for units in map(self.units.of, starts)}
        for size in sorted(last):
            if size <= largest + 1 or size in (2 * largest, max(last)):
                sets[last[size].tobytes()] = last[size]
        usable = self.units.usable
        if len(usable) <= min(ELIMINATE_FROM, self.units.problem.rows // 2):
            sets.setdefault(usable.tobytes(), usable)
        for units in sets.values():
            if len(units) > ELIMINATE_FROM:
                continue
            support = self._support(units)
            while len(support.chosen) > largest:
                support = self._without_cheapest(support)
            self._offer(support)
        self._shorter(self.best[max(self.best)])
        for _ in range(ROUNDS):
            if not self._sweep(largest):
                break
        if self.costs is not None and self.price == 0.0 and largest in self.best:
            self._charge(largest)

    def _charge(self, largest: int) -> None:
        """Search again with costs: the least useful unit of the largest set is worth a cost of 1."""
        drops = self.best[largest].drops()
        self.price = float(drops.min())
        self._seen = {}
        for _ in range(ROUNDS):
            if not self._sweep(largest):
                break

    def value(self, support: Support) -> float:
        """What is minimized: the residual, and the price of the units' costs."""
        paid = 0.0 if self.costs is None else self.price * float(self.costs[support.chosen].sum())
        return support.residual + paid

    def _sweep(self, largest: int) -> bool:
        """Each size from its neighbours, up and down; whether anything was found."""
        changed = False
        for size in range(1, largest + 1):
            if size - 1 in self.best:
                changed |= self._offer(self._with_best(self.best[size - 1]))
        for size in range(largest, 1, -1):
            if size in self.best:
                changed |= self._offer(self._without_cheapest(self.best[size]))
        return changed

    def _offer(self, support: Support) -> bool:
        """Improve a support and keep it if it is the best of its size."""
        support = self._improved(support)
        size = len(support.chosen)
        enough = SETTLED * self.units.problem.yy
        if size in self.best and self.value(support) >= self.value(self.best[size]) - enough:
            return False
        self.best[size] = support
        return True

    def _shorter(self, support: Support) -> None:
        """Eliminate down to nothing, offering every size."""
        while len(support.chosen) > 1:
            support = self._without_cheapest(support)
            self._offer(support)

    def _improved(self, support: Support) -> Support:
        """Exchange units while that helps; a start that was seen ends where it ended then."""
        begun = support.chosen.tobytes()
        while support.chosen.tobytes() not in self._seen:
            here = support.chosen.tobytes()
            better = self._exchanged(support)
            if better is None:
                self._seen[here] = support
                break
            support = better
        support = self._seen[support.chosen.tobytes()]
        self._seen[begun] = support
        return support

    def _exchanged(self, support: Support) -> Support | None:
        if not len(support.chosen):
            return None
        change = support.exchanges()
        if self.costs is not None and self.price:
            change = change - self.price * (self.costs - self.costs[support.chosen][:, None])
        enough = SETTLED * self.units.problem.yy
        flat = change.ravel()
        order = [int(flat.argmax())] if self.signs is None else np.argsort(-flat)[:TRIED].tolist()
        for place in order:
            if flat[place] <= enough:
                return None
            out, in_ = divmod(place, change.shape[1])
            better = self._support([*np.delete(support.chosen, out).tolist(), in_])
            if len(better.chosen) == len(support.chosen) and self.value(better) < self.value(support) - enough:
                return better
        return None

    def _with_best(self, support: Support) -> Support:
        gains = support.gains()
        if self.costs is not None and self.price:
            gains = gains - self.price * self.costs
        for unit in np.argsort(-gains)[: 1 if self.signs is None else TRIED].tolist():
            if not np.isfinite(gains[unit]):
                break
            larger = self._support([*support.chosen.tolist(), unit])
            if len(larger.chosen) > len(support.chosen):
                return larger
        return support

    def _without_cheapest(self, support: Support) -> Support:
        drops = support.drops()
        if self.costs is not None and self.price:
            drops = drops - self.price * self.costs[support.chosen]
        return self._support(np.delete(support.chosen, int(drops.argmin())))

    def _support(self, chosen: Iterable[int] | Array) -> Support:
        """Least squares on units; where signs are given, on those whose signs allow it."""
        support = Support(self.units, np.sort(np.asarray(chosen, dtype=np.intp)))
        if self.units.alone and len(support.columns) < len(support.chosen):  # some depend on the others
            support = Support(self.units, support.columns)
        if self.signs is None or (support.coef * self.signs[support.columns] >= 0.0).all():
            return support
        return self._support(self.units.of(allowed(support, self.signs)))


def allowed(support: Support, signs: Array) -> Array:
    """Columns that least squares with signs (Lawson and Hanson 1974) uses, of those of a support."""
    from scipy.optimize import nnls  # a quarter of a second, for signs alone

    problem, columns = support.units.problem, support.columns
    gram = problem.gram[columns[:, None], columns]
    factor = np.linalg.cholesky(gram).T
    target = np.linalg.solve(factor.T, problem.xy[columns])
    sign = signs[columns]
    up, down = np.flatnonzero(sign >= 0), np.flatnonzero(sign <= 0)
    coef, _ = nnls(np.concatenate([factor[:, up], -factor[:, down]], axis=1), target)
    used = np.concatenate([up, down])[coef > 0.0]
    inside: Array = columns[np.unique(used)]
    return inside if len(inside) < len(columns) else columns[support.coef * sign >= 0.0]
