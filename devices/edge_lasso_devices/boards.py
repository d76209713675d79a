"""Boards: one TOML each, every figure with its source; what can run there and why the rest cannot."""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import BoardError
from .schema import BANDED, FIGURES, check, check_complete

PROFILES = Path(__file__).with_name("profiles")
T = TypeVar("T")


@dataclass(frozen=True)
class Figure(Generic[T]):
    """A figure and where it is published; for speeds also the factor by which it may be off either way."""

    value: T
    source: str
    band: float = 1.0


@dataclass(frozen=True)
class Board:
    """A board as its profile states it. Fields that its class does not have are None.

    Attributes
    ----------
    kind : {"linux", "microcontroller"}
        What the profile calls its class.
    core : str or None
        The emulated core whose counts stand for this board's.
    link : str or None
        The emulated link that stands for this board.
    cycles_per_instruction : Figure
        Turns counted instructions into cycles.
    cycle_factor : Figure or None
        Cycles on the board for one cycle of the emulated core; None where that core counts no cycles of this board.
    active_mw : Figure or None
        What it draws while it computes, in milliwatts; None where nothing that can be cited says so.
    """

    name: str
    title: str
    kind: str
    cpu: Figure[str]
    isa: Figure[str]
    clock_mhz: Figure[float]
    cores: Figure[int]
    fpu: Figure[str]
    bits: Figure[int]
    ram_bytes: Figure[int]
    cycles_per_instruction: Figure[float]
    path: str
    flash_bytes: Figure[int] | None = None
    os: Figure[str] | None = None
    pythons: Figure[tuple[str, ...]] | None = None
    micropython: Figure[bool] | None = None
    tflite_micro: Figure[bool] | None = None
    cycle_factor: Figure[float] | None = None
    active_mw: Figure[float] | None = None
    core: str | None = None
    link: str | None = None
    notes: str | None = None


def user_profiles() -> Path:
    """The folder of the user's own profiles: ``EDGE_LASSO_BOARDS``, or ``edge-lasso/boards`` among the settings."""
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(os.environ.get("EDGE_LASSO_BOARDS") or Path(settings, "edge-lasso", "boards"))


def boards() -> list[Board]:
    """Every board known by name, the user's own included; sorted by name."""
    return [load_board(name) for name in _names()]


def load_board(name_or_path: str) -> Board:
    """Load one board's profile.

    Parameters
    ----------
    name_or_path : str
        The name of a board that comes with the package or is among the user's profiles, or the path of a TOML file.

    Raises
    ------
    BoardError
        No such board (the nearest is named), or a profile with a field that is missing, unknown or malformed.
    """
    if name_or_path.endswith(".toml"):
        return _read(Path(name_or_path))
    for folder in (user_profiles(), PROFILES):
        path = folder / f"{name_or_path}.toml"
        if os.sep not in name_or_path and path.is_file():
            return _read(path)
    known = _names()
    nearest = difflib.get_close_matches(name_or_path.lower(), known, 1, 0.4)
    hint = f"the nearest is '{nearest[0]}'" if nearest else f"there are {', '.join(known)}"
    raise BoardError(f"board '{name_or_path}' is unknown; {hint}; a profile of your own works by its path, x.toml")


def targets(board: Board) -> dict[str, str | None]:
    """Which targets can run on a board: None, or why not."""
    return {"python": _python(board), "c": None, "onnx": _onnx(board), "tflite": _tflite(board)}


def calibrated_profile(board: Board, cycles_per_instruction: float, band: float, source: str) -> tuple[Path, str]:
    """A measured speed for a board as a profile of the user's, where it replaces the published one.

    Parameters
    ----------
    board : Board
        One that is known by name.
    cycles_per_instruction, band : float
        The measured figure, and the factor by which repeated measurements differed.
    source : str
        What was measured, where and when.

    Returns
    -------
    Path, str
        Where the profile belongs, in a folder that is there, and its text.

    Raises
    ------
    BoardError
        The board is a file of the user's own, or there is no such folder and none can be made.
    """
    if not (PROFILES / f"{board.name}.toml").is_file():
        raise BoardError(f"board '{board.name}' comes from {board.path}; put the measured figure in there")
    figure = {"value": cycles_per_instruction, "band": band, "source": source}
    path = user_profiles() / f"{board.name}.toml"
    check({"cycles_per_instruction": figure}, str(path))
    text = (
        f'base = "{board.name}"\n\n[cycles_per_instruction]\n'
        f"value = {cycles_per_instruction!r}\nband = {band!r}\nsource = {_quoted(source)}\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BoardError(f"cannot write {path}: {error.strerror}") from None
    return path, text


def _names() -> list[str]:
    return sorted({path.stem for folder in (PROFILES, user_profiles()) for path in folder.glob("*.toml")})


def _read(path: Path) -> Board:
    table = _table(path)
    check(table, str(path))
    if "base" in table:
        base = PROFILES / f"{table['base']}.toml"
        if not base.is_file():
            raise BoardError(
                f"{path}: base '{table['base']}' is unknown; it must be a board that comes with edge-lasso"
            )
        table = _table(base) | {key: value for key, value in table.items() if key != "base"}
    check_complete(table, str(path))
    fields: dict[str, Any] = {}
    for key, value in table.items():
        if key in FIGURES:
            inner = tuple(value["value"]) if isinstance(value["value"], list) else value["value"]
            fields[key] = Figure(inner, value["source"], float(value["band"]) if key in BANDED else 1.0)
        else:
            fields["kind" if key == "class" else key] = value
    return Board(name=path.stem, path=str(path), **fields)


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BoardError(f"{path} is not TOML: {error}") from None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char >= " " and char != "\x7f" else " " for char in escaped) + '"'


def _python(board: Board) -> str | None:
    if board.kind == "linux":
        return None
    if board.micropython and board.micropython.value:
        return None
    return f"no MicroPython for {board.title} ({board.ram_bytes.value // 1024} KB of RAM); use c"


def _onnx(board: Board) -> str | None:
    if board.kind != "linux":
        return "onnxruntime needs an operating system; use c"
    if board.bits.value != 64:
        return f"onnxruntime has no wheels for 32-bit ARM ({board.isa.value}); use python or c"
    return None


def _tflite(board: Board) -> str | None:
    if board.kind != "linux":
        if board.tflite_micro and board.tflite_micro.value:
            return None
        return (
            f"TFLite Micro does not fit or has no port here ({board.ram_bytes.value // 1024} KB of RAM, "
            f"{board.flash_bytes.value // 1024 if board.flash_bytes else 0} KB of flash); use c"
        )
    if board.isa.value == "armv6":
        return "neither LiteRT nor tflite-runtime has wheels for armv6; use python or c"
    oldest = min(tuple(map(int, version.split("."))) for version in board.pythons.value) if board.pythons else (3, 0)
    if board.bits.value != 64 and oldest > (3, 11):
        return "LiteRT has no wheels for 32-bit ARM and tflite-runtime none for Python above 3.11; use python or c"
    return None
