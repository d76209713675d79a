"""What the commands do, as functions: `train`, `classify`, `watch`, `predict`, `check`, `export`, `report`, ...

Tables are paths, addresses (``sqlite:///FILE?QUERY``), or tables in memory: pandas, polars, pyarrow, duckdb, arrays.
Where a model is taken, so is a path of a model file, a fitted estimator, or what `train`, `classify` and `watch` give.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edge_lasso.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from edge_lasso.detecting.train_detector import DetectorResult
    from edge_lasso.measuring.measurement import Measurement
    from edge_lasso.measuring.search import Front
    from edge_lasso.tables.examine import Examined
    from edge_lasso.training.train_classes import ClassesResult
    from edge_lasso.training.train_table import TrainResult
    from edge_lasso.verifying.certificate import Certificate
    from edge_lasso.watching.findings import DriftReport
    from edge_lasso_runtime.explain import Explanation
    from edge_lasso_runtime.model import Model

READING = ("time_format", "zone", "missing", "encoding", "long", "every", "hold")


def as_model(subject: Any) -> Model:
    """The model of a path, a fitted estimator, a result of training, or a pipeline of scikit-learn.

    Raises
    ------
    DataError
        It has none.
    """
    from edge_lasso_runtime.format import load
    from edge_lasso_runtime.model import Model

    if isinstance(subject, str | Path):
        return load(subject)
    for candidate in (subject, getattr(subject, "model_", None), getattr(subject, "model", None)):
        if isinstance(candidate, Model):
            return candidate
    if hasattr(subject, "predict"):
        from edge_lasso.estimators.from_sklearn import from_sklearn

        return from_sklearn(subject)
    raise DataError(f"a {type(subject).__name__} has no model; give a path, a fitted estimator, or what train gives")


def _statistics(subject: Any) -> Any:
    """The statistics that go with a model: of a result, an estimator, or beside a file; None if there are none."""
    if isinstance(subject, str | Path):
        from edge_lasso.statistics.beside import load_statistics

        return load_statistics(Path(subject), as_model(subject), missing_ok=True)
    return getattr(subject, "statistics_", None) or getattr(subject, "folds", None)


def _opened(data: Any, time: str | None, choices: dict[str, Any]) -> tuple[Any, str | None]:
    """A table, read as those of the choices say that are about reading, which are taken out."""
    from edge_lasso.tables.opening import open_table
    from edge_lasso.tables.reading import parse_reading

    how = {name: choices.pop(name) for name in READING if name in choices}
    if "missing" in how:
        how["missing"] = [str(mark) for mark in _listed(how["missing"])]
    reading = parse_reading(time, **how)
    return (data if choices.get("cluster") else open_table(data, reading)), reading.column


def _past(choices: dict[str, Any]) -> dict[str, Any]:
    """Choices with lags, differences, means and moving averages put together, and costs and signs of sensors."""
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.paths.sensors import parse_sensors
    from edge_lasso.tables.series import parse_past

    kinds = {name: choices.pop(name, None) for name in ("lags", "difference", "mean", "ewma")}
    typed: dict[str, Sequence[str] | None] = {
        name: None if value is None else [str(length) for length in _listed(value)] for name, value in kinds.items()
    }
    method = {field.name: choices.pop(field.name) for field in fields(TrainOptions) if field.name in choices}
    sensors = [_listed(choices.pop(name, None)) or None for name in ("sensor", "cost", "sign")]
    listed: dict[str, Any] = {
        name: _listed(choices[name]) for name in ("inputs", "drop", "categorical", "sections") if name in choices
    }
    method.setdefault("workers", os.cpu_count() or 1)
    return {
        **choices, **listed, "past": parse_past(typed), "sensors": parse_sensors(*sensors),
        "method": TrainOptions(**method),
    }  # fmt: skip


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str | int | float) else list(value)


def train(data: Any, target: str | Sequence[str], *, time: str | None = None, **choices: Any) -> TrainResult:
    """Train a sparse model of numbers from a table.

    Parameters
    ----------
    data : path or table
    target : str or sequence of str
    time : str, optional
        Column of times, or two with a comma between them.
    **choices
        The options of `edge-lasso train` with underscores: ``inputs``, ``drop``, ``max_inputs``, ``holdout``, ``lags``,
        ``method``, ``missing``, ``long``, ``every``, ...

    Returns
    -------
    TrainResult
        With ``model``; shown in a notebook as a table.

    Examples
    --------
    >>> result = edge_lasso.train("air.csv", "pm25", time="time", max_inputs=6, holdout=0.2)  # doctest: +SKIP
    >>> edge_lasso.export(result, "python,c", "artifacts")  # doctest: +SKIP
    """
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_table import train_table

    progress = choices.pop("progress", None)
    table, when = _opened(data, time, choices)
    return train_table(table, _listed(target), Training.of(time=when, **_past(choices)), progress=progress)


def classify(data: Any, target: str, *, time: str | None = None, **choices: Any) -> ClassesResult:
    """Train a sparse model that tells classes apart; `choices` as `train` has them, ``class_weight``, ``miss_cost``."""
    from edge_lasso.training.options import Training
    from edge_lasso.training.train_classes import train_classes

    own = {name: choices.pop(name) for name in ("progress", "class_weight", "miss_cost") if name in choices}
    table, when = _opened(data, time, choices)
    return train_classes(table, target, Training.of(time=when, **_past(choices)), **own)


def watch(
    data: Any, sensors: str | Sequence[str] = "all", *, time: str | None = None, **choices: Any
) -> DetectorResult:
    """Learn normal operation: a detector of what is not as usual.

    Parameters
    ----------
    data : path or table
        Rows of normal operation.
    sensors : str or sequence of str
        Columns (or patterns) to watch.
    time : str, optional
    **choices
        The options of `edge-lasso watch` with underscores: ``alarm_rate``, ``max_coefs``, ``lags``, ``holdout``, ...
    """
    from edge_lasso.detecting.calibrated import ChartOptions, parse_adjust, parse_track
    from edge_lasso.detecting.fit_detector import DetectorOptions
    from edge_lasso.detecting.thresholds import parse_rate
    from edge_lasso.detecting.train_detector import train_detector
    from edge_lasso.training.options import Training

    progress, rate = choices.pop("progress", None), choices.pop("alarm_rate", None)
    if isinstance(choices.get("track"), str):
        choices["track"] = parse_track(choices["track"])
    if isinstance(choices.get("adjust"), str):
        choices["adjust"] = parse_adjust(choices["adjust"])
    charts = {name: choices.pop(name) for name in [field.name for field in fields(ChartOptions)] if name in choices}
    own = {name: choices.pop(name) for name in ("max_coefs", "own_past", "cv", "gap") if name in choices}
    options = replace(
        DetectorOptions(workers=os.cpu_count() or 1), chart=ChartOptions(**charts),
        rate=None if rate is None else parse_rate(str(rate)), **own,
    )  # fmt: skip
    table, when = _opened(data, time, choices)
    plain = _past(choices)
    del plain["method"], plain["sensors"]
    return train_detector(table, _listed(sensors), Training.of(time=when, **plain), options=options, progress=progress)


def check(data: Any, target: str | None = None, *, time: str | None = None, **choices: Any) -> Examined:
    """What is in a table, and what is wrong with it; see `edge-lasso check`."""
    from edge_lasso.tables.examine import examine

    table, when = _opened(data, time, choices)
    if choices:
        raise TypeError(f"check has no {', '.join(choices)}")
    return examine(table, str(data) if isinstance(data, str | Path) else "DATA", target, when)


def predict(
    model: Any, data: Any, *, interval: bool = False, estimate: bool = False, keep: Sequence[str] = (), **choices: Any
) -> pa.Table:
    """Predict every row of a table.

    Returns
    -------
    pyarrow.Table
        A column per output, as `edge-lasso predict` writes them; ``.to_pandas()`` where that is wanted.
    """
    import pyarrow.ipc

    from edge_lasso.predicting.predict_table import predict_table

    table, _ = _opened(data, choices.pop("time", None), choices)
    if choices:
        raise TypeError(f"predict has no {', '.join(choices)}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.arrow"
        predict_table(as_model(model), table, path, None, interval, estimate, keep=_listed(keep))
        with pyarrow.OSFile(str(path)) as file:
            return pyarrow.ipc.open_file(file).read_all()


def save(subject: Any, path: str | Path) -> Path:
    """Write a model file, and its statistics beside it where there are some, or neither."""
    from edge_lasso.statistics.beside import save_both

    path = Path(path)
    save_both(as_model(subject), _statistics(subject), path)
    return path


def explain(model: Any, row: Mapping[str, Any] | Sequence[float]) -> list[Explanation]:
    """What each input adds to the prediction of a row, the largest first; one per output."""
    from edge_lasso_runtime.explain import explain as parts

    return parts(as_model(model), row)


def prune(
    model: Any, statistics: Any = None, max_inputs: int | None = None, max_loss: float | None = None, refit: bool = True
) -> Model:
    """Drop the inputs that a model can do without; see `edge_lasso.compressing.prune.prune`.

    Parameters
    ----------
    model : model, path, estimator or result of training
    statistics : FoldStatistics, optional
        Default: those that go with `model`.
    max_inputs, max_loss, refit
        One of the first two.
    """
    from edge_lasso.compressing.prune import prune as run

    known = _statistics(model) if statistics is None else statistics
    if known is None:
        raise DataError("prune needs training statistics; give those that training wrote beside the model")
    return run(as_model(model), known, max_inputs, max_loss, refit)


def quantize(model: Any, to: str | None = None, *args: Any, **choices: Any) -> Model:
    """Give a model fewer bits, with a proven error; see `edge_lasso.compressing.quantize.quantize`."""
    from edge_lasso.compressing.quantize import quantize as run

    return run(as_model(model), to, *args, **choices)


def export(model: Any, to: str | Sequence[str], out: str | Path, **choices: Any) -> Certificate:
    """Write verified artifacts; see `edge_lasso.verifying.verify.export`."""
    from edge_lasso.verifying.verify import export as run

    return run(as_model(model), to, out, **choices)


def verify(
    model: Any, artifacts: Any = None, data: Any = None, *, seed: int = 0, run_foreign: bool = False
) -> Certificate:
    """Run artifacts and compare them with the model; see `edge_lasso.verifying.verify.verify`."""
    from edge_lasso.verifying.verify import verify as run

    return run(as_model(model), artifacts, data, seed=seed, run_foreign=run_foreign)


def bench(subjects: Any, *args: Any, **choices: Any) -> list[Measurement]:
    """Measure a model in every target, or model files and artifacts; see `edge_lasso.measuring.bench.bench`."""
    from edge_lasso.measuring.bench import bench as run

    paths = isinstance(subjects, str | Path | list | tuple)
    return run(subjects if paths else as_model(subjects), *args, **choices)


def search(subject: Any, board: str, budgets: Mapping[str, float] | None = None, **choices: Any) -> Front:
    """The most accurate model that keeps a board's budgets, from training statistics; see `measuring.search`."""
    from edge_lasso.measuring.search import search as run
    from edge_lasso_devices.boards import load_board

    statistics = _statistics(subject)
    if statistics is None:
        raise DataError("search needs training statistics: what train gives, or a model file with them beside it")
    choices.setdefault("workers", os.cpu_count() or 1)
    return run(statistics, load_board(board), budgets, **choices)


def report(model: Any, data: Any = None, out: str | Path | None = None) -> Path:
    """Write one self-contained HTML page about a model; returns where it is.

    Parameters
    ----------
    model : path, model, estimator or result of training
        Of a path, certificate and measurements beside it are shown, too.
    data : path or table, optional
        Rows to show predictions on.
    out : path, optional
        Default: beside the model file, or ``report.html``.
    """
    from edge_lasso.reporting.page import collect, write

    if isinstance(model, str | Path):
        path = Path(out) if out is not None else Path(model).with_suffix(".html")
        write(collect(Path(model), data), path)
        return path
    path = Path(out) if out is not None else Path("report.html")
    with TemporaryDirectory() as folder:
        write(collect(save(model, Path(folder) / "model.json"), data), path)
    return path


def drift(model: Any, source: Any) -> DriftReport:
    """Which inputs moved since training: of a table, a digest or a snapshot; see `edge_lasso.watching.drift`."""
    from edge_lasso.statistics.beside import histograms
    from edge_lasso.watching.drift import drift as run

    content = as_model(model)
    return run(content, source, histograms=histograms(_statistics(model), content))
