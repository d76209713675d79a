"""From counts to time: instructions or cycles times a board's published figures. Always modelled, with a band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .boards import Board
from .errors import BoardError

KIND: Literal["modelled"] = "modelled"


@dataclass(frozen=True)
class ModelledTime:
    """Microseconds on a board, worked out and not measured.

    Attributes
    ----------
    us, low, high : float
        The estimate, and the band that it stands in: the published figure may be off by its band either way.
    source : str
        What it was worked out from.
    """

    us: float
    low: float
    high: float
    source: str
    kind: Literal["modelled"] = KIND


def model_time(board: Board, instructions: float, cycles: float | None = None) -> ModelledTime:
    """Time of a piece of code on a board.

    ``us = cycles * cycle_factor / clock_mhz`` where the board's own core was emulated with cycles, and
    ``us = instructions * cycles_per_instruction / clock_mhz`` otherwise.

    Parameters
    ----------
    board : Board
        Its clock and its published figures.
    instructions : float
        Instructions counted in the board's instruction set, or in the one its profile names as standing in.
    cycles : float, optional
        Cycles counted on the board's emulated core.

    Raises
    ------
    BoardError
        A count is not positive.
    """
    for name, count in (("instructions", instructions), ("cycles", cycles)):
        if count is not None and not 0 < count < float("inf"):
            raise BoardError(f"{name} is {count}; a count must be a positive number")
    exact = cycles is not None and board.cycle_factor is not None
    figure = board.cycle_factor if exact else board.cycles_per_instruction
    assert figure is not None
    counted = cycles if exact and cycles is not None else instructions
    us = counted * figure.value / board.clock_mhz.value
    what = "cycles" if exact else "instructions"
    source = f"{counted:.10g} {what} x {figure.value:g} / {board.clock_mhz.value:g} MHz; {figure.source}"
    return ModelledTime(us, us / figure.band, us * figure.band, source)


def energy_figure(board: Board, time: ModelledTime) -> dict[str, dict[str, Any]]:
    """The energy of a piece of code as ``energy_nj``: microseconds times milliwatts; empty where nothing is cited."""
    if board.active_mw is None:
        return {}
    power = board.active_mw.value
    ends = {"value": time.us * power, "low": time.low * power, "high": time.high * power}
    source = f"time x {power:g} mW; {board.active_mw.source}"
    return {"energy_nj": {**ends, "unit": "nJ", "kind": KIND, "of": source}}


def calibration(board: Board, instructions: float, microseconds: float) -> float:
    """The cycles per instruction that a measured time means; what `edge_lasso_devices.boards.calibrate` stores."""
    if not (instructions > 0 and microseconds > 0):
        raise BoardError("calibrating needs a positive count of instructions and a positive time")
    return microseconds * board.clock_mhz.value / instructions
