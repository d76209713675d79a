"""From columns of a table to the columns of the Gram matrix: indicators, hinges, products, derived columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics.inputs import term_names
from edge_lasso.tables.derived_columns import History, Stream, stream_name
from edge_lasso.tables.tables import Table, category_codes
from edge_lasso_runtime.model import READING_LIMIT, Factor, Input

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Design:
    """From columns of a table to the columns of the Gram matrix.

    Parameters
    ----------
    columns : tuple of str
        The training row: what a `Factor` counts.
    targets : tuple of str
    categories : dict
        Of the categorical columns.
    fill : dict
        With degree 2 or hinges: what replaces a missing reading before products and hinges are made, by column. Empty
        until the readings were looked at (`first_pass.fill_gaps`), and without.
    degree : {1, 2}
        2: squares and products of the columns of numbers.
    hinges : int
        Knots wanted for each column of numbers.
    knots : dict
        Where the hinges of a column begin, rising; known with `fill`.
    streams : tuple of Stream
        Columns computed from earlier rows: their names are the last of `columns`. See `deriving`.
    sources : tuple of str
        Columns that only these are computed from (a target's own past): no terms of their own.
    """

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    fill: dict[str, float] = field(default_factory=dict)
    degree: int = 1
    hinges: int = 0
    knots: dict[str, tuple[float, ...]] = field(default_factory=dict)
    streams: tuple[Stream, ...] = ()
    sources: tuple[str, ...] = ()

    def deriving(self, streams: Sequence[Stream]) -> Design:
        """The design with columns computed from earlier rows; a source that is no column becomes one, without a term.

        Raises
        ------
        DataError
            A column has such a name already.
        """
        sources = tuple(dict.fromkeys(source for _, source, _ in streams if source not in self.columns))
        names = tuple(map(stream_name, streams))
        for name in names:
            if name in self.columns or name in self.targets:
                raise DataError(f"column '{name}' has the name of an input computed from earlier rows; rename it")
        return replace(self, columns=(*self.columns, *sources, *names), streams=tuple(streams), sources=sources)

    @property
    def curved(self) -> bool:
        """Whether there are products or hinges: what they are of a missing reading has to be known beforehand."""
        return self.degree > 1 or self.hinges > 0

    @property
    def derived(self) -> dict[str, Stream]:
        """The columns that are computed from earlier rows."""
        return {stream_name(stream): stream for stream in self.streams}

    @property
    def origins(self) -> dict[str, str]:
        """What each of these columns is computed from."""
        return {stream_name(stream): stream[1] for stream in self.streams}

    @property
    def numeric(self) -> list[str]:
        """The columns that are numbers."""
        return [name for name in self.columns if name not in self.categories]

    @property
    def read(self) -> list[str]:
        """The columns of numbers that the table has."""
        derived = self.derived
        return [name for name in self.numeric if name not in derived]

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        """What each column of the Gram matrix is: columns and indicators, then hinges, then products."""
        terms: list[tuple[Factor, ...]] = []
        for i, name in enumerate(self.columns):
            if name in self.categories:
                terms += [(Factor(i, c),) for c in range(len(self.categories[name]))]
            elif name not in self.sources:
                terms.append((Factor(i),))
        for i, name in enumerate(self.columns):
            terms += [(Factor(i, hinge=knot),) for knot in self.knots.get(name, ())]
        if self.degree > 1:
            numbers = [i for i, name in enumerate(self.columns) if name not in self.categories]
            terms += [(Factor(i), Factor(j)) for at, i in enumerate(numbers) for j in numbers[at:]]
        return terms

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the Gram matrix."""
        categories = {i: self.categories[name] for i, name in enumerate(self.columns) if name in self.categories}
        return term_names(self.columns, self.terms, categories)

    def blocks(self, table: Table, breaks: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Columns of the Gram matrix, and targets, batch by batch.

        Parameters
        ----------
        table : Table
        breaks : array of int, optional
            Numbers of the rows before which history ends.
        """
        numeric, text = self.read, [name for name in self.columns if name in self.categories]
        history = History(self.streams, numeric, breaks) if self.streams else None
        own = [name not in self.sources for name in numeric]
        for numbers, texts in table.batches([*numeric, *self.targets], text):
            x, y = numbers[:, : len(numeric)], numbers[:, len(numeric) :]
            if history is not None:
                x = np.concatenate([x[:, own], history.step(x)], axis=1)
            yield self.expanded(x, dict(zip(text, texts, strict=True))), y

    def expanded(self, x: Array, texts: dict[str, Any]) -> Array:
        """Columns of the Gram matrix.

        Parameters
        ----------
        x : array, shape (rows, columns of numbers that have terms)
        texts : dict
            The values of each categorical column.
        """
        if self.fill:
            with np.errstate(invalid="ignore"):
                x = np.where(np.abs(x) <= READING_LIMIT, x, [self.fill[name] for name in self.numeric])
        elif not texts:
            return x
        numbers = {name: x[:, j : j + 1] for j, name in enumerate(self._with_terms())}
        parts = [
            self._indicators(name, texts[name]) if name in self.categories else numbers[name]
            for name in self.columns
            if name not in self.sources
        ]
        parts += [np.maximum(numbers[name] - self.knots[name], 0.0) for name in numbers if self.knots.get(name)]
        if self.degree > 1:
            parts += [x[:, j : j + 1] * x[:, j:] for j in range(x.shape[1])]
        return np.concatenate(parts, axis=1)

    def _with_terms(self) -> list[str]:
        return [name for name in self.numeric if name not in self.sources]

    def _indicators(self, name: str, column: Any) -> Array:
        codes = category_codes(column, self.categories[name])
        return np.equal(codes[:, None], np.arange(len(self.categories[name]))).astype(np.float64)

    @property
    def width(self) -> int:
        """Number of columns of the Gram matrix, without making them; with all the hinges that are wanted."""
        numbers = len(self.columns) - len(self.categories) - len(self.sources)
        products = numbers * (numbers + 1) // 2 if self.degree > 1 else 0
        return numbers * (1 + self.hinges) + sum(map(len, self.categories.values())) + products

    def size_text(self) -> str:
        """What the width comes from, for a message."""
        hinges = f", {self.hinges} hinges each" if self.hinges else ""
        return f"{self.width:,} columns ({len(self.columns):,} inputs, degree {self.degree}{hinges})"


def table_inputs(design: Design, numbers: Sequence[Input]) -> dict[int, Input]:
    """An `Input` for each column of the training row, given those of the numeric ones."""
    numeric = iter(numbers)
    derived = design.derived
    inputs = {}
    for i, name in enumerate(design.columns):
        if name in design.categories:
            inputs[i] = Input(name, i, None, None, None, categories=design.categories[name])
        else:
            entry = next(numeric)
            inputs[i] = entry.replace(column=i, default=design.fill.get(name, entry.default), stream=derived.get(name))
    return inputs
