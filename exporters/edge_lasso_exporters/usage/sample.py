"""Readings that examples use: inside the ranges, with few digits."""

from __future__ import annotations

from edge_lasso_exporters.vectors import self_test
from edge_lasso_runtime.model import Input, Model

MOST = 24
"""Readings that an example spells out; the others are missing there."""
MIXED = 3
"""The self-test vector that tells inputs apart."""


def sample(model: Model) -> list[float]:
    """A row in the order of the model's inputs."""
    row = self_test(model)[MIXED][0]
    return [_short(feature, value or 0.0) for feature, value in zip(model.inputs, row, strict=True)]


def by_name(model: Model, positions: list[int]) -> dict[str, float | str]:
    """Readings by the names of inputs, categories as words."""
    row = sample(model)
    return {
        model.inputs[i].name: row[i] if words is None else words[int(row[i])]
        for i in positions[:MOST]
        if (words := model.inputs[i].categories) != ()
    }


def _short(feature: Input, value: float) -> float:
    if feature.categories is not None or feature.low is None or feature.high is None:
        return value
    short = float(f"{value:.4g}")
    return short if feature.low <= short <= feature.high else value
