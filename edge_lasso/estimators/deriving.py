"""What estimators make of their columns before they choose: categories, earlier rows, products, hinges.

The same as the commands make of a table's: `Design` says which columns there are, and a table in memory holds the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from edge_lasso.errors import DataError
from edge_lasso.estimators.tables import dense
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.sensors import Sensors
from edge_lasso.statistics.collect import check_size
from edge_lasso.statistics.design import Design, table_inputs
from edge_lasso.statistics.first_pass import filled
from edge_lasso.statistics.inputs import numeric_input
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.tables.opening import open_table
from edge_lasso.tables.series import expand, parse_past
from edge_lasso.tables.survey import Survey, survey
from edge_lasso.tables.tables import Table
from edge_lasso.training.options import Training
from edge_lasso_runtime.model import READING_LIMIT, Input

Array = npt.NDArray[Any]
NUMBERS = [np.float64, np.float32]


class Deriving:
    """Columns of a `Design` in the place of those given: the parameters categorical, lags, degree and hinges.

    Attributes
    ----------
    design_ : Design
        Its `names` are what `coef_` counts.
    """

    categorical: Sequence[str | int] | None
    lags: int | Sequence[str] | None
    degree: int
    hinges: int
    design_: Design
    n_features_in_: int

    def _names(self) -> tuple[str, ...]:
        names = getattr(self, "feature_names_in_", None)
        return tuple(f"x{j}" for j in range(self.n_features_in_)) if names is None else tuple(map(str, names))

    def _checked(self, X: Any, y: Any, **checks: Any) -> tuple[Any, Any]:
        """Rows and targets as scikit-learn checks them; rows with categories may hold words."""
        checks = {"ensure_min_samples": 2, **checks}
        if not self.categorical:
            return validate_data(self, dense(X), y, dtype=NUMBERS, ensure_all_finite=False, **checks)  # type: ignore[no-any-return]
        validate_data(self, X, skip_check_array=True)
        return X, check_X_y(np.zeros((len(X), 1)), y, **checks)[1]

    def _derive(self, X: Any, plan: FoldPlan | None = None) -> Array:
        """Find out what there is to derive, and return its columns."""
        names = self._names()
        choices = Training.of(degree=self.degree, hinges=self.hinges, past=self._past())
        self.design_ = Design(names, (), {}, degree=choices.rows.degree, hinges=choices.rows.hinges)
        if not (self.categorical or choices.past or self.design_.curved):
            return np.asarray(X)
        table = _table(X, names)
        texts = [names[name] if isinstance(name, int) else table.check(name) for name in self.categorical or ()]
        rows = Survey(np.arange(len(X)), len(X), len(X), 0, None, {})
        rows = survey(table, (), None, texts) if texts else rows
        streams = expand(choices.past, table, [name for name in names if name not in texts])
        design = replace(self.design_, categories={name: rows.categories[name] for name in texts}).deriving(streams)
        check_size(design, plan or FoldPlan(()))
        self.design_ = filled(table, design, rows)[0] if design.curved else design
        return _columns(self.design_, table)

    def _past(self) -> Any:
        lags = [self.lags] if isinstance(self.lags, int | str) else self.lags
        return parse_past({"lags": None if lags is None else [str(count) for count in lags]})

    def _derived(self, X: Any) -> Array:
        """The columns of rows to predict."""
        check_is_fitted(self)
        if self.categorical:
            validate_data(self, X, skip_check_array=True, reset=False)
        else:
            X = validate_data(self, dense(X), dtype=NUMBERS, ensure_all_finite=False, reset=False)
        design = self.design_
        straight = not (design.categories or design.streams or design.curved)
        return np.asarray(X) if straight else _columns(design, _table(X, self._names()))

    def _of_columns(self, options: TrainOptions) -> TrainOptions:
        """Options of features as those of what is derived from them."""
        names, design = self._names(), self.design_
        if design.names == names:
            return options
        members: dict[str, list[str]] = {}
        for name, number in zip(names, options.groups if options.groups is not None else (), strict=False):
            members.setdefault(f"sensor {number}", []).append(name)
        factors, signs = (
            {} if given is None else dict(zip(names, np.asarray(given).tolist(), strict=True))
            for given in (options.penalty, options.signs)
        )
        costs = factors if not members else {key: max(factors.get(n, 1.0) for n in of) for key, of in members.items()}
        sensors = Sensors(members, costs, {name: int(sign) for name, sign in signs.items() if sign})
        options = replace(options, penalty=None, signs=None, groups=None)
        return sensors.on(options, design.columns, design.terms, design.origins)


def inputs_of(design: Design, X: Array, means: Array, total: Statistics | None = None) -> dict[int, Input]:
    """An `Input` for each column of the training row: its mean, and its range in the rows or their statistics.

    Parameters
    ----------
    design : Design
    X : array, shape (n, p)
        Its columns.
    means : array, shape (p,)
        What replaces a missing reading.
    total : Statistics, optional
        Of some of its columns.

    Raises
    ------
    DataError
        A column has no reading.
    """
    where = {name: j for j, name in enumerate(design.names)}
    seen = {name: j for j, name in enumerate(() if total is None else total.columns)}
    numbers = []
    for name in design.numeric:
        if total is not None and name in seen:
            low, high = total.low[seen[name]], total.high[seen[name]]
        else:
            with np.errstate(invalid="ignore"):
                x = X[:, where[name]][np.abs(X[:, where[name]]) <= READING_LIMIT]
            if not len(x):
                raise DataError(f"column {name!r} has no readings in the {len(X)} training rows; leave it out")
            low, high = x.min(), x.max()
        numbers.append(numeric_input(name, 0, means[where[name]], low, high))
    return table_inputs(design, numbers)


def _table(X: Any, names: Sequence[str]) -> Table:
    if not hasattr(X, "columns"):
        X = _frame(X, names)
    return open_table(X)


def _frame(X: Any, names: Sequence[str]) -> Mapping[str, Any]:
    import pyarrow as pa

    rows: Mapping[str, Any] = pa.table({name: np.asarray(X)[:, j] for j, name in enumerate(names)})
    return rows


def _columns(design: Design, table: Table) -> Array:
    return np.concatenate([np.empty((0, len(design.terms))), *(block for block, _ in design.blocks(table))])
