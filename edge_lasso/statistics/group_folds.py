"""Columns that say what a row belongs to: groups that no fold divides, segments whose error is told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from edge_lasso.errors import DataError
from edge_lasso.statistics.plans import FoldPlan, plan_folds
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table

Array = npt.NDArray[Any]
ALONE_UP_TO = 20
"""With more groups, folds hold several each."""
MOST_SEGMENTS = 100


def group_folds(table: Table, rows: Survey, column: str, cv: int) -> FoldPlan:
    """Folds of whole groups: leave one group out, or `cv` folds of several where there are more than `ALONE_UP_TO`.

    Parameters
    ----------
    table : Table
    rows : Survey
    column : str
        Rows with the same value are one group; rows without a value are one, too.
    cv : int

    Raises
    ------
    DataError
        There is one group only, or fewer than folds.
    """
    labels = _labels(table, column, "--group")[rows.rows(0, rows.kept)]
    codes = np.unique(labels, return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    if count < 2:
        raise DataError(f"--group: column '{column}' has {count} group in the rows trained on; at least 2 are needed")
    splitter = LeaveOneGroupOut() if count <= ALONE_UP_TO else GroupKFold(cv)
    return plan_folds(splitter, rows.kept, groups=codes)


def segment_errors(
    table: Table, rows: Survey, column: str, truth: Array, prediction: Array
) -> dict[str, dict[str, float]]:
    """Error on the held-out rows of each segment.

    Parameters
    ----------
    table : Table
    rows : Survey
    column : str
    truth, prediction : array, shape (held-out rows,)
        In the order of the rows' ranks.

    Returns
    -------
    dict
        Value to ``rows``, ``rmse`` and ``bias`` (mean of prediction minus truth).
    """
    labels = _labels(table, column, "--segment")[rows.rows(rows.kept, rows.used)]
    values, codes = np.unique(labels, return_inverse=True)
    if len(values) > MOST_SEGMENTS:
        raise DataError(f"--segment: column '{column}' has {len(values)} values; allowed are {MOST_SEGMENTS}")
    error = prediction - truth
    return {
        str(value): {
            "rows": int(np.count_nonzero(codes == i)),
            "rmse": float(np.sqrt(np.mean(error[codes == i] ** 2))),
            "bias": float(np.mean(error[codes == i])),
        }
        for i, value in enumerate(values)
    }


def _labels(table: Table, column: str, option: str) -> Array:
    """The column's text, row by row; empty where there is none."""
    table.check(column, option)
    batches = [pa.array(text).cast(pa.string()).fill_null("") for _, (text,) in table.batches([], [column])]
    return np.concatenate([np.asarray(entry.to_pylist(), dtype=object) for entry in batches]).astype(str)
