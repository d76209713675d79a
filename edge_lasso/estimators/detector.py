"""`ResidualDetector`: anomaly detection by sparse models of each sensor, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions, fit_detector
from edge_lasso.detecting.plots import plot_scores
from edge_lasso.detecting.thresholds import parse_rate
from edge_lasso.errors import DataError
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.predicting.scores import blind, by_sensor, scores
from edge_lasso.statistics.workers import threads
from edge_lasso.tables.derived_columns import History, Stream, stream_name
from edge_lasso_runtime.detector import sensors
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
OUTLIERS = 0.01


class ResidualDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Outlier detection: each sensor is predicted from the others by a sparse model, and the residuals are scored.

    The defaults judge every row by itself. For a stream, rows in the order of time, allow history and smoothing:
    ``ResidualDetector(lags=1, smoothing=0.05, track=None)``. All thresholds come from normal rows, each scored by
    models that have not seen it or its neighbours.

    Parameters
    ----------
    max_coefs : int, default=None
        Budget of coefficients over all sensors, spent where held-out error falls most. None: each sensor's sparsest
        model within one paired standard error.
    lags : int, default=0
        Earlier rows whose readings may be used.
    own_past : bool, default=False
        Whether a sensor may be predicted from its own past, too.
    smoothing : float, default=1.0
        Weight of the newest residual and of the newest evidence in their moving averages; 1: rows by themselves.
    track : int, default=0
        Levels of residuals are followed by 2^-track per row, for sensors whose level wanders; 0: not. None: where
        that makes held-out scores more alike over time.
    alarm_rate : float, default=None
        Part of normal rows that may be called outliers, with the confidence that rows in the order of time allow.
        None: the highest held-out score; of rows that are judged by themselves (no lags, no smoothing) the score that
        1 % of normal rows exceed at most, exactly so where their order means nothing.
    cv : int, default=5
        Blocks of time that are held out in turn.
    n_jobs : int, default=None

    Attributes
    ----------
    model_ : edge_lasso_runtime.model.Model
        What `quantize` and `export` take; `edge_lasso_runtime.step` runs it row by row.
    threshold_ : edge_lasso.detecting.thresholds.Threshold
    offset_ : float
        ``decision_function = score_samples - offset_``.
    watched_ : list of str
        The sensors: those that vary.
    sensors_ : list of SensorModel
    statistics_ : FoldStatistics
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> import numpy as np
    >>> from edge_lasso import ResidualDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(500, 6))
    >>> detector = ResidualDetector(max_coefs=12).fit(X)
    >>> X[0, 3] += 5.0
    >>> detector.predict(X[:2]).tolist()
    [-1, 1]
    """

    model_: Model

    def __init__(
        self,
        max_coefs: int | None = None,
        lags: int = 0,
        own_past: bool = False,
        smoothing: float = 1.0,
        track: int | None = 0,
        alarm_rate: float | None = None,
        cv: int = 5,
        n_jobs: int | None = None,
    ) -> None:
        self.max_coefs = max_coefs
        self.lags = lags
        self.own_past = own_past
        self.smoothing = smoothing
        self.track = track
        self.alarm_rate = alarm_rate
        self.cv = cv
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> ResidualDetector:
        """Fit on normal rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            In the order of time where history or smoothing is used. NaN: missing.
        y : ignored
        """
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite=False, ensure_min_samples=2)
        if self.lags < 0 or (self.max_coefs is not None and self.max_coefs < 1):
            raise DataError(
                f"lags is {self.lags!r} and max_coefs {self.max_coefs!r}; they must not be negative, or 0 coefs"
            )
        names = self._columns()
        streams: list[Stream] = [("lag", name, k) for name in names for k in range(1, self.lags + 1)]
        rows = np.concatenate([X, History(streams, names).step(X)], axis=1) if streams else X
        rate = None if self.alarm_rate is None else parse_rate(self.alarm_rate)
        options = DetectorOptions(
            max_coefs=self.max_coefs,
            own_past=self.own_past,
            rate=OUTLIERS if rate is None and self.smoothing == 1.0 and not self.lags else rate,
            chart=ChartOptions(self.smoothing, track=self.track, adjust=0.0),
            cv=self.cv,
            workers=threads(self.n_jobs),
        )
        derived = {stream_name(stream): stream for stream in streams}
        detector = fit_detector(lambda: [rows], len(X), (*names, *derived), names, derived, options)
        self.model_ = detector.model
        self.sensors_ = detector.sensors
        self.statistics_ = detector.folds
        self.watched_ = sensors(detector.model)
        self.threshold_ = detector.threshold
        self.offset_ = -detector.threshold.score
        return self

    def score_samples(self, X: Any) -> Array:
        """The negative score of each row: the lower, the more abnormal.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Consecutive rows, where history or smoothing is used; what was before them is not known.
        """
        return -self._scores(X)[0]

    def decision_function(self, X: Any) -> Array:
        """`score_samples` above the threshold's: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """-1 for outliers, 1 for normal rows."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def plot(self, table: Any, axes: Any = None) -> Any:
        """Draw the score over a table's rows; see `edge_lasso.plot_scores`."""
        check_is_fitted(self)
        return plot_scores(self, table, axes)

    def attribute(self, X: Any) -> Array:
        """What each watched sensor contributes to the score of each row; rows add up to the score.

        Returns
        -------
        array of shape (n_samples, n_watched)
            In the order of ``watched_``.
        """
        return by_sensor(self._scores(X)[1], self.model_)

    def _scores(self, X: Any) -> tuple[Array, Array]:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite=False, reset=False)
        names = self._columns()
        model = self.model_
        streams = [feature.stream for feature in model.inputs if feature.stream is not None]
        rows = np.concatenate([X, History(streams, names).step(X)], axis=1) if streams else X
        at = {name: i for i, name in enumerate((*names, *map(stream_name, streams)))}
        block = rows[:, [at[feature.name] for feature in model.inputs]]
        watched = X[:, [at[sensor["reading"]] for sensor in model.sections["detector/1"]["watched"]]]
        with np.errstate(invalid="ignore"):
            watched = np.where(np.abs(watched) <= model.limit, watched, np.nan)
        return scores(watched - linear_rows(model, block)[0], model.sections["detector/1"], blind(model, block))

    def _columns(self) -> tuple[str, ...]:
        names = getattr(self, "feature_names_in_", None)
        return tuple(f"x{j}" for j in range(self.n_features_in_)) if names is None else tuple(map(str, names))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
