"""What the report says of a classifier: who is taken for whom, and how far its probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.training.fit_classes import row_reliability
from edge_lasso_runtime import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ClassQuality:
    """Predicted classes against true ones.

    Parameters
    ----------
    counts : array of int, shape (classes, classes)
        Rows by true class (first axis) and predicted class.
    quality : dict
        See `calibration.reliability`.
    """

    counts: Array
    quality: dict[str, float]


def class_quality(model: Model, data: Any) -> ClassQuality:
    """Predict every row of a table that has the label.

    Raises
    ------
    DataError
        No row has one of the model's classes.
    """
    from edge_lasso.predicting.predict_table import class_codes, linear_rows
    from edge_lasso.tables.tables import model_rows, open_table
    from edge_lasso.training.class_rows import row_codes

    table = open_table(data)
    classes = model.classes or ()
    target = table.check(label_column(model))
    codes = row_codes(table, target, classes)
    z = linear_rows(model, model_rows(table, model))[0]
    known = codes >= 0
    if not known.any():
        raise DataError(f"no row of {table.title} has one of the classes {', '.join(classes)} in '{target}'")
    codes, z = codes[known], z[known]
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (codes, class_codes(z)), 1)
    return ClassQuality(counts, row_reliability(z, codes, len(classes)))


def label_column(model: Model) -> str:
    """The column of labels: several outputs are named ``column = class``."""
    name = model.outputs[0].name
    return name if len(model.outputs) == 1 else name.removesuffix(f" = {(model.classes or ('',))[0]}")
