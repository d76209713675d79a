"""Encoders of categories: a number for each category, read off the fitted encoder itself, category by category."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import ZERO, Column, Part, table
from edge_lasso.estimators.folding.readings import is_missing
from edge_lasso.estimators.folding.registry import REFUSED, Fold, step

LARGEST = 200_000
"""Categories of an encoder, together."""

REFUSED.update(
    LabelEncoder="it encodes targets; use OrdinalEncoder for inputs",
    FeatureHasher="a hash of names is no list of inputs",
    DictVectorizer="its rows are dictionaries; give the pipeline a table",
)
NEVER_SEEN = ("\0never seen", -8.7654321e300)


@dataclass
class Output:
    """A column that an encoder makes.

    Parameters
    ----------
    base : float
        Its value in the row of first categories.
    feature : int
        The column that it encodes; -1: none, it is constant.
    changes : dict
        Position of a category to the value where that differs from `base`.
    """

    base: float
    feature: int = -1
    changes: dict[int, float] = field(default_factory=dict)


@step(
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    "sklearn.preprocessing._target_encoder.TargetEncoder",
)
def encode(encoder: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Each output column as a table over the categories of the one input it reads."""
    categories = [list(values) for values in encoder.categories_]
    count = sum(map(len, categories))
    if count > LARGEST:
        raise fold.refuse(
            encoder, f"it knows {count:,} categories, and a model may have {LARGEST:,}; see its min_frequency"
        )
    parts = [_reading(encoder, column, fold) for column in columns]
    outputs, strange = _outputs(encoder, categories)
    places = [
        [-1 if is_missing(value) else fold.readings.category(part.input, value) for value in values]
        for part, values in zip(parts, categories, strict=True)
    ]
    for part, values in zip(parts, categories, strict=True):
        fold.readings.gaps |= {part.input} if any(map(is_missing, values)) else set()
    stands = [_stands_for_missing(part, values) for part, values in zip(parts, categories, strict=True)]
    result = []
    for at, output in enumerate(outputs):
        j = output.feature
        if j < 0:
            result.append(Column(Decimal(output.base)))
            continue
        gap = _gap(encoder, stands[j], len(categories[j]), output, None if strange[j] is None else strange[j][at])
        hole = bool(np.isnan(gap))
        otherwise = ZERO if hole else Decimal(gap)
        some = output.changes if output.base == gap else range(len(categories[j]))
        values = [
            (places[j][k], Decimal(output.changes.get(k, output.base)))
            for k in some
            if places[j][k] >= 0 and not np.isnan(output.changes.get(k, output.base))
        ]
        result.append(table(parts[j].input, values, otherwise, hole))
    return result


def _outputs(encoder: Any, categories: list[list[Any]]) -> tuple[list[Output], list[Any]]:
    """The encoder's columns, and what a category that it has never seen gives (None: it stops there)."""
    first = [next((value for value in values if not is_missing(value)), np.nan) for values in categories]
    rows = [first] + [[*first[:j], value, *first[j + 1 :]] for j, values in enumerate(categories) for value in values]
    encoded = _transform(encoder, rows)
    base = encoded[0]
    outputs = [Output(float(value)) for value in base]
    number = 1
    for j, values in enumerate(categories):
        for k in range(len(values)):
            for at, value in encoded.differing(number):
                outputs[at].feature = j
                outputs[at].changes[k] = value
            number += 1
    strange: list[Any] = []
    for j, value in enumerate(first):
        unknown = NEVER_SEEN[isinstance(value, int | float | np.number)]
        try:
            strange.append(_transform(encoder, [first, [*first[:j], unknown, *first[j + 1 :]]])[1])
        except (ValueError, TypeError):
            strange.append(None)
            continue
        for at, output in enumerate(outputs):
            if output.feature < 0 and strange[-1][at] != output.base:
                output.feature = j
    return outputs, strange


def _stands_for_missing(part: Part, categories: list[Any]) -> int | None:
    """The position of the category that a missing reading is: what fills it, or NaN."""
    for k, category in enumerate(categories):
        if is_missing(category) if part.fill is None else _same(category, part.fill):
            return k
    return None


def _gap(encoder: Any, stands: int | None, count: int, output: Output, unknown: Any) -> float:
    """What a missing reading is encoded as: as what stands for it, or as a category never seen."""
    if stands is not None:
        return output.changes.get(stands, output.base)
    if unknown is not None:
        return float(unknown)
    if type(encoder).__name__ == "OneHotEncoder":  # it stops at such readings; a model does not
        return 0.0
    return float(np.mean([output.changes.get(k, output.base) for k in range(count)]))


def _same(category: Any, fill: Any) -> bool:
    return str(category) == fill if isinstance(fill, str) else bool(category == float(fill))


def _reading(encoder: Any, column: Column, fold: Fold) -> Part:
    part = column.raw()
    if part is None:
        raise fold.refuse(encoder, "it encodes a column that an earlier step computed; encode the readings themselves")
    return part


def _transform(encoder: Any, rows: list[list[Any]]) -> Any:
    block = np.empty((len(rows), len(rows[0])), dtype=object)
    for j in range(block.shape[1]):
        block[:, j] = [row[j] for row in rows]
    plain = copy(encoder).set_output(transform="default")
    if hasattr(plain, "feature_names_in_"):
        del plain.feature_names_in_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoded = plain.transform(block)
    return SparseRows(encoded.tocsr()) if hasattr(encoded, "tocsr") else Rows(np.asarray(encoded, dtype=np.float64))


class Rows:
    """Encoded rows, and where they differ from the first."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __getitem__(self, place: int) -> Any:
        return self.values[place]

    def differing(self, place: int) -> list[tuple[int, float]]:
        """Columns and values."""
        row, base = self.values[place], self.values[0]
        same = (row == base) | (np.isnan(row) & np.isnan(base))
        return [(int(at), float(row[at])) for at in np.flatnonzero(~same)]


class SparseRows(Rows):
    """The same of a sparse matrix."""

    def __getitem__(self, place: int) -> Any:
        return self.values[[place]].toarray()[0]

    def _row(self, place: int) -> dict[int, float]:
        ends = slice(self.values.indptr[place], self.values.indptr[place + 1])
        return dict(zip(self.values.indices[ends].tolist(), self.values.data[ends].tolist(), strict=True))

    def differing(self, place: int) -> list[tuple[int, float]]:
        """Columns and values."""
        row, base = self._row(place), self._row(0)
        return [(at, row.get(at, 0.0)) for at in {*row, *base} if row.get(at, 0.0) != base.get(at, 0.0)]
