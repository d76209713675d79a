"""The report's pictures: plain SVG, drawn with classes that the page's style sheet colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 46
STYLE = (
    "<style>svg{background:#fff}text{font:12px sans-serif;fill:#555}.grid{stroke:#ddd}.line{fill:none;stroke:#1f6feb;stroke-width:1.5}"
    ".truth{fill:none;stroke:#8c959f;stroke-width:1.5}.point{fill:#1f6feb}.other{fill:#bbb}.choice{fill:none;stroke:#d1242f;stroke-width:2}"
    ".knee{fill:none;stroke:#9a6700;stroke-width:2}</style>"
)


class Axes:
    """A plot area with ticks, in data units.

    Parameters
    ----------
    x, y : (low, high)
    x_label, y_label, title, description : str
        The last two are for readers who do not see the picture.
    log_x, log_y : bool
    height : int
    left : int
        Where the plot begins.
    marks : sequence of (float, str), optional
        Where ticks of x are and what they say; default: round numbers.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_label: str,
        y_label: str,
        title: str,
        description: str,
        log_x: bool = False,
        height: int = HEIGHT,
        left: int = LEFT,
        log_y: bool = False,
        marks: Sequence[tuple[float, str]] | None = None,
    ) -> None:
        self.x, self.y, self.log_x, self.log_y, self.height, self.left = x, y, log_x, log_y, height, left
        self.parts: list[str] = []
        self.title, self.description = title, description
        bottom = height - BOTTOM
        if marks is None:
            marks = [(value, label(value)) for value in (_log_ticks(*x) if log_x else ticks(*x))]
        for value, words in marks:
            at = self.px(value)
            self.parts.append(f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}"/>')
            self.parts.append(
                f'<text class="tick" x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(words)}</text>'
            )
        for value in (_log_ticks(*y) if log_y else ticks(*y)) if y_label else []:
            at = self.py(value)
            self.parts.append(f'<line class="grid" x1="{left}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
            self.parts.append(
                f'<text class="tick" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{label(value)}</text>'
            )
        middle = (left + WIDTH - RIGHT) / 2
        self.parts.append(
            f'<text class="axis" x="{middle:.0f}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>'
        )
        if y_label:
            turn = f"translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)"
            self.parts.append(f'<text class="axis" transform="{turn}" text-anchor="middle">{escape(y_label)}</text>')

    def px(self, value: float) -> float:
        """Horizontal place of a value."""
        low, high = self.x
        if self.log_x:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return self.left + (value - low) / ((high - low) or 1.0) * (WIDTH - RIGHT - self.left)

    def py(self, value: float) -> float:
        """Vertical place of a value."""
        low, high = self.y
        if self.log_y:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        bottom = self.height - BOTTOM
        return bottom - (value - low) / ((high - low) or 1.0) * (bottom - TOP)

    def line(self, x: Sequence[float] | Array, y: Sequence[float] | Array, kind: str) -> None:
        """A line through points; a gap where y is NaN."""
        pen, path = "M", []
        for a, b in zip(x, y, strict=True):
            if b != b:
                pen = "M"
                continue
            path.append(f"{pen}{self.px(a):.1f} {self.py(b):.1f}")
            pen = "L"
        self.parts.append(f'<path class="{kind}" d="{"".join(path)}"/>')

    def band(self, x: Sequence[float] | Array, low: Sequence[float] | Array, high: Sequence[float] | Array) -> None:
        """A filled band."""
        up = [f"{self.px(a):.1f} {self.py(b):.1f}" for a, b in zip(x, high, strict=True)]
        down = [f"{self.px(a):.1f} {self.py(b):.1f}" for a, b in zip(x, low, strict=True)][::-1]
        self.parts.append(f'<path class="band" d="M{"L".join([*up, *down])}Z"/>')

    def dot(self, x: float, y: float, kind: str, hint: str = "", radius: float = 4.0) -> None:
        """A point, with a text that appears on hover."""
        title = f"<title>{escape(hint)}</title>" if hint else ""
        self.parts.append(
            f'<circle class="{kind}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius}">{title}</circle>'
        )

    def text(self, x: float, y: float, words: str, anchor: str = "start", dy: float = 0.0) -> None:
        """Words at a point."""
        at = f'x="{self.px(x):.1f}" y="{self.py(y) + dy:.1f}" text-anchor="{anchor}"'
        self.parts.append(f'<text class="note" {at}>{escape(words)}</text>')

    def svg(self) -> str:
        """The picture."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" preserveAspectRatio="xMidYMid meet">'
            f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>{''.join(self.parts)}</svg>"
        )


def svg_file(axes: Axes) -> str:
    """A picture that stands alone, with its own colours."""
    picture = axes.svg().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return picture.replace("<title>", STYLE + "<title>", 1) + "\n"


def label(value: float) -> str:
    """A tick's text."""
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.10g}"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between two values."""
    span = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(span / count))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= count)
    return [round(i * step, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    every = max(1, (last - first) // 6 + 1)
    values = [10.0**i for i in range(first, last + 1, every)]
    if len(values) < 3:  # little more than a decade
        values = [m * 10.0**i for i in range(first - 1, last + 1) for m in (1.0, 2.0, 5.0)]
        values = [value for value in values if low <= value <= high]
    return values


def path_chart(
    sizes: Array,
    root: Array,
    low: Array,
    high: Array,
    lasso: tuple[Array, Array],
    chosen: tuple[int, float],
    unit: str,
) -> str:
    """Cross-validated error against the number of inputs: the best of each size, the plain lasso, the choice."""
    ceiling = max(2.2 * float(np.nanmin(root)), 1.2 * chosen[1])
    most = min(float(max(sizes.max(), lasso[0].max())), max(20.0, 4.0 * chosen[0]))
    axes = Axes(
        (0.0, most * 1.03), (0.0, ceiling), "inputs used", f"cross-validated error{unit}", "Error along the path",
        f"Root mean squared error against the number of inputs; {chosen[0]} inputs were chosen, with {chosen[1]:.4g}.",
    )  # fmt: skip
    inside = (lasso[0] <= most) & (lasso[1] <= ceiling)
    axes.line(lasso[0][inside], lasso[1][inside], "truth")
    keep = (root <= ceiling) & (sizes <= most)
    axes.band(sizes[keep], low[keep], np.minimum(high[keep], ceiling))
    axes.line(sizes[keep], root[keep], "line")
    axes.dot(chosen[0], chosen[1], "choice", f"chosen: {chosen[0]} inputs, error {chosen[1]:.4g}", 6.0)
    axes.text(chosen[0], chosen[1], f"{chosen[0]} inputs: {chosen[1]:.4g}", dy=24)
    return axes.svg()


def strip_chart(hours: Array, truth: Array, prediction: Array, x_label: str, y_label: str) -> str:
    """Prediction and truth over a stretch of time."""
    both = np.concatenate([truth, prediction])
    axes = Axes(
        (float(hours[0]), float(hours[-1])), (min(0.0, float(np.nanmin(both))), float(np.nanmax(both)) * 1.05), x_label, y_label,
        "Prediction against truth over time", "Two lines: the sensor's own readings, and the model's prediction of them.",
    )  # fmt: skip
    axes.line(hours, truth, "truth")
    axes.line(hours, prediction, "line")
    return axes.svg()


def scatter_chart(truth: Array, prediction: Array, x_label: str, y_label: str, cells: int = 48) -> str:
    """Prediction against truth as a density of squares: as many marks for a thousand rows as for a million."""
    low = float(min(truth.min(), prediction.min()))
    high = float(max(truth.max(), prediction.max()))
    axes = Axes((low, high), (low, high), x_label, y_label, "Prediction against truth",
                "Darker squares hold more rows; on the diagonal prediction and truth agree.", height=420)  # fmt: skip
    counts, xs, ys = np.histogram2d(truth, prediction, bins=cells, range=[[low, high], [low, high]])
    width = axes.px(xs[1]) - axes.px(xs[0])
    tall = axes.py(ys[0]) - axes.py(ys[1])
    most = math.log1p(float(counts.max()))
    for i, j in zip(*np.nonzero(counts), strict=True):
        shade = 0.15 + 0.85 * math.log1p(float(counts[i, j])) / most
        at = f'x="{axes.px(xs[i]):.1f}" y="{axes.py(ys[j + 1]):.1f}" width="{width:.1f}" height="{tall:.1f}"'
        axes.parts.append(f'<rect class="cell" {at} fill-opacity="{shade:.2f}"/>')
    axes.line([low, high], [low, high], "truth")
    return axes.svg()


def margin_chart(rows: Sequence[tuple[str, float, float]]) -> str:
    """Largest error seen (dot) beside the promised bound (bar end) for each artifact, on a logarithmic axis."""
    values = [value for _, error, bound in rows for value in (error, bound) if value > 0.0]
    if not values:
        return ""
    low, high = 10.0 ** math.floor(math.log10(min(values)) - 0.2), 10.0 ** math.ceil(math.log10(max(values)) + 0.2)
    axes = Axes((low, high), (0.0, float(len(rows))), "error of the linear predictor", "",
                "Largest error seen and promised bound", "For each artifact a dot (largest error) left of a bar (bound).",
                log_x=True, height=BOTTOM + TOP + 30 * len(rows), left=150)  # fmt: skip
    for i, (name, error, bound) in enumerate(rows):
        y = len(rows) - i - 0.5
        axes.parts.append(
            f'<text class="tick" x="{axes.left - 8}" y="{axes.py(y) + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        if bound > 0.0:
            axes.line([low, bound], [y, y], "reach")
            axes.parts.append(
                f'<line class="bound" x1="{axes.px(bound):.1f}" x2="{axes.px(bound):.1f}" '
                f'y1="{axes.py(y) - 8:.1f}" y2="{axes.py(y) + 8:.1f}"/>'
            )
        if error > 0.0:
            axes.dot(error, y, "choice", f"{name}: largest error {error:.3g}, promised {bound:.3g}")
    return axes.svg()
