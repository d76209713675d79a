"""The front of accuracy against cost for a board: lambda, inputs, precision and target, walked on the statistics alone.

The error of a candidate is its cross-validated root mean squared error, each fold having found its own inputs, plus
the proven bound of its precision: by the triangle inequality no reading in the ranges makes the integers worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError, ExportError
from edge_lasso.measuring.bench import check_budgets, rendered
from edge_lasso.measuring.board_costs import Emulators
from edge_lasso.measuring.measurement import Measurement, Subject
from edge_lasso.measuring.prices import Prices, priced
from edge_lasso.paths import select as selection
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.design import table_inputs
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import numeric_inputs
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.missing import with_estimate
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.outline import design_of
from edge_lasso_devices.boards import Board, targets
from edge_lasso_runtime.model import Model

PRECISIONS = {
    "float": ("python:double", "c:float", "onnx:float32", "onnx:float64", "tflite:float32"),
    "float16": ("tflite:float16",),
    "int16": ("python:fixed", "c:fixed"),
    "int8": ("python:fixed", "c:fixed"),
    "int16 x int8": ("tflite:int16x8",),
    "int8 in tflite": ("tflite:int8",),
    "int8 weights": ("tflite:dynamic",),
}
"""Of the model, and the artifacts that have it. What LiteRT quantizes is quantized by its writer."""
QUANTIZED = ("int16", "int8")
"""Those for which the model itself is quantized."""
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100)
COSTS = ("cycles", "instructions", "p50_us", "energy_nj", "price", "flash_bytes", "ram_bytes", "size_bytes")


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
        result = (measurement.value(key) for measurement in self.measurements)
        return next((value for value in result if value is not None), None)

    def kind(self, key: str) -> str:
        """Where a figure comes from."""
        if key in ("inputs", "max_error"):
            return "proven" if key == "max_error" else "counted"
        kinds = (
            str(measurement.figures[key].get("kind"))
            for measurement in self.measurements
            if measurement.value(key) is not None
        )
        return next(kinds, "")

    def source(self, key: str) -> dict[str, str]:
        """What a figure was counted on or worked out from, as ``of``; empty where nothing is said."""
        result = (
            measurement.figures[key].get("of")
            for measurement in self.measurements
            if measurement.value(key) is not None
        )
        return {"of": of} if (of := next(result, None)) else {}

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
    estimate: bool = True,
    prices: Prices | None = None,
) -> Front:
    """Walk inputs x precision x target for a board, each number of inputs with the lambda that is best for it.

    What a model costs depends on its inputs, not on lambda: of the lambdas that choose as many inputs, the one with the
    smallest cross-validated error (and, with it, whether it is refitted) beats all others, so no other can be on the
    front. Larger lambdas stand behind the smaller numbers of inputs.

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
    estimate : bool
        Models that can estimate missing inputs from the others do, as those of `train_table`; it is part of their cost.
    prices : Prices, optional
        Adds ``price``, of a million rows, to the costs.

    Returns
    -------
    Front

    Raises
    ------
    DataError
        Unknown budgets, several targets, statistics without folds, no input to try; nothing could be counted for the
        board.
    """
    limits = dict(budgets or {})
    _check(statistics, limits, max_inputs)
    candidates: list[Candidate] = []
    lost: dict[str, str] = {}
    prepared: list[Prepared] = []
    for model, error in sized_models(statistics, max_inputs, workers, estimate):
        prepared += _prepare(board, model, error, lost)
    with Emulators(calibrated=True) as emulators:
        if progress is not None:
            progress("what runs in a runtime")
        emulators.count_together(board, [entry.subject for entry in prepared])
        for each in prepared:
            if progress is not None:
                progress(f"{len(each.model.inputs)} inputs, {each.precision}, {each.subject.name}")
            entry = _candidate(emulators, board, each, prices)
            reason = next((each.reason for each in entry.measurements if each.reason), "")
            if reason:
                lost[entry.title] = reason
            else:
                candidates.append(entry)
    if not candidates:
        why = next(iter(lost.values()), "no target of it can be counted here")
        raise DataError(f"nothing could be counted for {board.name}: {why}")
    candidates.sort(key=lambda entry: (entry.error, entry.inputs, entry.artifact))
    best = [candidate for candidate in candidates if not any(_dominates(other, candidate) for other in candidates)]
    fitting = [candidate for candidate in candidates if not _missed(candidate, limits)]
    choice = fitting[0] if fitting else None
    nearest = min(candidates, key=lambda entry: max((over for _, over in _missed(entry, limits)), default=0.0))
    missed = "" if choice else _nearest(nearest, limits) + _least(candidates, limits)
    return Front(tuple(candidates), tuple(best), knee(best), choice, missed, tuple(lost.items()))


def sized_models(
    statistics: FoldStatistics, max_inputs: int | None = None, workers: int = 1, estimate: bool = True
) -> list[tuple[Model, float]]:
    """Models of growing size and their cross-validated root mean squared error.

    Each has the alpha (or refit) that is best for its number of inputs, and the section ``estimate/1`` if it can have
    it; sizes that give no other model are left out.
    """
    about, design = statistics.about, design_of(statistics)
    options = replace(TrainOptions(**about["options"]), select="min", max_inputs=None, workers=workers)
    inputs = table_inputs(design, numeric_inputs(statistics.total, design.numeric))
    largest = max_inputs or fit_statistics(statistics, options, design.terms)[0].n_inputs
    entry: dict[int, tuple[Model, float]] = {}
    for size in [*(size for size in SIZES if size < largest), largest]:
        chosen = replace(options, max_inputs=max(size, 1))
        fits = fit_statistics(statistics, chosen, design.terms)
        table = {**provenance(fits, statistics, chosen), "data": about["data"], "seed": about["seed"]}
        model = to_model(fits, inputs, design.columns, design.terms, table)
        if model.inputs and len(model.inputs) not in entry:
            if estimate:
                model = with_estimate(model, statistics, [float(fits[0].cv_error)])
            entry[len(model.inputs)] = model, math.sqrt(fits[0].cv_error)
    return [entry[size] for size in sorted(entry)]


def knee(front: Sequence[Candidate]) -> Candidate:
    """The point of the front that is farthest below the line between its ends, error against the logarithm of cost.

    Cost is time where it is known for all, else bytes; see `select.knee`.
    """
    key = "p50_us" if all(candidate.cost("p50_us") for candidate in front) else "size_bytes"
    points = sorted((math.log(candidate.cost(key) or 1.0), candidate.error, i) for i, candidate in enumerate(front))
    x, y = np.array([point[:2] for point in points]).T
    at = 0 if len(points) < 3 or x[0] == x[-1] or y[0] == y[-1] else selection.knee(x, y)
    return front[points[at][2]]


def _check(statistics: FoldStatistics, limits: Mapping[str, float], max_inputs: int | None) -> None:
    if max_inputs is not None and max_inputs < 1:
        raise DataError(f"max_inputs is {max_inputs}; it must be 1 or more")
    if len(statistics.targets) != 1:
        raise DataError(f"search takes one target; these statistics have {len(statistics.targets)}")
    if not statistics.splits or "columns" not in statistics.about:
        raise DataError("search needs the statistics of a training with folds; train with --cv 2 or more")
    check_budgets([], limits)


def _counts(board: Board, target: str) -> bool:
    """Whether a target runs on a board and its cost can be counted; that of Python on microcontrollers cannot."""
    return targets(board)[target] is None and (board.kind == "linux" or target == "c")


@dataclass(frozen=True)
class Prepared:
    """A model in one precision, rendered for one target, with its cross-validated error."""

    model: Model
    precision: str
    subject: Subject
    error: float


def _prepare(board: Board, model: Model, error: float, lost: dict[str, str]) -> list[Prepared]:
    """A model in every precision and on every target that the board runs; what cannot be goes to `lost`."""
    results = []
    for precision, artifacts in PRECISIONS.items():
        wanted = [artifact for artifact in artifacts if _counts(board, artifact.partition(":")[0])]
        try:
            reduced = quantize(model, precision) if precision in QUANTIZED and wanted else model
        except DataError as refusal:
            lost[f"{len(model.inputs)} inputs, {precision}"] = str(refusal)
            continue
        for artifact in wanted:
            try:
                [subject] = rendered(reduced, artifact)
            except ExportError as refusal:
                lost[f"{len(model.inputs)} inputs, {artifact}"] = str(refusal)
                continue
            results.append(Prepared(reduced, precision, subject, error))
    return results


def _candidate(emulators: Emulators, board: Board, one: Prepared, prices: Prices | None) -> Candidate:
    """Count one artifact."""
    model, subject = one.model, one.subject
    quantized = model.provenance.get("quantized")
    bound = max(quantized["bounds"]) if quantized else float(subject.figures["max_error"]["value"])
    costs = priced(emulators.costs(board, subject), prices)
    return Candidate(model, subject.name, one.precision, len(model.inputs), one.error + bound, bound, costs)


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
    result = [(key, one.cost(key), limit) for key, limit in limits.items()]
    return [
        (key, math.inf if value is None else value / limit)
        for key, value, limit in result
        if value is None or value > limit
    ]


def _nearest(one: Candidate, limits: Mapping[str, float]) -> str:
    words, enough = [], []
    for key, _ in _missed(one, limits):
        value = one.cost(key)
        words.append(f"{key} {'unknown' if value is None else format(value, '.4g')} of {limits[key]:g}")
        enough += [] if value is None else [f"--budget {key}={rounded_up(value)}"]
    allowed = f"; it would be kept by {' '.join(enough)}" if len(enough) == len(words) else ""
    return f"no candidate keeps every budget; the nearest is {one.title}: {', '.join(words)}{allowed}"


def _least(candidates: Sequence[Candidate], limits: Mapping[str, float]) -> str:
    """The smallest value of each budget that is too small for every candidate."""
    told = []
    for key, limit in limits.items():
        values = [value for candidate in candidates if (value := candidate.cost(key)) is not None]
        if values and min(values) > limit:
            told.append(f"{key}={rounded_up(min(values))}")
    return f"; no candidate needs less than {', '.join(told)}" if told else ""


def rounded_up(value: float) -> str:
    """A budget that `value` keeps, in four digits or as a whole number."""
    if value >= 1000.0 or value == int(value):
        return str(math.ceil(value))
    digits = 10.0 ** (math.floor(math.log10(value)) - 3)
    short = f"{value:.4g}"
    return short if float(short) >= value else f"{math.ceil(value / digits) * digits:.4g}"
