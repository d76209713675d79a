"""What `boards` and `bench --board` print: emulated and modelled figures in tables of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.measuring.measurement import Measurement
from edge_lasso.reporting import terminal
from edge_lasso.reporting.charts import Axes, svg_file
from edge_lasso.reporting.facts import number
from edge_lasso_devices.boards import Board, Figure, targets

COUNTED = ("instructions", "cycles", "stack_bytes", "flash_bytes", "ram_bytes")
WIDTH = 40


def board_json(board: Board) -> dict[str, object]:
    """A board as JSON has it, with what can run there."""
    figures = {
        name: {"value": value.value, "source": value.source, **({"band": value.band} if value.band != 1.0 else {})}
        for name, value in vars(board).items()
        if isinstance(value, Figure)
    }
    plain = {name: value for name, value in vars(board).items() if not isinstance(value, Figure) and value is not None}
    return {**plain, "figures": figures, "targets": targets(board)}


def show_boards(boards: Sequence[Board]) -> None:
    """One line a board."""
    rows = []
    for board in boards:
        possible = targets(board)
        rows.append((
            board.name, board.title, board.isa.value, f"{board.clock_mhz.value:g} MHz", _size(board.ram_bytes.value),
            "-" if board.flash_bytes is None else _size(board.flash_bytes.value), board.core or board.link or "-",
            " ".join(name for name, why in possible.items() if why is None),
        ))  # fmt: skip
    columns = ("board", "", "instructions", "clock", "RAM", "flash", "emulated by", "targets")
    terminal.table("", columns, rows, text_columns=3)


def show_board(board: Board) -> None:
    """Every figure with its source, and what can run there."""
    rows = []
    for name, entry in vars(board).items():
        if isinstance(entry, Figure):
            value = ", ".join(entry.value) if isinstance(entry.value, tuple) else str(entry.value)
            rows.append(
                (name, value + (f" (within a factor {entry.band:g})" if entry.band != 1.0 else ""), entry.source)
            )
    terminal.table(f"{board.title} ({board.kind})", ("figure", "value", "source"), rows, text_columns=3)
    runs = [(name, "yes" if why is None else f"no: {why}") for name, why in targets(board).items()]
    terminal.table("targets", ("target", "runs there"), runs, text_columns=2)
    stand_in = board.core or board.link
    terminal.say(f"emulated by: {stand_in or 'nothing here'}; profile: {board.path}")
    if board.notes:
        terminal.say(board.notes)


def show_costs(measurements: Sequence[Measurement]) -> None:
    """Counted costs, then worked-out times, then what could not be had."""
    emulated = [
        measurement for measurement in measurements if measurement.kind == "emulated" and not measurement.reason
    ]
    counts = []
    for entry in emulated:
        counts.append((entry.link, entry.name, *(number(entry.value(key), 9) for key in COUNTED)))
        if entry.value("kernel_instructions") is not None:
            kernel = (number(entry.value(f"kernel_{key}"), 9) for key in COUNTED)
            counts.append((entry.link, f"{entry.name}, of integers", *kernel))
    columns = ("board", "artifact", "instructions", "cycles", "stack, bytes", "flash, bytes", "RAM, bytes")
    if counts:
        terminal.table("emulated: counted, the same on every run", columns, counts, text_columns=2)
    times, low, high = _times(measurements)
    if times:
        energy = any(entry.value("energy_nj") is not None for entry, _ in times)
        lines = [
            (
                entry.link, entry.name, number(figure["value"], 3),
                *([number(entry.value("energy_nj"), 3)] if energy else []),
                f"{number(figure['low'], 3)} to {number(figure['high'], 3)}", _bar(figure, low, high),
            )
            for entry, figure in times
        ]  # fmt: skip
        scale = f"{number(low, 2)} to {number(high, 2)} us, logarithmic"
        heads = ("board", "artifact", "one row, us", *(["nJ"] if energy else []), "band, us", scale)
        terminal.table("modelled: counts times published figures", heads, lines, text_columns=2)
    lost = [
        (measurement.link, measurement.name, measurement.reason) for measurement in measurements if measurement.reason
    ]
    if lost:
        terminal.table("not here", ("board", "artifact", "why"), lost, text_columns=3)
    for warning in dict.fromkeys(text for measurement in measurements for text in measurement.warnings):
        terminal.note(f"note: {warning}")


def costs_picture(measurements: Sequence[Measurement]) -> str:
    """Boards and artifacts with their modelled times as bands, and the emulated counts they come from; an SVG file."""
    times, low, high = _times(measurements)
    if not times:
        raise DataError("nothing could be counted, so there is nothing to draw")
    counts = {
        (measurement.link, measurement.name): measurement
        for measurement in measurements
        if measurement.kind == "emulated"
    }
    axes = Axes(
        (low / 1.5, high * 100.0), (0.0, float(len(times))), "us for one row: modelled, band and middle", "",
        "One prediction on boards that are not here", "Modelled times with their bands, and emulated counts.",
        log_x=True, height=70 + 18 * len(times), left=170,
    )  # fmt: skip
    for i, (entry, figure) in enumerate(times):
        y = len(times) - i - 0.5
        words = f"{entry.link} {entry.name}"
        axes.line([figure["low"], figure["high"]], [y, y], "line")
        axes.dot(figure["value"], y, "point", f"{words}: {figure['value']:.3g} us, modelled")
        axes.parts.append(f'<text x="164" y="{axes.py(y) + 4:.1f}" text-anchor="end">{escape(words)}</text>')
        counted = counts[entry.link, entry.name]
        key = "cycles" if counted.value("cycles") is not None else "instructions"
        axes.text(figure["high"] * 1.3, y, f"{counted.value(key):,.0f} {key}, emulated", dy=4)
    return svg_file(axes)


def _times(measurements: Sequence[Measurement]) -> tuple[list[tuple[Measurement, Mapping[str, Any]]], float, float]:
    """What is modelled, with its time, and the ends of all bands."""
    times = [
        (measurement, measurement.figures["p50_us"]) for measurement in measurements if measurement.kind == "modelled"
    ]
    low = min((figure["low"] for _, figure in times), default=0.0)
    return times, low, max((figure["high"] for _, figure in times), default=0.0)


def _bar(figure: Mapping[str, Any], low: float, high: float) -> str:
    """A band and its middle on a common logarithmic scale."""
    if high <= low:
        return ""
    step = (WIDTH - 1) / math.log(high / low)
    start, middle, end = (round(step * math.log(figure[key] / low)) for key in ("low", "value", "high"))
    cells = ["─" if start <= i <= end else " " for i in range(WIDTH)]
    cells[middle] = "●"
    return "".join(cells)


def _size(value: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value} B"
