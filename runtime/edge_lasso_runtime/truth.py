"""What the outputs should have been, where it comes along with a row: by the outputs' names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .model import Model


def truth_names(model: Model) -> tuple[str, ...]:
    """The fields that bring the truth; none for classes, and for detectors, whose outputs are readings."""
    if model.outputs[0].link != "identity" or "detector/1" in model.sections:
        return ()
    return tuple(output.name for output in model.outputs)


def truths(model: Model, values: Iterable[Any]) -> list[float | None]:
    """One number per output; None where there is none."""
    return [_truth(model.limit, value) for value in values]


def complete(faults: Mapping[str, str]) -> bool:
    """Whether a row can be learned from: all its readings came, though some may be out of range."""
    return all(fault == "out of range" for fault in faults.values())


def _truth(limit: float, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -limit <= number <= limit else None
