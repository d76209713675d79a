"""Inputs that know too much: copies of a target, and readings that follow the target's future."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.paths.twins import near_twins
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.first_pass import kept_blocks
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
COPY = 0.9999
"""A correlation from which on an input is suspected to be a copy of a target."""
LEADS = 24
MOST_ROWS = 20_000
MOST_READINGS = 2**24
FEWEST_ROWS = 100
FOLLOWS = 0.99
TENTH = 0.1


def all_but_equal(folds: FoldStatistics) -> list[str]:
    """A note where inputs differ by so little that what is in the difference cannot be used."""
    names = folds.columns
    pairs = near_twins(folds.total.moments(), len(names))
    if not pairs:
        return []
    more = f" (and {len(pairs) - 1} more pairs)" if len(pairs) > 1 else ""
    first, second = (names[j] for j in pairs[0])
    return [
        f"inputs '{first}' and '{second}'{more} differ by less than 1/30,000 of their spread; what the difference says "
        "is not used: if it matters, give it as a column of its own"
    ]


def copies(folds: FoldStatistics, design: Design) -> list[str]:
    """Notes on inputs that all but equal a target: perhaps a copy that will not be there when the model runs."""
    moments = folds.total.moments()
    p = len(folds.columns)
    deviation = np.sqrt(np.diagonal(moments.covariance))
    derived = design.derived
    notes = []
    for t, target in enumerate(design.targets, p):
        product = deviation[:p] * deviation[t]
        correlation = np.divide(moments.covariance[:p, t], product, out=np.zeros(p), where=product > 0.0)
        notes += [
            f"input '{folds.columns[j]}' has a correlation of {correlation[j]:.5f} with target '{target}'; "
            "leave it out with --drop if it is a copy"
            for j in np.flatnonzero(np.abs(correlation) > COPY)
            if folds.columns[j] not in derived
        ]
    return notes


def from_the_future(table: Table, design: Design, rows: Survey) -> list[str]:
    """Notes on inputs that follow what a target will be, up to `LEADS` rows later.

    An input is named when a later value of the target leaves at most a tenth of the variance unexplained that the
    present value leaves, and that the value as long ago leaves: slow series resemble their neighbours on both sides. A
    sensor upstream does this honestly, so it is a question, not an error. The first `MOST_ROWS` rows in the order of
    time are looked at (fewer of very wide tables).

    Parameters
    ----------
    table : Table
    design : Design
    rows : Survey
        With ranks in the order of time.
    """
    numeric = [name for name in design.read if name not in design.targets]
    count = min(rows.kept, MOST_ROWS, MOST_READINGS // max(len(numeric), 1))
    if count < FEWEST_ROWS + 2 * LEADS:
        return []
    X, Y = np.full((count, len(numeric)), np.nan, dtype=np.float32), np.full((count, len(design.targets)), np.nan)
    result = 0
    for block, _, rank in kept_blocks(table.batches([*numeric, *design.targets]), rows, None):
        near = (rank >= 0) & (rank < count)
        X[rank[near]], Y[rank[near]] = block[near, : len(numeric)], block[near, len(numeric) :]
        result += int(np.count_nonzero(near))
        if result == count:
            break
    with np.errstate(invalid="ignore"):
        known = np.abs(X) <= READING_LIMIT
    inner = slice(LEADS, count - LEADS)
    notes = []
    for t, target in enumerate(design.targets):
        shifted = np.lib.stride_tricks.sliding_window_view(Y[:, t], count - 2 * LEADS)  # row LEADS + h: h rows later
        for j, name in enumerate(numeric):
            use = known[inner, j]
            if use.sum() < FEWEST_ROWS:
                continue
            left = _unexplained(X[inner, j][use].astype(np.float64), shifted[:, use])
            lead = int(np.argmin(left[LEADS + 1 :])) + 1
            least, others = left[LEADS + lead], min(left[LEADS], left[LEADS - lead])
            if least < 1.0 - FOLLOWS**2 and least <= TENTH * others:
                notes.append(
                    f"input '{name}' follows target '{target}' of {lead} row{'s' * (lead > 1)} later (correlation "
                    f"{np.sqrt(1.0 - least):.4f}); leave it out with --drop if it is not known in time"
                )
    return notes


def _unexplained(x: Array, ys: Array) -> Array:
    """Part of the variance of x that each of several series leaves unexplained."""
    x = x - x.mean()
    ys = ys - ys.mean(axis=1, keepdims=True)
    size = (x @ x) * (ys * ys).sum(axis=1)
    share = np.divide((ys @ x) ** 2, size, out=np.zeros(len(ys)), where=size > 0.0)
    return np.asarray(np.maximum(1.0 - share, 0.0))
