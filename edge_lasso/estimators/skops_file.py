"""scikit-learn pipelines in files: skops, which says what a file would run; pickles, which do not, are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.estimators.from_sklearn import from_sklearn
from edge_lasso.tables.opening import open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime.model import Model

OURS = ("edge_lasso.", "edge_lasso_runtime.")
"""Types of this package are trusted; what skops itself trusts is scikit-learn's, numpy's and Python's own."""


def from_skops(path: Path, data: Any = None) -> Model:
    """The model of a fitted pipeline in a ``.skops`` file; nothing is run that skops or this package does not know.

    Parameters
    ----------
    path : path
    data : table, optional
        Training rows; see `from_sklearn`.

    Raises
    ------
    DataError
        A pickle; no skops file; a type that is not trusted, by name; what `from_sklearn` refuses.
    """
    if path.suffix != ".skops":
        raise DataError(
            f"{path.name} is a pickle, which runs whatever it holds when it is read; write the pipeline with "
            "skops.io.dump(pipeline, 'pipeline.skops') instead"
        )
    try:
        from skops import io
    except ImportError:
        raise DataError("reading .skops needs skops; install it with: pip install 'edge-lasso[skops]'") from None
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path.name} is no skops file; write one with skops.io.dump(pipeline, '{path.name}')")
    try:
        kinds = io.get_untrusted_types(file=path)
        strange = [kind for kind in kinds if not kind.startswith(OURS)]
        if strange:
            raise DataError(
                f"{path.name} holds {', '.join(sorted(strange)[:5])}, which could run anything when it is read; only "
                "types that skops or edge-lasso knows are read: take that step out, or call from_sklearn"
            )
        estimator = io.load(path, trusted=kinds)
    except DataError:
        raise
    except Exception as error:  # skops has no common named base, and a damaged file fails anywhere
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path.name} cannot be read by skops: {reason}") from None
    return from_sklearn(estimator, None if data is None else _rows(estimator, data))


def _rows(estimator: Any, data: Any) -> Any:
    """The estimator's columns of a table: numbers where all cells are, else words."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [])]
    if not names:
        raise DataError("--data: the pipeline was fitted without names of columns; leave --data out")
    import pandas as pd

    table = open_table(data)
    columns: dict[str, Any] = {}
    for name in names:
        try:
            columns[name] = np.concatenate([numbers[:, 0] for numbers, _ in table.batches([name])])
        except NotANumber:
            words = [word for _, texts in table.batches([], [name]) for word in texts[0].to_pylist()]
            columns[name] = np.array(words, dtype=object)
    return pd.DataFrame(columns)
