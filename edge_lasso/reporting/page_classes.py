"""What the report says of a classifier: who is taken for whom, and how far its probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.reporting import charts
from edge_lasso.reporting.page_parts import table as html_table
from edge_lasso.training.class_odds import ClassOdds
from edge_lasso.training.fit_classes import row_reliability
from edge_lasso_runtime import Model

Array = npt.NDArray[Any]
BINS = 10
POINTS = 200
THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ClassQuality:
    """Predicted classes against true ones.

    Parameters
    ----------
    counts : array of int, shape (classes, classes)
        Rows by true class (first axis) and predicted class.
    quality : dict
        See `calibration.reliability`.
    probability, positive : array, optional
        Of two classes: how probable the second is, and where it is true.
    """

    counts: Array
    quality: dict[str, Any]
    probability: Array | None = None
    positive: Array | None = None


def class_quality(model: Model, data: Any) -> ClassQuality:
    """Predict every row of a table that has the label.

    Raises
    ------
    DataError
        No row has one of the model's classes.
    """
    from edge_lasso.predicting.predict_table import class_codes, linear_rows, link_rows
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
    odds = odds_of(model)
    quality = row_reliability(z, codes, classes, odds)
    if len(classes) != 2:
        return ClassQuality(counts, quality)
    return ClassQuality(counts, quality, link_rows(model, z - odds.label)[:, -1], codes == 1)


def odds_of(model: Model) -> ClassOdds:
    """The costs that shifted a classifier's labels."""
    classes = model.classes or ()
    costs = (model.provenance.get("labels") or {}).get("miss_cost") or {}
    return ClassOdds(np.ones(len(classes)), np.array([costs.get(name, 1.0) for name in classes]))


def curves(classes: ClassQuality, name: str) -> str:
    """How often right at which probability, precision against recall, and what each threshold gives; for two classes."""
    if classes.probability is None or classes.positive is None:
        return ""
    p, true = classes.probability, classes.positive
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    held = [b for b in range(BINS) if (bins == b).any()]
    reliable = charts.Axes((0.0, 1.0), (0.0, 1.0), f"probability of {name}", f"share that is {name}", "Reliability",
                           "On the diagonal the model is as often right as it says.")  # fmt: skip
    reliable.line([0.0, 1.0], [0.0, 1.0], "grid")
    reliable.line([float(p[bins == b].mean()) for b in held], [float(true[bins == b].mean()) for b in held], "line")
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(true[order])
    precision, recall = hits / np.arange(1, len(p) + 1), hits / max(int(true.sum()), 1)
    some = np.unique(np.linspace(0, len(p) - 1, POINTS).astype(int))
    against = charts.Axes((0.0, 1.0), (0.0, 1.0), "recall", "precision", "Precision against recall",
                          f"Of all that are {name}, the part found; of all called {name}, the part that is.")  # fmt: skip
    against.line(recall[some], precision[some], "line")
    rows = []
    for threshold in THRESHOLDS:
        called = p > threshold
        right = int((called & true).sum())
        rows.append([
            f"{threshold:g}", f"{called.mean():.1%}", f"{right / max(int(called.sum()), 1):.3f}",
            f"{right / max(int(true.sum()), 1):.3f}",
        ])  # fmt: skip
    head = ("called so above", "rows called so", "precision", "recall")
    return (
        f"<figure>{reliable.svg()}<figcaption>Reliability.</figcaption></figure>"
        f"<figure>{against.svg()}<figcaption>Precision against recall.</figcaption></figure>"
        f"{html_table(escape(f'Thresholds for {name}, on the table given.'), head, rows)}"
    )


def label_column(model: Model) -> str:
    """The column of labels: several outputs are named ``column = class``."""
    name = model.outputs[0].name
    return name if len(model.outputs) == 1 else name.removesuffix(f" = {(model.classes or ('',))[0]}")
