"""What a method of choosing inputs is: the course that `fit_regression` takes asks it, and nothing else, what differs.

As in skglm a fit is a loss and a penalty. The loss is the quadratic of `Problem` (or its logistic twin, see
`logistic`); a method is the penalty: how the columns are weighted, how the path over it is walked, how far a solution
is from optimal, what may be refitted, and what the result is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_lasso.paths import homotopy
from edge_lasso.paths.cross_validation import GAMMAS, Lasso, Paths, solve_together
from edge_lasso.paths.methods import METHODS
from edge_lasso.paths.options import TrainOptions, sign_constraints
from edge_lasso.paths.path import Array, PathSolver, active_solution
from edge_lasso.paths.problem import SCREEN_FROM, Problem, alpha_grid, gap
from edge_lasso.paths.sized import SUBSET, searches
from edge_lasso.paths.subset import SubsetSearch

SCREENED_LOOSER = 100.0
"""Dense ends of long paths are slow; the chosen solution is made exact afterwards."""


class Method:
    """The lasso (and elastic net): the method that the others differ from."""

    merges_twins = True
    """Whether one of several columns that carry the same is enough."""

    def weighted(self, lasso: Lasso) -> Lasso:
        """The problems that are solved, in each fold of its own training rows."""
        return lasso

    def paths(self, lasso: Lasso, groups: Array, options: TrainOptions) -> Paths:
        """The paths of the folds, which are only scored, and that of all training rows, which is handed out."""
        p = len(lasso.problem.xy)
        signs = sign_constraints(options, p)
        finer = options.tol if p <= SCREEN_FROM else SCREENED_LOOSER * options.tol
        tolerances = [*(100.0 * finer for _ in lasso.fold_problems), finer * 1e-4]
        every = [*lasso.fold_problems, lasso.problem]
        solvers: list[Any] = [
            PathSolver(problem, options.l1_ratio, tol, options.max_iter, signs)
            for problem, tol in zip(every, tolerances, strict=True)
        ]
        alphas = alpha_grid(lasso.problem, options.alphas, options.l1_ratio, options.smallest, signs)
        if p <= SCREEN_FROM and options.l1_ratio == 1.0 and signs is None:
            for solver, known in zip(solvers, homotopy.paths(every, alphas), strict=True):
                solver.known = known
        return solve_together(solvers, lasso.folds, lasso, alphas, options)

    def gap(self, problem: Problem, groups: Array, coef: Array, alpha: float, options: TrainOptions) -> float:
        """Duality gap of a solution, relative to the target's variance."""
        return gap(problem, coef, alpha, options.l1_ratio, sign_constraints(options, len(coef)))

    def exact(self, problem: Problem, coef: Array, alpha: float, options: TrainOptions) -> Array | None:
        """The solution on the active set of `coef` in closed form; None where there is none."""
        signs = sign_constraints(options, len(coef))
        return active_solution(problem.gram, problem.xy, coef, alpha, options.l1_ratio, signs)

    def gammas(self, options: TrainOptions) -> Array:
        """Which mixtures with least squares on the support compete."""
        free = options.refit and not options.positive and options.signs is None
        return GAMMAS if free else GAMMAS[:1]

    def searches(self, lasso: Lasso, options: TrainOptions) -> list[SubsetSearch]:
        """Searches for best subsets, of the folds and of all rows, where these compete: within a budget."""
        return searches(lasso, options) if options.refit and options.max_inputs is not None else []

    def largest(self, lasso: Lasso, options: TrainOptions) -> int | None:
        """The most inputs, where models compete by size; None: every point of the path does."""
        return options.max_inputs

    def label(self, gamma: float, options: TrainOptions) -> str:
        """What the chosen mixture is called."""
        if gamma == SUBSET:
            return "best subset"
        if gamma == 0.0:
            return "refit"
        return ("lasso" if options.l1_ratio == 1.0 else "elastic net") if gamma == 1.0 else "relaxed lasso"


class Relaxed(Method):
    """The relaxed lasso (Meinshausen 2007): least squares on the lasso's support, whole or halfway, always."""

    def gammas(self, options: TrainOptions) -> Array:
        """Never the lasso itself."""
        return GAMMAS[1:]

    def searches(self, lasso: Lasso, options: TrainOptions) -> list[SubsetSearch]:
        """The inputs are the lasso's."""
        return []


class Named(Method):
    """A method whose mixtures are called after it, and which competes with no other."""

    name = ""

    def searches(self, lasso: Lasso, options: TrainOptions) -> list[SubsetSearch]:
        """None: what was asked for is handed out."""
        return []

    def label(self, gamma: float, options: TrainOptions) -> str:
        """The name, and how far it was refitted."""
        return self.name + {1.0: "", 0.5: ", relaxed", 0.0: ", refitted"}[gamma]


LASSO, RELAXED = Method(), Relaxed()


def method(name: str) -> Method:
    """The method of a name in `METHODS`."""
    module, instance = METHODS[name][:2]
    loaded: Method = getattr(import_module(f"edge_lasso.paths.{module}"), instance)
    return loaded
