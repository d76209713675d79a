"""What a training is asked for, in small parts: rows, folds, past, method, trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.sensors import Sensors
from edge_lasso.tables.series import Past, check_past
from edge_lasso.training.intervals import check_level
from edge_lasso.training.model_sections import check_sections

MOST_HINGES = 64


@dataclass(frozen=True)
class RowOptions:
    """Which rows and columns of a table are read.

    Parameters
    ----------
    time : str, optional
        Column of times: folds are forward-chained blocks of the rows in its order, and it is no input.
    inputs, drop : sequence of str, optional
        Columns (or patterns such as ``Dongsi.*``) to use, and to leave out. Default: all but targets and time.
    categorical : sequence of str
        Inputs whose values are categories.
    degree : {1, 2}
        2: squares and products of the numeric inputs compete, too.
    hinges : int
        Per numeric input so many knots, which part the training rows evenly: what it is above each competes, too.
    holdout : float
        Part of the rows (the last ones) that training does not see, to report honest accuracy.
    """

    time: str | None = None
    inputs: Sequence[str] = ()
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()
    degree: int = 1
    hinges: int = 0
    holdout: float = 0.0

    def __post_init__(self) -> None:
        if self.degree not in (1, 2):
            raise DataError(f"degree is {self.degree}; allowed are 1 and 2")
        if isinstance(self.hinges, bool) or not 0 <= self.hinges <= MOST_HINGES:
            raise DataError(f"hinges is {self.hinges}; it is a number of knots per input, 1 to {MOST_HINGES}; 0: none")
        if not 0.0 <= self.holdout < 1.0:
            raise DataError(f"holdout is {self.holdout}; it must be 0 or more and less than 1")


@dataclass(frozen=True)
class FoldOptions:
    """How rows are held out to choose by.

    Parameters
    ----------
    cv : int
        Number of folds; 0: none.
    gap : int
        Rows left out between training and held-out rows of forward-chained folds.
    group : str, optional
        Column of groups: folds are whole groups, and it is no input.
    repeat : int
        Divide the rows into folds so many times (not with times or groups).
    """

    cv: int = 5
    gap: int = 0
    group: str | None = None
    repeat: int = 1


@dataclass(frozen=True)
class TrustOptions:
    """What is to be said of a model beside its error.

    Parameters
    ----------
    interval : float, optional
        Part of the truths that prediction intervals shall hold; calibrated on the rows held out.
    segment : str, optional
        Column whose values tell apart the error on the rows held out.
    stability, bootstrap : int
        Pairs of halves of the blocks of rows, and draws of blocks; see `resampling`. 0: none.
    """

    interval: float | None = None
    segment: str | None = None
    stability: int = 0
    bootstrap: int = 0


@dataclass(frozen=True)
class Training:
    """Everything a training is asked for.

    Parameters
    ----------
    rows : RowOptions
    folds : FoldOptions
    past : sequence of Past
        Inputs computed from earlier rows, such as ``series.lags(3)``, which compete with the others. The rows are a
        series then, in the order of time or of the file, and folds are forward-chained. A target that `inputs` or a
        `Past` names has a past of its own, too.
    method : TrainOptions
    sensors : Sensors
        What inputs cost, and which belong together.
    trust : TrustOptions
    sections : sequence of {"estimate", "health", "drift"}, optional
        What travels with the model for a board that reads row after row: how to estimate missing inputs, what failing
        sensors look like, what the rows trained on look like. Default: "estimate" where possible, and with times or
        `past` the others, too, if the rows are in order.
    cluster : str, optional
        Address of a Dask scheduler, or "local": its workers read the files and reduce them to the same statistics.
    seed : int
        Of what is drawn: repeated folds, halves, blocks.
    robust : bool
        Huber's loss instead of squares (see `robust`), in a few more passes: of one target, in one process.

    Raises
    ------
    DataError
        Parts that do not go together.
    """

    rows: RowOptions = RowOptions()
    folds: FoldOptions = FoldOptions()
    past: Sequence[Past] = ()
    method: TrainOptions = field(default_factory=TrainOptions)
    sensors: Sensors = field(default_factory=Sensors)
    trust: TrustOptions = TrustOptions()
    sections: Sequence[str] | None = None
    cluster: str | None = None
    seed: int = 0
    robust: bool = False

    def __post_init__(self) -> None:
        if self.trust.interval is not None:
            check_level(self.trust.interval, self.rows.holdout)
        if self.robust and self.cluster is not None:
            raise DataError("--robust looks at the rows again and again; it does not go with --cluster")
        self._check_draws()
        self._check_folds()
        check_past(self.past, self.rows.degree, self.rows.hinges, self.folds.group, self.cluster)
        check_sections(self.sections, self.cluster)

    @classmethod
    def of(cls, **choices: Any) -> Training:
        """The parts from one flat list of names, as a command line or a caller has them.

        Raises
        ------
        TypeError
            A name that no part has.
        """
        parts: dict[str, Any] = {}
        for name, part in (("rows", RowOptions), ("folds", FoldOptions), ("trust", TrustOptions)):
            parts[name] = part(
                **{entry.name: choices.pop(entry.name) for entry in fields(part) if entry.name in choices}
            )
        return cls(**parts, **choices)

    @property
    def ordered(self) -> bool:
        """Whether the rows have an order that folds must respect."""
        return self.rows.time is not None or bool(self.past)

    def to_json(self) -> dict[str, Any]:
        """What was asked for, for the model's provenance."""
        rows, folds, sensors = self.rows, self.folds, self.sensors
        return {
            "time": rows.time, "inputs": list(rows.inputs), "drop": list(rows.drop),
            "categorical": list(rows.categorical), "degree": rows.degree, "holdout": rows.holdout,
            **({"hinges": rows.hinges} if rows.hinges else {}),
            **vars(folds), "interval": self.trust.interval,
            "costs": dict(sensors.costs), "signs": dict(sensors.signs),
            "sensors": {name: list(columns) for name, columns in sensors.members.items()},
            "past": [[past.kind, past.length, list(past.columns)] for past in self.past],
            "sections": None if self.sections is None else list(self.sections),
            "alphas": plain(self.method.alphas), "eps": self.method.eps, "refit": self.method.refit,
            **({"robust": True} if self.robust else {}),
        }  # fmt: skip

    def _check_folds(self) -> None:
        cv, gap, group = self.folds.cv, self.folds.gap, self.folds.group
        if gap < 0 or (gap and not self.ordered):
            raise DataError(
                f"gap is {gap}; it is a number of rows, 0 or more, between blocks of time, and needs --time"
            )
        if group is not None and (self.ordered or not cv or self.cluster is not None):
            raise DataError("--group makes the folds; it goes neither with --time nor with --cv 0 nor with --cluster")
        if self.trust.segment is not None and not self.rows.holdout:
            raise DataError("--segment tells apart the error on rows held out; give --holdout, for example 0.2")

    def _check_draws(self) -> None:
        repeat, stability, bootstrap = self.folds.repeat, self.trust.stability, self.trust.bootstrap
        dealt = not self.ordered and self.folds.group is None and self.folds.cv > 0
        if repeat != 1 and not dealt:
            raise DataError("--repeat deals rows out to folds anew; it goes neither with --time nor --group nor --cv 0")
        if self.cluster is not None and (stability or bootstrap or repeat != 1):
            raise DataError("--stability, --bootstrap and --repeat do not go with --cluster; train on one machine")
        if stability < 0 or bootstrap < 0:
            raise DataError("--stability and --bootstrap are numbers of draws, 0 or more")


def plain(values: Any) -> Any:
    """Numbers, or a number, as JSON has them."""
    return values if values is None or isinstance(values, int) else [float(value) for value in values]
