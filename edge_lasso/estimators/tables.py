"""What estimators are given, before scikit-learn turns it into arrays: sparse rows, the targets' names."""

from __future__ import annotations

from typing import Any

from edge_lasso.errors import DataError

LARGEST = 2**28
"""Numbers of a sparse matrix that are written out."""


def dense(X: Any) -> Any:
    """Rows as they are; those of a sparse matrix written out, what it does not store being 0.

    Raises
    ------
    DataError
        They would not fit: the size is said before memory is asked for.
    """
    if not hasattr(X, "tocsr"):
        return X
    if X.shape[0] * X.shape[1] > LARGEST:
        raise DataError(
            f"X is sparse, {X.shape[0]:,} x {X.shape[1]:,}, and would take {X.shape[0] * X.shape[1] * 8 >> 20:,} MB "
            "written out; select columns first (SelectKBest takes sparse rows)"
        )
    return X.toarray()


def target_names(y: Any) -> list[str] | None:
    """The names of a series or of a frame's columns; None where there are none."""
    columns = getattr(y, "columns", None)
    if columns is not None and getattr(y, "ndim", 2) == 2:
        return [str(name) for name in columns]
    name = getattr(y, "name", None)
    return [name] if isinstance(name, str) and name else None
