"""What targets have in common whose artifacts compute as the reference does: bit for bit, or in the same integers."""

from __future__ import annotations

from collections.abc import Sequence

from edge_lasso_runtime import Model
from edge_lasso_runtime.fixed_point import KEY

from .fixed_python import fixed_expected
from .options import Options
from .vectors import reference


def default_variant(model: Model) -> str:
    """``fixed`` for a quantized model: of every target that has integers."""
    return "fixed" if KEY in model.sections else "double"


def expected(
    model: Model, options: Options, rows: Sequence[Sequence[float | None]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The reference: bit for bit in binary64, within the proven bound per output in fixed point."""
    if options.variant == "fixed":
        return fixed_expected(model, rows, options.inputs)
    values = reference(model, rows, options.inputs)
    return values, [[0.0] * len(row) for row in values]
