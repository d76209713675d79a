"""What a model that keeps state must give for a sequence of rows, in binary64 or in integers."""

from __future__ import annotations

from collections.abc import Sequence

from edge_lasso_runtime.fixed_stream import start_fixed, step_fixed
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.step_result import Step

from .stateful import Stateful
from .vectors import self_test_sizes


def replay(model: Model, rows: Sequence[Sequence[float | None]], fixed: bool) -> list[Step]:
    """The reference's answer to each row, from a start."""
    results = []
    if fixed:
        counting = start_fixed(model)
        for row in rows:
            result, counting = step_fixed(model, counting, row)
            results.append(result)
        return results
    state = start(model)
    for row in rows:
        result, state = step(model, state, row)
        results.append(result)
    return results


def replay_sizes(plan: Stateful) -> list[float]:
    """Per output, what the self-test allows in units of epsilon: histories and estimates lose more than a row does."""
    return [size * (1024.0 if plan.estimate else 64.0) for size in self_test_sizes(plan.model)]
