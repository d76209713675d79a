"""The best subset of a size, proven: leaps and bounds (Furnival and Wilson 1974) on a Gram matrix.

Least squares on all columns that a node leaves open bounds every subset in it from below; so does dropping the columns
that have to go: ``d b^2`` summed over the least useful of them, where the Gram matrix exceeds ``diag(d)`` (the form
behind the perspective relaxation; Xie and Deng 2020). A column whose loss alone lifts the bound over the best subset
known stays in. The node with the lowest bound comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from edge_lasso.paths.problem import Array, Problem
from edge_lasso.paths.refit import conditioned_inverse, independent, inverse, least_squares

EQUAL = 1e-9
"""Residuals that differ by a smaller part count as equal."""
NODE = 2e5
"""Floating-point operations that a node's bookkeeping is worth, in NumPy's calls."""


@dataclass(frozen=True)
class Proof:
    """What is known of the best subset of a size.

    Parameters
    ----------
    columns : array of int
        The best one known.
    residual : float
        Its mean squared residual.
    bound : float
        No subset of the size has a smaller one; equal to `residual` when that is the least there is.
    nodes : int
    """

    columns: Array
    residual: float
    bound: float
    nodes: int

    @property
    def exact(self) -> bool:
        """The subset is the best there is."""
        return self.bound >= self.residual * (1.0 - 2.0 * EQUAL)


def prove(problem: Problem, columns: Array, work: float = 3e9) -> Proof:
    """Show that no subset of as many columns is better, or find the best.

    Parameters
    ----------
    problem : Problem
    columns : array of int
        The best subset known.
    work : float
        Floating-point operations (about) after which the search ends with the bound it has.
    """
    usable = np.flatnonzero(~problem.constant)
    size = len(columns)
    coef, dependent = least_squares(problem.gram, problem.xy, columns)
    residual = max(problem.yy - float(coef @ problem.xy[columns]), 0.0)
    if len(usable) <= size:
        return Proof(columns, residual, residual, 0)
    remaining = usable[independent(problem.gram[usable[:, None], usable])]
    if len(dependent) or len(remaining) < len(usable) or not size:
        full, _ = least_squares(problem.gram, problem.xy, usable)
        bound = residual if not size else max(problem.yy - float(full @ problem.xy[usable]), 0.0)
        return Proof(columns, residual, min(bound, residual), 0)
    search = _Search(problem, usable, columns, residual)
    bound, nodes = search.run(work)
    return Proof(usable[search.best], search.residual, min(bound, search.residual), nodes)


class _Search:
    """Nodes are (open columns, how many of them are in for good: the first); positions count the usable columns."""

    def __init__(self, problem: Problem, usable: Array, columns: Array, residual: float) -> None:
        gram = problem.gram[usable[:, None], usable]
        root = np.sqrt(np.diagonal(gram))
        self.gram = gram / root / root[:, None]
        self.xy = problem.xy[usable] / root
        self.yy = problem.yy
        self.size = len(columns)
        self.best = np.searchsorted(usable, columns)
        self.residual = residual
        self.diagonal = _below(self.gram)

    def run(self, work: float) -> tuple[float, int]:
        """Bound, and nodes looked at."""
        heap: list[tuple[float, int, bytes, int]] = []
        everything = np.arange(len(self.xy))
        heappush(heap, (0.0, 0, everything.tobytes(), 0))
        spent, nodes = 0.0, 0
        while heap:
            bound, _, key, inside = heappop(heap)
            if bound >= self.residual * (1.0 - EQUAL):
                return self.residual, nodes
            if spent > work:
                return bound, nodes
            at = np.frombuffer(key, dtype=np.intp)
            nodes += 1
            spent += NODE + len(at) ** 3
            for child, fixed, below in self._children(at, inside, bound):
                heappush(heap, (below, nodes * 1000 + fixed, child.tobytes(), fixed))
        return self.residual, nodes

    def _children(self, at: Array, inside: int, bound: float) -> list[tuple[Array, int, float]]:
        """Nodes below this one that may hold something better; leaves are judged at once."""
        full = conditioned_inverse(self.gram[at[:, None], at])
        if full is None:  # a part of a matrix that was well-conditioned: rounding at the limit
            full = inverse(self.gram[at[:, None], at])
        coef = full @ self.xy[at]
        residual = max(self.yy - float(coef @ self.xy[at]), bound)
        cut = self.residual * (1.0 - EQUAL)
        loss = coef**2 / np.diagonal(full)
        loss[:inside] = np.inf
        order = np.argsort(-loss, kind="stable")
        at, loss, coef = at[order], loss[order], coef[order]
        inside = int(np.count_nonzero(residual + loss >= cut))
        room = self.size - inside
        if room < 0:
            return []
        if room == 0:
            self._judge(at[:inside])
            return []
        leave = len(at) - self.size
        light = np.sort(self.diagonal[at[inside:]] * coef[inside:] ** 2)
        if residual + float(light[:leave].sum()) >= cut:
            return []
        children = []
        for j in range(inside, self.size):
            rest = np.delete(at, j)
            if len(rest) == self.size:
                self._judge(rest)
            else:
                children.append((rest, j, residual + float(loss[j])))
        self._judge(at[: self.size])
        return children

    def _judge(self, at: Array) -> None:
        coef, _ = least_squares(self.gram, self.xy, at)
        residual = max(self.yy - float(coef @ self.xy[at]), 0.0)
        if residual < self.residual * (1.0 - EQUAL):
            self.best, self.residual = np.sort(at), residual


def _below(gram: Array) -> Array:
    """A diagonal matrix that the Gram matrix exceeds: its smallest eigenvalue, as it is or scaled by the inverse."""
    shape = 1.0 / np.diagonal(inverse(gram))
    root = np.sqrt(shape)
    least = float(np.linalg.eigvalsh(gram / root / root[:, None])[0])
    plain = float(np.linalg.eigvalsh(gram)[0])
    scaled = max(least, 0.0) * shape * (1.0 - 1e-9)
    return scaled if scaled.sum() > plain * len(gram) else np.full(len(gram), max(plain, 0.0) * (1.0 - 1e-9))
