"""The rows that artifacts are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.tables.tables import model_rows
from edge_lasso.verifying.trial_rows import trial_rows
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

Rows = Sequence[Sequence[float]]
REAL_ROWS = 1000


class Trials:
    """The rows to try, made once per call."""

    def __init__(self, model: Model, data: Any, seed: int) -> None:
        self.seed = seed
        by_kind = trial_rows(model, None if data is None else real_rows(model, data), seed=seed)
        self.counts = {kind: len(rows) for kind, rows in by_kind.items()}
        self.sequences: list[list[list[float]]] = []
        if keeps_state(model):
            self.sequences = sequences(model, by_kind["real"], seed)
            self.counts["sequences"] = sum(map(len, self.sequences))
        self.rows = [row for rows in by_kind.values() for row in rows]


def real_rows(model: Model, data: Any, limit: int = REAL_ROWS) -> Rows:
    """At most `limit` rows of a table, spread evenly, in the order of the model's inputs."""
    if isinstance(data, (np.ndarray, list, tuple)):
        array = np.asarray(data, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(model.inputs):
            raise DataError(f"rows have the shape {array.shape}; the model has {len(model.inputs)} inputs")
    else:
        array = model_rows(data, model)
    if len(array) > limit:
        array = array[np.linspace(0, len(array) - 1, limit).astype(int)]
    rows: Rows = array.tolist()
    return rows
