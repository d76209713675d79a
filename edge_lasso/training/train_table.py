"""Training from a table, in two passes and in bounded memory: what `edge-lasso train` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths.cross_validation import LAST, still_falls
from edge_lasso.paths.methods import METHODS
from edge_lasso.paths.options import Fit, TrainOptions
from edge_lasso.paths.plots import plot_path
from edge_lasso.predicting.predict_table import rows_from
from edge_lasso.statistics.cluster import Pieces, collect_on, connect
from edge_lasso.statistics.collect import Collected, collect_table
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.first_pass import Progress
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.group_folds import segment_errors
from edge_lasso.statistics.plans import FoldPlan, plan_folds, repeated_kfold
from edge_lasso.tables.described import counted
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.intervals import conformal
from edge_lasso.training.leakage import all_but_equal, copies, from_the_future
from edge_lasso.training.missing import errors_of
from edge_lasso.training.model_sections import with_sections
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.options import Training, TrustOptions
from edge_lasso.training.outline import (
    Columns,
    choose_columns,
    cluster_path,
    data_facts,
    ordered_folds,
    survey_pieces,
    survey_rows,
    update_facts,
)
from edge_lasso.training.resampling import Blocks, blocks_of, refined, trust
from edge_lasso.training.results import Shown, quality_text
from edge_lasso.training.robust import decisive_rows, residuals, reweighed, wild_values, words
from edge_lasso.training.wide_table import CollectedWide, collect_wide, is_wide
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Held:
    """What the model does on rows whose truth is known.

    Parameters
    ----------
    times : array of datetime64, or None
    truth, prediction : array, shape (rows, outputs)
    unseen : bool
        False: the rows may have been trained on.
    trained : bool
        They were: it is the same file.
    """

    times: Array | None
    truth: Array
    prediction: Array
    unseen: bool = True
    trained: bool = False

    @property
    def where(self) -> str:
        """Which rows these are, behind the name of a figure."""
        return ", held out" if self.unseen else ", on rows trained on" if self.trained else ", table given"

    @property
    def which(self) -> str:
        """The same, behind a number of rows."""
        return " that training never saw" if self.unseen else " that it was trained on" if self.trained else ""

    def quality(self) -> dict[str, float]:
        """R2, RMSE and mean absolute error of the first output, and the number of rows."""
        error = self.prediction[:, 0] - self.truth[:, 0]
        spread = self.truth[:, 0] - self.truth[:, 0].mean()
        return {
            "rows": float(len(error)),
            "r2": float(1.0 - (error @ error) / (spread @ spread)) if spread.any() else 0.0,
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mae": float(np.mean(np.abs(error))),
        }


@dataclass(frozen=True, repr=False)
class TrainResult(Shown):
    """A trained model and what was seen on the way.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics
        Save them beside the model: pruning, searching and updating read them.
    fits : list of Fit
        One per target.
    notes : list of str
    held : Held or None
        With a `holdout`.
    """

    model: Model
    folds: FoldStatistics
    fits: list[Fit]
    notes: list[str]
    held: Held | None

    def plot(self, output: int = 0, axes: Any = None) -> Any:
        """Draw the error against the number of inputs; see `plot_path`."""
        return plot_path(self, output, axes)

    def _facts(self) -> str:
        if self.held is not None:
            return quality_text(self.held.quality())
        return ", ".join(f"cross-validated RMSE {fit.cv_error**0.5:.4g}" for fit in self.fits[:3])


def train_table(
    data: Any, targets: str | Sequence[str], training: Training | None = None, *, progress: Progress | None = None
) -> TrainResult:
    """Train a model from a table.

    Parameters
    ----------
    data : path or table
        See `tables.open_table`.
    targets : str or sequence of str
        Columns to predict, one output each.
    training : Training, optional
    progress : callable, optional
        ``progress(done rows, all rows, text)``.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        See `tables`; too few rows; a constant target; more columns than memory holds.
    """
    training = training or Training()
    columns = choose_columns(data, [targets] if isinstance(targets, str) else list(targets), training)
    table, targets = columns.table, columns.targets
    rows: Survey | Pieces
    broken: list[str] = []
    if training.cluster is not None:
        path = cluster_path(data, training.rows.holdout)
        with connect(training.cluster) as client:
            rows = pieces = survey_pieces(columns, training, client, path, progress)
            design = columns.design(rows, targets)
            plan = _plan(columns, rows, training)
            fitted = _fitted(collect_on(client, pieces, design, plan, progress), training)
    else:
        rows, broken = survey_rows(columns, training)
        design = columns.design(rows, targets)
        collect = _wide if is_wide(design, rows) else _tall
        fitted = collect(columns, rows, design, training, progress)
    collected, method, fits = fitted.collected, fitted.method, fitted.fits
    folds, design = collected.folds, collected.design
    about = provenance(fits, folds, method)
    about["data"] = data_facts(table, rows)
    about["seed"] = training.seed
    if fitted.blocks is not None:
        draws = (training.trust.stability, training.trust.bootstrap, training.seed)
        about["trust"] = trust(fitted.blocks, fits, folds.columns, method, *draws)
    about["options"] = training.to_json()
    if fitted.robust is not None:
        about["robust"] = fitted.robust
    if not isinstance(collected, CollectedWide):
        folds.about = update_facts(design, training.rows.time, method, about)
    model = to_model(fits, collected.inputs, design.columns, collected.terms, about)
    sections = training.sections
    folds.about["sections"] = None if sections is None else list(sections)
    if fitted.robust is not None:
        folds.about["robust"] = fitted.robust
    errors = errors_of(fits, model, folds)
    model, told = with_sections(table, model, folds, errors, rows, sections, training.ordered)
    held = None
    if isinstance(rows, Survey) and rows.kept < rows.used:
        held = hold_out(table, model, targets, rows)
        model = _judged(model, about, held, table, rows, training.trust, training.ordered)
        if fitted.robust is None and (wild := wild_values(held.truth[:, 0] - held.prediction[:, 0])) is not None:
            told = [*told, wild]
    if fitted.robust is not None:
        told = [*told, words(fitted.robust)]
    notes = [
        *columns.notes(training), *rows.notes, *broken, *told, *_column_notes(collected.empty, fits),
        *copies(folds, design), *all_but_equal(folds), *cut_short(fits), *decisive_rows(folds),
    ]  # fmt: skip
    if training.rows.time is not None and isinstance(rows, Survey) and not training.past:
        notes += from_the_future(table, design, rows)  # with lags, sensors upstream are the point
    return TrainResult(model, folds, fits, list(dict.fromkeys(notes)), held)


def cut_short(fits: Sequence[Fit]) -> list[str]:
    """Notes on paths that ended while the held-out error still fell."""
    return [
        f"'{fit.target}': the held-out error still falls at the smallest alpha, {fit.path.alphas[-1]:.3g}; "
        "a smaller --eps may do better"
        for fit in fits
        if fit.path.ended == LAST and still_falls(fit.path.alphas, fit.path.fold_errors)
    ]


@dataclass(frozen=True)
class _Fitted:
    """Statistics of a table, whichever way they were collected, and the fits on them."""

    collected: Collected
    method: TrainOptions
    fits: list[Fit]
    blocks: Blocks | None = None
    robust: dict[str, Any] | None = None


def _fitted(collected: Collected, training: Training, blocks: Blocks | None = None) -> _Fitted:
    design = collected.design
    method = training.sensors.on(training.method, design.columns, collected.terms, design.origins)
    return _Fitted(collected, method, fit_statistics(collected.folds, method, collected.terms), blocks)


def _tall(columns: Columns, rows: Survey, design: Design, training: Training, progress: Progress | None) -> _Fitted:
    """More rows than columns: one pass, and the rows are not looked at again."""
    if training.robust and len(columns.targets) > 1:
        raise DataError("--robust weighs each row by one target's residual; train the targets one by one")
    plan = _plan(columns, rows, training)
    fine, owner = plan, list[int]()
    if training.trust.stability or training.trust.bootstrap:
        fine, owner = refined(plan, rows.kept)

    def fit(weight: Array | None = None) -> _Fitted:
        collected = collect_table(columns.table, design, rows, fine, progress, weight)
        if not owner:
            return _fitted(collected, training)
        joined = replace(collected, folds=collected.folds.joined(plan, owner))
        return _fitted(joined, training, blocks_of(collected.folds))

    fitted = fit()
    return _robust(columns, rows, fitted, fit, progress) if training.robust else fitted


def _robust(
    columns: Columns, rows: Survey, first: _Fitted, fit: Callable[[Array], _Fitted], progress: Progress | None
) -> _Fitted:
    """The fit that rows weighed by their residuals have, with a word on them."""

    def residual(fitted: _Fitted) -> Array:
        return residuals(columns.table, fitted.collected, rows, fitted.fits[0], progress)

    fitted, weighed, rounds = reweighed(first, fit, residual)
    return replace(fitted, robust=weighed.to_json(rounds))


def _wide(columns: Columns, rows: Survey, design: Design, training: Training, progress: Progress | None) -> _Fitted:
    """More columns than rows: the path is solved on the rows."""
    width, sensors, method = design.width, training.sensors, training.method
    if columns.streams:
        raise DataError(
            f"{width:,} columns with those from earlier rows are more than the {rows.kept:,} "
            "rows; give fewer lags, means and the like, or name their columns: --lags 3:COL,COL"
        )
    if training.trust.stability or training.trust.bootstrap or training.folds.repeat != 1 or training.robust:
        raise DataError("--stability, --bootstrap, --repeat and --robust need more rows than columns; drop columns")
    if sensors.costs or sensors.signs or not METHODS[method.method].on_rows:
        raise DataError(
            f"{width:,} columns are more than the {rows.kept:,} rows; "
            "--cost, --sign, and methods other than lasso and relaxed, need more rows than columns"
        )
    plan = _plan(columns, rows, training)
    wide = collect_wide(columns.table, design, rows, plan, method, progress)
    fits = fit_statistics(wide.folds, wide.options, wide.terms, wide.paths)
    return _Fitted(wide, method, fits)


def _plan(columns: Columns, rows: Survey | Pieces, training: Training) -> FoldPlan:
    plan = ordered_folds(columns, rows, training, rows.kept)
    if plan is not None:
        return plan
    cv, repeat = training.folds.cv, training.folds.repeat
    return repeated_kfold(rows.kept, cv, repeat, training.seed) if repeat != 1 else plan_folds(cv, rows.kept)


def _judged(
    model: Model, about: dict[str, Any], held: Held, table: Table, rows: Survey, wanted: TrustOptions, ordered: bool
) -> Model:
    """The model with what the rows held out say of it."""
    about["held_out"] = held.quality()
    if wanted.segment is not None:
        about["segments"] = segment_errors(table, rows, wanted.segment, held.truth[:, 0], held.prediction[:, 0])
    model = model.replace(provenance=about)
    if wanted.interval is None:
        return model
    section = conformal(held.truth - held.prediction, wanted.interval, held.prediction, ordered)
    return model.replace(sections={"interval/1": section, **model.sections})


def _column_notes(empty: Sequence[str], fits: Sequence[Fit]) -> list[str]:
    reasons = [(empty, "without a reading", "without a reading")]
    for fit in fits:
        reasons += [
            (fit.constant, "that does not vary", "that do not vary"),
            (fit.dependent, "that repeats others", "that repeat others"),
        ]
    return [
        f"{counted(len(names), 'column')} {several if len(names) > 1 else single} left out (first: '{names[0]}')"
        for names, single, several in reasons
        if names
    ]


def hold_out(table: Table, model: Model, targets: Sequence[str], rows: Survey) -> Held:
    """What a model predicts on the rows held out, in their order."""
    ranks, predicted, truth = rows_from(table, model, rows.rank, rows.kept, targets, rows.breaks)
    order = np.argsort(ranks)
    times = None
    if rows.times is not None:
        times = rows.times.microseconds[rows.rows(rows.kept, rows.used)].astype("datetime64[us]")
    return Held(times, truth[order], predicted[order])
