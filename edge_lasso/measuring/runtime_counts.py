"""What a runtime spends on one row of a sparse linear model, where it cannot be counted: counts that were kept.

onnxruntime and tflite-runtime spend nearly all of a call outside the model; an input adds 15 to 80 instructions. So
models of any size lie near the line through two counts.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT_OF = "arm64, CPython 3.11.2, onnxruntime 1.23.2, tflite-runtime 2.14.0"
SIZES = (5, 200)
KEPT: dict[str, tuple[float, float]] = {
    "onnx:float32": (55599.0, 58456.0),
    "onnx:float64": (55699.0, 59056.0),
    "tflite:float32": (15988.0, 26943.0),
    "tflite:float16": (15991.0, 26903.0),
    "tflite:dynamic": (16957.0, 28246.0),
    "tflite:int8": (19723.0, 34450.0),
    "tflite:int16x8": (18525.0, 30413.0),
}
"""Artifact to instructions of one call at these numbers of inputs, counted as `board_costs.Emulators` does."""


@dataclass(frozen=True)
class Line:
    """Instructions by number of inputs, through two counts."""

    counts: tuple[float, float]

    def at(self, inputs: int) -> float:
        """Instructions for a number of inputs."""
        low, high = self.counts
        return low + (high - low) * (inputs - SIZES[0]) / (SIZES[1] - SIZES[0])

    @property
    def source(self) -> str:
        """Where the line comes from."""
        low, high = self.counts
        return f"calibrated: {low:,.0f} at {SIZES[0]} inputs and {high:,.0f} at {SIZES[1]} in emulation ({KEPT_OF})"


def kept_line(artifact: str) -> Line | None:
    """The line of an artifact such as ``onnx:float32``, if there is one."""
    return Line(KEPT[artifact]) if artifact in KEPT else None
