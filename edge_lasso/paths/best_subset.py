"""The best subset of every size, whatever the lasso would choose; the lasso's path only starts the search."""

from __future__ import annotations

from edge_lasso.paths.cross_validation import GAMMAS, Lasso
from edge_lasso.paths.method import Method
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.problem import Array
from edge_lasso.paths.sized import searches
from edge_lasso.paths.subset import SubsetSearch

UNLIMITED = 30
"""Sizes searched where no budget is given."""


class BestSubset(Method):
    """Least squares on the best subset of each size."""

    def gammas(self, options: TrainOptions) -> Array:
        """No lasso competes."""
        return GAMMAS[:0]

    def searches(self, lasso: Lasso, options: TrainOptions) -> list[SubsetSearch]:
        """Always."""
        return searches(lasso, options)

    def largest(self, lasso: Lasso, options: TrainOptions) -> int:
        """The budget, or as many as anyone compares."""
        return options.max_inputs or UNLIMITED


SUBSET = BestSubset()
