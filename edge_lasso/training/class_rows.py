"""The rows of a classification: of a table here, or of pieces of one on a Dask cluster; read again for every pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.paths.logistic import Block, Point, Rows
from edge_lasso.paths.scaling import Scaling
from edge_lasso.statistics.cluster import Piece, Pieces, map_on, piece_survey, reduce_on, sums_on
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.first_pass import Progress, Sums, kept_blocks, sum_rows
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table, category_codes
from edge_lasso.training.fit_classes import one_hot, outputs_of
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Taken:
    """Some rows, and what all of them hold.

    Parameters
    ----------
    X : array, shape (n, p)
    labels : array of int, shape (n,)
        Classes by position.
    low, high : array, shape (p,)
        Of all rows trained on.
    counts : array of int, shape (classes,)
        Of all rows trained on.
    """

    X: Array
    labels: Array
    low: Array
    high: Array
    counts: Array


@dataclass(frozen=True)
class TableRows:
    """The rows of a table, and the class of each in the order of the file (-1: none)."""

    table: Table
    rows: Survey
    codes: Array
    classes: int
    progress: Progress | None = None

    def sums(self, design: Design) -> Sums:
        """Of the numeric columns."""
        return sum_rows(self.table, design, self.rows, self.progress)

    def take(self, design: Design, chosen: Array) -> Taken:
        """The rows with these ranks, which are sorted; others are passed over."""
        start = self._first()
        chosen = chosen[(chosen >= start) & (chosen < self.rows.kept)]
        place = np.full(self.rows.kept - start, -1)
        place[chosen - start] = np.arange(len(chosen))
        X = np.empty((len(chosen), len(design.terms)))
        low, high = np.full(len(design.terms), np.inf), np.full(len(design.terms), -np.inf)
        for block, _, rank in kept_blocks(design.blocks(self.table, self.rows.breaks), self.rows, self.progress):
            at = np.where(rank >= 0, place[np.maximum(rank - start, 0)], -1)
            X[at[at >= 0]] = block[at >= 0]
            with np.errstate(invalid="ignore"):
                known = (np.abs(block) <= READING_LIMIT) & (rank >= 0)[:, None]
            low = np.minimum(low, np.where(known, block, np.inf).min(axis=0, initial=np.inf))
            high = np.maximum(high, np.where(known, block, -np.inf).max(axis=0, initial=-np.inf))
        ranked = self._ranked(start)
        return Taken(X, ranked[chosen - start], low, high, np.bincount(ranked, minlength=self.classes))

    def every(self, design: Design, scaled: Scaling, weights: Array, total: float) -> Rows:
        """All rows, with the weights of their classes."""
        start = self._first()
        ranked = self._ranked(start)

        def blocks() -> Iterator[Block]:
            for X, _, rank in kept_blocks(design.blocks(self.table, self.rows.breaks), self.rows, self.progress):
                used = rank >= 0
                label = ranked[rank[used] - start]
                yield scaled.apply(X[used].astype(np.float64)), one_hot(label, self.classes), weights[label] / total

        return Rows(blocks, len(scaled.mean), outputs_of(self.classes), eager=True)

    def _first(self) -> int:
        """The first rank trained on: not 0 in a piece of a table."""
        return self.rows.kept - int(np.count_nonzero((self.rows.rank >= 0) & (self.rows.rank < self.rows.kept)))

    def _ranked(self, start: int) -> Array:
        return np.asarray(self.codes[self.rows.rows(start, self.rows.kept)])


@dataclass(frozen=True)
class ClusterRows:
    """The rows of pieces of a table, read by the workers of a cluster."""

    client: Any
    rows: Pieces
    target: str
    classes: tuple[str, ...]
    progress: Progress | None = None

    def sums(self, design: Design) -> Sums:
        """Of the numeric columns."""
        return sums_on(self.client, self.rows, design, self.progress)

    def take(self, design: Design, chosen: Array) -> Taken:
        """As `TableRows.take`: the chosen rows are the only ones that travel."""
        jobs = map_on(self.client, self.rows, _take, (self.target, self.classes, design, chosen))
        parts: list[Taken] = self.client.gather(jobs)
        return Taken(
            np.concatenate([entry.X for entry in parts]),
            np.concatenate([entry.labels for entry in parts]),
            np.min([entry.low for entry in parts], axis=0),
            np.max([entry.high for entry in parts], axis=0),
            np.sum([entry.counts for entry in parts], axis=0),
        )

    def every(self, design: Design, scaled: Scaling, weights: Array, total: float) -> Rows:
        """As `TableRows.every`: workers return losses, gradients and curvatures."""

        def reduce(coefs: Array, inside: Array | None) -> Point:
            arguments = (self.target, self.classes, design, scaled, weights, total, coefs, inside)
            point: Point = reduce_on(self.client, self.rows, _point, arguments, "passed over", self.progress)
            return point

        return Rows(lambda: iter(()), len(scaled.mean), outputs_of(len(self.classes)), eager=True, reduce=reduce)


def row_codes(table: Table, target: str, classes: Sequence[str]) -> Array:
    """The class of every row of the table, -1 where there is none."""
    batches = [category_codes(column, classes) for _, (column,) in table.batches([], [target])]
    return np.asarray(np.nan_to_num(np.concatenate(batches), nan=-1.0), dtype=np.int16)


def _piece_rows(piece: Piece, start: int, target: str, classes: tuple[str, ...], design: Design) -> TableRows:
    codes = row_codes(piece.table, target, classes)
    return TableRows(piece.table, piece_survey(piece, design, start), codes, len(classes))


def _take(piece: Piece, start: int, target: str, classes: tuple[str, ...], design: Design, chosen: Array) -> Taken:
    return _piece_rows(piece, start, target, classes, design).take(design, chosen)


def _point(
    piece: Piece, start: int, target: str, classes: tuple[str, ...], design: Design, scaled: Scaling, weights: Array,
    total: float, coefs: Array, inside: Array | None,
) -> Point:  # fmt: skip
    return _piece_rows(piece, start, target, classes, design).every(design, scaled, weights, total).at(coefs, inside)
