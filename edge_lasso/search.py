"""The front of accuracy against cost for a board: inputs, precision and target are walked on the statistics alone.

The error of a candidate is its cross-validated root mean squared error, each fold having found its own inputs, plus
the proven bound of its precision: by the triangle inequality no reading in the ranges makes the integers worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_lasso.bench import BUDGETS, Measurement, rendered
from edge_lasso.board_costs import on_boards
from edge_lasso.collect_table import Design, table_inputs
from edge_lasso.errors import DataError
from edge_lasso.fit import TrainOptions
from edge_lasso.folds import FoldStatistics
from edge_lasso.quantize import quantize
from edge_lasso.terms import numeric_inputs, provenance, to_model
from edge_lasso.train import fit_statistics
from edge_lasso_devices.boards import Board, targets
from edge_lasso_runtime.model import Model

PRECISIONS = ("float", "int16", "int8")
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100)
VARIANTS = {
    ("python", "float"): "python:double",
    ("python", "int16"): "python:fixed",
    ("python", "int8"): "python:fixed",
    ("c", "float"): "c:float",
    ("c", "int16"): "c:fixed",
    ("c", "int8"): "c:fixed",
}
COSTS = ("cycles", "instructions", "p50_us", "flash_bytes", "ram_bytes", "size_bytes")


@dataclass(frozen=True)
class Candidate:
    """One model in one precision on one target, and what it costs on the board.

    Parameters
    ----------
    model : Model
    artifact, precision : str
    inputs : int
    error : float
        Cross-validated root mean squared error plus `bound`, in the unit of the target.
    bound : float
        Proven error of the precision over the declared ranges.
    measurements : tuple of Measurement
        Counted and modelled costs; a `reason` where they could not be had.
    """

    model: Model
    artifact: str
    precision: str
    inputs: int
    error: float
    bound: float
    measurements: tuple[Measurement, ...]

    def cost(self, key: str) -> float | None:
        """A figure by its budget key; None where it was not counted."""
        if key == "inputs":
            return float(self.inputs)
        if key == "max_error":
            return self.bound
        found = (one.value(key) for one in self.measurements)
        return next((value for value in found if value is not None), None)

    def kind(self, key: str) -> str:
        """Where a figure comes from."""
        if key in ("inputs", "max_error"):
            return "proven" if key == "max_error" else "counted"
        kinds = (str(one.figures[key].get("kind")) for one in self.measurements if one.value(key) is not None)
        return next(kinds, "")

    @property
    def title(self) -> str:
        """How it is named in tables."""
        return f"{self.inputs} inputs, {self.precision}, {self.artifact}"


@dataclass(frozen=True)
class Front:
    """What `search` found.

    Parameters
    ----------
    candidates : tuple of Candidate
        All that could be counted, most accurate first.
    best : tuple of Candidate
        The Pareto front: no other candidate is as accurate and as cheap in every cost.
    knee : Candidate
        Where more accuracy begins to cost much.
    choice : Candidate or None
        The most accurate that keeps every budget.
    missed : str
        What the nearest candidate misses, where there is no choice.
    lost : tuple of (str, str)
        What could not be counted, and why.
    """

    candidates: tuple[Candidate, ...]
    best: tuple[Candidate, ...]
    knee: Candidate
    choice: Candidate | None
    missed: str
    lost: tuple[tuple[str, str], ...]


def search(
    statistics: FoldStatistics,
    board: Board,
    budgets: Mapping[str, float] | None = None,
    max_inputs: int | None = None,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Front:
    """Walk inputs x precision x target for a board.

    Parameters
    ----------
    statistics : FoldStatistics
        Of `train_table`, with one target and folds.
    board : Board
    budgets : dict, optional
        Key (see `bench.BUDGETS`) to limit.
    max_inputs : int, optional
        Largest number of inputs to try; by default that of the smallest cross-validated error.
    workers : int
    progress : callable, optional

    Returns
    -------
    Front

    Raises
    ------
    DataError
        Unknown budgets, several targets, statistics without folds; nothing could be counted for the board.
    """
    limits = dict(budgets or {})
    _check(statistics, limits)
    wanted = [
        (key, name) for key, name in VARIANTS.items() if targets(board)[key[0]] is None and _counts(board, key[0])
    ]
    candidates, lost = [], {}
    for model, error in sized_models(statistics, max_inputs, workers):
        for precision in PRECISIONS:
            reduced, bound = _reduced(model, precision)
            if isinstance(reduced, str):
                lost[f"{len(model.inputs)} inputs, {precision}"] = reduced
                continue
            for (_, of), artifact in wanted:
                if of != precision:
                    continue
                if progress is not None:
                    progress(f"{len(model.inputs)} inputs, {precision}, {artifact}")
                [subject] = rendered(reduced, artifact)
                loss = bound if bound is not None else float(subject.figures["max_error"]["value"])
                costs = tuple(on_boards([board], [subject]))
                one = Candidate(reduced, artifact, precision, len(model.inputs), error + loss, loss, costs)
                if any(each.reason for each in costs):
                    lost[one.title] = next(each.reason for each in costs if each.reason)
                else:
                    candidates.append(one)
    if not candidates:
        why = next(iter(lost.values()), "no target of it can be counted here")
        raise DataError(f"nothing could be counted for {board.name}: {why}")
    candidates.sort(key=lambda one: (one.error, one.inputs, one.artifact))
    best = [one for one in candidates if not any(_dominates(other, one) for other in candidates)]
    fitting = [one for one in candidates if not _missed(one, limits)]
    choice = fitting[0] if fitting else None
    nearest = min(candidates, key=lambda one: max((over for _, over in _missed(one, limits)), default=0.0))
    missed = "" if choice else _nearest(nearest, limits)
    return Front(tuple(candidates), tuple(best), knee(best), choice, missed, tuple(lost.items()))


def sized_models(
    statistics: FoldStatistics, max_inputs: int | None = None, workers: int = 1
) -> list[tuple[Model, float]]:
    """Models of growing size and their cross-validated root mean squared error.

    Each has the alpha (or refit) that is best for its number of inputs; sizes that give no other model are left out.
    """
    about = statistics.about
    categories = {name: tuple(values) for name, values in about["categories"].items()}
    design = Design(tuple(about["columns"]), statistics.targets, categories, about["fill"])
    terms = design.terms if categories or about["degree"] == 2 else None
    options = replace(TrainOptions(**about["options"]), select="min", max_inputs=None, workers=workers)
    inputs = table_inputs(design, numeric_inputs(statistics.total, design.numeric))
    largest = max_inputs or fit_statistics(statistics, options, terms)[0].n_inputs
    found: dict[int, tuple[Model, float]] = {}
    for size in [*(size for size in SIZES if size < largest), largest]:
        chosen = replace(options, max_inputs=max(size, 1))
        fits = fit_statistics(statistics, chosen, terms)
        made = {**provenance(fits, statistics, chosen), "data": about["data"], "seed": about["seed"]}
        model = to_model(fits, inputs, design.columns, design.terms, made)
        if model.inputs:
            found.setdefault(len(model.inputs), (model, math.sqrt(fits[0].cv_error)))
    return [found[size] for size in sorted(found)]


def knee(front: Sequence[Candidate]) -> Candidate:
    """The point of the front that is farthest below the line between its ends, error against the logarithm of cost.

    Cost is time where it is known for all, else bytes (Satopaa et al. 2011, "Finding a kneedle in a haystack").
    """
    key = "p50_us" if all(one.cost("p50_us") for one in front) else "size_bytes"
    points = sorted((math.log(one.cost(key) or 1.0), one.error, i) for i, one in enumerate(front))
    (x0, y0, _), (x1, y1, _) = points[0], points[-1]
    if len(points) < 3 or x1 == x0 or y1 == y0:
        return front[points[0][2]]
    below = [((x - x0) / (x1 - x0)) * (y1 - y0) / abs(y1 - y0) - (y - y0) / abs(y1 - y0) for x, y, _ in points]
    return front[points[max(range(len(points)), key=below.__getitem__)][2]]


def _check(statistics: FoldStatistics, limits: Mapping[str, float]) -> None:
    if len(statistics.targets) != 1:
        raise DataError(f"search takes one target; these statistics have {len(statistics.targets)}")
    if not statistics.splits or "columns" not in statistics.about:
        raise DataError("search needs the statistics of a training with folds; train with --cv 2 or more")
    for key, limit in limits.items():
        if key not in BUDGETS:
            raise DataError(f"budget '{key}' is unknown; there are {', '.join(BUDGETS)}")
        if not 0.0 < limit < math.inf:
            raise DataError(f"budget {key}={limit!r} must be a positive number")


def _counts(board: Board, target: str) -> bool:
    """Whether a target runs on a board and its cost can be counted; that of Python on microcontrollers cannot."""
    return targets(board)[target] is None and (board.kind == "linux" or target == "c")


def _reduced(model: Model, precision: str) -> tuple[Model | str, float | None]:
    if precision == "float":
        return model, None
    try:
        reduced = quantize(model, precision)
    except DataError as error:
        return str(error), None
    return reduced, max(reduced.provenance["quantized"]["bounds"])


def _dominates(one: Candidate, other: Candidate) -> bool:
    """No worse in error, inputs and every cost, and better in one."""
    pairs = [(one.error, other.error), (one.inputs, other.inputs)]
    for key in COSTS:
        a, b = one.cost(key), other.cost(key)
        if a is not None and b is not None:
            pairs.append((a, b))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _missed(one: Candidate, limits: Mapping[str, float]) -> list[tuple[str, float]]:
    """Budgets that are not kept, and by which factor; what was not counted keeps nothing."""
    found = [(key, one.cost(key), limit) for key, limit in limits.items()]
    return [
        (key, math.inf if value is None else value / limit)
        for key, value, limit in found
        if value is None or value > limit
    ]


def _nearest(one: Candidate, limits: Mapping[str, float]) -> str:
    words = []
    for key, _ in _missed(one, limits):
        value = one.cost(key)
        words.append(f"{key} {'unknown' if value is None else format(value, '.4g')} of {limits[key]:g}")
    return f"no candidate keeps every budget; the nearest is {one.title}: {', '.join(words)}"
