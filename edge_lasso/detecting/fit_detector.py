"""Training of detectors: statistics, sensor models, residuals of rows held out, chart and threshold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.detecting.calibrated import ChartOptions, calibrated
from edge_lasso.detecting.sensor_models import SensorModel, fit_sensors, predict_sensors
from edge_lasso.detecting.thresholds import Rate, Threshold
from edge_lasso.errors import DataError
from edge_lasso.paths.problem import deviations
from edge_lasso.statistics.folds import LARGEST, FoldStatistics
from edge_lasso.statistics.inputs import numeric_inputs
from edge_lasso.statistics.plans import FoldPlan, blocked
from edge_lasso.training.models import date, versions
from edge_lasso_runtime.model import READING_LIMIT, Factor, Model, Output, Term

Array = npt.NDArray[Any]
Stream = tuple[str, str, int]
Blocks = Callable[[], Iterable[Array]]
USUAL = 0.5
"""Weight of a sensor's distance from its usual level, beside that from what the others say."""
ROUNDING = 1e-7
"""Of a float32, relative to the largest reading."""


@dataclass(frozen=True)
class DetectorOptions:
    """How a detector is trained.

    Parameters
    ----------
    max_coefs : int, optional
        Coefficients of all sensors together. Default: each sensor's sparsest within one paired standard error.
    own_past : bool
        Whether a sensor may be predicted from its own past, too. A stuck or drifting sensor then predicts itself.
    level : bool
        Whether a sensor that others predict is also compared with its usual level: what moves them all together.
    rate : Rate or float, optional
        False alarms that are allowed; None: what the data can promise at most. A number: part of the rows, whose order
        means nothing.
    chart : ChartOptions
    cv, gap : int
        Held-out blocks, and rows left out of training on both sides of one.
    step_seconds : float, optional
        From one row to the next.
    workers : int
    """

    max_coefs: int | None = None
    own_past: bool = False
    level: bool = True
    rate: Rate | float | None = None
    chart: ChartOptions = field(default_factory=ChartOptions)
    cv: int = 5
    gap: int | None = None
    step_seconds: float | None = None
    workers: int = 1


@dataclass(frozen=True)
class DetectorFit:
    """A trained detector.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics
        Of all columns.
    sensors : list of SensorModel
        Per output of the model: of each watched reading from the others, then the means of those that have one.
    threshold : Threshold
    scores : array
        Of the calibration rows, each held out from its models, after the warm-up.
    residuals : array, shape (n, outputs)
        Of the calibration rows; NaN where a reading is missing.
    notes : list of str
    """

    model: Model
    folds: FoldStatistics
    sensors: list[SensorModel]
    threshold: Threshold
    scores: Array
    residuals: Array
    notes: list[str]


def fit_detector(
    blocks: Blocks,
    rows: int,
    columns: Sequence[str],
    watched: Sequence[str],
    derived: Mapping[str, Stream],
    options: DetectorOptions,
    progress: Callable[[int], None] | None = None,
) -> DetectorFit:
    """Train a detector.

    Parameters
    ----------
    blocks : callable
        Gives the rows, in the order of time, in blocks of shape (n, columns); called twice. NaN: missing.
    rows : int
        How many there are.
    columns, watched : sequence of str
    derived : mapping
        The columns that are computed from earlier rows.
    options : DetectorOptions
    progress : callable, optional
        Called with the number of sensors done.

    Raises
    ------
    DataError
        Nothing to watch or to predict from, or too few rows.
    """
    options.chart.check()
    columns = tuple(columns)
    plan = blocked(rows, *_folds(rows, derived, options))
    folds = FoldStatistics(columns, (), plan)
    done = 0
    for block in blocks():
        folds.update(block, np.zeros((len(block), 0)), plan.part_of(np.arange(done, done + len(block))))
        done += len(block)
    moving, notes = _moving(folds, columns, watched)
    allowed = _allowed(columns, moving, derived, options.own_past)
    if 8 * rows * len(moving) > LARGEST:
        raise DataError(
            f"the residuals of {rows:,} rows of {len(moving)} watched sensors need {8e-9 * rows * len(moving):.1f} GB; "
            "watch fewer sensors or give fewer rows"
        )
    at = [columns.index(name) for name in moving]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        sensors = fit_sensors(folds, at, allowed, options.max_coefs, options.workers, progress)
    means = [k for k, sensor in enumerate(sensors) if len(sensor.columns)] if options.level else []
    at = [*at, *(at[k] for k in means)]
    every = [*sensors, *(_usual(folds, sensors[k], at[k]) for k in means)]
    weights = np.r_[np.ones(len(sensors)), np.full(len(means), USUAL)]
    residuals = _residuals(blocks, rows, plan, at, every)
    longest = max((length for _, _, length in derived.values()), default=0)
    section, threshold, scores, more = calibrated(
        [columns[j] for j in at], residuals, options.chart, options.rate, options.step_seconds, _least(folds, at),
        weights, longest,
    )  # fmt: skip
    folds.about = {"task": "anomaly"}
    model = _model(folds, columns, at, derived, every, section, options)
    return DetectorFit(model, folds, every, threshold, scores, residuals, [*notes, *more])


def _usual(folds: FoldStatistics, sensor: SensorModel, column: int) -> SensorModel:
    """A sensor's mean as its model."""
    none = np.zeros(0, dtype=np.intp)
    parts = [
        (none, np.zeros(0), float(folds.training(split).moments().mean[column])) for split in range(len(folds.splits))
    ]
    return SensorModel(none, np.zeros(0), float(folds.total.moments().mean[column]), sensor.null, sensor.null, parts)


def _folds(rows: int, derived: Mapping[str, Stream], options: DetectorOptions) -> tuple[int, int]:
    """Number of blocks, and the gap around a held-out one: long enough for histories, short enough for few rows."""
    if options.cv < 2:
        raise DataError(f"cv is {options.cv}; a detector needs residuals of rows held out, 2 blocks or more")
    if options.gap is not None and options.gap < 0:
        raise DataError(f"gap is {options.gap}; it is a number of rows, 0 or more")
    k = min(options.cv, max(2, rows // 4))
    longest = max((length for _, _, length in derived.values()), default=0)
    most = max(rows // (4 * k) - 1, 0)
    if options.gap is not None and options.gap > most:
        raise DataError(
            f"gap is {options.gap}; of {rows:,} rows in {k} blocks at most {most:,} can be left out around a block: "
            "give more rows, or fewer blocks"
        )
    return k, min(max(longest, 20), most) if options.gap is None else options.gap


def _least(folds: FoldStatistics, at: Sequence[int]) -> Array:
    """The smallest scale of a residual that is more than rounding, in float32 too."""
    total = folds.total
    size = np.maximum(np.abs(total.low[at]), np.abs(total.high[at]))
    deviation = np.sqrt(np.diagonal(total.moments().covariance)[at])
    return np.asarray(np.maximum(ROUNDING * size, 10.0 * ROUNDING * deviation))


def _moving(folds: FoldStatistics, columns: tuple[str, ...], watched: Sequence[str]) -> tuple[list[str], list[str]]:
    """The watched sensors that vary in every training part, and what to say of the others."""
    still = np.zeros(len(columns), dtype=bool)
    empty = ~np.isfinite(folds.total.low)
    for split in range(len(folds.splits)):
        still |= deviations(folds.training(split).moments(), len(columns))[1]
    constant = deviations(folds.total.moments(), len(columns))[1]
    moving = [name for name in watched if not still[columns.index(name)]]
    rest = [name for name in watched if name not in set(moving)]
    notes = [
        f"'{name}' has no reading and is not watched" if empty[columns.index(name)]
        else f"'{name}' is constant in training and not watched" if constant[columns.index(name)]
        else f"'{name}' is constant in part of the training rows and not watched"
        for name in rest
    ]  # fmt: skip
    if not moving and not all(constant[columns.index(name)] for name in rest):
        raise DataError(
            f"{folds.total.rows:,} rows are too few: no sensor to watch varies in each of the {len(folds.splits)} "
            f"parts of them that models are fitted on: {', '.join(rest)[:200]}; give more normal rows"
        )
    if not moving:
        raise DataError(f"no sensor to watch varies in the training rows: {', '.join(rest)[:200]}")
    return moving, notes


def _allowed(
    columns: tuple[str, ...], watched: Sequence[str], derived: Mapping[str, Stream], own_past: bool
) -> list[Array]:
    """What each watched sensor may be predicted from: never its own present."""
    result = []
    for name in watched:
        own = {name} | {
            column
            for column, (kind, source, _) in derived.items()
            if source == name and not (own_past and kind == "lag")
        }
        result.append(np.array([j for j, column in enumerate(columns) if column not in own], dtype=np.intp))
    if not any(map(len, result)):
        raise DataError(
            f"'{watched[0]}' is the only sensor, 1 feature(s), and nothing can be predicted from itself; "
            "give more sensors, or allow its own past with --lags and --own-past"
        )
    return result


def _residuals(blocks: Blocks, rows: int, plan: FoldPlan, at: Sequence[int], sensors: Sequence[SensorModel]) -> Array:
    """Reading minus what was predicted when the row was held out; NaN where any of it is missing."""
    split_of = np.zeros(plan.parts, dtype=np.intp)
    for split, (_, held) in enumerate(plan.splits):
        split_of[list(held)] = split
    result = np.empty((rows, len(at)))
    done = 0
    for block in blocks():
        with np.errstate(invalid="ignore"):
            known = np.abs(block) <= READING_LIMIT
        readings = np.where(known, block, np.nan)
        splits = split_of[plan.part_of(np.arange(done, done + len(block)))]
        here = result[done : done + len(block)]
        for split in np.unique(splits):
            some = splits == split
            here[some] = readings[np.ix_(some, at)] - predict_sensors(sensors, readings[some], int(split))
        done += len(block)
    return result


def _names(columns: tuple[str, ...], watched: Sequence[int]) -> list[str]:
    """Of the outputs: the readings', and of a reading's mean beside its model another that no column has."""
    names: list[str] = []
    for j in watched:
        name = columns[j]
        while name in names or (name != columns[j] and name in columns):
            name += ".usual"
        names.append(name)
    return names


def _model(
    folds: FoldStatistics,
    columns: tuple[str, ...],
    watched: Sequence[int],
    derived: Mapping[str, Stream],
    sensors: Sequence[SensorModel],
    section: dict[str, Any],
    options: DetectorOptions,
) -> Model:
    read = {int(j) for sensor in sensors for j in sensor.columns} | set(watched)
    read |= {columns.index(derived[columns[j]][1]) for j in read if columns[j] in derived}
    used = sorted(read)
    place = {column: i for i, column in enumerate(used)}
    every = numeric_inputs(folds.total, columns)
    inputs = tuple(every[j].replace(stream=derived.get(columns[j])) for j in used)
    names = _names(columns, watched)
    outputs = tuple(
        Output(
            name,
            sensor.intercept,
            tuple(Term(float(c), (Factor(place[int(j)]),)) for j, c in zip(sensor.columns, sensor.coef, strict=True)),
        )
        for name, sensor in zip(names, sensors, strict=True)
    )
    about = {
        "task": "anomaly",
        "solver": "one lasso path per watched sensor on a shared Gram matrix, refitted; budget by held-out error",
        "max_coefs": options.max_coefs,
        "own_past": options.own_past,
        "folds": {"count": len(folds.splits), "forward": False, "repeats": 1},
        "rows": folds.total.rows,
        "statistics_hash": folds.hash,
        "sensors": [
            {"name": name, "coefs": len(sensor.columns), "cv_mse": sensor.error, "cv_mse_constant": sensor.null}
            for name, sensor in zip(names, sensors, strict=True)
        ],
        "versions": dict(versions()),
        "date": date(),
    }
    return Model(columns, inputs, outputs, sections={"detector/1": section}, provenance=about)
